// Frames in the order of their numbers, without a gap: WebTransport's streams may overtake each other.

export interface Numbered {
  index: number;
  key: boolean;
}

/** A flood of numbers from the far future must not fill the memory. */
export const MAX_WAITING = 64;
const DELTA = 2 ** 32;

/** Hands on what can be decoded. `lost` is called once per gap: nothing decodes until the next keyframe. */
export class FrameOrder<T extends Numbered> {
  private next: number | null = null;
  private waiting = new Map<number, { frame: T; since: number }>();
  private newest: number | null = null;
  private askedAt: number | null = null;
  /** How long a frame may wait for the one before it. */
  patienceMs = 150;
  /** Came, and could not be used. */
  dropped = 0;
  /** Never came, or too late. */
  missing = 0;

  constructor(
    private readonly deliver: (frame: T) => void,
    private readonly lost: () => void,
  ) {}

  add(frame: T, nowMs: number): void {
    this.count(frame.index);
    if (frame.key && (this.next === null || ahead(frame.index, this.next) >= 0)) {
      for (const index of this.waiting.keys()) if (ahead(index, frame.index) < 0) this.drop(index);
      this.next = frame.index;
      this.askedAt = null;
    }
    if (this.next === null) {
      this.dropped++;
      return this.ask(nowMs);
    }
    if (ahead(frame.index, this.next) < 0) {
      this.dropped++;
      return;
    }
    this.waiting.set(frame.index, { frame, since: nowMs });
    this.flush();
    if (this.waiting.size > MAX_WAITING) this.reset(nowMs);
    else this.tick(nowMs);
  }

  /** Also between frames: gives up what has waited too long, and asks once more where no keyframe came. */
  tick(nowMs: number): void {
    for (const { since } of this.waiting.values())
      if (nowMs - since > this.patienceMs) return this.reset(nowMs);
    if (this.askedAt !== null && nowMs - this.askedAt > ASK_AGAIN_MS) this.reset(nowMs);
  }

  /** What comes next cannot be decoded without a keyframe. */
  reset(nowMs: number): void {
    this.dropped += this.waiting.size;
    this.waiting.clear();
    this.next = null;
    this.ask(nowMs);
  }

  /** Numbers that were jumped over; one that comes after all is taken back. */
  private count(index: number): void {
    if (this.newest === null) this.newest = index;
    const jump = ahead(index, this.newest);
    if (jump > 0) {
      this.missing += jump - 1;
      this.newest = index;
    } else if (jump < 0 && this.missing > 0) this.missing--;
  }

  private flush(): void {
    for (let entry; this.next !== null && (entry = this.waiting.get(this.next)); ) {
      this.waiting.delete(this.next);
      this.next = (this.next + 1) % DELTA;
      this.deliver(entry.frame);
    }
  }

  private drop(index: number): void {
    this.waiting.delete(index);
    this.dropped++;
  }

  private ask(nowMs: number): void {
    if (this.askedAt !== null && nowMs - this.askedAt <= ASK_AGAIN_MS) return;
    this.askedAt = nowMs;
    this.lost();
  }
}

/** A request or its keyframe may be lost too. */
export const ASK_AGAIN_MS = 500;

function ahead(index: number, of: number): number {
  const difference = (index - of + DELTA) % DELTA;
  return difference < DELTA / 2 ? difference : difference - DELTA;
}
