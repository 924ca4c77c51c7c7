// Automatic bitrate: down at once when frames are lost or late, up in small steps while all is well.

const MIN_KBPS = 1500;
const DOWN = 0.7;
const UP = 1.08;
const GOOD_SECONDS = 5;

export class AutoBitrate {
  private good = 0;

  constructor(
    public kbps: number,
    private readonly maxKbps: number,
  ) {}

  /** Once a second; the new rate, or null for no change. */
  second(dropped: number, networkMs: number): number | null {
    const bad = dropped > 2 || networkMs > 80;
    this.good = bad ? 0 : this.good + 1;
    const wanted = bad ? this.kbps * DOWN : this.good >= GOOD_SECONDS ? this.kbps * UP : this.kbps;
    if (this.good >= GOOD_SECONDS) this.good = 0;
    const next = Math.round(Math.min(this.maxKbps, Math.max(MIN_KBPS, wanted)));
    if (next === this.kbps) return null;
    return (this.kbps = next);
  }
}
