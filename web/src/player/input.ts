// From the page's events to messages.

import { EVDEV } from "./keys";
import { encode, type Message } from "./wire";

const BUTTONS = [0x110, 0x112, 0x111, 0x113, 0x114];
const PHASES = { pointerdown: 0, pointermove: 1, pointerup: 2, pointercancel: 3 } as const;
const NOTCH = 120;
const PIXELS_PER_NOTCH = 100;
/** Buttons of the Gamepad API's standard mapping as the bits of gamestream.md §7.6. */
const PAD_BITS = [0x1000, 0x2000, 0x4000, 0x8000, 0x100, 0x200, 0, 0, 0x20, 0x10, 0x40, 0x80, 0x1, 0x2, 0x4, 0x8, 0x400];
const MAX_PADS = 4;

export interface Sink {
  send(message: Uint8Array<ArrayBuffer>): void;
  sendLoosely(message: Uint8Array<ArrayBuffer>): void;
}

interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** The part of a canvas that its picture covers, whole and centred. */
export function pictureBox(canvas: HTMLCanvasElement): Box {
  const box = canvas.getBoundingClientRect();
  const scale = Math.min(box.width / canvas.width, box.height / canvas.height);
  const width = canvas.width * scale;
  const height = canvas.height * scale;
  return { left: box.left + (box.width - width) / 2, top: box.top + (box.height - height) / 2, width, height };
}

/** Where in the picture a point of the window lies, as 0..65535. */
export function placeIn(box: Box, x: number, y: number): { x: number; y: number } {
  const fraction = (at: number, from: number, size: number) =>
    Math.round(65535 * Math.min(1, Math.max(0, size > 0 ? (at - from) / size : 0)));
  return { x: fraction(x, box.left, box.width), y: fraction(y, box.top, box.height) };
}

export function padMessage(pad: Gamepad, seq: number): Message<"Pad"> {
  const axis = (i: number) => Math.round(32767 * Math.min(1, Math.max(-1, pad.axes[i] ?? 0)));
  const trigger = (i: number) => Math.round(255 * (pad.buttons[i]?.value ?? 0));
  const buttons = PAD_BITS.reduce((bits, bit, i) => (pad.buttons[i]?.pressed ? bits | bit : bits), 0);
  return {
    is: "Pad", seq, pad: pad.index, buttons,
    left_trigger: trigger(6), right_trigger: trigger(7),
    left_x: axis(0), left_y: -axis(1), right_x: axis(2), right_y: -axis(3),
  };
}

export class Input {
  private seq = 0;
  private held = new Set<number>();
  private pads = new Map<number, string>();
  private readonly stop = new AbortController();

  constructor(
    private readonly surface: HTMLCanvasElement,
    private readonly sink: Sink,
  ) {
    const on = <K extends keyof WindowEventMap>(type: K, handle: (event: WindowEventMap[K]) => void, target: EventTarget = window) =>
      target.addEventListener(type, handle as EventListener, { signal: this.stop.signal, passive: false });
    on("keydown", (event) => this.key(event, true));
    on("keyup", (event) => this.key(event, false));
    on("blur", () => this.release());
    for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel"] as const)
      on(type, (event) => this.pointer(event, type), surface);
    on("wheel", (event) => this.wheel(event), surface);
    on("contextmenu", (event) => event.preventDefault(), surface);
  }

  close(): void {
    this.release();
    this.stop.abort();
  }

  /** Once per picture: the Gamepad API has no events for sticks and buttons. */
  pollPads(): void {
    for (const pad of navigator.getGamepads?.() ?? []) {
      if (!pad?.connected || pad.index >= MAX_PADS) continue;
      if (!this.pads.has(pad.index)) {
        const rumbles = "vibrationActuator" in pad && pad.vibrationActuator !== null;
        this.sink.send(encode({ is: "PadPlugged", pad: pad.index, capabilities: rumbles ? 3 : 1 }));
        this.pads.set(pad.index, "");
      }
      const state = JSON.stringify(padMessage(pad, 0));
      if (state === this.pads.get(pad.index)) continue;
      this.pads.set(pad.index, state);
      this.sink.send(encode(padMessage(pad, this.nextSeq())));
    }
    for (const index of this.pads.keys())
      if (!navigator.getGamepads()[index]?.connected) {
        this.pads.delete(index);
        this.sink.send(encode({ is: "PadUnplugged", pad: index }));
      }
  }

  private release(): void {
    this.held.clear();
    this.sink.send(encode({ is: "ReleaseAll" }));
  }

  private key(event: KeyboardEvent, pressed: boolean): void {
    const target = event.target as HTMLElement;
    const code = EVDEV.get(event.code);
    if (code === undefined || event.isComposing || target.closest?.("[data-bar]")) return;
    event.preventDefault();
    if (pressed === this.held.has(code)) return;
    if (pressed) this.held.add(code);
    else this.held.delete(code);
    const modifiers = +event.shiftKey | (+event.ctrlKey << 1) | (+event.altKey << 2) | (+event.metaKey << 3);
    this.sink.send(encode({ is: "Key", code, pressed, modifiers }));
  }

  private pointer(event: PointerEvent, type: keyof typeof PHASES): void {
    event.preventDefault();
    if (event.pointerType === "touch") return this.touch(event, type);
    if (document.pointerLockElement === this.surface) {
      if (type === "pointermove" && (event.movementX || event.movementY))
        this.sink.send(encode({ is: "Move", dx: Math.round(event.movementX), dy: Math.round(event.movementY) }));
    } else {
      const place = encode({ is: "Place", seq: this.nextSeq(), ...placeIn(pictureBox(this.surface), event.clientX, event.clientY) });
      if (type === "pointermove") this.sink.sendLoosely(place);
      else this.sink.send(place); // a button must not overtake its place
    }
    if (type === "pointerdown") {
      this.surface.setPointerCapture(event.pointerId);
      this.surface.focus();
    }
    const code = BUTTONS[event.button];
    if (code !== undefined && event.button >= 0) {
      const pressed = (event.buttons & [1, 4, 2, 8, 16][event.button]!) !== 0;
      this.sink.send(encode({ is: "Button", code, pressed }));
    }
  }

  private touch(event: PointerEvent, type: keyof typeof PHASES): void {
    const at = placeIn(pictureBox(this.surface), event.clientX, event.clientY);
    const pressure = Math.round(65535 * event.pressure);
    this.sink.send(encode({ is: "Touch", phase: PHASES[type], pointer_id: event.pointerId % 32, ...at, pressure }));
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const per = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 3 : event.deltaMode === WheelEvent.DOM_DELTA_PAGE ? 1 : PIXELS_PER_NOTCH;
    const units = (delta: number) => Math.max(-32768, Math.min(32767, Math.round((delta / per) * NOTCH)));
    this.sink.send(encode({ is: "Wheel", horizontal: units(event.deltaX), vertical: -units(event.deltaY) }));
  }

  private nextSeq(): number {
    return (this.seq = (this.seq + 1) >>> 0);
  }
}
