import { useEffect, useState } from "react";
import { del, get, post } from "../api/client";
import type { Capture, CaptureMeta, RecorderState } from "../api/schema";
import { useText } from "../i18n";
import { download } from "../lib/download";
import { clock, dateTime } from "../lib/format";
import { useResource } from "../state/live";
import { Button, Card, Dialog, Empty, useAction } from "../ui/parts";
import { Graphs } from "./session-card";

export function Recordings() {
  const { t, locale } = useText();
  const state = useResource<RecorderState>("/stats/capture/status", ["recording", "statistics"]).data;
  const list = useResource<CaptureMeta[]>("/stats/recordings", ["recording"]);
  const { busy, run } = useAction();
  const [shown, setShown] = useState<Capture | null>(null);
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const armed = !!state?.armed;
  const toggle = () => void run(async () => { await post(`/stats/capture/${armed ? "stop" : "start"}`); });
  const open = (id: string) => void run(async () => setShown(await get<Capture>(`/stats/recordings/${id}`)));
  const remove = (id: string) =>
    void run(async () => {
      await del(`/stats/recordings/${id}`);
      list.reload();
    });
  return (
    <Card
      title={t("diagnosis.recordings")}
      actions={<Button kind={armed ? "danger" : "primary"} disabled={busy} onClick={toggle}>{t(armed ? "recordings.stop" : "recordings.start")}</Button>}
    >
      <p className="muted">
        {armed ? t("recordings.running", { time: clock((now - state.started_unix_ms) / 1000), n: state.sample_count }) : t("recordings.help")}
      </p>
      {list.data?.length === 0 && <Empty icon="diagnosis" title={t("recordings.none")} />}
      <ul className="rows">
        {list.data?.map((meta) => {
          const date = dateTime(meta.started_unix_ms / 1000, locale);
          return (
            <li key={meta.id}>
              <button type="button" className="grow link" aria-label={t("recordings.open", { date })} onClick={() => open(meta.id)}>
                <span className="strong">{date}</span>
                <small>{clock(meta.duration_ms / 1000)} · {t("recordings.samples", { n: meta.sample_count })}</small>
              </button>
              <Button kind="quiet" icon="close" aria-label={t("recordings.remove", { date })} onClick={() => remove(meta.id)} />
            </li>
          );
        })}
      </ul>
      {shown && <Plots capture={shown} onClose={() => setShown(null)} />}
    </Card>
  );
}

function Plots({ capture, onClose }: { capture: Capture; onClose: () => void }) {
  const { t, locale } = useText();
  const sessions = [...new Set(capture.samples.map((one) => one.session_id))];
  const save = () => download(`punktfunk-${capture.meta.id}.json`, JSON.stringify(capture), "application/json");
  return (
    <Dialog wide title={dateTime(capture.meta.started_unix_ms / 1000, locale)} onClose={onClose}>
      {!sessions.length && <Empty icon="diagnosis" title={t("recordings.empty")} />}
      {sessions.map((id) => (
        <section key={id}>
          <h3>{t("recordings.session", { id })}</h3>
          <Graphs samples={capture.samples.filter((one) => one.session_id === id)} />
        </section>
      ))}
      <footer><Button icon="download" onClick={save}>{t("recordings.download")}</Button></footer>
    </Dialog>
  );
}
