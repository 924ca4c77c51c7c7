// The queue between the network's jitter and the loudspeaker: holds little, learns how much it needs, and never clicks.

const MIN_TARGET_MS = 20;
const START_TARGET_MS = 30;
const MAX_TARGET_MS = 120;
const STEP_UP_MS = 15;
const STEP_DOWN_MS = 5;
/** So long without a gap before a little less is held. */
const CALM_MS = 10_000;
const SLACK_MS = 40;
/** Whatever is sent, no more than this waits. */
export const MAX_HELD_MS = 400;
const FADE_FRAMES = 96;
const DECAY = 0.98;

export interface PlayoutFigures {
  heldMs: number;
  targetMs: number;
  gaps: number;
  skippedMs: number;
}

/** Sans-IO: blocks of planes in, planes out. Runs in the audio thread. */
export class Playout {
  private blocks: Float32Array[][] = [];
  private at = 0;
  private held = 0;
  private playing = false;
  private fade = 0;
  private calm = 0;
  private targetMs = START_TARGET_MS;
  private last: number[] = [];
  /** What was heard where the sound was cut; the new begins by fading over from it. */
  private from: number[] = [];
  private gaps = 0;
  private skipped = 0;
  private readonly perMs: number;

  constructor(rate: number) {
    this.perMs = rate / 1000;
  }

  get figures(): PlayoutFigures {
    return { heldMs: this.held / this.perMs, targetMs: this.targetMs, gaps: this.gaps, skippedMs: this.skipped / this.perMs };
  }

  push(planes: Float32Array[]): void {
    const frames = planes[0]?.length ?? 0;
    if (!frames) return;
    this.blocks.push(planes);
    this.held += frames;
    if (this.held > Math.min(MAX_HELD_MS, this.targetMs + SLACK_MS) * this.perMs + frames) this.skip();
    if (this.held >= this.targetMs * this.perMs) this.playing = true;
  }

  /** Forget everything: the stream begins anew. */
  clear(): void {
    this.blocks = [];
    this.at = this.held = 0;
    this.playing = false;
  }

  pull(channels: Float32Array[]): void {
    const wanted = channels[0]?.length ?? 0;
    for (let i = 0; i < wanted; i++) {
      const block = this.playing ? this.blocks[0] : undefined;
      if (!block) {
        this.silence(channels, i);
        continue;
      }
      const gain = this.fade < FADE_FRAMES ? ++this.fade / FADE_FRAMES : 1;
      for (let c = 0; c < channels.length; c++) {
        const plane = block[c] ?? block[0]!;
        channels[c]![i] = this.last[c] = (this.from[c] ?? 0) * (1 - gain) + plane[this.at]! * gain;
      }
      this.advance(block);
    }
    this.calm += wanted / this.perMs;
    if (this.calm > CALM_MS && this.playing) {
      this.calm = 0;
      this.targetMs = Math.max(MIN_TARGET_MS, this.targetMs - STEP_DOWN_MS);
    }
  }

  /** A sample without anything to play: the last one fades, so that nothing clicks. */
  private silence(channels: Float32Array[], i: number): void {
    for (let c = 0; c < channels.length; c++) channels[c]![i] = this.last[c] = this.from[c] = (this.last[c] ?? 0) * DECAY;
    this.fade = 0;
  }

  private advance(block: Float32Array[]): void {
    this.held--;
    if (++this.at < block[0]!.length) return;
    this.blocks.shift();
    this.at = 0;
    if (this.blocks.length) return;
    this.playing = false;
    this.gaps++;
    this.calm = 0;
    this.targetMs = Math.min(MAX_TARGET_MS, this.targetMs + STEP_UP_MS);
  }

  /** Too much waits: go on nearer to now. */
  private skip(): void {
    while (this.blocks.length > 1 && this.held > this.targetMs * this.perMs) {
      const frames = this.blocks.shift()![0]!.length - this.at;
      this.held -= frames;
      this.skipped += frames;
      this.at = 0;
    }
    this.from = [...this.last];
    this.fade = 0;
  }
}
