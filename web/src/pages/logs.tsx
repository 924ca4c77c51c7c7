import { useEffect, useRef, useState } from "react";
import { get } from "../api/client";
import type { LogLine, Logs as Page } from "../api/schema";
import { useText } from "../i18n";
import { timeOfDay } from "../lib/format";
import { useEvents } from "../state/live";
import { Card, Field, Switch, TextField } from "../ui/parts";

const LEVELS = ["debug", "info", "warning", "error"] as const;
const MAX_SHOWN = 500;

export function Logs() {
  const { t, locale } = useText();
  const [level, setLevel] = useState<string>("info");
  const [text, setText] = useState("");
  const [follow, setFollow] = useState(true);
  const lines = useLines(level, text, follow);
  const box = useRef<HTMLOListElement>(null);
  useEffect(() => {
    if (follow) box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [lines, follow]);
  return (
    <Card label={t("diagnosis.logs")}>
      <div className="filters">
        <Field label={t("logs.level")}>
          {(id) => (
            <select id={id} value={level} onChange={(event) => setLevel(event.target.value)}>
              {LEVELS.map((one) => <option key={one}>{one}</option>)}
            </select>
          )}
        </Field>
        <TextField label={t("logs.text")} type="search" maxLength={128} value={text} onChange={(event) => setText(event.target.value)} />
        <Switch label={t("logs.follow")} checked={follow} onChange={setFollow} />
      </div>
      {/* Scrolls, so it has to be reachable by keyboard. */}
      <ol className="log" ref={box} tabIndex={0} aria-label={t("logs.lines")} lang="en">
        {lines.map((line) => (
          <li key={line.seq} className={line.level}>
            <time>{timeOfDay(line.ts_ms, locale)}</time> <b>{line.level}</b> <i>{line.target}</i> <span>{line.msg}</span>
          </li>
        ))}
      </ol>
      {!lines.length && <p className="muted">{t("logs.none")}</p>}
    </Card>
  );
}

function useLines(level: string, text: string, follow: boolean): readonly LogLine[] {
  const [lines, setLines] = useState<readonly LogLine[]>([]);
  const next = useRef(0);
  const asking = useRef(false);
  const read = async (after: number) => {
    const page = await get<Page>(`/logs?${new URLSearchParams({ after: String(after), limit: String(MAX_SHOWN), level, text })}`);
    next.current = page.next;
    setLines((before) => (after ? [...before, ...page.entries].slice(-MAX_SHOWN) : page.entries));
  };
  useEffect(() => void read(0).catch(() => {}), [level, text]);
  useEvents(["logs"], (kind) => {
    if (!follow || asking.current) return;
    asking.current = true;
    // A host that was restarted counts its lines from one again.
    read(kind === "reset" ? 0 : next.current).catch(() => {}).finally(() => (asking.current = false));
  });
  return lines;
}
