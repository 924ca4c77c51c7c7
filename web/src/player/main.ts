// The page /play: gets a ticket, connects, plays, and comes back by itself.

import { get, post, setCsrfToken } from "../api/client";
import { AutoBitrate } from "./bitrate";
import { type Carrier, type Choice, open, type Ticket } from "./carrier";
import { Clock } from "./clock";
import { Input } from "./input";
import { Picture } from "./picture";
import { Sound } from "./sound";
import "./play.css";
import { decode, encode, type Message, VERSION } from "./wire";

const BACKOFF_MS = [300, 600, 1200, 2500, 5000];
const PRESETS: Record<string, number> = { low: 3000, medium: 10_000, high: 25_000 };
const CODECS = [["avc1.42E01F", 1], ["hev1.1.6.L93.B0", 2], ["av01.0.05M.08", 4]] as const;
const RESIZE_PAUSE_MS = 400;

const canvas = document.querySelector<HTMLCanvasElement>("#picture")!;
const status = document.querySelector<HTMLElement>("#status")!;
const overlay = document.querySelector<HTMLElement>("#figures")!;
const bar = document.querySelector<HTMLElement>("#bar")!;
const query = new URLSearchParams(location.search);
const linkSecret = location.hash.slice(1);

async function ticket(): Promise<Ticket> {
  if (linkSecret) return post<Ticket>("/play/link-ticket", { secret: linkSecret });
  const me = await get<{ csrf_token?: string }>("/auth/me");
  if (me.csrf_token) setCsrfToken(me.csrf_token);
  return post<Ticket>("/play/ticket", { app: Number(query.get("app") ?? 0) });
}

async function decodable(): Promise<number> {
  let bits = 0;
  for (const [codec, bit] of CODECS)
    if (await VideoDecoder.isConfigSupported({ codec, optimizeForLatency: true }).then((r) => r.supported, () => false)) bits |= bit;
  return bits;
}

function windowMode(): { width: number; height: number; refresh_hz: number } {
  const [width, height] = (query.get("size") ?? "").split("x").map(Number);
  const scale = window.devicePixelRatio;
  return {
    width: width || Math.round(innerWidth * scale),
    height: height || Math.round(innerHeight * scale),
    refresh_hz: Number(query.get("fps") ?? 60),
  };
}

/** One connection, until it is lost. Resolves to whether to come back. */
async function play(): Promise<boolean> {
  const clock = new Clock();
  let carrier: Carrier | null = null;
  let sound: Sound | null = null;
  let auto: AutoBitrate | null = null;
  let again = true;
  let finish = () => {};
  const over = new Promise<void>((resolve) => (finish = resolve));
  const send = (message: Message) => carrier?.send(encode(message));
  const picture = new Picture(canvas, () => send({ is: "KeyframeWanted" }));
  const input = new Input(canvas, {
    send: (message) => carrier?.send(message),
    sendLoosely: (message) => carrier?.sendLoosely(message),
  });
  const ended = new AbortController();

  const received = (bytes: Uint8Array<ArrayBuffer>) => {
    const message = decode(bytes);
    switch (message.is) {
      case "Video":
        return picture.add(message);
      case "Audio":
        return sound?.packet(message.capture_us, message.data);
      case "Pong":
        clock.add(message.client_us / 1000, performance.now(), message.host_us / 1000);
        picture.clockOffsetMs = clock.best.offsetMs;
        return;
      case "Ready":
        show("");
        document.title = `${message.app} · punktfunk`;
        canvas.dataset.carrier = carrier?.name ?? "";
        canvas.dataset.session = message.session;
        auto = new AutoBitrate(message.bitrate_kbps, message.bitrate_kbps * 2);
        if (message.audio_channels) void (sound = new Sound()).start(message.audio_channels);
        Object.assign(window, { punktfunk: { picture, sound } });
        return;
      case "Recovering":
        return show(message.reason && `The host repairs the picture: ${message.reason}`);
      case "Rumble":
        return rumble(message);
      case "Clipboard":
        return void navigator.clipboard?.writeText(message.text).catch(() => undefined);
      case "Ended":
        again = message.again;
        return show(message.reason);
    }
  };

  try {
    const granted = await ticket();
    const codecs = await decodable();
    carrier = await open(granted, (query.get("via") ?? "auto") as Choice, { received, lost: () => finish() });
    const kbps = PRESETS[query.get("quality") ?? ""] ?? PRESETS.medium!;
    send({ is: "Hello", version: VERSION, ticket: granted.ticket, ...windowMode(), codecs, audio: true, bitrate_kbps: kbps, app: 0 });
  } catch (error) {
    input.close();
    picture.close();
    show(`${(error as Error).message}. Trying again.`);
    return true;
  }
  let resizing = 0;
  const on = (type: string, handle: () => void) => window.addEventListener(type, handle, { signal: ended.signal });
  on("resize", () => {
    clearTimeout(resizing);
    resizing = window.setTimeout(() => send({ is: "Resized", ...windowMode() }), RESIZE_PAUSE_MS);
  });
  on("focus", () => void navigator.clipboard?.readText().then((text) => text && send({ is: "Clipboard", text })).catch(() => undefined));
  on("pointerdown", () => sound?.wake());
  on("keydown", () => sound?.wake());
  on("pagehide", () => send({ is: "Leaving", end: false }));
  on("punktfunk-end", () => send({ is: "Leaving", end: true }));
  const ping = () => send({ is: "Ping", client_us: Math.round(performance.now() * 1000) });
  ping();
  let last = { ...picture.figures };
  const second = setInterval(() => {
    ping();
    const now = { ...picture.figures };
    const rate = query.has("quality") ? null : (auto?.second(now.dropped - last.dropped, now.networkMs) ?? null);
    if (rate !== null) send({ is: "BitrateWanted", kbps: rate });
    const lines = [
      `${carrier?.name}  ${canvas.width}x${canvas.height}  ${now.drawn - last.drawn} fps  ${(((now.bytes - last.bytes) * 8) / 1e6).toFixed(1)} Mbit/s`,
      `capture ${now.queueMs.toFixed(1)}  encode ${now.encodeMs.toFixed(1)}  network ${now.networkMs.toFixed(1)}  decode and draw ${now.decodeMs.toFixed(1)} ms`,
      `round trip ${clock.best.rttMs.toFixed(1)} ms  dropped ${now.dropped}`,
    ];
    overlay.textContent = lines.join("\n");
    last = now;
  }, 1000);
  const pads = setInterval(() => input.pollPads(), 8);
  await over;
  clearInterval(second);
  clearInterval(pads);
  ended.abort();
  input.close();
  picture.close();
  (sound as Sound | null)?.close();
  return again;
}

function rumble({ pad, low, high }: Message<"Rumble">): void {
  const actuator = navigator.getGamepads()[pad]?.vibrationActuator;
  void actuator?.playEffect("dual-rumble", { duration: 1000, strongMagnitude: low / 65535, weakMagnitude: high / 65535 }).catch(() => undefined);
}

function show(text: string): void {
  status.textContent = text;
  status.hidden = !text;
}

function wireBar(): void {
  const click = (id: string, handle: () => void) => document.querySelector(`#${id}`)!.addEventListener("click", handle);
  click("fullscreen", () => {
    if (document.fullscreenElement) return void document.exitFullscreen();
    void document.documentElement.requestFullscreen().then(() => {
      const keyboard = (navigator as Navigator & { keyboard?: { lock?: () => Promise<void> } }).keyboard;
      return keyboard?.lock?.();
    });
  });
  click("lock", () => void canvas.requestPointerLock());
  click("stats", () => (overlay.hidden = !overlay.hidden));
  click("end", () => window.dispatchEvent(new Event("punktfunk-end")));
  let hide = 0;
  window.addEventListener("pointermove", ({ clientY }) => {
    if (clientY > 48) return;
    bar.classList.add("shown");
    clearTimeout(hide);
    hide = window.setTimeout(() => bar.classList.remove("shown"), 2500);
  });
}

async function main(): Promise<void> {
  if (!("VideoDecoder" in window)) return show("This browser cannot decode video (WebCodecs is missing).");
  wireBar();
  canvas.focus();
  for (let tries = 0; ; tries++) {
    const began = performance.now();
    if (!(await play())) return;
    if (performance.now() - began > 10_000) tries = 0;
    if (status.hidden) show("The connection to the host is lost. Trying again.");
    await new Promise((resolve) => setTimeout(resolve, BACKOFF_MS[Math.min(tries, BACKOFF_MS.length - 1)]));
  }
}

void main();
