// Opus packets to the loudspeaker: AudioDecoder, then an AudioWorklet with a short queue.

import workletUrl from "./worklet.js?url";

export class Sound {
  private readonly context = new AudioContext({ sampleRate: 48000, latencyHint: "interactive" });
  private decoder: AudioDecoder | null = null;
  private node: AudioWorkletNode | null = null;
  readonly analyser = this.context.createAnalyser();

  async start(channels: number): Promise<void> {
    await this.context.audioWorklet.addModule(workletUrl);
    const node = (this.node = new AudioWorkletNode(this.context, "playout", { numberOfInputs: 0, outputChannelCount: [channels] }));
    node.connect(this.analyser).connect(this.context.destination);
    this.decoder = new AudioDecoder({ output: (data) => this.play(data), error: () => (this.decoder = null) });
    this.decoder.configure({ codec: "opus", sampleRate: 48000, numberOfChannels: channels });
    this.wake();
  }

  /** Browsers let sound begin only after a click or key. */
  wake(): void {
    if (this.context.state === "suspended") void this.context.resume();
  }

  packet(captureUs: number, data: Uint8Array<ArrayBuffer>): void {
    if (this.decoder?.state === "configured") this.decoder.decode(new EncodedAudioChunk({ type: "key", timestamp: captureUs, data }));
  }

  close(): void {
    if (this.decoder?.state === "configured") this.decoder.close();
    void this.context.close();
  }

  private play(data: AudioData): void {
    const planes: Float32Array<ArrayBuffer>[] = [];
    for (let planeIndex = 0; planeIndex < data.numberOfChannels; planeIndex++) {
      const plane = new Float32Array(data.numberOfFrames);
      data.copyTo(plane, { planeIndex, format: "f32-planar" });
      planes.push(plane);
    }
    data.close();
    this.node?.port.postMessage(planes, planes.map((plane) => plane.buffer));
  }
}
