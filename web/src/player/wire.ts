// The messages of src/punktfunk/browser/wire.py; tests/wire/vectors/browser.json holds both sides to the same bytes.

export const VERSION = 2;
export const KEYFRAME = 1;

/** Why a connection ends: `Cause` of wire.py. */
export const CAUSE = {
  other: 0, taken_over: 1, session_over: 2, host_stopping: 3, revoked: 4, silent: 5, no_codec: 6, not_started: 7, refused: 8,
  nonsense: 9, other_version: 10,
} as const;
/** `Grants` of trust/devices.py. */
export const GRANT = { gamepad: 1, pointer: 2, keyboard: 4, clipboard: 8, microphone: 16, launch: 32 } as const;

const TABLE = {
  Hello: [0x01, "version:u8 ticket:str8 width:u16 height:u16 refresh_hz:u16 codecs:u8 audio:flag bitrate_kbps:u32 app:u32"],
  KeyframeWanted: [0x02, ""],
  BitrateWanted: [0x03, "kbps:u32"],
  Resized: [0x04, "width:u16 height:u16 refresh_hz:u16"],
  Ping: [0x05, "client_us:u64"],
  Leaving: [0x06, "end:flag"],
  Visible: [0x07, "visible:flag"],
  Key: [0x10, "code:u16 pressed:flag modifiers:u8"],
  Text: [0x11, "text:str16"],
  Move: [0x12, "dx:i16 dy:i16"],
  Place: [0x13, "seq:u32 x:u16 y:u16"],
  Button: [0x14, "code:u16 pressed:flag"],
  Wheel: [0x15, "horizontal:i16 vertical:i16"],
  Touch: [0x16, "phase:u8 pointer_id:u32 x:u16 y:u16 pressure:u16"],
  PadPlugged: [0x17, "pad:u8 capabilities:u16"],
  PadUnplugged: [0x18, "pad:u8"],
  Pad: [0x19, "seq:u32 pad:u8 buttons:u32 left_trigger:u8 right_trigger:u8 left_x:i16 left_y:i16 right_x:i16 right_y:i16"],
  ReleaseAll: [0x1a, ""],
  Clipboard: [0x20, "text:str"],
  Voice: [0x21, "seq:u32 data:rest"],
  Ready: [
    0x81,
    "version:u8 session:str8 width:u16 height:u16 refresh_mhz:u32 grants:u8 bitrate_kbps:u32 audio_channels:u8 audio_packet_ms:u8 encoder:str8 app:str8",
  ],
  ModeChanged: [0x82, "width:u16 height:u16 refresh_mhz:u32"],
  Pong: [0x83, "client_us:u64 host_us:u64"],
  Recovering: [0x84, "reason:str8"],
  Ended: [0x85, "again:flag cause:u8 reason:str8"],
  Rumble: [0x86, "pad:u8 low:u16 high:u16"],
  TriggerRumble: [0x87, "pad:u8 left:u16 right:u16"],
  BitrateSet: [0x88, "kbps:u32"],
  ClipboardTaken: [0x89, ""],
  Video: [0x90, "flags:u8 index:u32 capture_us:u64 queue_us:u32 encode_us:u32 codec:str8 data:rest"],
  Audio: [0x91, "seq:u32 capture_us:u64 data:rest"],
} as const satisfies Record<string, readonly [number, string]>;

type Value<K extends string> = K extends "flag" ? boolean : K extends "rest" ? Uint8Array<ArrayBuffer> : K extends `str${string}` ? string : number;
type Fields<T extends string> = T extends `${infer Head} ${infer Tail}`
  ? Fields<Head> & Fields<Tail>
  : T extends `${infer Name}:${infer Kind}`
    ? { [N in Name]: Value<Kind> }
    : object;
export type Name = keyof typeof TABLE;
export type Message<N extends Name = Name> = N extends Name ? { is: N } & Fields<(typeof TABLE)[N][1]> : never;

const SIZES: Record<string, number> = { u8: 1, flag: 1, u16: 2, i16: 2, u32: 4, u64: 8 };
const LAYOUTS = new Map(
  Object.entries(TABLE).map(([name, [code, text]]) => {
    const fields = text ? text.split(" ").map((field) => field.split(":") as [string, string]) : [];
    return [name, { code, fields }] as const;
  }),
);
const NAMES = new Map([...LAYOUTS].map(([name, { code }]) => [code as number, name]));

export class WireError extends Error {}

export function encode<N extends Name>(message: Message<N>): Uint8Array<ArrayBuffer> {
  const layout = LAYOUTS.get(message.is)!;
  const values = message as unknown as Record<string, unknown>;
  const texts = layout.fields.map(([name, kind]) =>
    kind.startsWith("str") ? new TextEncoder().encode(values[name] as string) : kind === "rest" ? (values[name] as Uint8Array) : null,
  );
  const length = layout.fields.reduce((sum, [, kind], i) => sum + (SIZES[kind] ?? texts[i]!.length + lengthBytes(kind)), 1);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 1;
  bytes[0] = layout.code;
  layout.fields.forEach(([name, kind], i) => {
    const raw = texts[i];
    if (raw) {
      if (kind === "str8") view.setUint8(at, raw.length);
      if (kind === "str16") view.setUint16(at, raw.length);
      at += lengthBytes(kind);
      bytes.set(raw, at);
      at += raw.length;
    } else {
      put(view, at, kind, Number(values[name]));
      at += SIZES[kind]!;
    }
  });
  return bytes;
}

export function decode(bytes: Uint8Array<ArrayBuffer>): Message {
  const name = NAMES.get(bytes[0] ?? 0);
  if (!name) throw new WireError("an unknown type of message");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const message: Record<string, unknown> = { is: name };
  let at = 1;
  try {
    for (const [field, kind] of LAYOUTS.get(name)!.fields) {
      if (kind === "rest" || kind.startsWith("str")) {
        const length = kind === "str8" ? view.getUint8(at) : kind === "str16" ? view.getUint16(at) : bytes.length - at;
        at += lengthBytes(kind);
        if (at + length > bytes.length) throw new WireError("cut off");
        const raw = bytes.subarray(at, at + length);
        message[field] = kind === "rest" ? raw : new TextDecoder("utf-8", { fatal: true }).decode(raw);
        at += length;
      } else {
        message[field] = take(view, at, kind);
        at += SIZES[kind]!;
      }
    }
  } catch (error) {
    throw new WireError(`${name} is cut off or malformed: ${String(error)}`);
  }
  if (at !== bytes.length) throw new WireError(`${name} has ${bytes.length - at} bytes too many`);
  return message as unknown as Message;
}

function lengthBytes(kind: string): number {
  return kind === "str8" ? 1 : kind === "str16" ? 2 : 0;
}

function put(view: DataView, at: number, kind: string, value: number): void {
  if (kind === "u8" || kind === "flag") view.setUint8(at, value);
  else if (kind === "u16") view.setUint16(at, value);
  else if (kind === "i16") view.setInt16(at, value);
  else if (kind === "u32") view.setUint32(at, value);
  else view.setBigUint64(at, BigInt(Math.round(value)));
}

function take(view: DataView, at: number, kind: string): number | boolean {
  if (kind === "u8") return view.getUint8(at);
  if (kind === "flag") return view.getUint8(at) !== 0;
  if (kind === "u16") return view.getUint16(at);
  if (kind === "i16") return view.getInt16(at);
  if (kind === "u32") return view.getUint32(at);
  return Number(view.getBigUint64(at));
}
