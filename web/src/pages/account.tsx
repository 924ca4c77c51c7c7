import { type FormEvent, useState } from "react";
import { del, post } from "../api/client";
import type { Audit, ConsoleSession, CreatedToken, Scope, Token } from "../api/schema";
import { useText } from "../i18n";
import { dateTime } from "../lib/format";
import { browserName } from "../lib/browsers";
import { go } from "../router";
import { forget, refreshMe, useResource } from "../state/live";
import { Badge, Button, Card, Field, Page, Switch, TextField, useAction } from "../ui/parts";
import { Look } from "../ui/look";
import { toast } from "../ui/toasts";

const LIFETIMES = { ever: null, day: 86_400, month: 2_592_000, year: 31_536_000 } as const;
type Lifetime = keyof typeof LIFETIMES;
const SCOPES: readonly Scope[] = ["read", "operate", "pair", "admin"];

export function Account() {
  const { t } = useText();
  const { run } = useAction();
  const signOut = () =>
    void run(async () => {
      await post("/auth/logout");
      forget();
      go("/", true);
      await refreshMe();
    });
  return (
    <Page title={t("account.title")} actions={<Button icon="out" onClick={signOut}>{t("sign_in.out")}</Button>}>
      <Card title={t("account.look")}><Look /></Card>
      <PasswordCard />
      <Browsers />
      <Tokens />
      <AuditCard />
    </Page>
  );
}

function PasswordCard() {
  const { t } = useText();
  const { busy, run } = useAction();
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void run(async () => {
      await post("/auth/password", { current, password });
      toast(t("account.changed"));
      forget();
      await refreshMe();
    }, setError);
  };
  return (
    <Card title={t("account.password")}>
      <form className="two" onSubmit={submit}>
        <TextField label={t("account.current")} type="password" autoComplete="current-password" required value={current} error={error} onChange={(event) => setCurrent(event.target.value)} />
        <TextField label={t("setup.password")} type="password" autoComplete="new-password" required minLength={8} value={password} onChange={(event) => setPassword(event.target.value)} />
        <div><Button type="submit" disabled={busy}>{t("account.change")}</Button></div>
      </form>
    </Card>
  );
}

function Browsers() {
  const { t, locale } = useText();
  const list = useResource<ConsoleSession[]>("/auth/sessions");
  const { run } = useAction();
  const end = (path: string) =>
    void run(async () => {
      await del(path);
      list.reload();
    });
  return (
    <Card
      title={t("account.browsers")}
      actions={(list.data?.length ?? 0) > 1 && <Button onClick={() => end("/auth/sessions")}>{t("account.end_others")}</Button>}
    >
      <ul className="rows">
        {list.data?.map((one) => (
          <li key={one.id}>
            <div className="grow"><span className="strong clip" title={one.agent}>{browserName(t, one.agent) || one.address}</span><small>{one.address} · {dateTime(one.used_unix, locale)}</small></div>
            {one.current ? <Badge tone="good">{t("account.this")}</Badge> : (
              <Button kind="quiet" icon="close" aria-label={t("account.end", { agent: browserName(t, one.agent) || one.address })} onClick={() => end(`/auth/sessions/${one.id}`)} />
            )}
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Tokens() {
  const { t, locale } = useText();
  const list = useResource<Token[]>("/auth/tokens");
  const { busy, run } = useAction();
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<readonly Scope[]>(["read"]);
  const [lifetime, setLifetime] = useState<Lifetime>("ever");
  const [made, setMade] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void run(async () => {
      setMade((await post<CreatedToken>("/auth/tokens", { name, scopes, expires_in_s: LIFETIMES[lifetime] })).token);
      setName("");
      list.reload();
    });
  };
  const revoke = (token: Token) =>
    void run(async () => {
      await del(`/auth/tokens/${token.id}`);
      list.reload();
    });
  return (
    <Card title={t("account.tokens")}>
      <p className="muted">{t("account.tokens_help")}</p>
      <ul className="rows">
        {list.data?.map((token) => (
          <li key={token.id}>
            <div className="grow"><span className="strong">{token.name}</span><small>{token.scopes.map((one) => t(`scope.${one}`)).join(", ")} · {dateTime(token.created_unix, locale)}</small></div>
            <Expiry unix={token.expires_unix} />
            <Button kind="quiet" icon="close" aria-label={t("account.token_revoke", { name: token.name })} onClick={() => revoke(token)} />
          </li>
        ))}
      </ul>
      {made && <p className="banner" role="status"><span>{t("account.token_once")} <code className="fingerprint">{made}</code></span></p>}
      <form onSubmit={submit}>
        <div className="two">
          <TextField label={t("account.token_name")} required maxLength={64} value={name} onChange={(event) => setName(event.target.value)} />
          <Field label={t("account.token_lifetime")}>
            {(id) => (
              <select id={id} value={lifetime} onChange={(event) => setLifetime(event.target.value as Lifetime)}>
                {(Object.keys(LIFETIMES) as Lifetime[]).map((one) => <option key={one} value={one}>{t(one === "ever" ? "account.token_ever" : `links.for_${one}`)}</option>)}
              </select>
            )}
          </Field>
        </div>
        <fieldset className="inline">
          <legend>{t("account.token_scopes")}</legend>
          {SCOPES.map((scope) => (
            <Switch key={scope} label={t(`scope.${scope}`)} checked={scopes.includes(scope)} onChange={(on) => setScopes((before) => (on ? [...before, scope] : before.filter((one) => one !== scope)))} />
          ))}
        </fieldset>
        <div><Button type="submit" disabled={busy || !scopes.length}>{t("account.token_create")}</Button></div>
      </form>
    </Card>
  );
}

function Expiry({ unix }: { unix: number }) {
  const { t, locale } = useText();
  if (!unix) return null;
  if (unix * 1000 < Date.now()) return <Badge tone="bad">{t("account.token_expired")}</Badge>;
  return <Badge>{t("devices.expires", { date: dateTime(unix, locale) })}</Badge>;
}

function AuditCard() {
  const { t, locale } = useText();
  const list = useResource<Audit[]>("/audit?limit=50").data;
  return (
    <Card title={t("account.audit")}>
      {list?.length === 0 && <p className="muted">{t("account.audit_none")}</p>}
      {!!list?.length && (
        <div className="scroll" tabIndex={0} role="region" aria-label={t("account.audit")}>
          <table>
            <thead><tr><th>{t("account.time")}</th><th>{t("account.who")}</th><th>{t("account.from")}</th><th>{t("account.what")}</th><th>{t("account.result")}</th></tr></thead>
            <tbody>
              {list.map((one, index) => (
                <tr key={index}><td>{dateTime(one.time_unix, locale)}</td><td>{one.who}</td><td>{one.address}</td><td><code>{one.what}</code></td><td>{one.status}</td></tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}
