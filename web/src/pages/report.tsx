import { useState } from "react";
import { get } from "../api/client";
import type { AllSettings, DoctorState, Host, Logs, Session } from "../api/schema";
import { useText } from "../i18n";
import { download } from "../lib/download";
import { reportText } from "../lib/report";
import { Button, Card, useAction } from "../ui/parts";

export function Report() {
  const { t } = useText();
  const { busy, run } = useAction();
  const [text, setText] = useState("");
  const make = () =>
    void run(async () => {
      const [host, doctor, sessions, all, logs] = await Promise.all([
        get<Host>("/host"), get<DoctorState>("/doctor"), get<Session[]>("/sessions"), get<AllSettings>("/settings"),
        get<Logs>("/logs?limit=500&level=info"),
      ]);
      setText(reportText({ host, doctor, sessions, settings: all.settings, logs: logs.entries, agent: navigator.userAgent, now: new Date() }));
    });
  return (
    <Card
      title={t("diagnosis.report")}
      actions={
        <>
          <Button kind={text ? "plain" : "primary"} disabled={busy} onClick={make}>{t("report.make")}</Button>
          {text && <Button kind="primary" icon="download" onClick={() => download("punktfunk-report.txt", text, "text/plain")}>{t("report.download")}</Button>}
        </>
      }
    >
      <p className="muted">{t("report.text")}</p>
      {text && <textarea className="mono report" readOnly rows={20} aria-label={t("report.content")} value={text} lang="en" />}
    </Card>
  );
}
