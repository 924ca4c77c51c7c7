/** Short messages that go away by themselves and are read out. */

import { Store, useStore } from "../state/store";

const SHOWN_MS = 6000;
const MAX_SHOWN = 4;
type Toast = { id: number; text: string; tone: "good" | "bad" };
const toasts = new Store<readonly Toast[]>([]);
let nextId = 1;

export function toast(text: string, tone: Toast["tone"] = "good"): void {
  const one = { id: nextId++, text, tone };
  toasts.set([...toasts.get(), one].slice(-MAX_SHOWN));
  setTimeout(() => toasts.set(toasts.get().filter(({ id }) => id !== one.id)), SHOWN_MS);
}

export function Toasts() {
  const shown = useStore(toasts);
  return (
    <div className="toasts" role="status">
      {shown.map((one) => <p key={one.id} className={`toast ${one.tone}`}>{one.text}</p>)}
    </div>
  );
}
