import type { Device, DoctorState, Host, Session } from "../api/schema";
import { useState } from "react";
import { useText } from "../i18n";
import { clock, inPairs } from "../lib/format";
import { go } from "../router";
import { useResource } from "../state/live";
import { Icon } from "../ui/icons";
import { Button, Card, Empty, Facts, Page } from "../ui/parts";
import { countOf, usePending } from "./pending";
import { SessionCard } from "./session-card";

export function Home() {
  const { t } = useText();
  const sessions = useResource<Session[]>("/sessions", ["sessions", "statistics"]).data;
  const devices = useResource<Device[]>("/devices", ["devices"]).data;
  const host = useResource<Host>("/host").data;
  const waiting = countOf(usePending());
  const name = host?.hostname ?? "";
  return (
    <Page title={name || t("home.title")} actions={__HAS_PLAYER__ && <a className="button primary phone-only" href="/play"><Icon name="play" />{t("nav.play")}</a>}>
      {waiting > 0 && (
        <p className="banner" role="status">
          <Icon name="devices" />
          <span>{t("home.pending", { n: waiting })}</span>
          <Button onClick={() => go("/devices")}>{t("home.pending_action")}</Button>
        </p>
      )}
      {devices && sessions && <Guide paired={devices.length > 0} streamed={sessions.length > 0} host={name} />}
      {sessions?.map((session) => <SessionCard key={session.id} session={session} />)}
      {sessions?.length === 0 && devices && devices.length > 0 && (
        <Card><Empty icon="display" title={t("home.none")}>{t("home.none_text", { host: name })}</Empty></Card>
      )}
      {host && <HostCard host={host} />}
    </Page>
  );
}

function HostCard({ host }: { host: Host }) {
  const { t } = useText();
  const planes = [host.gamestream && t("plane.gamestream"), host.native && t("plane.native")].filter(Boolean);
  return (
    <Card title={t("home.host")}>
      <Facts
        items={[
          [t("home.display"), <>{host.display.choice} <small lang="en">{host.display.why}</small></>],
          [t("home.encoder"), <>{host.encoder.choice} <small lang="en">{host.encoder.why}</small></>],
          [t("home.codecs"), host.codecs.join(", ").toUpperCase()],
          [t("home.sound"), <span lang="en">{host.sound || t("home.off")}</span>],
          [t("home.planes"), planes.join(", ")],
          [t("home.address"), host.local_ip],
          [t("home.version"), host.version],
          [t("home.uptime"), clock(host.uptime_s)],
          [t("home.fingerprint"), <code className="fingerprint">{inPairs(host.fingerprint)}</code>],
        ]}
      />
    </Card>
  );
}

const HIDDEN = "punktfunk.guide_hidden";

/** What a newcomer does first; it goes away by itself once a device has streamed. */
function Guide({ paired, streamed, host }: { paired: boolean; streamed: boolean; host: string }) {
  const { t } = useText();
  const doctor = useResource<DoctorState>("/doctor", ["doctor"]).data;
  const [isHidden, setHidden] = useState(() => localStorage.getItem(HIDDEN) === "yes");
  const hide = () => {
    localStorage.setItem(HIDDEN, "yes");
    setHidden(true);
  };
  if (isHidden || streamed) return null;
  const checked = !!doctor && !doctor.running && doctor.checks.length > 0;
  return (
    <Card title={t("guide.title")} actions={<Button kind="quiet" onClick={hide}>{t("guide.hide")}</Button>}>
      <ol className="guide">
        <Step done={checked} title={t("guide.check")} text={t("guide.check_text")}>
          <Button onClick={() => go("/diagnostics")}>{t("guide.check_action")}</Button>
        </Step>
        <Step done={paired} title={t("guide.pair")} text={t("guide.pair_text")}>
          <Button kind="primary" onClick={() => go("/devices/pair")}>{t("guide.pair_action")}</Button>
        </Step>
        <Step done={false} title={t("guide.stream")} text={t("guide.stream_text", { host })} />
      </ol>
    </Card>
  );
}

function Step({ done, title, text, children }: { done: boolean; title: string; text: string; children?: React.ReactNode }) {
  const { t } = useText();
  return (
    <li className={done ? "done" : ""}>
      <h3>{title}{done && <span className="badge good"><Icon name="check" />{t("guide.done")}</span>}</h3>
      <p>{text}</p>
      {!done && children}
    </li>
  );
}
