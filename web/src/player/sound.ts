// Opus packets to the loudspeaker: AudioDecoder, then an AudioWorklet with a short queue. One for the page's life: what a
// click has allowed stays allowed when the connection is another one.

import type { PlayoutFigures } from "./playout";
import workletUrl from "./worklet.ts?worker&url";

const RATE_HZ = 48_000;
const HALF = 2 ** 31;
/** Packets that wait for the decoder; more means that it hangs. */
const MAX_DECODING = 50;

export class Sound {
  readonly context = new AudioContext({ sampleRate: RATE_HZ, latencyHint: "interactive" });
  readonly analyser = this.context.createAnalyser();
  private readonly volume = this.context.createGain();
  private readonly loaded = this.context.audioWorklet.addModule(workletUrl);
  private decoder: AudioDecoder | null = null;
  private node: AudioWorkletNode | null = null;
  private channels = 0;
  private newest: number | null = null;
  figures: PlayoutFigures | null = null;

  /** `changed` is called when the browser lets sound begin, or stops it. */
  constructor(private readonly changed: () => void) {
    this.volume.connect(this.analyser).connect(this.context.destination);
    this.context.onstatechange = changed;
  }

  /** Whether the browser still waits for a click or key. */
  get blocked(): boolean {
    return this.channels > 0 && this.context.state === "suspended";
  }

  get muted(): boolean {
    return this.volume.gain.value === 0;
  }

  set muted(muted: boolean) {
    this.volume.gain.value = muted ? 0 : 1;
  }

  async start(channels: number): Promise<void> {
    await this.loaded;
    if (channels !== this.channels) {
      this.node?.disconnect();
      this.node = new AudioWorkletNode(this.context, "playout", { numberOfInputs: 0, outputChannelCount: [channels] });
      this.node.port.onmessage = ({ data }: MessageEvent<PlayoutFigures>) => (this.figures = data);
      this.node.connect(this.volume);
      this.channels = channels;
    }
    this.newest = null;
    this.node?.port.postMessage(null);
    this.configure();
    this.wake();
    this.changed();
  }

  /** Browsers let sound begin only after a click or key. */
  wake(): void {
    if (this.context.state === "suspended") void this.context.resume().catch(() => undefined);
  }

  packet(seq: number, captureUs: number, data: Uint8Array<ArrayBuffer>): void {
    const ahead = this.newest === null ? 1 : (seq - this.newest + 2 * HALF) % (2 * HALF);
    if (ahead === 0 || ahead >= HALF) return; // late: what it belonged to has been played
    this.newest = seq;
    if (this.decoder?.state !== "configured" || this.decoder.decodeQueueSize > MAX_DECODING) return;
    this.decoder.decode(new EncodedAudioChunk({ type: "key", timestamp: captureUs, data }));
  }

  private configure(): void {
    if (this.decoder?.state === "configured") return this.decoder.reset(), this.setUp(this.decoder);
    this.decoder = new AudioDecoder({ output: (data) => this.play(data), error: () => this.configure() });
    this.setUp(this.decoder);
  }

  private setUp(decoder: AudioDecoder): void {
    decoder.configure({ codec: "opus", sampleRate: RATE_HZ, numberOfChannels: this.channels });
  }

  private play(data: AudioData): void {
    const planes: Float32Array<ArrayBuffer>[] = [];
    for (let planeIndex = 0; planeIndex < data.numberOfChannels; planeIndex++) {
      const plane = new Float32Array(data.numberOfFrames);
      data.copyTo(plane, { planeIndex, format: "f32-planar" });
      planes.push(plane);
    }
    data.close();
    if (this.context.state === "running") this.node?.port.postMessage(planes, planes.map((plane) => plane.buffer));
  }
}
