/** The pairing wizard. */

import { type FormEvent, useEffect, useState } from "react";
import { del, post } from "../api/client";
import type { Armed, Host } from "../api/schema";
import { useText } from "../i18n";
import { clock } from "../lib/format";
import { useEvents, useResource } from "../state/live";
import { Button, Dialog, Empty, Field, TextField, useAction } from "../ui/parts";
import { Icon } from "../ui/icons";
import { usePending } from "./pending";

type Way = "" | "moonlight" | "native";

export function PairDialog({ onClose }: { onClose: () => void }) {
  const { t } = useText();
  const host = useResource<Host>("/host").data;
  const { pins } = usePending();
  const [way, setWay] = useState<Way>("");
  const [paired, setPaired] = useState("");
  useEvents(["devices"], (kind, data) => {
    const change = data as { change?: string; name?: string };
    if (kind === "devices" && change.change === "added") setPaired(change.name ?? "");
  });
  const isAsked = pins.length > 0;
  useEffect(() => {
    if (isAsked) setWay((before) => before || "moonlight");
  }, [isAsked]);
  return (
    <Dialog title={t("pair.title")} onClose={onClose}>
      {paired ? (
        <>
          <Empty icon="check" title={t("pair.done", { name: paired })}>{t("pair.done_text")}</Empty>
          <footer><Button kind="primary" onClick={onClose}>{t("action.close")}</Button></footer>
        </>
      ) : (
        <>
          {!way && host && <Question host={host} onChoose={setWay} />}
          {way === "moonlight" && host && <Moonlight host={host} />}
          {way === "native" && host && <Native host={host} />}
          {way && <footer><Button onClick={() => setWay("")}>{t("pair.back")}</Button></footer>}
        </>
      )}
    </Dialog>
  );
}

function Question({ host, onChoose }: { host: Host; onChoose: (way: Way) => void }) {
  const { t } = useText();
  const ways = [
    { way: "moonlight", served: host.gamestream, title: t("pair.moonlight"), text: t("pair.moonlight_text") },
    { way: "native", served: host.native, title: t("pair.native"), text: t("pair.native_text") },
  ] as const;
  return (
    <>
      <p>{t("pair.question")}</p>
      <div className="choices">
        {ways.map(({ way, served, title, text }) => (
          <button key={way} type="button" className="choice" disabled={!served} onClick={() => onChoose(way)}>
            <span className="strong">{title}</span>
            <small>{served ? text : t("pair.not_served")}</small>
          </button>
        ))}
      </div>
    </>
  );
}

function Moonlight({ host }: { host: Host }) {
  const { t } = useText();
  const { pins } = usePending();
  const { busy, run } = useAction();
  const [pin, setPin] = useState("");
  const [name, setName] = useState("");
  const [attempt, setAttempt] = useState<number | null>(null);
  const [sent, setSent] = useState<number | null>(null);
  const [error, setError] = useState("");
  const current = pins.find((one) => one.id === attempt) ?? pins[0];
  useEffect(() => {
    // A client that waits no more and did not become a paired device had another PIN.
    if (sent === null) return;
    const wait = pins.some((one) => one.id === sent) ? 8000 : 2500;
    const timer = setTimeout(() => {
      setSent(null);
      setPin("");
      setError(t("pair.wrong"));
    }, wait);
    return () => clearTimeout(timer);
  }, [pins, sent]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!current) return;
    setError("");
    void run(async () => {
      await post("/pair/pin", { pin, attempt: current.id, ...(name && { name }) });
      setSent(current.id);
    }, setError);
  };
  return (
    <form onSubmit={submit}>
      <p>{t("pair.moonlight_steps", { host: host.hostname, address: host.local_ip })}</p>
      {error && <p className="banner bad" role="alert"><Icon name="alert" />{error}</p>}
      {sent !== null && <p role="status" className="listening"><i className="dot" />{t("pair.checking")}</p>}
      {!current && sent === null && <p role="status" className="listening"><i className="dot" />{t("pair.listening")}</p>}
      {current && sent === null && (
        <>
          {pins.length > 1 && (
            <Field label={t("pair.who")}>
              {(id) => (
                <select id={id} value={current.id} onChange={(event) => setAttempt(Number(event.target.value))}>
                  {pins.map((one) => <option key={one.id} value={one.id}>{one.name || one.address} ({one.address})</option>)}
                </select>
              )}
            </Field>
          )}
          <Field label={t("pair.pin")}>
            {(id) => (
              <input
                id={id} className="pin" inputMode="numeric" pattern="[0-9]{4}" maxLength={4} autoComplete="off" required autoFocus
                value={pin} onChange={(event) => setPin(event.target.value.replace(/\D/g, ""))}
              />
            )}
          </Field>
          <TextField label={t("pair.device_name")} maxLength={64} placeholder={current.name} value={name} onChange={(event) => setName(event.target.value)} />
          <Button kind="primary" type="submit" disabled={busy || pin.length !== 4}>{t("pair.submit")}</Button>
        </>
      )}
    </form>
  );
}

function Native({ host }: { host: Host }) {
  const { t } = useText();
  const { run } = useAction();
  const [window_, setWindow] = useState<{ pin: string; until: number } | null>(null);
  const [now, setNow] = useState(Date.now());
  const [error, setError] = useState("");
  const arm = () =>
    run(async () => {
      const armed = await post<Armed>("/native/pair/arm", {});
      setWindow({ pin: armed.pin ?? "", until: Date.now() + (armed.expires_in_secs ?? 0) * 1000 });
    }, setError);
  useEffect(() => {
    void arm();
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => {
      clearInterval(timer);
      del("/native/pair").catch(() => {});
    };
  }, []);
  const left = window_ ? Math.max(0, (window_.until - now) / 1000) : 0;
  return (
    <>
      <p>{t("pair.native_steps", { host: host.hostname })}</p>
      {error && <p className="banner bad" role="alert"><Icon name="alert" />{error}</p>}
      {window_ && left > 0 && (
        <>
          <output className="big-pin" aria-label={window_.pin.split("").join(" ")}>{window_.pin}</output>
          <p className="muted center" role="timer">{t("pair.left", { time: clock(left) })}</p>
        </>
      )}
      {window_ && left === 0 && (
        <p className="center">{t("pair.over")} <Button kind="primary" onClick={() => void arm()}>{t("pair.new_pin")}</Button></p>
      )}
      <p className="muted">{t("pair.knock_hint")}</p>
    </>
  );
}
