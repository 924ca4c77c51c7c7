/** The reader's language. To add one: a file like de.ts, and its line in LANGUAGES. */

import { Store, useStore } from "../state/store";
import { de } from "./de";
import { en, type TextKey, type Texts } from "./en";
import { settingsDe } from "./settings-de";

export type { TextKey };
type Language = { name: string; texts: Texts; settings: Readonly<Record<string, string>> };

export const LANGUAGES: Readonly<Record<string, Language>> = {
  en: { name: "English", texts: en, settings: {} },
  de: { name: "Deutsch", texts: de, settings: settingsDe },
};
const STORED = "punktfunk.language";
const FALLBACK = "en";

/** The first language that the reader wants and the console has. */
export function chooseLanguage(wanted: readonly string[]): string {
  return wanted.map((tag) => tag.toLowerCase().split("-")[0] ?? "").find((tag) => tag in LANGUAGES) ?? FALLBACK;
}

export type Values = Readonly<Record<string, string | number>>;

/** The text in `language` with its values; `n` chooses among its forms. */
export function textOf(language: string, key: TextKey, values: Values = {}): string {
  const text = (LANGUAGES[language] ?? LANGUAGES[FALLBACK]!).texts[key];
  const [one, other] = text.split("|") as [string, string?];
  const isOne = typeof values.n === "number" && new Intl.PluralRules(language).select(values.n) === "one";
  return (other === undefined || isOne ? one : other).replace(/\{(\w+)\}/g, (whole, name: string) =>
    name in values ? String(values[name]) : whole,
  );
}

const stored = () => {
  try {
    return localStorage.getItem(STORED) ?? "";
  } catch {
    return "";
  }
};

export const language = new Store<string>(FALLBACK);

export function startLanguage(): void {
  setLanguage(chooseLanguage([stored(), ...navigator.languages]));
}

export function setLanguage(chosen: string): void {
  document.documentElement.lang = chosen;
  language.set(chosen);
}

/** Take a language that the reader chose, here and on the next visit. */
export function keepLanguage(chosen: string): void {
  localStorage.setItem(STORED, chosen);
  setLanguage(chosen);
}

export type Translate = (key: TextKey, values?: Values) => string;

export function useText(): { t: Translate; locale: string } {
  const locale = useStore(language);
  return { t: (key, values) => textOf(locale, key, values), locale };
}

/** A setting's help in the reader's language; the host's own English where nobody has translated it. */
export function settingHelp(locale: string, key: string, description: string): { text: string; lang?: string } {
  const translated = LANGUAGES[locale]?.settings[key];
  if (translated) return { text: translated };
  return locale === "en" ? { text: description } : { text: description, lang: "en" };
}
