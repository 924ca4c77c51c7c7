import { type FormEvent, useState } from "react";
import { del, patch, post } from "../api/client";
import type { Device, Knock } from "../api/schema";
import { type TextKey, useText } from "../i18n";
import { dateTime } from "../lib/format";
import { GRANTS, rightsText } from "../lib/grants";
import { go, usePath } from "../router";
import { useResource } from "../state/live";
import { Badge, Button, Card, Confirm, Dialog, Empty, Field, Page, Switch, TextField, useAction } from "../ui/parts";
import { toast } from "../ui/toasts";
import { Links } from "./links";
import { PairDialog } from "./pair";
import { usePending } from "./pending";

export function Devices() {
  const { t } = useText();
  const devices = useResource<Device[]>("/devices", ["devices", "sessions"]);
  const pairs = usePath() === "/devices/pair";
  const [edited, setEdited] = useState<Device | null>(null);
  return (
    <Page
      title={t("devices.title")}
      actions={<Button kind="primary" icon="plus" onClick={() => go("/devices/pair")}>{t("devices.pair")}</Button>}
    >
      <Waiting />
      <Card label={t("devices.title")}>
        {devices.data?.length === 0 && <Empty icon="devices" title={t("devices.none")}>{t("devices.none_text")}</Empty>}
        {!!devices.data?.length && (
          <ul className="rows">
            {devices.data.map((device) => <Row key={device.fingerprint} device={device} onEdit={() => setEdited(device)} />)}
          </ul>
        )}
      </Card>
      <Links />
      {edited && <EditDialog device={edited} onClose={() => { setEdited(null); devices.reload(); }} />}
      {pairs && <PairDialog onClose={() => go("/devices", true)} />}
    </Page>
  );
}

/** Those who wait; one tap answers. */
function Waiting() {
  const { t } = useText();
  const { pins, knocks } = usePending();
  const { busy, run } = useAction();
  if (!pins.length && !knocks.length) return null;
  const answer = (knock: Knock, verdict: "approve" | "deny") =>
    void run(async () => {
      await post(`/native/pending/${knock.id}/${verdict}`, verdict === "approve" ? {} : undefined);
      toast(t(verdict === "approve" ? "devices.approved" : "devices.denied", { name: knock.name }));
    });
  return (
    <Card title={t("devices.waiting")}>
      <ul className="rows">
        {knocks.map((knock) => (
          <li key={`knock-${knock.id}`}>
            <div className="grow"><span className="strong">{knock.name}</span><small>{t("devices.knocks")} · {knock.address}</small></div>
            <Button kind="primary" icon="check" disabled={busy} onClick={() => answer(knock, "approve")}>{t("devices.approve")}</Button>
            <Button disabled={busy} onClick={() => answer(knock, "deny")}>{t("devices.deny")}</Button>
          </li>
        ))}
        {pins.map((pin) => (
          <li key={`pin-${pin.id}`}>
            <div className="grow"><span className="strong">{pin.name || pin.address}</span><small>{t("devices.shows_pin")} · {pin.address}</small></div>
            <Button kind="primary" onClick={() => go("/devices/pair")}>{t("devices.enter_pin")}</Button>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Row({ device, onEdit }: { device: Device; onEdit: () => void }) {
  const { t, locale } = useText();
  const rights = rightsText(t, device.grants);
  const added = device.added_unix ? ` · ${t("devices.added", { date: dateTime(device.added_unix, locale) })}` : "";
  return (
    <li>
      <div className="grow">
        <span className="strong">{device.name}</span>
        <small>{t(`plane.${device.plane}`)}{added}{device.plane === "native" && ` · ${rights}`}</small>
      </div>
      {device.streaming && <Badge tone="live">{t("devices.streaming")}</Badge>}
      {!device.enabled && <Badge tone="warn">{t("devices.disabled")}</Badge>}
      {device.enabled && !device.admitted && <Badge tone="bad">{t("devices.expired")}</Badge>}
      {device.admitted && device.expires_unix > 0 && <Badge>{t("devices.expires", { date: dateTime(device.expires_unix, locale) })}</Badge>}
      <Button kind="quiet" icon="edit" aria-label={t("devices.edit", { name: device.name })} onClick={onEdit} />
    </li>
  );
}

const EXPIRIES = { keep: null, never: null, hour: 3600, day: 86_400, week: 604_800 } as const;
type Expiry = keyof typeof EXPIRIES;

function EditDialog({ device, onClose }: { device: Device; onClose: () => void }) {
  const { t } = useText();
  const { busy, run } = useAction();
  const [name, setName] = useState(device.name);
  const [enabled, setEnabled] = useState(device.enabled);
  const [grants, setGrants] = useState(device.grants);
  const [expiry, setExpiry] = useState<Expiry>("keep");
  const [asks, setAsks] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const seconds = EXPIRIES[expiry];
    void run(async () => {
      await patch(`/devices/${device.fingerprint}`, {
        name,
        enabled,
        ...(grants !== device.grants && { grants }),
        ...(seconds !== null && { expires_in_secs: seconds }),
        ...(expiry === "never" && { clear_expiry: true }),
      });
      toast(t("devices.saved", { name }));
      onClose();
    });
  };
  const remove = () =>
    void run(async () => {
      await del(`/devices/${device.fingerprint}`);
      toast(t("devices.removed", { name: device.name }));
      onClose();
    });
  return (
    <Dialog title={t("devices.edit_title")} onClose={onClose}>
      <form onSubmit={submit}>
        <TextField label={t("devices.name")} required maxLength={64} value={name} onChange={(event) => setName(event.target.value)} />
        <Switch label={t("devices.enabled")} checked={enabled} onChange={setEnabled} />
        {device.plane === "native" && (
          <>
            <fieldset>
              <legend>{t("devices.grants")}</legend>
              {GRANTS.map(([grant, bit]) => (
                <Switch
                  key={grant} label={t(`grant.${grant}`)} checked={!!(grants & bit)}
                  onChange={(on) => setGrants((before) => (on ? before | bit : before & ~bit))}
                />
              ))}
            </fieldset>
            <Field label={t("devices.expiry")}>
              {(id) => (
                <select id={id} value={expiry} onChange={(event) => setExpiry(event.target.value as Expiry)}>
                  {Object.keys(EXPIRIES).map((one) => <option key={one} value={one}>{t(`devices.expiry_${one}` as TextKey)}</option>)}
                </select>
              )}
            </Field>
          </>
        )}
        <footer>
          <Button kind="danger" onClick={() => setAsks(true)}>{t("devices.unpair")}</Button>
          <span className="grow" />
          <Button onClick={onClose}>{t("action.cancel")}</Button>
          <Button kind="primary" type="submit" disabled={busy}>{t("action.save")}</Button>
        </footer>
      </form>
      {asks && (
        <Confirm
          title={t("devices.unpair_title", { name: device.name })} text={t("devices.unpair_text")}
          action={t("devices.unpair")} onConfirm={remove} onClose={() => setAsks(false)}
        />
      )}
    </Dialog>
  );
}
