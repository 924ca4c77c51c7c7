// The host's clock as the page sees it: the exchange that took the shortest time is the most truthful.

const KEPT = 16;

export class Clock {
  private samples: { rttMs: number; offsetMs: number }[] = [];

  add(sentMs: number, nowMs: number, hostMs: number): void {
    this.samples.push({ rttMs: nowMs - sentMs, offsetMs: (sentMs + nowMs) / 2 - hostMs });
    if (this.samples.length > KEPT) this.samples.shift();
  }

  get best(): { rttMs: number; offsetMs: number } {
    return this.samples.reduce((a, b) => (b.rttMs < a.rttMs ? b : a), { rttMs: Infinity, offsetMs: 0 });
  }
}
