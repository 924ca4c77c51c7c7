// From the page's events to messages.

import { EVDEV } from "./keys";
import { encode, type Message } from "./wire";

const BUTTONS = [0x110, 0x112, 0x111, 0x113, 0x114];
const PRESSED = [1, 4, 2, 8, 16];
const PHASES = { pointerdown: 0, pointermove: 1, pointerup: 2, pointercancel: 3 } as const;
const NOTCH = 120;
const PIXELS_PER_NOTCH = 100;
const LINES_PER_NOTCH = 3;
const I16 = 32767;
/** How long a key that pastes waits for the clipboard's text, and then for the desktop to have it. */
const PASTE_EVENT_MS = 80;
const PASTE_MS = 800;

export interface Sink {
  send(message: Uint8Array<ArrayBuffer>): void;
  sendLoosely(message: Uint8Array<ArrayBuffer>): void;
}

export interface May {
  keyboard: boolean;
  pointer: boolean;
  clipboard: boolean;
}

interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** The part of a canvas that its picture covers, whole and centred. */
export function pictureBox(canvas: { width: number; height: number; getBoundingClientRect(): Box }): Box {
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

/** A wheel event in 120ths of a notch, up and right positive. */
export function wheelUnits({ deltaX, deltaY, deltaMode }: Pick<WheelEvent, "deltaX" | "deltaY" | "deltaMode">): { horizontal: number; vertical: number } {
  const per = deltaMode === 1 ? LINES_PER_NOTCH : deltaMode === 2 ? 1 : PIXELS_PER_NOTCH;
  const units = (delta: number) => Math.max(-I16, Math.min(I16, Math.round((delta / per) * NOTCH))) || 0;
  return { horizontal: units(deltaX), vertical: units(-deltaY) };
}

/** Whole pixels of a motion; what is cut off is added to the next one. */
export class Remainder {
  private left = 0;

  take(delta: number): number {
    const whole = Math.trunc((this.left += delta));
    this.left -= whole;
    return Math.max(-I16, Math.min(I16, whole)) || 0;
  }
}

/** Whether a key makes programs take the clipboard's text. */
export const pastes = ({ code, ctrlKey, metaKey, shiftKey }: Pick<KeyboardEvent, "code" | "ctrlKey" | "metaKey" | "shiftKey">) =>
  (code === "KeyV" && (ctrlKey || metaKey)) || (code === "Insert" && shiftKey && !ctrlKey);

export class Input {
  private seq = 0;
  private held = new Set<number>();
  private fingers = new Map<number, number>();
  private readonly dx = new Remainder();
  private readonly dy = new Remainder();
  private readonly stop = new AbortController();
  private waiting: Message<"Key">[] | null = null;
  private patience = 0;
  may: May = { keyboard: false, pointer: false, clipboard: false };

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
    document.addEventListener("paste", (event) => this.paste(event), { signal: this.stop.signal });
  }

  close(): void {
    this.release();
    this.stop.abort();
  }

  /** The desktop's clipboard holds what was pasted. */
  clipboardTaken(): void {
    this.goOn();
  }

  /** Text that was not typed on keys, from a screen keyboard or an input method. */
  text(text: string): void {
    if (this.may.keyboard && text) this.sink.send(encode({ is: "Text", text: text.slice(0, 4096) }));
  }

  /** Press and release a key that a screen keyboard only hints at. */
  tap(code: number): void {
    if (!this.may.keyboard) return;
    for (const pressed of [true, false]) this.sendKey({ is: "Key", code, pressed, modifiers: 0 });
  }

  private release(): void {
    this.goOn();
    this.held.clear();
    this.sink.send(encode({ is: "ReleaseAll" }));
  }

  private key(event: KeyboardEvent, pressed: boolean): void {
    const target = event.target as HTMLElement;
    const code = EVDEV.get(event.code);
    if (!this.may.keyboard || code === undefined || event.isComposing || target.closest?.("[data-bar], textarea")) return;
    const pasting = pressed && this.may.clipboard && pastes(event);
    if (!pasting) event.preventDefault(); // the browser gives a page its clipboard only in an event of its own
    if (pressed === this.held.has(code)) return;
    if (pressed) this.held.add(code);
    else this.held.delete(code);
    if (pasting) this.wait(PASTE_EVENT_MS);
    const modifiers = +event.shiftKey | (+event.ctrlKey << 1) | (+event.altKey << 2) | (+event.metaKey << 3);
    this.sendKey({ is: "Key", code, pressed, modifiers });
  }

  private sendKey(message: Message<"Key">): void {
    if (this.waiting) this.waiting.push(message);
    else this.sink.send(encode(message));
  }

  private paste(event: ClipboardEvent): void {
    const target = event.target as HTMLElement | null;
    if (!this.may.clipboard || target?.closest?.("textarea")) return;
    event.preventDefault();
    const text = event.clipboardData?.getData("text/plain");
    if (!text) return this.goOn();
    this.wait(PASTE_MS);
    this.sink.send(encode({ is: "Clipboard", text }));
  }

  private wait(ms: number): void {
    this.waiting ??= [];
    clearTimeout(this.patience);
    this.patience = window.setTimeout(() => this.goOn(), ms);
  }

  private goOn(): void {
    clearTimeout(this.patience);
    const waiting = this.waiting ?? [];
    this.waiting = null;
    for (const message of waiting) this.sink.send(encode(message));
  }

  private pointer(event: PointerEvent, type: keyof typeof PHASES): void {
    event.preventDefault();
    if (type === "pointerdown") {
      this.surface.setPointerCapture(event.pointerId);
      this.surface.focus();
    }
    if (!this.may.pointer) return;
    if (event.pointerType === "touch") return this.touch(event, type);
    if (document.pointerLockElement === this.surface) {
      const scale = this.surface.width / pictureBox(this.surface).width || 1;
      if (type === "pointermove") this.move(event.movementX * scale, event.movementY * scale);
    } else {
      const place = encode({ is: "Place", seq: this.nextSeq(), ...placeIn(pictureBox(this.surface), event.clientX, event.clientY) });
      if (type === "pointermove" && event.button < 0) this.sink.sendLoosely(place);
      else this.sink.send(place); // a button must not overtake its place
    }
    const code = BUTTONS[event.button];
    if (code !== undefined) this.sink.send(encode({ is: "Button", code, pressed: (event.buttons & PRESSED[event.button]!) !== 0 }));
  }

  private move(x: number, y: number): void {
    const dx = this.dx.take(x);
    const dy = this.dy.take(y);
    if (dx || dy) this.sink.send(encode({ is: "Move", dx, dy }));
  }

  private touch(event: PointerEvent, type: keyof typeof PHASES): void {
    let finger = this.fingers.get(event.pointerId);
    if (finger === undefined) {
      if (type !== "pointerdown") return;
      const taken = new Set(this.fingers.values());
      finger = 0;
      while (taken.has(finger)) finger++;
      this.fingers.set(event.pointerId, finger);
    }
    if (type === "pointerup" || type === "pointercancel") this.fingers.delete(event.pointerId);
    const at = placeIn(pictureBox(this.surface), event.clientX, event.clientY);
    const pressure = Math.round(65535 * event.pressure);
    this.sink.send(encode({ is: "Touch", phase: PHASES[type], pointer_id: finger, ...at, pressure }));
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const units = wheelUnits(event);
    if (this.may.pointer && (units.horizontal || units.vertical)) this.sink.send(encode({ is: "Wheel", ...units }));
  }

  private nextSeq(): number {
    return (this.seq = (this.seq + 1) >>> 0);
  }
}
