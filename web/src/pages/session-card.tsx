/** One session with everything that can be said about it while it runs. */

import { type FormEvent, useMemo, useState } from "react";
import { del, post, put } from "../api/client";
import type { BitrateAnswer, Sample, Session } from "../api/schema";
import { type TextKey, useText } from "../i18n";
import { dateTime, hertz, megabits, number } from "../lib/format";
import { stageMs, stageNames } from "../state/history";
import { useHistories } from "../state/live";
import { Badge, Button, Card, Confirm, Dialog, Facts, TextField, useAction } from "../ui/parts";
import { Graph, type Line } from "../ui/graph";
import { toast } from "../ui/toasts";
import { SessionPicture } from "./session-picture";

const NO_SAMPLES: readonly Sample[] = [];

export function SessionCard({ session }: { session: Session }) {
  const { t, locale } = useText();
  const samples = useHistories().get(session.id) ?? NO_SAMPLES;
  const newest = samples.at(-1);
  const { busy, run } = useAction();
  const [asks, setAsks] = useState<"" | "end" | "bitrate">("");
  const mode = session.mode;
  const end = () => void run(() => del(`/sessions/${session.id}`));
  const keyframe = () =>
    void run(async () => {
      await post(`/sessions/${session.id}/idr`);
      toast(t("session.keyframe_done"));
    });
  return (
    <Card
      label={session.device_name}
      title={<>{session.device_name} <Badge tone={session.streaming ? "live" : "warn"}>{stateText(t, session.state)}</Badge></>}
      actions={
        <>
          {session.streaming && <Button disabled={busy} onClick={() => setAsks("bitrate")}>{t("session.change_bitrate")}</Button>}
          {session.streaming && <Button disabled={busy} onClick={keyframe}>{t("session.keyframe")}</Button>}
          <Button kind="danger" disabled={busy} onClick={() => setAsks("end")}>{t("session.end")}</Button>
        </>
      }
    >
      <p className="muted">
        {session.app} · {t(`plane.${session.plane}` as TextKey)} · {t("session.since", { time: dateTime(session.started_unix, locale) })}
      </p>
      <div className="session-head">
        {session.streaming && <SessionPicture id={session.id} device={session.device_name} />}
        <Facts
          items={[
            [t("session.mode"), `${mode.width} × ${mode.height}, ${hertz(mode.refresh_mhz, locale)}`],
            ...(session.streaming
              ? ([
                  [t("session.codec"), session.codec.toUpperCase()],
                  [t("session.encoder"), <>{session.encoder} <small lang="en">{session.encoder_why}</small></>],
                  [t("session.bitrate"), megabits(session.bitrate_kbps, locale)],
                  [t("session.audio"), t("session.channels", { n: session.audio_channels })],
                ] as const)
              : []),
          ]}
        />
      </div>
      {session.streaming ? <Graphs samples={samples} /> : <p className="muted">{t("session.waiting")}</p>}
      {newest && <Totals session={session} />}
      {asks === "end" && (
        <Confirm
          title={t("session.end_title")} text={t("session.end_text", { device: session.device_name })}
          action={t("session.end")} onConfirm={end} onClose={() => setAsks("")}
        />
      )}
      {asks === "bitrate" && <BitrateDialog session={session} onClose={() => setAsks("")} />}
    </Card>
  );
}

type Panel = { title: string; legend: { color?: 1 | 2 | 3; text: string }[]; lines: Line[] };

/** The graphs of some samples; also for recordings. */
export function Graphs({ samples }: { samples: readonly Sample[] }) {
  const { t, locale } = useText();
  const times = useMemo(() => samples.map((one) => one.t_ms / 1000), [samples]);
  const lines = useMemo(
    () => ({
      sent: [line("sent", 1, samples, (one) => one.mbps), line("limit", 3, samples, (one) => one.bitrate_kbps / 1000)],
      fps: [line("fps", 1, samples, (one) => one.fps)],
      latency: stageNames(samples).map((name) => line(name, stageColor(name), samples, (one) => stageMs(one, name, "p50_us"))),
      loss: [line("lost", 1, samples, (one) => one.loss_percent), line("parity", 3, samples, (one) => one.fec_percent)],
    }),
    [samples],
  );
  const newest = samples.at(-1);
  if (!newest) return <div className="graphs waiting" />;
  const percent = (value: number) => `${number(value, locale, value % 1 ? 1 : 0)} %`;
  const panels: Panel[] = [
    {
      title: t("session.sent"),
      legend: [
        { color: 1, text: megabits(newest.mbps * 1000, locale) },
        { color: 3, text: t("session.sent_limit", { limit: megabits(newest.bitrate_kbps, locale) }) },
      ],
      lines: lines.sent,
    },
    { title: t("session.fps"), legend: [{ color: 1, text: number(newest.fps, locale, 1) }], lines: lines.fps },
    {
      title: t("session.latency"),
      legend: newest.stages.map((one) => ({
        color: stageColor(one.name),
        text: `${stageText(t, one.name)} ${number(one.p50_us / 1000, locale, 1)} / ${number(one.p99_us / 1000, locale, 1)} ms`,
      })),
      lines: lines.latency,
    },
    {
      title: t("session.loss"),
      legend: [
        { color: 1, text: t("session.loss_lost", { share: percent(newest.loss_percent) }) },
        { color: 3, text: t("session.loss_parity", { share: percent(newest.fec_percent) }) },
      ],
      lines: lines.loss,
    },
  ];
  return (
    <div className="graphs">
      {panels.map((panel) => (
        <figure key={panel.title}>
          <figcaption>
            <span>{panel.title}</span>
            <ul className="legend">{panel.legend.map(({ color, text }) => <li key={text} className={`line-${color}`}>{text}</li>)}</ul>
          </figcaption>
          <Graph times={times} lines={panel.lines} label={t("session.graph", { title: panel.title, value: panel.legend.map((one) => one.text).join(", ") })} />
        </figure>
      ))}
    </div>
  );
}

const line = (name: string, color: Line["color"], samples: readonly Sample[], value: (one: Sample) => number | null): Line => ({
  name,
  color,
  values: samples.map(value),
});

function Totals({ session }: { session: Session }) {
  const { t, locale } = useText();
  const figures = session.statistics;
  const items: [string, number][] = [
    [t("session.frames"), figures.frames],
    [t("session.keyframes"), figures.keyframes],
    [t("session.recoveries"), figures.recoveries],
    [t("session.dropped"), figures.dropped_frames],
    [t("session.lost"), session.path.lost_packets],
    ...(session.plane !== "browser" ? ([[t("session.recovered"), session.path.recovered_packets]] as [string, number][]) : []),
  ];
  return <Facts items={items.map(([name, value]) => [name, number(value, locale)] as const)} />;
}

function BitrateDialog({ session, onClose }: { session: Session; onClose: () => void }) {
  const { t, locale } = useText();
  const { busy, run } = useAction();
  const [error, setError] = useState("");
  const [text, setText] = useState(String(session.bitrate_kbps / 1000));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void run(async () => {
      const kbps = Math.round(Number(text) * 1000);
      const set = await put<BitrateAnswer>(`/sessions/${session.id}/bitrate`, { kbps });
      toast(t("session.bitrate_done", { rate: megabits(set.kbps, locale) }));
      onClose();
    }, setError);
  };
  return (
    <Dialog title={t("session.bitrate")} onClose={onClose}>
      <form onSubmit={submit}>
        <TextField
          label={t("session.bitrate_label")} type="number" min={0.5} max={1000} step="any" required
          value={text} error={error} onChange={(event) => setText(event.target.value)}
        />
        <footer>
          <Button onClick={onClose}>{t("action.cancel")}</Button>
          <Button kind="primary" type="submit" disabled={busy}>{t("action.save")}</Button>
        </footer>
      </form>
    </Dialog>
  );
}

type Translate = ReturnType<typeof useText>["t"];
const STATES = ["requested", "admitted", "starting", "live", "reconfiguring", "recovering", "lingering", "ended"];
const stateText = (t: Translate, state: string) => (STATES.includes(state) ? t(`state.${state}` as TextKey) : state);
const stageColor = (name: string): Line["color"] => (name === "encode" ? 1 : name === "send" ? 2 : 3);
const stageText = (t: Translate, name: string) =>
  name === "capture" || name === "encode" || name === "send" ? t(`session.stage.${name}`) : name;
