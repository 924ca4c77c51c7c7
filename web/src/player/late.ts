// When to stop running after what is late, and begin anew with a keyframe.

const LATE_MS = 800;
/** A keyframe and the way to it need their time before it is judged again. */
const PATIENCE_MS = 2000;
/** The way may have become longer for good: the base follows, slowly. */
const DRIFT_MS_PER_FRAME = 0.1;

/** Sans-IO. A machine or a network that cannot keep up would otherwise show an older and older past. */
export class Lateness {
  private base = Infinity;
  private notBefore = 0;

  /** A frame that took `wayMs`; whether everything up to the next keyframe is better thrown away. */
  tooLate(wayMs: number, nowMs: number): boolean {
    this.base = Math.min(this.base + DRIFT_MS_PER_FRAME, wayMs);
    if (wayMs - this.base <= LATE_MS || nowMs < this.notBefore) return false;
    this.notBefore = nowMs + PATIENCE_MS;
    return true;
  }
}
