/** Light, dark, or as the system has it. */

import { Store } from "./state/store";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];
const STORED = "punktfunk.theme";

export const theme = new Store<Theme>("system");

export function startTheme(): void {
  let stored: string | null = null;
  try {
    stored = localStorage.getItem(STORED);
  } catch {
    // A browser that keeps nothing still shows the console.
  }
  show(THEMES.find((one) => one === stored) ?? "system");
}

export function keepTheme(chosen: Theme): void {
  localStorage.setItem(STORED, chosen);
  show(chosen);
}

function show(chosen: Theme): void {
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  theme.set(chosen);
}
