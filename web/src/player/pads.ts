// Controllers of the Gamepad API, and what makes them shake.

import { encode, type Message } from "./wire";

/** Buttons of the Gamepad API's standard mapping as the bits of gamestream.md §7.6. */
const PAD_BITS = [0x1000, 0x2000, 0x4000, 0x8000, 0x100, 0x200, 0, 0, 0x20, 0x10, 0x40, 0x80, 0x1, 0x2, 0x4, 0x8, 0x400];
const MAX_PADS = 4;
const ANALOG_TRIGGERS = 1;
const RUMBLE = 2;
const TRIGGER_RUMBLE = 4;
/** The API wants an end; the host says when it is. */
const EFFECT_MS = 5000;
const RENEW_MS = 4500;

interface Shaking {
  strong: number;
  weak: number;
  left: number;
  right: number;
}

export function padMessage(pad: Gamepad, seq: number): Message<"Pad"> {
  const axis = (i: number) => Math.round(32767 * Math.min(1, Math.max(-1, pad.axes[i] ?? 0)));
  const trigger = (i: number) => Math.round(255 * (pad.buttons[i]?.value ?? 0));
  const buttons = PAD_BITS.reduce((bits, bit, i) => (pad.buttons[i]?.pressed ? bits | bit : bits), 0);
  return {
    is: "Pad", seq, pad: pad.index, buttons,
    left_trigger: trigger(6), right_trigger: trigger(7),
    left_x: axis(0), left_y: -axis(1) || 0, right_x: axis(2), right_y: -axis(3) || 0,
  };
}

export function capabilities(pad: Gamepad): number {
  const effects = (pad.vibrationActuator as { effects?: string[] } | null)?.effects ?? ["dual-rumble"];
  if (!pad.vibrationActuator) return ANALOG_TRIGGERS;
  return ANALOG_TRIGGERS | (effects.includes("dual-rumble") ? RUMBLE : 0) | (effects.includes("trigger-rumble") ? TRIGGER_RUMBLE : 0);
}

export class Pads {
  private seq = 0;
  private known = new Map<number, string>();
  private shaking = new Map<number, Shaking>();
  private renewing = 0;

  constructor(private readonly send: (message: Uint8Array<ArrayBuffer>) => void) {}

  /** Often: the API has no events for sticks and buttons. */
  poll(): void {
    const pads = navigator.getGamepads?.() ?? [];
    for (const pad of pads) {
      if (!pad?.connected || pad.index >= MAX_PADS) continue;
      if (!this.known.has(pad.index)) {
        this.send(encode({ is: "PadPlugged", pad: pad.index, capabilities: capabilities(pad) }));
        this.known.set(pad.index, "");
      }
      const message = padMessage(pad, 0);
      const state = Object.values(message).join();
      if (state === this.known.get(pad.index)) continue;
      this.known.set(pad.index, state);
      this.send(encode({ ...message, seq: (this.seq = (this.seq + 1) >>> 0) }));
    }
    for (const index of this.known.keys())
      if (!pads[index]?.connected) {
        this.known.delete(index);
        this.send(encode({ is: "PadUnplugged", pad: index }));
      }
  }

  rumble({ pad, low, high }: Message<"Rumble">): void {
    this.shake(pad, { strong: low / 65535, weak: high / 65535 });
  }

  triggerRumble({ pad, left, right }: Message<"TriggerRumble">): void {
    this.shake(pad, { left: left / 65535, right: right / 65535 });
  }

  close(): void {
    clearInterval(this.renewing);
    for (const pad of this.shaking.keys()) this.shake(pad, { strong: 0, weak: 0, left: 0, right: 0 });
  }

  private shake(pad: number, change: Partial<Shaking>): void {
    const now = { strong: 0, weak: 0, left: 0, right: 0, ...this.shaking.get(pad), ...change };
    if (Math.max(...Object.values(now)) > 0) this.shaking.set(pad, now);
    else this.shaking.delete(pad);
    this.play(pad, now);
    clearInterval(this.renewing);
    if (this.shaking.size) this.renewing = window.setInterval(() => this.shaking.forEach((s, index) => this.play(index, s)), RENEW_MS);
  }

  private play(pad: number, { strong, weak, left, right }: Shaking): void {
    const actuator = navigator.getGamepads?.()[pad]?.vibrationActuator;
    const triggers = left || right;
    const effect = { duration: EFFECT_MS, strongMagnitude: strong, weakMagnitude: weak, leftTrigger: left, rightTrigger: right };
    void actuator?.playEffect(triggers ? ("trigger-rumble" as GamepadHapticEffectType) : "dual-rumble", effect)?.catch(() => undefined);
  }
}
