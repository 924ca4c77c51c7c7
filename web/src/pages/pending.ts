/** Devices that wait for the owner: PINs of Moonlight clients and knocks of punktfunk clients. */

import type { Knock, PinState, Waiting } from "../api/schema";
import { useResource } from "../state/live";

export type Pending = { pins: readonly Waiting[]; knocks: readonly Knock[] };

export function usePending(): Pending {
  const pins = useResource<PinState>("/pair", ["pairing"]).data?.waiting ?? [];
  const knocks = useResource<Knock[]>("/native/pending", ["pairing"]).data ?? [];
  return { pins, knocks };
}

export const countOf = (pending: Pending) => pending.pins.length + pending.knocks.length;
export const hasPending = (pending: Pending) => countOf(pending) > 0;
