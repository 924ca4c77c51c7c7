/** The one-file report for whoever helps. What could be a secret or points at a person is left out. */

import type { DoctorState, Host, LogLine, Session, Setting } from "../api/schema";

const HEX = /\b[0-9a-f]{16,}\b/gi;
const ADDRESS = /\b(?:\d{1,3}\.){3}\d{1,3}\b/g;
const ADDRESS6 = /(?<![\w:])(?=[^\s]*:[^\s]*:)[0-9a-f]*:[0-9a-f:]*(?![\w:])/gi;
const CLOCK = /^\d{1,2}:\d\d:\d\d$/;
const HOME = /\/(?:home|Users)\/[^/\s"']+/g;

/** The text without long hex numbers (fingerprints, keys), network addresses and names of home folders. */
export function clean(text: string): string {
  return text
    .replace(HEX, "<hex>")
    .replace(ADDRESS, (address) => (address.startsWith("127.") ? address : "<address>"))
    .replace(ADDRESS6, (address) => (CLOCK.test(address) ? address : "<address>"))
    .replace(HOME, "/home/<user>");
}

export type ReportParts = {
  host: Host;
  doctor: DoctorState;
  sessions: Session[];
  settings: Setting[];
  logs: LogLine[];
  agent: string;
  now: Date;
};

/** The report as text; names of devices and of the host do not occur. */
export function reportText(parts: ReportParts): string {
  const { host, doctor, sessions, settings, logs } = parts;
  const section = (title: string, lines: string[]) => [`== ${title}`, ...lines, ""];
  const text = [
    `punktfunk-host ${host.version}, ${parts.now.toISOString()}`,
    `browser: ${parts.agent}`,
    "",
    ...section("host", [
      `display: ${host.display.choice} (${host.display.why})`,
      `encoder: ${host.encoder.choice} (${host.encoder.why})`,
      `codecs: ${host.codecs.join(", ")}`,
      `sound: ${host.sound}`,
      `moonlight: ${host.gamestream}, punktfunk: ${host.native}`,
      `up for ${Math.round(host.uptime_s)} s`,
    ]),
    ...section("doctor", doctor.checks.map((check) => `${check.status.padEnd(4)} ${check.name}: ${check.message}`)),
    ...section(
      "sessions",
      sessions.map(
        (s) =>
          `${s.plane} ${s.state} ${s.mode.width}x${s.mode.height}@${s.mode.refresh_mhz / 1000} ${s.codec} ${s.encoder} ` +
          `${s.bitrate_kbps} kbit/s ${JSON.stringify(s.statistics)}`,
      ),
    ),
    ...section(
      "settings that are not the default",
      settings
        .filter((one) => one.origin_kind !== "default" && !one.key.startsWith("host."))
        .map((one) => `${one.key} = ${JSON.stringify(one.value)} (${one.origin_kind})`),
    ),
    ...section("log", logs.map((line) => `${new Date(line.ts_ms).toISOString()} ${line.level} ${line.target}: ${line.msg}`)),
  ].join("\n");
  const names = [host.hostname, ...sessions.map((one) => one.device_name)].filter((name) => name.length > 2);
  return clean(names.reduce((all, name) => all.split(name).join("<name>"), text));
}
