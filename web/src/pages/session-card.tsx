/** One session with everything that can be said about it while it runs. */

import { type FormEvent, useMemo, useState } from "react";
import { del, post, put } from "../api/client";
import type { AllSettings, BitrateAnswer, Sample, Session } from "../api/schema";
import { type TextKey, useText } from "../i18n";
import { dateTime, hertz, megabits, number } from "../lib/format";
import { stageMs, stageNames } from "../state/history";
import { useHistories, useResource } from "../state/live";
import { Badge, Button, Card, Confirm, Dialog, Facts, TextField, useAction } from "../ui/parts";
import { Graph } from "../ui/graph";
import { toast } from "../ui/toasts";

const NO_SAMPLES: readonly Sample[] = [];

export function SessionCard({ session }: { session: Session }) {
  const { t, locale } = useText();
  const samples = useHistories().get(session.id) ?? NO_SAMPLES;
  const newest = samples.at(-1);
  const { busy, run } = useAction();
  const [asks, setAsks] = useState<"" | "end" | "bitrate">("");
  const fec = useFec(session.plane);
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
      <Facts
        items={[
          [t("session.mode"), `${mode.width} × ${mode.height}, ${hertz(mode.refresh_mhz, locale)}`],
          ...(session.streaming
            ? ([
                [t("session.codec"), session.codec.toUpperCase()],
                [t("session.encoder"), <>{session.encoder} <small lang="en">{session.encoder_why}</small></>],
                [t("session.bitrate"), megabits(session.bitrate_kbps, locale)],
                [t("session.fec"), fec],
                [t("session.audio"), t("session.channels", { n: session.audio_channels })],
              ] as const)
            : []),
        ]}
      />
      {session.streaming ? <Graphs samples={samples} /> : <p className="muted">{t("session.waiting")}</p>}
      {newest && <Totals session={session} newest={newest} />}
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

function useFec(plane: string): string {
  const { t } = useText();
  const settings = useResource<AllSettings>("/settings").data?.settings;
  const percent = settings?.find((one) => one.key === `${plane}.fec_percentage`)?.value;
  return typeof percent !== "number" ? "–" : percent < 0 ? t("session.fec_auto") : t("session.fec_percent", { n: percent });
}

/** The graphs of some samples; also for recordings. */
export function Graphs({ samples }: { samples: readonly Sample[] }) {
  const { t, locale } = useText();
  const graphs = useMemo(() => {
    const times = samples.map((one) => one.t_ms / 1000);
    return {
      times,
      sent: [
        { name: "sent", color: 1 as const, values: samples.map((one) => one.mbps) },
        { name: "limit", color: 3 as const, values: samples.map((one) => one.bitrate_kbps / 1000) },
      ],
      fps: [{ name: "fps", color: 1 as const, values: samples.map((one) => one.fps) }],
      latency: stageNames(samples).map((name, index) => ({
        name,
        color: (index ? 2 : 1) as 1 | 2,
        values: samples.map((one) => stageMs(one, name, "p50_us")),
      })),
      loss: [
        { name: "lost", color: 2 as const, values: samples.map((one) => one.packets_dropped) },
        { name: "recovered", color: 3 as const, values: samples.map((one) => one.fec_recovered) },
      ],
    };
  }, [samples]);
  const newest = samples.at(-1);
  if (!newest) return <div className="graphs waiting" />;
  const stages = newest.stages.map(
    (one) => `${stageText(t, one.name)} ${number(one.p50_us / 1000, locale, 1)} / ${number(one.p99_us / 1000, locale, 1)} ms`,
  );
  const sent = t("session.bitrate_text", { now: megabits(newest.mbps * 1000, locale), limit: megabits(newest.bitrate_kbps, locale) });
  const panels = [
    { title: t("session.sent"), value: sent, lines: graphs.sent, unit: "Mbit/s" },
    { title: t("session.fps"), value: number(newest.fps, locale, 1), lines: graphs.fps, unit: "" },
    { title: t("session.latency"), value: stages.join("; "), lines: graphs.latency, unit: "ms" },
    {
      title: t("session.loss"),
      value: `${t("session.lost")}: ${newest.packets_dropped}, ${t("session.recovered")}: ${newest.fec_recovered}`,
      lines: graphs.loss,
      unit: "",
    },
  ];
  return (
    <div className="graphs">
      {panels.map((panel) => (
        <figure key={panel.title}>
          <figcaption><span>{panel.title}</span><strong>{panel.value}</strong></figcaption>
          <Graph times={graphs.times} lines={panel.lines} label={t("session.graph", { title: panel.title, value: panel.value })} />
        </figure>
      ))}
    </div>
  );
}

function Totals({ session, newest }: { session: Session; newest: Sample }) {
  const { t, locale } = useText();
  const figures = session.statistics;
  const items: [string, number][] = [
    [t("session.frames"), figures.frames],
    [t("session.keyframes"), figures.keyframes],
    [t("session.recoveries"), figures.recoveries],
    [t("session.dropped"), figures.dropped_frames],
    [t("session.lost"), figures.lost_packets],
    [t("session.recovered"), newest.fec_recovered],
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
const stageText = (t: Translate, name: string) =>
  name === "capture" || name === "encode" || name === "send" ? t(`session.stage.${name}`) : name;
