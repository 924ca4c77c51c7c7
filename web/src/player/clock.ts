// The host's clock as the page sees it: the exchange that took the shortest time is the most truthful.

export const KEPT = 16;

export class Clock {
  private samples: { rttMs: number; offsetMs: number }[] = [];

  add(sentMs: number, nowMs: number, hostMs: number): void {
    if (nowMs < sentMs) return;
    this.samples.push({ rttMs: nowMs - sentMs, offsetMs: (sentMs + nowMs) / 2 - hostMs });
    if (this.samples.length > KEPT) this.samples.shift();
  }

  /** Round trip and how far the page's clock is ahead of the host's; an infinite round trip before the first answer. */
  get best(): { rttMs: number; offsetMs: number } {
    return this.samples.reduce((a, b) => (b.rttMs < a.rttMs ? b : a), { rttMs: Infinity, offsetMs: 0 });
  }
}
