// Frames in the order of their numbers, without a gap: WebTransport's streams may overtake each other.

export interface Numbered {
  index: number;
  key: boolean;
}

export const MAX_WAITING = 8;
const DELTA = 2 ** 32;

/** Hands on what can be decoded. `lost` is called once per gap: nothing decodes until the next keyframe. */
export class FrameOrder<T extends Numbered> {
  private next: number | null = null;
  private waiting = new Map<number, T>();
  private asked = false;
  dropped = 0;

  constructor(
    private readonly deliver: (frame: T) => void,
    private readonly lost: () => void,
  ) {}

  add(frame: T): void {
    if (frame.key && (this.next === null || ahead(frame.index, this.next) >= 0)) {
      for (const index of this.waiting.keys()) if (ahead(index, frame.index) < 0) this.drop(index);
      this.next = frame.index;
      this.asked = false;
    }
    if (this.next === null) {
      this.dropped++;
      this.ask();
      return;
    }
    if (ahead(frame.index, this.next) < 0) {
      this.dropped++;
      return;
    }
    this.waiting.set(frame.index, frame);
    this.flush();
    if (this.waiting.size > MAX_WAITING) this.reset();
  }

  /** What comes next cannot be decoded without a keyframe. */
  reset(): void {
    this.dropped += this.waiting.size;
    this.waiting.clear();
    this.next = null;
    this.ask();
  }

  private flush(): void {
    for (let frame; this.next !== null && (frame = this.waiting.get(this.next)); ) {
      this.waiting.delete(this.next);
      this.next = (this.next + 1) % DELTA;
      this.deliver(frame);
    }
  }

  private drop(index: number): void {
    this.waiting.delete(index);
    this.dropped++;
  }

  private ask(): void {
    if (!this.asked) {
      this.asked = true;
      this.lost();
    }
  }
}

function ahead(index: number, of: number): number {
  const difference = (index - of + DELTA) % DELTA;
  return difference < DELTA / 2 ? difference : difference - DELTA;
}
