// The figures that can be laid over the picture, once a second.

import type { PictureFigures } from "./picture";
import type { PlayoutFigures } from "./playout";
import { t, type TextKey } from "./texts";

export interface Facts {
  carrier: string;
  codec: string;
  encoder: string;
  width: number;
  height: number;
  kbps: number;
  automatic: boolean;
  rttMs: number;
  before: PictureFigures;
  now: PictureFigures;
  sound: PlayoutFigures | null;
  soundBlocked: boolean;
}

export function figureRows(f: Facts): (readonly [TextKey, string])[] {
  const ms = (value: number) => value.toFixed(1);
  const stages: [TextKey, number][] = [
    ["f_capture", f.now.captureMs], ["f_encode", f.now.encodeMs], ["f_network", f.now.networkMs],
    ["f_order", f.now.orderMs], ["f_decode", f.now.decodeMs], ["f_draw", f.now.drawMs],
  ];
  const sum = stages.reduce((total, [, value]) => total + value, 0);
  const mbit = ((f.now.bytes - f.before.bytes) * 8) / 1e6;
  const sound = f.soundBlocked ? t("sound_late") : f.sound ? `${f.sound.heldMs.toFixed(0)} ms (${f.sound.targetMs}), ${f.sound.gaps} ${t("f_gaps")}` : t("f_off");
  return [
    ["f_picture", `${f.width}x${f.height} ${f.now.drawn - f.before.drawn} fps, ${f.codec}, ${f.encoder}`],
    ["f_rate", `${mbit.toFixed(1)} / ${(f.kbps / 1000).toFixed(1)} Mbit/s${f.automatic ? `, ${t("quality_auto")}` : ""}`],
    ["f_way", `${f.carrier}, ${t("f_round_trip")} ${Number.isFinite(f.rttMs) ? ms(f.rttMs) : "?"} ms`],
    ["f_latency", `${stages.map(([key, value]) => `${t(key)} ${ms(value)}`).join(" + ")} = ${ms(sum)} ms`],
    ["f_loss", `${f.now.missing} + ${f.now.dropped + f.now.skipped} ${t("f_frames")}, ${f.now.keyframesAsked} ${t("f_keyframes")}`],
    ["f_sound", sound],
  ];
}
