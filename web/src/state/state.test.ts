import { expect, test } from "vitest";
import type { Sample } from "../api/schema";
import { Backoff } from "../api/backoff";
import { messageOf } from "../api/client";
import { type Histories, MAX_POINTS, MAX_SESSIONS, stageMs, withSamples } from "./history";

const sample = (session_id: string, t_ms = 0): Sample => ({
  t_ms, session_id, stages: [{ name: "encode", p50_us: 4000, p99_us: 9000 }], fps: 60, mbps: 1,
  bitrate_kbps: 20_000, frames_dropped: 0, packets_dropped: 0, send_dropped: 0, fec_recovered: 0, fec_percent: 20, loss_percent: 0,
});

test("a history keeps the newest points and only what still streams", () => {
  let histories: Histories = new Map();
  for (let look = 0; look < MAX_POINTS + 50; look++) histories = withSamples(histories, [sample("a", look)]);
  expect(histories.get("a")).toHaveLength(MAX_POINTS);
  expect(histories.get("a")!.at(-1)!.t_ms).toBe(MAX_POINTS + 49);
  expect(withSamples(histories, [sample("b")]).has("a")).toBe(false);
});

test("a flood of sessions is bounded", () => {
  const flood = Array.from({ length: 1000 }, (_, index) => sample(String(index)));
  expect(withSamples(new Map(), flood).size).toBe(MAX_SESSIONS);
});

test("stages are told in milliseconds", () => {
  expect(stageMs(sample("a"), "encode", "p50_us")).toBe(4);
  expect(stageMs(sample("a"), "send", "p50_us")).toBeNull();
});

test("waits double and stay below a bound", () => {
  const backoff = new Backoff();
  expect([backoff.next(), backoff.next(), backoff.next()]).toEqual([500, 1000, 2000]);
  for (let i = 0; i < 100; i++) backoff.next();
  expect(backoff.next()).toBe(8000);
  backoff.reset();
  expect(backoff.next()).toBe(500);
});

test("an answer that is no error has no message", () => {
  expect(messageOf('{"error":"no"}')).toBe("no");
  expect(messageOf("<html>")).toBe("");
  expect(messageOf('{"error":3}')).toBe("");
});
