/** Settings, made from the host's own schema: a new one appears here without a change of the console. */

import { useState } from "react";
import { patch, post } from "../api/client";
import type { AllSettings, Changed, Setting, Verdict } from "../api/schema";
import { settingHelp, type TextKey, useText } from "../i18n";
import { asText, bySection, fromText, isList, same, type Value } from "../lib/settings";
import { useResource } from "../state/live";
import { Badge, Button, Card, Confirm, Empty, Page, Switch, useAction } from "../ui/parts";
import { Icon } from "../ui/icons";
import { toast } from "../ui/toasts";

type Changes = Readonly<Record<string, Value | null>>;

export function Settings() {
  const { t, locale } = useText();
  const all = useResource<AllSettings>("/settings", ["settings"]);
  const { busy, run } = useAction();
  const [text, setText] = useState("");
  const [changes, setChanges] = useState<Changes>({});
  const [mistakes, setMistakes] = useState<Readonly<Record<string, string>>>({});
  const settings = all.data?.settings ?? [];
  const wanted = text.trim().toLowerCase();
  const found = settings.filter((one) => `${one.key} ${settingHelp(locale, one.key, one.description).text}`.toLowerCase().includes(wanted));
  const count = Object.keys(changes).length;
  const put = (setting: Setting, value: Value | null) => {
    const { [setting.key]: _old, ...others } = changes;
    setChanges(value !== null && same(value, setting.value) ? others : { ...others, [setting.key]: value });
    setMistakes({});
  };
  const save = () =>
    void run(async () => {
      const verdict = await post<Verdict>("/settings/validate", { changes });
      if (!verdict.ok) {
        setMistakes(Object.fromEntries(verdict.mistakes.map((one) => [one.key, one.message])));
        return;
      }
      const changed = await patch<Changed>("/settings", { changes });
      setChanges({});
      all.reload();
      toast(changed.restart_needed ? t("settings.saved") : t("settings.saved_acts"));
    });
  return (
    <Page title={t("settings.title")} lead={all.data && t("settings.file", { file: all.data.file })}>
      {all.error && <p className="banner bad" role="alert"><Icon name="alert" />{all.error}</p>}
      {settings.some((one) => one.changed) && <RestartBanner />}
      {mistakes[""] && <p className="banner bad" role="alert"><Icon name="alert" />{mistakes[""]}</p>}
      <div className="search">
        <Icon name="search" />
        <input type="search" aria-label={t("settings.search")} placeholder={t("settings.search")} value={text} onChange={(event) => setText(event.target.value)} />
      </div>
      {all.data && !found.length && <Card><Empty icon="settings" title={t("settings.none", { text })} /></Card>}
      {bySection(found).map(([section, members]) => (
        <Card key={section} title={sectionTitle(t, section)}>
          <div className="settings">
            {members.map((setting) => (
              <Row key={setting.key} setting={setting} wish={changes[setting.key]} error={mistakes[setting.key]} onChange={(value) => put(setting, value)} />
            ))}
          </div>
        </Card>
      ))}
      {count > 0 && (
        <div className="save-bar" role="region" aria-label={t("settings.pending", { n: count })}>
          <span className="grow">{t("settings.pending", { n: count })}</span>
          <Button onClick={() => { setChanges({}); setMistakes({}); }}>{t("settings.discard")}</Button>
          <Button kind="primary" disabled={busy} onClick={save}>{t("action.save")}</Button>
        </div>
      )}
    </Page>
  );
}

function Row({ setting, wish, error, onChange }: { setting: Setting; wish: Value | null | undefined; error?: string; onChange: (value: Value | null) => void }) {
  const { t, locale } = useText();
  const help = settingHelp(locale, setting.key, setting.description);
  const value = wish === undefined ? setting.value : (wish ?? setting.default);
  const isFixed = setting.origin_kind === "flag" || setting.origin_kind === "environment";
  const origin = t(`settings.origin.${setting.origin_kind}` as TextKey, { origin: setting.origin }) ?? setting.origin;
  const shown = (one: Value) => (typeof one === "boolean" ? t(one ? "settings.on" : "settings.off") : asText(one) || t("settings.empty"));
  return (
    <div className={wish === undefined ? "setting" : "setting touched"}>
      <div className="grow">
        <code>{setting.key}</code> {setting.changed ? <Badge tone="warn">{t("settings.changed")}</Badge> : setting.acts_at_once && <Badge tone="good">{t(isOfNextSession(setting.key) ? "settings.next_session" : "settings.at_once")}</Badge>}
        <p lang={help.lang}>{help.text}</p>
        <small>
          {origin}{setting.origin_kind !== "default" && ` · ${t("settings.default", { value: shown(setting.default) })}`}
          {setting.minimum !== null && setting.maximum !== null && ` · ${t("settings.range", { low: setting.minimum, high: setting.maximum })}`}
        </small>
        {error && <p className="help bad" role="alert" lang="en">{error}</p>}
      </div>
      <div className="control">
        <Control setting={setting} value={value} onChange={onChange} disabled={isFixed} />
        {!isFixed && !same(value, setting.default) && (
          <Button kind="quiet" icon="undo" title={t("settings.reset")} aria-label={t("settings.reset_label", { key: setting.key })} onClick={() => onChange(null)} />
        )}
      </div>
    </div>
  );
}

/** What was saved waits for a new start; this is it. */
function RestartBanner() {
  const { t } = useText();
  const { busy, run } = useAction();
  const [asks, setAsks] = useState(false);
  const restart = () =>
    void run(async () => {
      await post("/host/restart");
      toast(t("settings.restarting"));
    });
  return (
    <>
      <p className="banner" role="status">
        <Icon name="undo" />
        <span>{t("settings.restart")}</span>
        <Button disabled={busy} onClick={() => setAsks(true)}>{t("settings.restart_now")}</Button>
      </p>
      {asks && (
        <Confirm
          title={t("settings.restart_title")} text={t("settings.restart_text")}
          action={t("settings.restart_now")} onConfirm={restart} onClose={() => setAsks(false)}
        />
      )}
    </>
  );
}

function Control({ setting, value, onChange, disabled }: { setting: Setting; value: Value; onChange: (value: Value) => void; disabled: boolean }) {
  const { t } = useText();
  const [draft, setDraft] = useState<string | null>(null);
  if (typeof setting.value === "boolean") {
    return <Switch label={setting.key} hideLabel checked={value === true} disabled={disabled} onChange={onChange} />;
  }
  if (setting.choices.length && !isList(setting)) {
    return (
      <select aria-label={setting.key} value={asText(value)} disabled={disabled} onChange={(event) => onChange(event.target.value)}>
        {setting.choices.map((one) => <option key={one}>{one}</option>)}
      </select>
    );
  }
  const typed = typeof setting.value === "number" ? { ...setting, type: "integer" } : isList(setting) ? { ...setting, type: "list" } : setting;
  const isWrong = draft !== null && fromText(typed, draft) === null;
  return (
    <input
      aria-label={setting.key} aria-invalid={isWrong || undefined} disabled={disabled} inputMode={typed.type === "integer" ? "numeric" : undefined}
      placeholder={typed.type === "list" ? t("settings.list_help") : t("settings.empty")} title={isWrong ? t("settings.not_number") : undefined}
      value={draft ?? asText(value)}
      onChange={(event) => {
        setDraft(event.target.value);
        const parsed = fromText(typed, event.target.value);
        if (parsed !== null) onChange(parsed);
      }}
      onBlur={() => setDraft(null)}
    />
  );
}

/** Of those that need no restart, the ones that a running session keeps as they were. */
const isOfNextSession = (key: string) => key.startsWith("display.") || key === "limits.linger_s";

const SECTIONS = ["host", "network", "mgmt", "native", "gamestream", "limits", "display", "input", "audio", "video", "log"];
const sectionTitle = (t: ReturnType<typeof useText>["t"], section: string) =>
  SECTIONS.includes(section) ? t(`settings.section.${section}` as TextKey) : section;
