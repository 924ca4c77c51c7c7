/** What a User-Agent header says, in a form that its owner recognises. */

import type { useText } from "../i18n";

// The first that fits counts: most browsers also claim to be the ones below them.
const BROWSERS = [["Edg", "Edge"], ["OPR", "Opera"], ["Firefox", "Firefox"], ["SamsungBrowser", "Samsung Internet"], ["Chrome", "Chrome"], ["Safari", "Safari"]] as const;
const SYSTEMS = [["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["CrOS", "ChromeOS"], ["Windows", "Windows"], ["Mac OS X", "macOS"], ["Linux", "Linux"]] as const;

/** "Firefox on Linux"; the header itself where it names neither. */
export function browserName(t: ReturnType<typeof useText>["t"], agent: string): string {
  const browser = BROWSERS.find(([mark]) => agent.includes(mark))?.[1];
  const system = SYSTEMS.find(([mark]) => agent.includes(mark))?.[1];
  return browser && system ? t("account.browser", { browser, system }) : agent;
}
