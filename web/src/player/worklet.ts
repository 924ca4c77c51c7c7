// In the audio thread: plays what the page decoded, and hands out the microphone in blocks.

import { Playout } from "./playout";

declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

const REPORT_EVERY_FRAMES = 24_000;
/** 20 ms at 48 kHz. */
const VOICE_FRAMES = 960;

class PlayoutProcessor extends AudioWorkletProcessor {
  private readonly playout = new Playout(sampleRate);
  private since = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<Float32Array[] | null>) => (data ? this.playout.push(data) : this.playout.clear());
  }

  process(_inputs: Float32Array[][], [channels]: Float32Array[][]): boolean {
    if (!channels) return true;
    this.playout.pull(channels);
    this.since += channels[0]!.length;
    if (this.since >= REPORT_EVERY_FRAMES) {
      this.since = 0;
      this.port.postMessage(this.playout.figures);
    }
    return true;
  }
}

class VoiceProcessor extends AudioWorkletProcessor {
  private block = new Float32Array(VOICE_FRAMES);
  private filled = 0;

  process([channels]: Float32Array[][]): boolean {
    for (const sample of channels?.[0] ?? []) {
      this.block[this.filled++] = sample;
      if (this.filled < VOICE_FRAMES) continue;
      this.port.postMessage(this.block, [this.block.buffer]);
      this.block = new Float32Array(VOICE_FRAMES);
      this.filled = 0;
    }
    return true;
  }
}

registerProcessor("playout", PlayoutProcessor);
registerProcessor("voice", VoiceProcessor);
