// Access units to the canvas.

import { Lateness } from "./late";
import { FrameOrder } from "./order";
import { KEYFRAME, type Message } from "./wire";

const MAX_DECODING = 6;
/** Frames whose way is remembered until they come out of the decoder. */
const MAX_REMEMBERED = 128;
const CLOCK_STEP_MS = 5;

interface Unit {
  index: number;
  key: boolean;
  arrivedMs: number;
  message: Message<"Video">;
}

interface Way {
  message: Message<"Video">;
  arrivedMs: number;
  decodeMs: number;
}

/** Times are smoothed means in milliseconds, one for each stage of a frame's way. */
export interface PictureFigures {
  drawn: number;
  dropped: number;
  missing: number;
  skipped: number;
  late: number;
  keyframesAsked: number;
  decoderErrors: number;
  bytes: number;
  captureMs: number;
  encodeMs: number;
  networkMs: number;
  orderMs: number;
  decodeMs: number;
  drawMs: number;
}

export class Picture {
  private decoder: VideoDecoder | null = null;
  private ways = new Map<number, Way>();
  private readonly order: FrameOrder<Unit>;
  private readonly context: CanvasRenderingContext2D;
  private pending: { frame: VideoFrame; outMs: number } | null = null;
  private drawnInThisTurn = false;
  private turn = 0;
  private shortest = Infinity;
  private lateness = new Lateness();
  codec = "";
  /** Of the page's clock over the host's, in milliseconds; null until it is known. */
  private offsetMs: number | null = null;
  readonly figures: PictureFigures = {
    drawn: 0, dropped: 0, missing: 0, skipped: 0, late: 0, keyframesAsked: 0, decoderErrors: 0, bytes: 0,
    captureMs: 0, encodeMs: 0, networkMs: 0, orderMs: 0, decodeMs: 0, drawMs: 0,
  };

  constructor(
    private readonly canvas: HTMLCanvasElement,
    wantKeyframe: () => void,
  ) {
    this.context = canvas.getContext("2d", { alpha: false, desynchronized: true })!;
    this.order = new FrameOrder((unit) => this.decode(unit), () => {
      this.figures.keyframesAsked++;
      wantKeyframe();
    });
  }

  get clockOffsetMs(): number | null {
    return this.offsetMs;
  }

  /** A truer one makes every way before it incomparable. */
  set clockOffsetMs(offset: number) {
    if (this.offsetMs === null || Math.abs(offset - this.offsetMs) > CLOCK_STEP_MS) this.lateness = new Lateness();
    this.offsetMs = offset;
  }

  /** How long frames may wait for one that is late: a lost packet is sent again within two round trips. */
  set roundTripMs(rtt: number) {
    this.order.patienceMs = Math.min(400, 100 + 2 * rtt);
  }

  /** The shortest way of a frame through the network since the last call; null when none came. */
  takeShortestWayMs(): number | null {
    const shortest = this.shortest;
    this.shortest = Infinity;
    return Number.isFinite(shortest) ? shortest : null;
  }

  add(message: Message<"Video">): void {
    const arrivedMs = performance.now();
    this.figures.bytes += message.data.length;
    const key = (message.flags & KEYFRAME) !== 0;
    if (this.offsetMs !== null && this.isLate(message, arrivedMs - this.offsetMs) && !key) {
      this.figures.late++;
      this.order.reset(arrivedMs);
    }
    this.order.add({ index: message.index, key, arrivedMs, message }, arrivedMs);
    this.count();
  }

  private isLate({ capture_us, queue_us, encode_us }: Message<"Video">, arrivedHostMs: number): boolean {
    const networkMs = arrivedHostMs - (capture_us + queue_us + encode_us) / 1000;
    this.shortest = Math.min(this.shortest, networkMs);
    this.smooth("networkMs", networkMs);
    return this.lateness.tooLate(networkMs, arrivedHostMs);
  }

  /** Now and then, also while nothing comes. */
  tick(): void {
    this.order.tick(performance.now());
    this.count();
  }

  close(): void {
    cancelAnimationFrame(this.turn);
    this.pending?.frame.close();
    this.pending = null;
    if (this.decoder?.state !== "closed") this.decoder?.close();
  }

  private count(): void {
    this.figures.dropped = this.order.dropped;
    this.figures.missing = this.order.missing;
  }

  private decode({ message, key, arrivedMs }: Unit): void {
    const now = performance.now();
    if (key && message.codec && (message.codec !== this.codec || this.decoder?.state !== "configured")) this.configure(message.codec);
    if (this.decoder?.state !== "configured" || (this.decoder.decodeQueueSize > MAX_DECODING && !key)) return this.order.reset(now);
    this.ways.set(message.capture_us, { message, arrivedMs, decodeMs: now });
    if (this.ways.size > MAX_REMEMBERED) this.ways.delete(this.ways.keys().next().value!);
    try {
      this.decoder.decode(new EncodedVideoChunk({ type: key ? "key" : "delta", timestamp: message.capture_us, data: message.data }));
    } catch {
      this.failed();
    }
  }

  private configure(codec: string): void {
    if (this.decoder?.state !== "closed") this.decoder?.close();
    this.codec = codec;
    const decoder = (this.decoder = new VideoDecoder({
      output: (frame) => this.came(frame),
      error: () => this.decoder === decoder && this.failed(),
    }));
    decoder.configure({ codec, optimizeForLatency: true });
  }

  /** A decoder that failed is closed; the next keyframe gets a new one. */
  private failed(): void {
    this.figures.decoderErrors++;
    this.order.reset(performance.now());
  }

  /** At once, where the screen has not had a picture in this turn of its own; else the newest one in the next turn. */
  private came(frame: VideoFrame): void {
    const outMs = performance.now();
    if (!this.drawnInThisTurn) return this.draw(frame, outMs);
    if (this.pending) {
      this.pending.frame.close();
      this.figures.skipped++;
    }
    this.pending = { frame, outMs };
  }

  private draw(frame: VideoFrame, outMs: number): void {
    const { canvas } = this;
    if (canvas.width !== frame.displayWidth || canvas.height !== frame.displayHeight) {
      canvas.width = frame.displayWidth;
      canvas.height = frame.displayHeight;
    }
    this.context.drawImage(frame, 0, 0);
    frame.close();
    this.drawnInThisTurn = true;
    this.turn = requestAnimationFrame(() => {
      this.drawnInThisTurn = false;
      const next = this.pending;
      this.pending = null;
      if (next) this.draw(next.frame, next.outMs);
    });
    this.account(frame.timestamp, outMs);
  }

  private account(timestamp: number, outMs: number): void {
    this.canvas.dataset.frames = String(++this.figures.drawn);
    const way = this.ways.get(timestamp);
    for (const time of this.ways.keys()) if (time <= timestamp) this.ways.delete(time);
    if (!way) return;
    this.smooth("captureMs", way.message.queue_us / 1000);
    this.smooth("encodeMs", way.message.encode_us / 1000);
    this.smooth("orderMs", way.decodeMs - way.arrivedMs);
    this.smooth("decodeMs", outMs - way.decodeMs);
    this.smooth("drawMs", performance.now() - outMs);
  }

  private smooth(name: "captureMs" | "encodeMs" | "networkMs" | "orderMs" | "decodeMs" | "drawMs", value: number): void {
    const old = this.figures[name];
    this.figures[name] = old ? old + (value - old) / 16 : value;
  }
}
