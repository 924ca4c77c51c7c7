/** The host's event stream, kept alive: it reconnects by itself and notices a host that vanished without a word. */

import { Backoff } from "./backoff";

const KINDS = [
  "sessions", "statistics", "pairing", "devices", "library", "settings", "recording", "doctor", "logs", "reset",
] as const;
export type EventKind = (typeof KINDS)[number];

const QUIET_MS = 5000;
const PROBE_TIMEOUT_MS = 4000;

export type StreamListener = {
  event(kind: EventKind, data: unknown): void;
  /** After every connection, the first included. Events may have been missed: read the state anew. */
  connected(): void;
  lost(): void;
};

/** Listen until the returned function is called. */
export function listen(listener: StreamListener): () => void {
  const backoff = new Backoff();
  let source: EventSource | null = null;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let lastSign = Date.now();
  let isLost = false;

  const lose = () => {
    source?.close();
    source = null;
    if (!isLost) listener.lost();
    isLost = true;
    clearTimeout(retry);
    retry = setTimeout(connect, backoff.next());
  };
  const connect = () => {
    const opened = new EventSource("/api/v1/events");
    source = opened;
    opened.onopen = () => {
      lastSign = Date.now();
      isLost = false;
      backoff.reset();
      listener.connected();
    };
    // Its own way of reconnecting gives up after an answer that is an error, such as that of a host that is stopping.
    opened.onerror = lose;
    for (const kind of KINDS) {
      opened.addEventListener(kind, (message) => {
        lastSign = Date.now();
        listener.event(kind, JSON.parse((message as MessageEvent<string>).data));
      });
    }
  };
  const probe = async () => {
    if (isLost || !source || Date.now() - lastSign < QUIET_MS) return;
    try {
      await fetch("/livez", { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
      lastSign = Date.now();
    } catch {
      lose();
    }
  };
  const watch = setInterval(() => void probe(), QUIET_MS);
  connect();
  return () => {
    clearInterval(watch);
    clearTimeout(retry);
    source?.close();
    source = null;
  };
}
