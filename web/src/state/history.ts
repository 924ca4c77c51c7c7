/** The last minutes of every session's figures, for graphs. */

import type { Sample } from "../api/schema";

export const MAX_POINTS = 120;
export const MAX_SESSIONS = 64;

export type Histories = ReadonlyMap<string, readonly Sample[]>;

/** The histories with one more look added; sessions that no longer stream are forgotten. */
export function withSamples(before: Histories, samples: readonly Sample[]): Histories {
  const after = new Map<string, readonly Sample[]>();
  for (const sample of samples.slice(0, MAX_SESSIONS)) {
    const known = before.get(sample.session_id) ?? [];
    after.set(sample.session_id, [...known.slice(-(MAX_POINTS - 1)), sample]);
  }
  return after;
}

/** The stage's figure in milliseconds; null where the sample has no such stage. */
export function stageMs(sample: Sample, name: string, quantile: "p50_us" | "p99_us"): number | null {
  const stage = sample.stages.find((one) => one.name === name);
  return stage ? stage[quantile] / 1000 : null;
}

/** Names of the stages in the order in which a frame passes them. */
export function stageNames(samples: readonly Sample[]): string[] {
  return [...new Set(samples.flatMap((sample) => sample.stages.map((stage) => stage.name)))];
}
