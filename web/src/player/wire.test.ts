import { expect, test } from "vitest";
import vectors from "../../../tests/wire/vectors/browser.json";
import { decode, encode, type Message } from "./wire";

const bytes = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));

test.each(vectors as unknown as { is: string; fields: Record<string, unknown>; hex: string }[])("$is", ({ is, fields, hex }) => {
  const message = decode(bytes(hex)) as unknown as Record<string, unknown>;
  const plain = Object.fromEntries(Object.entries(message).map(([k, v]) => [k, v instanceof Uint8Array ? [...v].map((b) => b.toString(16).padStart(2, "0")).join("") : v]));
  expect(plain).toEqual({ is, ...fields });
  expect(encode(message as unknown as Message)).toEqual(bytes(hex));
});
