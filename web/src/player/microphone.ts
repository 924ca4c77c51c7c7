// The microphone as Opus packets of 20 ms.

import { encode } from "./wire";
import workletUrl from "./worklet.ts?worker&url";

const RATE_HZ = 48_000;
const BITS_PER_S = 32_000;

export const canSpeak = (): boolean => "AudioEncoder" in globalThis && !!navigator.mediaDevices;

export class Microphone {
  private seq = 0;
  private time = 0;

  private constructor(
    private readonly stream: MediaStream,
    private readonly context: AudioContext,
    private readonly encoder: AudioEncoder,
  ) {}

  /** Asks the person; raises what getUserMedia raises. */
  static async open(send: (message: Uint8Array<ArrayBuffer>) => void): Promise<Microphone> {
    const audio = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    const stream = await navigator.mediaDevices.getUserMedia({ audio });
    const context = new AudioContext({ sampleRate: RATE_HZ });
    await context.audioWorklet.addModule(workletUrl);
    const node = new AudioWorkletNode(context, "voice", { numberOfOutputs: 0 });
    const encoder = new AudioEncoder({
      output: (chunk) => {
        const data = new Uint8Array(chunk.byteLength);
        chunk.copyTo(data);
        send(encode({ is: "Voice", seq: microphone.seq++ >>> 0, data }));
      },
      error: () => microphone.close(),
    });
    encoder.configure({ codec: "opus", sampleRate: RATE_HZ, numberOfChannels: 1, bitrate: BITS_PER_S });
    const microphone = new Microphone(stream, context, encoder);
    node.port.onmessage = ({ data }: MessageEvent<Float32Array<ArrayBuffer>>) => microphone.encode(data);
    context.createMediaStreamSource(stream).connect(node);
    return microphone;
  }

  close(): void {
    this.stream.getTracks().forEach((track) => track.stop());
    if (this.encoder.state === "configured") this.encoder.close();
    if (this.context.state !== "closed") void this.context.close();
  }

  private encode(block: Float32Array<ArrayBuffer>): void {
    if (this.encoder.state !== "configured") return;
    const shape = { format: "f32-planar", sampleRate: RATE_HZ, numberOfChannels: 1 } as const;
    const data = new AudioData({ ...shape, numberOfFrames: block.length, timestamp: this.time, data: block });
    this.time += (block.length / RATE_HZ) * 1e6;
    this.encoder.encode(data);
    data.close();
  }
}
