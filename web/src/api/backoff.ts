/** How long to wait before the next try: 0.5 s, doubling up to 8 s. */

const FIRST_MS = 500;
const MAX_MS = 8000;

export class Backoff {
  private failures = 0;

  /** The wait after one more failure. */
  next(): number {
    return Math.min(MAX_MS, FIRST_MS * 2 ** Math.min(this.failures++, 16));
  }

  reset(): void {
    this.failures = 0;
  }
}
