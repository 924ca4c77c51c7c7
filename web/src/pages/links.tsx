/** Links that let somebody play in the browser: how many rights, how long, and taking them back. */

import { type FormEvent, useRef, useState } from "react";
import { del, post } from "../api/client";
import type { CreatedLink, Entry, Host, Link } from "../api/schema";
import { useText } from "../i18n";
import { untilIn } from "../lib/format";
import { ALL_GRANTS, GRANTS, rightsText } from "../lib/grants";
import { sharedAddress } from "../lib/share";
import { useResource } from "../state/live";
import { Button, Card, Dialog, Empty, Field, Switch, TextField, useAction } from "../ui/parts";
import { Icon } from "../ui/icons";
import { QrCode } from "../ui/qr";
import { toast } from "../ui/toasts";

const LIFETIMES = { hour: 3600, day: 86_400, week: 604_800, month: 2_592_000 } as const;
type Lifetime = keyof typeof LIFETIMES;

export function Links() {
  const { t } = useText();
  const list = useResource<Link[]>("/play/links");
  const [isMaking, setMaking] = useState(false);
  const { busy, run } = useAction();
  // A host without the player answers with a refusal: then there is nothing to share.
  if (list.error) return null;
  const revoke = (link: Link) =>
    void run(async () => {
      await del(`/play/links/${link.id}`);
      toast(t("links.revoked", { name: link.name }));
      list.reload();
    });
  return (
    <Card title={t("links.title")} actions={<Button icon="plus" onClick={() => setMaking(true)}>{t("links.make")}</Button>}>
      <p className="muted">{t("links.help")}</p>
      {list.data?.length === 0 && <Empty icon="link" title={t("links.none")} />}
      {!!list.data?.length && (
        <ul className="rows">
          {list.data.map((link) => <Row key={link.id} link={link} busy={busy} onRevoke={() => revoke(link)} />)}
        </ul>
      )}
      {isMaking && <MakeDialog onClose={() => { setMaking(false); list.reload(); }} />}
    </Card>
  );
}

function Row({ link, busy, onRevoke }: { link: Link; busy: boolean; onRevoke: () => void }) {
  const { t, locale } = useText();
  const titles = useResource<Entry[]>("/library", ["library"]).data;
  const title = link.app ? titles?.find((one) => one.id === String(link.app))?.title : titles?.[0]?.title;
  const facts = [title, rightsText(t, link.grants), t("devices.expires", { date: untilIn(link.expires_in_s, locale) })];
  return (
    <li>
      <div className="grow"><span className="strong">{link.name}</span><small>{facts.filter(Boolean).join(" · ")}</small></div>
      <Button disabled={busy} onClick={onRevoke} aria-label={t("links.revoke_label", { name: link.name })}>{t("links.revoke")}</Button>
    </li>
  );
}

function MakeDialog({ onClose }: { onClose: () => void }) {
  const { t } = useText();
  const titles = useResource<Entry[]>("/library", ["library"]).data ?? [];
  const host = useResource<Host>("/host").data;
  const { busy, run } = useAction();
  const [name, setName] = useState("");
  const [app, setApp] = useState("0");
  const [grants, setGrants] = useState(ALL_GRANTS);
  const [lifetime, setLifetime] = useState<Lifetime>("day");
  const [error, setError] = useState("");
  const [address, setAddress] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void run(async () => {
      const body = { name, grants, app: Number(app), expires_in_s: LIFETIMES[lifetime] };
      const made = await post<CreatedLink>("/play/links", body);
      setAddress(sharedAddress(window.location.origin, made.path, host?.local_ip ?? ""));
    }, setError);
  };
  if (address) return <Made address={address} onClose={onClose} />;
  return (
    <Dialog title={t("links.make")} onClose={onClose}>
      <form onSubmit={submit}>
        {error && <p className="banner bad" role="alert"><Icon name="alert" />{error}</p>}
        <TextField label={t("links.name")} help={t("links.name_help")} required maxLength={64} autoFocus value={name} onChange={(event) => setName(event.target.value)} />
        <div className="two">
          <Field label={t("links.app")}>
            {(id) => (
              <select id={id} value={app} onChange={(event) => setApp(event.target.value)}>
                {titles.map((one, index) => <option key={one.id} value={index ? one.id : "0"}>{one.title}</option>)}
              </select>
            )}
          </Field>
          <Field label={t("links.lifetime")}>
            {(id) => (
              <select id={id} value={lifetime} onChange={(event) => setLifetime(event.target.value as Lifetime)}>
                {(Object.keys(LIFETIMES) as Lifetime[]).map((one) => <option key={one} value={one}>{t(`links.for_${one}`)}</option>)}
              </select>
            )}
          </Field>
        </div>
        <fieldset>
          <legend>{t("devices.grants")}</legend>
          <div className="two tight">
            {GRANTS.map(([grant, bit]) => (
              <Switch
                key={grant} label={t(`grant.${grant}`)} checked={!!(grants & bit)}
                onChange={(on) => setGrants((before) => (on ? before | bit : before & ~bit))}
              />
            ))}
          </div>
          {!grants && <p className="help">{t("links.look_only")}</p>}
        </fieldset>
        <footer>
          <Button onClick={onClose}>{t("action.cancel")}</Button>
          <Button kind="primary" type="submit" disabled={busy}>{t("links.submit")}</Button>
        </footer>
      </form>
    </Dialog>
  );
}

function Made({ address, onClose }: { address: string; onClose: () => void }) {
  const { t } = useText();
  const field = useRef<HTMLInputElement>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(address);
      toast(t("links.copied"));
    } catch {
      field.current?.select();
    }
  };
  return (
    <Dialog title={t("links.made")} onClose={onClose}>
      <p>{t("links.made_text")}</p>
      <QrCode text={address} label={t("links.qr")} />
      <input ref={field} className="mono" readOnly aria-label={t("links.address")} value={address} onFocus={(event) => event.target.select()} />
      <footer>
        <Button onClick={onClose}>{t("action.close")}</Button>
        <Button kind="primary" onClick={() => void copy()}>{t("links.copy")}</Button>
      </footer>
    </Dialog>
  );
}
