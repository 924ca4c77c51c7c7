// Access units to the canvas.

import { FrameOrder } from "./order";
import { KEYFRAME, type Message } from "./wire";

const MAX_DECODING = 6;

interface Unit {
  index: number;
  key: boolean;
  message: Message<"Video">;
}

export interface PictureFigures {
  drawn: number;
  dropped: number;
  bytes: number;
  queueMs: number;
  encodeMs: number;
  networkMs: number;
  decodeMs: number;
}

export class Picture {
  private decoder: VideoDecoder | null = null;
  private codec = "";
  private arrived = new Map<number, { at: number; message: Message<"Video"> }>();
  private readonly order: FrameOrder<Unit>;
  private readonly context: CanvasRenderingContext2D;
  /** Of the page's clock over the host's, in milliseconds. */
  clockOffsetMs = 0;
  readonly figures: PictureFigures = { drawn: 0, dropped: 0, bytes: 0, queueMs: 0, encodeMs: 0, networkMs: 0, decodeMs: 0 };

  constructor(
    private readonly canvas: HTMLCanvasElement,
    wantKeyframe: () => void,
  ) {
    this.context = canvas.getContext("2d", { alpha: false, desynchronized: true })!;
    this.order = new FrameOrder((unit) => this.decode(unit), wantKeyframe);
  }

  add(message: Message<"Video">): void {
    this.figures.bytes += message.data.length;
    this.order.add({ index: message.index, key: (message.flags & KEYFRAME) !== 0, message });
    this.figures.dropped = this.order.dropped;
  }

  close(): void {
    if (this.decoder?.state !== "closed") this.decoder?.close();
  }

  private decode({ message, key }: Unit): void {
    if (key && message.codec && (message.codec !== this.codec || this.decoder?.state !== "configured")) this.configure(message.codec);
    if (this.decoder?.state !== "configured" || (this.decoder.decodeQueueSize > MAX_DECODING && !key)) return this.order.reset();
    this.arrived.set(message.capture_us, { at: performance.now(), message });
    this.decoder.decode(new EncodedVideoChunk({ type: key ? "key" : "delta", timestamp: message.capture_us, data: message.data }));
  }

  private configure(codec: string): void {
    this.close();
    this.codec = codec;
    this.decoder = new VideoDecoder({
      output: (frame) => this.draw(frame),
      error: () => this.order.reset(),
    });
    this.decoder.configure({ codec, optimizeForLatency: true });
  }

  private draw(frame: VideoFrame): void {
    const { canvas, figures } = this;
    if (canvas.width !== frame.displayWidth || canvas.height !== frame.displayHeight) {
      canvas.width = frame.displayWidth;
      canvas.height = frame.displayHeight;
    }
    this.context.drawImage(frame, 0, 0);
    frame.close();
    figures.drawn++;
    const entry = this.arrived.get(frame.timestamp);
    for (const time of this.arrived.keys()) if (time <= frame.timestamp) this.arrived.delete(time);
    if (!entry) return;
    const now = performance.now();
    const { capture_us, queue_us, encode_us } = entry.message;
    const smooth = (old: number, value: number) => (old ? old + (value - old) / 16 : value);
    figures.queueMs = smooth(figures.queueMs, queue_us / 1000);
    figures.encodeMs = smooth(figures.encodeMs, encode_us / 1000);
    figures.decodeMs = smooth(figures.decodeMs, now - entry.at);
    figures.networkMs = smooth(figures.networkMs, entry.at - this.clockOffsetMs - (capture_us + queue_us + encode_us) / 1000);
    canvas.dataset.frames = String(figures.drawn);
  }
}
