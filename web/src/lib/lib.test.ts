import { expect, test } from "vitest";
import type { Setting } from "../api/schema";
import { textOf, type TextKey } from "../i18n";
import { browserName } from "./browsers";
import { clock, inPairs, megabits } from "./format";
import { clean } from "./report";
import { asText, bySection, fromText } from "./settings";
import { sharedAddress } from "./share";
import { fromLines, toLines } from "./variables";

const setting = (key: string, type: string): Setting => ({
  key, type, value: "", default: "", origin: "", origin_kind: "default", description: "", choices: [], minimum: null,
  maximum: null, changed: false, acts_at_once: false,
});

test("figures in the reader's language", () => {
  expect(megabits(1500, "en")).toBe("1.5 Mbit/s");
  expect(megabits(1500, "de")).toBe("1,5 Mbit/s");
  expect(clock(3723)).toBe("1:02:03");
  expect(clock(-1)).toBe("0:00");
  expect(inPairs("0aff")).toBe("0A:FF");
});

test("browsers by the name that people know", () => {
  const t = (key: TextKey, values?: Record<string, string | number>) => textOf("en", key, values);
  const chrome = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36";
  expect(browserName(t, chrome)).toBe("Chrome on Android");
  expect(browserName(t, `${chrome} Edg/140.0`)).toBe("Edge on Android");
  expect(browserName(t, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")).toBe("Firefox on Linux");
  expect(browserName(t, "curl/8.5")).toBe("curl/8.5");
});

test("a report shows no address, key or account", () => {
  const dirty = "10.1.2.3 fe80::1:2 2001:db8:0:0:0:0:0:1 deadbeefdeadbeefdead /home/ada/x at 12:30:45 127.0.0.1";
  expect(clean(dirty)).toBe("<address> <address> <address> <hex> /home/<user>/x at 12:30:45 127.0.0.1");
});

test("settings as text and back", () => {
  expect(fromText(setting("a.b", "integer"), " 42 ")).toBe(42);
  expect(fromText(setting("a.b", "integer"), "4x")).toBeNull();
  expect(fromText(setting("a.b", "list"), "a, b,")).toEqual(["a", "b"]);
  expect(asText(["a", "b"])).toBe("a, b");
  expect(bySection([setting("a.x", ""), setting("b.y", ""), setting("a.z", "")]).map(([name, all]) => [name, all.length])).toEqual([["a", 2], ["b", 1]]);
});

test("variables as lines and back", () => {
  expect(fromLines("A=1\n\nB=x=y\n")).toEqual({ A: "1", B: "x=y" });
  expect(fromLines("A=1\nwrong")).toBe(2);
  expect(fromLines(toLines({ A: "1", B: "" }))).toEqual({ A: "1", B: "" });
});

test("a link for others names the host as they reach it", () => {
  const path = "/play#secret";
  expect(sharedAddress("https://localhost:47990", path, "192.168.1.7")).toBe("https://192.168.1.7:47990/play#secret");
  expect(sharedAddress("https://[::1]:47990", path, "fd00::7")).toBe("https://[fd00::7]:47990/play#secret");
  expect(sharedAddress("https://127.0.0.1:47990", path, "127.0.0.1")).toBe("https://127.0.0.1:47990/play#secret");
  expect(sharedAddress("https://studio.lan:47990", path, "192.168.1.7")).toBe("https://studio.lan:47990/play#secret");
});
