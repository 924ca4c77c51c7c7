// The bar's buttons and what they do.

import type { Clipboard } from "./clipboard";
import { canSpeak, Microphone } from "./microphone";
import { type Connection, PRESETS } from "./play";
import type { Sound } from "./sound";
import type { TextKey } from "./texts";
import type { View } from "./view";
import { GRANT, type Message } from "./wire";
import { t } from "./texts";

const STORED = "punktfunk.quality";
const SURE_MS = 8000;
const KEEPS_KEYS = new Set<TextKey>(["keyboard", "end"]);

interface LockableKeyboard {
  lock?: () => Promise<void>;
}

export class Bar {
  quality: string;
  private microphone: Microphone | null = null;
  private noSound: (() => void) | null = null;
  private keysLocked = false;
  private grants = -1;
  private channels = -1;
  private readonly buttons = new Map<TextKey, HTMLButtonElement>();

  constructor(
    private readonly view: View,
    private readonly clipboard: Clipboard,
    private readonly connection: () => Connection | null,
    private readonly sound: () => Sound | null,
  ) {
    this.quality = new URLSearchParams(location.search).get("quality") ?? stored();
    document.addEventListener("fullscreenchange", () => this.name("fullscreen", document.fullscreenElement ? "fullscreen_off" : "fullscreen"));
    document.addEventListener("pointerlockchange", () => {
      const locked = document.pointerLockElement !== null;
      this.press("lock", locked);
      if (locked) view.toast(this.keysLocked ? "lock_hold" : "lock_hint");
    });
    for (const type of ["pointerdown", "keydown"]) window.addEventListener(type, () => this.sound()?.wake(), { capture: true });
    window.addEventListener("focus", () => this.may(GRANT.clipboard) && void clipboard.look());
  }

  /** A connection plays, with these rights. */
  ready({ grants, app, audio_channels }: Message<"Ready">): void {
    document.title = `${app} · punktfunk`;
    this.view.canvas.classList.toggle("taken", (grants & GRANT.pointer) !== 0);
    if (document.activeElement === document.body) this.view.canvas.focus();
    this.soundChanged();
    if (grants === this.grants && audio_channels === this.channels) return;
    this.grants = grants;
    this.channels = audio_channels;
    this.build();
    if (!this.may(GRANT.keyboard | GRANT.pointer | GRANT.gamepad)) this.view.toast("look_only");
    if (this.may(GRANT.clipboard)) void this.clipboard.look();
  }

  /** Nothing plays any more. */
  over(): void {
    this.microphone?.close();
    if (document.fullscreenElement) void document.exitFullscreen();
    if (document.pointerLockElement) document.exitPointerLock();
  }

  /** The browser has let sound begin, or has not yet. */
  soundChanged(): void {
    const blocked = this.sound()?.blocked ?? false;
    if (!blocked) {
      this.noSound?.();
      this.noSound = null;
    } else this.noSound ??= this.view.toast(null, { text: "sound_on", primary: true, run: () => ((this.noSound = null), this.sound()?.wake()) });
  }

  private build(): void {
    const items: HTMLElement[] = [];
    const add = (text: TextKey, run: () => void | Promise<void>, wanted = true) => {
      if (!wanted) return;
      // Keys belong to the desktop again as soon as the button has done its work.
      const button = this.view.button({ text, run: () => void Promise.resolve(run()).then(() => KEEPS_KEYS.has(text) || this.view.canvas.focus()) });
      this.buttons.set(text, button);
      items.push(button);
    };
    add("fullscreen", () => this.fullscreen(), document.fullscreenEnabled);
    add("lock", () => this.lock(), this.may(GRANT.pointer) && "requestPointerLock" in this.view.canvas);
    add("keyboard", () => this.typing(), this.may(GRANT.keyboard) && navigator.maxTouchPoints > 0);
    add("mute", () => this.mute(), this.channels > 0);
    add("microphone", () => this.speak(), this.may(GRANT.microphone));
    add("paste", () => this.clipboard.paste(), this.may(GRANT.clipboard));
    const options = [["auto", "quality_auto"], ["low", "quality_low"], ["medium", "quality_medium"], ["high", "quality_high"]] as const;
    items.push(this.view.choice("quality", options, PRESETS[this.quality] ? this.quality : "auto", (value) => this.setQuality(value)));
    add("figures", () => this.press("figures", this.view.toggleFigures()));
    if (!location.hash) items.push(this.view.link("console", "/"));
    add("end", () => this.end(), this.may(GRANT.launch));
    this.buttons.get("end")?.classList.add("danger");
    this.view.setBar(items);
    for (const text of ["lock", "mute", "microphone", "figures"] as const) this.press(text, false);
    if (this.microphone) this.press("microphone", true);
  }

  private may(right: number): boolean {
    return this.grants > 0 && (this.grants & right) !== 0;
  }

  private async fullscreen(): Promise<void> {
    if (document.fullscreenElement) return document.exitFullscreen();
    await document.documentElement.requestFullscreen({ navigationUI: "hide" }).catch(() => undefined);
    const keyboard = (navigator as Navigator & { keyboard?: LockableKeyboard }).keyboard;
    this.keysLocked = await (keyboard?.lock?.().then(() => true, () => false) ?? false);
  }

  private async lock(): Promise<void> {
    const { canvas } = this.view;
    if (document.pointerLockElement) return document.exitPointerLock();
    try {
      // Games want the mouse's own motion; not every system can give it.
      await Promise.resolve(canvas.requestPointerLock({ unadjustedMovement: true })).catch(() => canvas.requestPointerLock());
    } catch {
      this.view.toast("lock_denied");
    }
  }

  private typing(): void {
    const { typing, canvas } = this.view;
    typing.hidden = !typing.hidden;
    (typing.hidden ? canvas : typing).focus();
  }

  private mute(): void {
    const sound = this.sound();
    if (!sound) return;
    sound.muted = !sound.muted;
    this.press("mute", sound.muted);
  }

  private async speak(): Promise<void> {
    if (!canSpeak()) return void this.view.toast("microphone_missing");
    if (this.microphone) {
      this.microphone.close();
      this.microphone = null;
    } else {
      try {
        this.microphone = await Microphone.open((message) => this.connection()?.sendRaw(message));
      } catch {
        this.view.toast("microphone_denied");
      }
    }
    this.press("microphone", this.microphone !== null);
  }

  private setQuality(quality: string): void {
    this.quality = quality;
    localStorage.setItem(STORED, quality);
    this.connection()?.setQuality(quality);
  }

  /** Twice, because programs lose what was not saved. */
  private end(): void {
    const button = this.buttons.get("end");
    if (!button || button.dataset.deed === "end_sure") return void this.connection()?.send({ is: "Leaving", end: true });
    this.name("end", "end_sure");
    setTimeout(() => this.name("end", "end"), SURE_MS);
  }

  private name(button: TextKey, text: TextKey): void {
    const found = this.buttons.get(button);
    if (!found) return;
    found.textContent = t(text);
    found.dataset.deed = text;
  }

  private press(button: TextKey, pressed: boolean): void {
    this.buttons.get(button)?.setAttribute("aria-pressed", String(pressed));
  }
}

function stored(): string {
  try {
    return localStorage.getItem(STORED) ?? "auto";
  } catch {
    return "auto";
  }
}
