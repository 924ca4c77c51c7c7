// Automatic bitrate: down at once when frames are lost or wait in the network, up in small steps while all is well.

export const MIN_KBPS = 800;
const DOWN = 0.7;
const UP = 1.08;
/** After congestion the rate that caused it is approached slowly; far below it, quickly. */
const UP_FAST = 1.25;
const GOOD_SECONDS = 4;
const HOLD_SECONDS = 2;
/** Of what came through while the way was full. */
const OF_RECEIVED = 0.8;
/** From this share on the stream fills its bitrate, and what came is what the way carries. A still desktop needs next to
 * nothing: that little of it comes proves nothing, and its bitrate is not what holds it up. */
const FULL = 0.35;
const QUIET_FLOOR_KBPS = 2000;
const QUEUE_MS = 60;
const BASE_SECONDS = 30;

export class AutoBitrate {
  private good = 0;
  private hold = 0;
  private ceiling: number;
  private delays: number[] = [];

  constructor(
    public kbps: number,
    private readonly maxKbps: number,
  ) {
    this.ceiling = maxKbps;
  }

  /** Once a second, with what went wrong in it, how long its quickest frame was on its way (null: none
   * came), and what came: the shortest
   * time of the last half minute is the way itself, what is above it is a queue. The new rate, or null for no change. */
  second(lostFrames: number, networkMs: number | null, receivedKbps: number): number | null {
    if (networkMs !== null) this.delays.push(networkMs);
    if (this.delays.length > BASE_SECONDS) this.delays.shift();
    const queueMs = networkMs === null ? 0 : networkMs - Math.min(...this.delays);
    const bad = lostFrames > 2 || queueMs > QUEUE_MS;
    if (this.hold > 0) this.hold--;
    if (bad) return this.congested(lostFrames > 2, receivedKbps);
    this.good++;
    if (this.good < GOOD_SECONDS) return null;
    this.good = 0;
    return this.set(this.kbps * (this.kbps < this.ceiling * 0.7 ? UP_FAST : UP));
  }

  private congested(lost: boolean, receivedKbps: number): number | null {
    this.good = 0;
    if (this.hold > 0) return null; // the last step has not shown its effect yet
    const full = receivedKbps >= this.kbps * FULL;
    if (!full && (!lost || this.kbps <= QUIET_FLOOR_KBPS)) return null;
    this.hold = HOLD_SECONDS;
    this.ceiling = this.kbps;
    const less = this.kbps * DOWN;
    return this.set(full ? Math.min(less, receivedKbps * OF_RECEIVED) : Math.max(less, QUIET_FLOOR_KBPS));
  }

  private set(wanted: number): number | null {
    const next = Math.round(Math.min(this.maxKbps, Math.max(MIN_KBPS, wanted)));
    if (next > this.ceiling) this.ceiling = next;
    if (next === this.kbps) return null;
    return (this.kbps = next);
  }
}
