/** What the host says about itself as it changes: connection, sessions' figures, and a signal for each kind of event. */

import { useEffect, useState } from "react";
import { ApiError, get, whenSignedOut } from "../api/client";
import { listen, type EventKind } from "../api/events";
import type { Me, Sample } from "../api/schema";
import { setCsrfToken } from "../api/client";
import { type Histories, withSamples } from "./history";
import { Store, useStore } from "./store";

export type Connection = "connecting" | "live" | "lost";

export const me = new Store<Me | null>(null);
export const connection = new Store<Connection>("connecting");
export const histories = new Store<Histories>(new Map());

type Listener = (kind: EventKind, data: unknown) => void;
const listeners = new Set<Listener>();

/** Learn who is signed in. Raises ApiError. */
export async function refreshMe(): Promise<void> {
  takeMe(await get<Me>("/auth/me"));
}

export function takeMe(now: Me): void {
  setCsrfToken(now.csrf_token ?? "");
  me.set(now);
}

whenSignedOut(() => {
  const now = me.get();
  if (now) me.set({ ...now, signed_in: false });
});

/** Listen to the host until the returned function is called. */
export function goLive(): () => void {
  return listen({
    event(kind, data) {
      if (kind === "statistics") histories.set(withSamples(histories.get(), (data as { samples: Sample[] }).samples));
      for (const listener of listeners) listener(kind, data);
    },
    connected() {
      connection.set("live");
      // A host that was restarted may no longer know this browser.
      refreshMe().catch(() => {});
      for (const listener of listeners) listener("reset", {});
    },
    lost() {
      connection.set("lost");
      // The stream also ends when this browser was signed out elsewhere.
      refreshMe().catch(() => {});
    },
  });
}

/** Calls `listener` for each event of these kinds, and for every reset. */
export function useEvents(kinds: readonly EventKind[], listener: Listener): void {
  useEffect(() => {
    const chosen: Listener = (kind, data) => {
      if (kind === "reset" || kinds.includes(kind)) listener(kind, data);
    };
    listeners.add(chosen);
    return () => void listeners.delete(chosen);
  });
}

export type Resource<T> = { data: T | undefined; error: string; reload: () => void };

const cache = new Map<string, unknown>();

/** What GET `path` answers, read again after events of `kinds`. Shows the last known answer at once. */
export function useResource<T>(path: string, kinds: readonly EventKind[] = []): Resource<T> {
  const [state, setState] = useState<{ data: T | undefined; error: string }>({ data: cache.get(path) as T, error: "" });
  const [count, setCount] = useState(0);
  const reload = () => setCount((before) => before + 1);
  useEvents(kinds, reload);
  useEffect(() => {
    let isCurrent = true;
    get<T>(path)
      .then((data) => {
        cache.set(path, data);
        if (isCurrent) setState({ data, error: "" });
      })
      .catch((error: ApiError) => {
        if (isCurrent) setState((before) => ({ ...before, error: error.message }));
      });
    return () => {
      isCurrent = false;
    };
  }, [path, count]);
  return { ...state, reload };
}

/** Forget everything of the person who signed out. */
export function forget(): void {
  cache.clear();
  histories.set(new Map());
}

export const useConnection = () => useStore(connection);
export const useHistories = () => useStore(histories);
