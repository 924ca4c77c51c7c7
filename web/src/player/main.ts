// The page /play: plays, and comes back by itself.

import { Bar } from "./bar";
import { Clipboard } from "./clipboard";
import { Connection, type Shared } from "./play";
import "./play.css";
import { Sound } from "./sound";
import { startLanguage } from "./texts";
import { wireTyping } from "./typing";
import { View } from "./view";

const BACKOFF_MS = [300, 600, 1200, 2000];

function unplayable(): "not_secure" | "no_webcodecs" | null {
  if (!isSecureContext) return "not_secure";
  return "VideoDecoder" in globalThis && "AudioDecoder" in globalThis ? null : "no_webcodecs";
}

async function main(): Promise<void> {
  startLanguage();
  const view = new View();
  const problem = unplayable();
  if (problem) return view.say({ text: problem });
  let connection: Connection | null = null;
  let sound: Sound | null = null;
  const clipboard = new Clipboard(view, (message) => connection?.sendRaw(message));
  const bar = new Bar(view, clipboard, () => connection, () => sound);
  const shared: Shared = {
    view,
    clipboard,
    query: new URLSearchParams(location.search),
    linkSecret: location.hash.slice(1),
    quality: () => bar.quality,
    sound: () => (sound ??= new Sound(() => bar.soundChanged())),
    ready: (message) => bar.ready(message),
  };
  wireTyping(view.typing, () => connection?.input ?? null);
  window.addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
  view.say({ text: "connecting", busy: true });
  for (let tries = 0; ; tries++) {
    connection = new Connection(shared);
    Object.assign(window, { punktfunk: { connection, picture: connection.picture, sound: () => sound } });
    const { again, played, say } = await connection.run();
    if (played) tries = 0;
    view.say(say);
    if (!again) return bar.over();
    await pause(BACKOFF_MS[Math.min(tries, BACKOFF_MS.length - 1)]!);
  }
}

/** Shorter when the network comes back, or somebody looks again. */
function pause(ms: number): Promise<void> {
  const stop = new AbortController();
  return new Promise<void>((resolve) => {
    setTimeout(resolve, ms);
    window.addEventListener("online", () => resolve(), { signal: stop.signal });
    document.addEventListener("visibilitychange", () => !document.hidden && resolve(), { signal: stop.signal });
  }).finally(() => stop.abort());
}

void main();
