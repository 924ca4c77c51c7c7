// One connection, from its ticket to its last word.

import { ApiError, get, post, setCsrfToken } from "../api/client";
import { AutoBitrate } from "./bitrate";
import { type Carrier, type Choice, open, type Ticket } from "./carrier";
import type { Clipboard } from "./clipboard";
import { Clock } from "./clock";
import { figureRows } from "./figures";
import { Input } from "./input";
import { wantedMode } from "./mode";
import { Pads } from "./pads";
import { Picture } from "./picture";
import type { Sound } from "./sound";
import type { TextKey } from "./texts";
import type { Message as Said, View } from "./view";
import { CAUSE, decode, encode, GRANT, type Message, VERSION } from "./wire";

export const PRESETS: Readonly<Record<string, number>> = { low: 3000, medium: 10_000, high: 25_000 };
const AUTOMATIC_MAX_KBPS = 25_000;
const CODECS = [["h264", "avc1.42E01F", 1], ["hevc", "hev1.1.6.L93.B0", 2], ["av1", "av01.0.05M.08", 4]] as const;
const RESIZE_PAUSE_MS = 300;
const SILENT_MS = 2500;
const GIVEN_UP_MS = 7000;
const WATCH_MS = 250;
const PADS_MS = 8;

export interface Shared {
  view: View;
  query: URLSearchParams;
  linkSecret: string;
  quality(): string;
  /** The page's one sound, made when it is needed. */
  sound(): Sound;
  clipboard: Clipboard;
  /** Pictures can come; what the person may do is known. */
  ready(message: Message<"Ready">): void;
}

export interface Outcome {
  again: boolean;
  /** Whether it got as far as playing. */
  played: boolean;
  say: Said;
}

const ENDS: Readonly<Record<number, TextKey>> = {
  [CAUSE.taken_over]: "taken_over",
  [CAUSE.session_over]: "session_over",
  [CAUSE.host_stopping]: "host_stopping",
  [CAUSE.revoked]: "revoked",
  [CAUSE.silent]: "lost",
  [CAUSE.no_codec]: "no_codec",
  [CAUSE.not_started]: "not_started",
  [CAUSE.refused]: "refused",
  [CAUSE.nonsense]: "nonsense",
};
const PLAIN = new Set<TextKey>(["taken_over", "session_over", "host_stopping", "revoked", "lost", "no_codec"]);

export class Connection {
  readonly picture: Picture;
  readonly input: Input;
  readonly pads: Pads;
  private readonly clock = new Clock();
  private readonly stop = new AbortController();
  private carrier: Carrier | null = null;
  private automatic: AutoBitrate | null = null;
  private ready: Message<"Ready"> | null = null;
  private kbps = 0;
  private heardMs = performance.now();
  private silent = false;
  private outcome: Outcome;
  private finish: () => void = () => {};
  private readonly over = new Promise<void>((resolve) => (this.finish = resolve));

  constructor(private readonly shared: Shared) {
    const { canvas } = shared.view;
    this.picture = new Picture(canvas, () => this.send({ is: "KeyframeWanted" }));
    this.input = new Input(canvas, {
      send: (message) => this.carrier?.send(message),
      sendLoosely: (message) => this.carrier?.sendLoosely(message),
    });
    this.pads = new Pads((message) => this.carrier?.send(message));
    this.outcome = { again: true, played: false, say: { text: "lost", busy: true, over: true } };
  }

  /** Play until it is over. */
  async run(): Promise<Outcome> {
    try {
      await this.connect();
    } catch (error) {
      this.close();
      return { again: true, played: false, say: { text: "host_gone", busy: true, over: true }, ...refusal(error, !!this.shared.linkSecret) };
    }
    const timers = [
      setInterval(() => this.second(), 1000),
      setInterval(() => this.watch(), WATCH_MS),
      setInterval(() => this.ready && this.pads.poll(), PADS_MS), // a host without a session would forget them
    ];
    this.listen();
    this.ping();
    await this.over;
    timers.forEach((timer) => clearInterval(timer));
    this.close();
    return this.outcome;
  }

  send(message: Message): void {
    this.carrier?.send(encode(message));
  }

  sendRaw(message: Uint8Array<ArrayBuffer>): void {
    this.carrier?.send(message);
  }

  setQuality(quality: string): void {
    const preset = PRESETS[quality];
    this.automatic = preset ? null : new AutoBitrate(this.kbps, AUTOMATIC_MAX_KBPS);
    if (preset) this.send({ is: "BitrateWanted", kbps: preset });
  }

  private async connect(): Promise<void> {
    const ticket = await getTicket(this.shared);
    const codecs = await decodable(this.shared.query.get("codec") ?? "");
    const via = (this.shared.query.get("via") ?? "auto") as Choice;
    this.carrier = await open(ticket, via, { received: (bytes) => this.received(bytes), lost: () => this.finish() });
    this.shared.view.say({ text: "starting", busy: true, over: true });
    const bitrate_kbps = PRESETS[this.shared.quality()] ?? PRESETS.medium!;
    this.heardMs = performance.now();
    this.send({ is: "Hello", version: VERSION, ticket: ticket.ticket, ...this.mode(), codecs, audio: true, bitrate_kbps, app: 0 });
  }

  private listen(): void {
    const { signal } = this.stop;
    let resizing = 0;
    window.addEventListener("resize", () => {
      clearTimeout(resizing);
      resizing = window.setTimeout(() => this.send({ is: "Resized", ...this.mode() }), RESIZE_PAUSE_MS);
    }, { signal });
    window.addEventListener("pagehide", () => this.send({ is: "Leaving", end: false }), { signal });
    document.addEventListener("visibilitychange", () => this.visible(!document.hidden), { signal });
  }

  private visible(visible: boolean): void {
    this.heardMs = performance.now();
    this.send({ is: "Visible", visible });
    this.ping();
  }

  private received(bytes: Uint8Array<ArrayBuffer>): void {
    this.heardMs = performance.now();
    const message = decode(bytes);
    switch (message.is) {
      case "Video":
        return this.picture.add(message);
      case "Audio":
        return this.ready?.audio_channels ? this.shared.sound().packet(message.seq, message.capture_us, message.data) : undefined;
      case "Pong":
        return this.pong(message);
      case "Ready":
        return this.begin(message);
      case "BitrateSet":
        this.kbps = message.kbps;
        return;
      case "Recovering":
        return this.shared.view.say(message.reason ? { text: "recovering", detail: message.reason, busy: true, over: true } : null);
      case "Rumble":
        return this.pads.rumble(message);
      case "TriggerRumble":
        return this.pads.triggerRumble(message);
      case "Clipboard":
        return this.shared.clipboard.fromHost(message.text);
      case "ClipboardTaken":
        return this.input.clipboardTaken();
      case "Ended":
        this.outcome = { ...ending(message), played: this.outcome.played };
        return;
    }
  }

  private begin(ready: Message<"Ready">): void {
    this.ready = ready;
    this.kbps = ready.bitrate_kbps;
    this.outcome.played = true;
    const may = (right: number) => (ready.grants & right) !== 0;
    this.input.may = { keyboard: may(GRANT.keyboard), pointer: may(GRANT.pointer), clipboard: may(GRANT.clipboard) };
    if (!PRESETS[this.shared.quality()]) this.automatic = new AutoBitrate(this.kbps, AUTOMATIC_MAX_KBPS);
    const { canvas } = this.shared.view;
    canvas.dataset.carrier = this.carrier?.name ?? "";
    canvas.dataset.session = ready.session;
    if (ready.audio_channels) void this.shared.sound().start(ready.audio_channels);
    this.shared.view.say(null);
    this.shared.ready(ready);
    if (document.hidden) this.visible(false);
  }

  private pong({ client_us, host_us }: Message<"Pong">): void {
    this.clock.add(client_us / 1000, performance.now(), host_us / 1000);
    this.picture.clockOffsetMs = this.clock.best.offsetMs;
    this.picture.roundTripMs = this.clock.best.rttMs;
  }

  private ping(): void {
    this.send({ is: "Ping", client_us: Math.round(performance.now() * 1000) });
  }

  private last: Picture["figures"] | null = null;

  private second(): void {
    this.ping();
    const now = { ...this.picture.figures };
    const before = this.last;
    this.last = now;
    if (!before) return;
    const wayMs = this.picture.takeShortestWayMs();
    if (!document.hidden && this.ready) {
      // Also a still desktop comes in pictures: a second without any is one in which all were lost.
      const lost = now.bytes > before.bytes ? now.missing - before.missing : Infinity;
      const receivedKbps = ((now.bytes - before.bytes) * 8) / 1000;
      const kbps = this.automatic?.second(lost, wayMs, receivedKbps) ?? null;
      if (kbps !== null) this.send({ is: "BitrateWanted", kbps });
    }
    const { view } = this.shared;
    if (!view.showsFigures || !this.ready) return;
    const sound = this.ready.audio_channels ? this.shared.sound() : null;
    view.showFigures(figureRows({
      carrier: this.carrier?.name ?? "", codec: this.picture.codec, encoder: this.ready.encoder,
      width: view.canvas.width, height: view.canvas.height, kbps: this.kbps, automatic: this.automatic !== null,
      rttMs: this.clock.best.rttMs, before, now, sound: sound?.figures ?? null, soundBlocked: sound?.blocked ?? false,
    }));
  }

  /** Says when nothing comes any more, and gives up after a while: a host that was killed cannot say so itself. */
  private watch(): void {
    this.picture.tick();
    if (document.hidden) return;
    const forMs = performance.now() - this.heardMs;
    if (forMs > GIVEN_UP_MS) return this.finish();
    const silent = forMs > SILENT_MS;
    if (silent !== this.silent && this.ready) this.shared.view.say(silent ? { text: "silent", busy: true, over: true } : null);
    this.silent = silent;
  }

  private mode() {
    return wantedMode(this.shared.query.get("size") ?? "", this.shared.query.get("fps") ?? "", window);
  }

  private close(): void {
    this.stop.abort();
    this.input.close();
    this.pads.close();
    this.picture.close();
    this.carrier?.close();
  }
}

async function getTicket({ linkSecret, query }: Shared): Promise<Ticket> {
  if (linkSecret) return post<Ticket>("/play/link-ticket", { secret: linkSecret });
  const me = await get<{ csrf_token?: string }>("/auth/me");
  if (me.csrf_token) setCsrfToken(me.csrf_token);
  return post<Ticket>("/play/ticket", { app: Number(query.get("app") ?? 0) });
}

/** What this browser decodes, as the bits of Hello; `only` leaves one of them. */
async function decodable(only: string): Promise<number> {
  let bits = 0;
  for (const [name, codec, bit] of CODECS) {
    if (only && only !== name) continue;
    if (await VideoDecoder.isConfigSupported({ codec, optimizeForLatency: true }).then((r) => r.supported, () => false)) bits |= bit;
  }
  return bits;
}

/** What it means that no connection came about; nothing where it is worth another try. */
function refusal(error: unknown, byLink: boolean): Partial<Outcome> {
  if (!(error instanceof ApiError)) return {};
  if (error.status === 409) return { again: false, say: { text: "switched_off" } };
  if (error.status !== 401 && error.status !== 403) return {};
  if (byLink) return { again: false, say: { text: "link_over" } };
  return { again: false, say: { text: "signed_out", deeds: [{ text: "sign_in", primary: true, run: () => location.assign("/") }] } };
}

function ending({ again, cause, reason }: Message<"Ended">): Omit<Outcome, "played"> {
  if (cause === CAUSE.other_version && reloadOnce()) return { again: true, say: { text: "connecting", busy: true } };
  const text = ENDS[cause] ?? "ended";
  const say: Said = { text, detail: PLAIN.has(text) ? "" : reason, busy: again, over: again };
  const anew: TextKey | null = cause === CAUSE.taken_over ? "here" : cause === CAUSE.session_over ? "start_again" : again || cause === CAUSE.revoked ? null : "again";
  if (anew) say.deeds = [{ text: anew, primary: true, run: () => location.reload() }];
  return { again, say };
}

/** A host that was updated has another page for us; false when this one is already it. */
function reloadOnce(): boolean {
  if (sessionStorage.getItem("punktfunk.reloaded")) return false;
  sessionStorage.setItem("punktfunk.reloaded", "1");
  location.reload();
  return true;
}
