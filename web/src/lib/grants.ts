/** Rights of a punktfunk device as bits (punktfunk1.md §3.6). */

import type { useText } from "../i18n";

export const GRANTS = [
  ["gamepad", 1],
  ["pointer", 2],
  ["keyboard", 4],
  ["clipboard", 8],
  ["microphone", 16],
  ["launch", 32],
] as const;

export const ALL_GRANTS = 63;

/** The rights in words. */
export function rightsText(t: ReturnType<typeof useText>["t"], grants: number): string {
  if (grants === ALL_GRANTS) return t("devices.grants_all");
  return GRANTS.filter(([, bit]) => grants & bit).map(([name]) => t(`grant.${name}`)).join(", ") || t("devices.grants_none");
}
