/** Rights of a punktfunk device as bits (punktfunk1.md §3.6). */

export const GRANTS = [
  ["gamepad", 1],
  ["pointer", 2],
  ["keyboard", 4],
  ["clipboard", 8],
  ["microphone", 16],
  ["launch", 32],
] as const;

export const ALL_GRANTS = 63;
