import { post } from "../api/client";
import type { DoctorState } from "../api/schema";
import { type TextKey, useText } from "../i18n";
import { useResource } from "../state/live";
import { Badge, Button, Card, Empty, useAction } from "../ui/parts";

const TONES = { ok: "good", warn: "warn", fail: "bad", skip: "plain" } as const;
type Status = keyof typeof TONES;

export function Doctor() {
  const { t } = useText();
  const state = useResource<DoctorState>("/doctor", ["doctor"]);
  const { busy, run } = useAction();
  const checks = state.data?.checks ?? [];
  const running = !!state.data?.running;
  const count = (status: Status) => checks.filter((one) => one.status === status).length;
  const start = () =>
    void run(async () => {
      await post("/doctor");
      state.reload();
    });
  return (
    <Card
      title={running ? t("doctor.running") : checks.length ? t("doctor.summary", { ok: count("ok"), warn: count("warn"), fail: count("fail") }) : t("diagnosis.doctor")}
      actions={<Button kind="primary" disabled={busy || running} onClick={start}>{t("doctor.run")}</Button>}
    >
      {!checks.length && !running && <Empty icon="diagnosis" title={t("doctor.never")} />}
      <ul className="rows" aria-live="polite">
        {checks.map((check) => (
          <li key={check.name}>
            <div className="grow">
              <span className="strong" lang="en">{check.name}</span>
              <p lang="en">{check.message}</p>
              {check.fix && <small>{t("doctor.fix", { fix: "" })}<span lang="en">{check.fix}</span></small>}
            </div>
            <Badge tone={TONES[check.status as Status] ?? "plain"}>{check.status in TONES ? t(`doctor.${check.status}` as TextKey) : check.status}</Badge>
          </li>
        ))}
      </ul>
    </Card>
  );
}
