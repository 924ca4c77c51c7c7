import { expect, test } from "vitest";
import { AutoBitrate, MIN_KBPS } from "./bitrate";
import { Clock, KEPT } from "./clock";
import { pastes, pictureBox, placeIn, Remainder, wheelUnits } from "./input";
import { EVDEV } from "./keys";
import { Lateness } from "./late";
import { wantedMode } from "./mode";
import { ASK_AGAIN_MS, FrameOrder, MAX_WAITING } from "./order";
import { capabilities, padMessage } from "./pads";
import { MAX_HELD_MS, Playout } from "./playout";
import { chooseLanguage, LANGUAGES } from "./texts";

const frames = () => {
  const out: number[] = [];
  const asked: string[] = [];
  const order = new FrameOrder<{ index: number; key: boolean }>(({ index }) => out.push(index), () => asked.push("asked"));
  return { out, asked, order, add: (index: number, key = false, now = 0) => order.add({ index, key }, now) };
};

test("frames that overtake each other are put in order, also where their numbers begin anew", () => {
  const { out, asked, add, order } = frames();
  add(2 ** 32 - 2, true);
  add(0);
  add(2 ** 32 - 1);
  add(1);
  expect(out).toEqual([2 ** 32 - 2, 2 ** 32 - 1, 0, 1]);
  expect(asked).toEqual([]);
  expect(order.missing).toBe(0);
});

test("a gap is waited for, then given up, and a keyframe asked for once and again when none comes", () => {
  const { out, asked, add, order } = frames();
  add(1, true, 0);
  add(3, false, 10);
  add(4, false, 30);
  expect(asked).toEqual([]);
  order.tick(10 + order.patienceMs + 1);
  expect(asked).toHaveLength(1);
  add(5, false, 200);
  add(6, false, 210);
  expect(asked).toHaveLength(1);
  order.tick(200 + ASK_AGAIN_MS + 1);
  expect(asked).toHaveLength(2);
  add(7, true, 900);
  expect(out).toEqual([1, 7]);
  expect([order.missing, order.dropped]).toEqual([1, 4]);
});

test("a late frame is dropped, a keyframe ends every wait, and a flood of futures does not grow", () => {
  const { out, asked, add, order } = frames();
  add(0); // nothing decodes before a keyframe
  expect(asked).toHaveLength(1);
  add(10, true);
  add(9);
  expect(out).toEqual([10]);
  for (let i = 0; i < 3 * MAX_WAITING; i++) add(1000 + i);
  expect(asked.length).toBeGreaterThan(1);
  add(5000, true);
  add(5001);
  expect(out).toEqual([10, 5000, 5001]);
  expect(order.dropped).toBeGreaterThan(2 * MAX_WAITING);
});

test("the shortest round trip tells the clock's offset, and few are remembered", () => {
  const clock = new Clock();
  expect(clock.best.rttMs).toBe(Infinity);
  clock.add(1000, 1100, 500); // 100 ms, offset 550
  clock.add(2000, 2010, 1455); // 10 ms, offset 550
  clock.add(3000, 3200, 2400);
  clock.add(5000, 4000, 0); // no time runs backwards
  expect(clock.best).toEqual({ rttMs: 10, offsetMs: 550 });
  for (let i = 0; i < KEPT; i++) clock.add(i * 100, i * 100 + 50, i * 100);
  expect(clock.best).toEqual({ rttMs: 50, offsetMs: 25 });
});

test("bitrate falls with losses and with queues, not with distance, and rises slowly", () => {
  const auto = new AutoBitrate(10_000, 25_000);
  for (let i = 0; i < 3; i++) expect(auto.second(0, 300, 9000)).toBeNull(); // far away, and no queue
  expect(auto.second(0, 301, 9000)).toBe(12_500);
  expect(auto.second(9, 300, 12_000)).toBe(8750);
  expect(auto.second(9, 300, 9000)).toBeNull(); // what was done has to show first
  expect(auto.second(0, 400, 4000)).toBe(3200);
  for (let i = 0; i < 40; i++) auto.second(30, 900, auto.kbps * 0.9);
  expect(auto.kbps).toBe(MIN_KBPS);
  for (let i = 0; i < 400; i++) auto.second(0, 300, 9000);
  expect(auto.kbps).toBe(25_000);
});

test("a still desktop that stutters keeps the bitrate it needs when something moves", () => {
  const late = new AutoBitrate(10_000, 25_000);
  late.second(0, 10, 200);
  for (let i = 0; i < 25; i++) late.second(0, 400, 200);
  expect(late.kbps).toBe(10_000);
  const lossy = new AutoBitrate(10_000, 25_000);
  for (let i = 0; i < 60; i++) lossy.second(9, 10, 200);
  expect(lossy.kbps).toBe(2000);
  const narrow = new AutoBitrate(10_000, 25_000);
  for (let i = 0; i < 60; i++) narrow.second(narrow.kbps > 900 ? 20 : 0, 10, Math.min(narrow.kbps, 900));
  expect(narrow.kbps).toBeLessThan(1000);
});

const block = (frames: number, value: number) => [new Float32Array(frames).fill(value), new Float32Array(frames).fill(-value)];
const pulled = (playout: Playout, frames: number) => {
  const out = [new Float32Array(frames), new Float32Array(frames)];
  playout.pull(out);
  return out;
};

test("sound waits until enough is held, then plays both channels", () => {
  const playout = new Playout(48_000);
  playout.push(block(480, 0.5));
  expect(Math.max(...pulled(playout, 128)[0]!)).toBe(0);
  for (let i = 0; i < 3; i++) playout.push(block(480, 0.5));
  const [left, right] = pulled(playout, 512);
  expect(left!.at(-1)).toBe(0.5);
  expect(right!.at(-1)).toBe(-0.5);
  expect(playout.figures.heldMs).toBeCloseTo((4 * 480 - 512) / 48);
});

test("no sample jumps where sound begins, ends or skips", () => {
  const playout = new Playout(48_000);
  const all: number[] = [];
  const push = (blocks: number, value: number) => {
    for (let i = 0; i < blocks; i++) playout.push(block(480, value));
  };
  const pull = (times: number) => {
    for (let i = 0; i < times; i++) all.push(...pulled(playout, 128)[0]!);
  };
  push(4, 0.8);
  pull(40);
  push(6, 0.8);
  pull(2);
  push(40, 0.2);
  pull(20);
  expect(playout.figures.skippedMs).toBeGreaterThan(100);
  const jumps = all.slice(1).map((sample, i) => Math.abs(sample - all[i]!));
  expect(Math.max(...jumps)).toBeLessThan(0.02);
});

test("gaps make it hold more, calm makes it hold less again, and a flood stays within bounds", () => {
  const playout = new Playout(48_000);
  for (let i = 0; i < 5; i++) {
    for (let n = 0; n < 12; n++) playout.push(block(480, 0.1));
    for (let n = 0; n < 60; n++) pulled(playout, 128);
  }
  expect(playout.figures.gaps).toBe(5);
  const nervous = playout.figures.targetMs;
  expect(nervous).toBeGreaterThan(60);
  for (let n = 0; n < 12_000; n++) {
    playout.push(block(128, 0.1));
    if (n > 50) pulled(playout, 128);
  }
  expect(playout.figures.targetMs).toBeLessThan(nervous);
  for (let i = 0; i < 10_000; i++) playout.push(block(480, 0.1));
  expect(playout.figures.heldMs).toBeLessThanOrEqual(MAX_HELD_MS);
  expect(playout.figures.skippedMs).toBeGreaterThan(90_000);
});

const canvas = (width: number, height: number, box: { left: number; top: number; width: number; height: number }) =>
  pictureBox({ width, height, getBoundingClientRect: () => box });

test("a place is of the picture, not of the black beside it", () => {
  const box = canvas(1280, 720, { left: 0, top: 0, width: 1280, height: 1280 });
  expect(box).toEqual({ left: 0, top: 280, width: 1280, height: 720 });
  expect(placeIn(box, 0, 280)).toEqual({ x: 0, y: 0 });
  expect(placeIn(box, 640, 640)).toEqual({ x: 32768, y: 32768 });
  expect(placeIn(box, 5000, -5)).toEqual({ x: 65535, y: 0 });
});

test("wheels turn in 120ths of a notch, up positive, whatever unit the browser counts in", () => {
  expect(wheelUnits({ deltaX: 0, deltaY: 100, deltaMode: 0 })).toEqual({ horizontal: 0, vertical: -120 });
  expect(wheelUnits({ deltaX: 3, deltaY: -3, deltaMode: 1 })).toEqual({ horizontal: 120, vertical: 120 });
  expect(wheelUnits({ deltaX: 0, deltaY: 1e9, deltaMode: 2 })).toEqual({ horizontal: 0, vertical: -32767 });
});

test("fractions of a motion are not lost", () => {
  const remainder = new Remainder();
  const moved = Array.from({ length: 10 }, () => remainder.take(0.4));
  expect(moved.reduce((sum, step) => sum + step, 0)).toBe(4);
  expect(remainder.take(1e9)).toBe(32767);
});

test("keys that paste", () => {
  const key = (code: string, held: Partial<KeyboardEvent> = {}) => pastes({ code, ctrlKey: false, metaKey: false, shiftKey: false, ...held });
  expect(key("KeyV", { ctrlKey: true })).toBe(true);
  expect(key("KeyV", { ctrlKey: true, shiftKey: true })).toBe(true);
  expect(key("KeyV", { metaKey: true })).toBe(true);
  expect(key("Insert", { shiftKey: true })).toBe(true);
  expect(key("KeyV")).toBe(false);
  expect(key("KeyC", { ctrlKey: true })).toBe(false);
});

test("physical keys have the kernel's codes", () => {
  for (const [code, evdev] of [["KeyA", 30], ["Enter", 28], ["ArrowUp", 103], ["F12", 88], ["IntlBackslash", 86], ["MetaLeft", 125], ["NumpadEnter", 96]] as const)
    expect(EVDEV.get(code), code).toBe(evdev);
});

test("the mode is the window's, even, and not larger than an encoder can bear", () => {
  const at = (innerWidth: number, innerHeight: number, devicePixelRatio = 1) => ({ innerWidth, innerHeight, devicePixelRatio });
  expect(wantedMode("1280x720", "30", at(800, 600))).toEqual({ width: 1280, height: 720, refresh_hz: 30 });
  expect(wantedMode("", "", at(801, 603))).toEqual({ width: 802, height: 604, refresh_hz: 60 });
  expect(wantedMode("nonsense", "x", at(800, 600, 3))).toEqual({ width: 1600, height: 1200, refresh_hz: 60 });
  const huge = wantedMode("", "", at(3840, 2160, 2));
  expect(huge.width * huge.height).toBeLessThanOrEqual(2560 * 1440 * 1.01);
  expect(huge.width / huge.height).toBeCloseTo(16 / 9, 1);
});

const pad = (change: object) => ({ index: 1, axes: [0, 0, 0, 0], buttons: Array.from({ length: 17 }, () => ({ pressed: false, value: 0 })), vibrationActuator: null, ...change }) as unknown as Gamepad;

test("a pad's sticks point up where the host's do, and its buttons are the host's", () => {
  const buttons = Array.from({ length: 17 }, (_, i) => ({ pressed: i === 0 || i === 16, value: i === 6 ? 0.5 : i === 7 ? 1 : 0 }));
  expect(padMessage(pad({ axes: [-1, -1, 0.5, 2], buttons }), 9)).toEqual({
    is: "Pad", seq: 9, pad: 1, buttons: 0x1400, left_trigger: 128, right_trigger: 255, left_x: -32767, left_y: 32767, right_x: 16384, right_y: -32767,
  });
  expect(capabilities(pad({}))).toBe(1);
  expect(capabilities(pad({ vibrationActuator: { effects: ["dual-rumble", "trigger-rumble"] } }))).toBe(7);
});

test("every language has every text, and none is empty", () => {
  const keys = Object.keys(LANGUAGES.en!);
  for (const [name, texts] of Object.entries(LANGUAGES)) {
    expect(Object.keys(texts), name).toEqual(keys);
    for (const [key, text] of Object.entries(texts)) expect(text.trim(), `${name} ${key}`).not.toBe("");
  }
  expect(chooseLanguage(["fr-FR", "de-AT"])).toBe("de");
  expect(chooseLanguage(["fr"])).toBe("en");
});

test("who runs after the past begins anew, once in a while; who is far away does not", () => {
  const far = new Lateness();
  for (let now = 0; now < 10_000; now += 16) expect(far.tooLate(700 + (now % 5), now)).toBe(false);
  expect(far.tooLate(1600, 10_000)).toBe(true);
  expect(far.tooLate(1650, 10_500)).toBe(false); // the keyframe is on its way
  expect(far.tooLate(1700, 12_100)).toBe(true);
  const longer = new Lateness();
  longer.tooLate(10, 0);
  const again = Array.from({ length: 20_000 }, (_, i) => longer.tooLate(1000, i * 16)).filter(Boolean).length;
  expect(again).toBeLessThan(30); // the way has become longer for good
});
