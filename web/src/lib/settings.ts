/** Settings as text in fields, and back. */

import type { Setting } from "../api/schema";

export type Value = string | number | boolean | string[];

export function asText(value: Value): string {
  return Array.isArray(value) ? value.join(", ") : String(value);
}

/** The value that the text means for this setting; null where the text means none. */
export function fromText(setting: Setting, text: string): Value | null {
  switch (setting.type) {
    case "integer":
      return /^-?\d{1,15}$/.test(text.trim()) ? Number(text.trim()) : null;
    case "list":
    case "array":
      return text.split(",").map((part) => part.trim()).filter(Boolean);
    default:
      return text;
  }
}

export const isList = (setting: Setting) => Array.isArray(setting.value) || Array.isArray(setting.default);

export const same = (one: Value, other: Value) => JSON.stringify(one) === JSON.stringify(other);

/** The settings by the first half of their key, in their order. */
export function bySection(settings: readonly Setting[]): [string, Setting[]][] {
  const sections = new Map<string, Setting[]>();
  for (const setting of settings) {
    const section = setting.key.split(".")[0]!;
    sections.set(section, [...(sections.get(section) ?? []), setting]);
  }
  return [...sections];
}
