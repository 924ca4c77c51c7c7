import { expect, test } from "vitest";
import { chooseLanguage, LANGUAGES, textOf } from ".";
import { en, type TextKey } from "./en";

const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();

test.each(Object.keys(LANGUAGES))("%s fills in the same values as English", (language) => {
  for (const key of Object.keys(en) as TextKey[]) {
    const text = LANGUAGES[language]!.texts[key];
    expect(text, key).toBeTruthy();
    expect(placeholders(text), key).toEqual(placeholders(en[key]));
    expect(text.split("|").length, key).toBe(en[key].split("|").length);
  }
});

test("the first language that is there is taken", () => {
  expect(chooseLanguage(["fr-FR", "de-AT", "en"])).toBe("de");
  expect(chooseLanguage(["xx", ""])).toBe("en");
});

test("the number chooses the form", () => {
  expect(textOf("en", "library.count", { n: 1 })).toBe("1 title");
  expect(textOf("en", "library.count", { n: 0 })).toBe("0 titles");
  expect(textOf("en", "pair.done", { name: "A {n} $& B" })).toBe("A {n} $& B is paired");
});
