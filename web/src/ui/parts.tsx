/** The small parts of every page. Behaviour and focus are Ariakit's, looks are in styles/. */

import * as Ariakit from "@ariakit/react";
import { type ComponentProps, type ReactNode, useState } from "react";
import type { ApiError } from "../api/client";
import { useText } from "../i18n";
import { Icon, type IconName } from "./icons";
import { toast } from "./toasts";

type Kind = "primary" | "plain" | "danger" | "quiet";

export function Button({ kind = "plain", icon, children, ...rest }: ComponentProps<"button"> & { kind?: Kind; icon?: IconName }) {
  return (
    <Ariakit.Button className={`button ${kind}`} {...rest}>
      {icon && <Icon name={icon} />}
      {children}
    </Ariakit.Button>
  );
}

export function Card({ title, actions, children, label }: { title?: ReactNode; actions?: ReactNode; children: ReactNode; label?: string }) {
  return (
    <section className="card" aria-label={label}>
      {(title || actions) && (
        <header>
          {title && <h2>{title}</h2>}
          {actions && <div className="actions">{actions}</div>}
        </header>
      )}
      {children}
    </section>
  );
}

export function Badge({ tone = "plain", children }: { tone?: "plain" | "good" | "warn" | "bad" | "live"; children: ReactNode }) {
  return <span className={`badge ${tone}`}>{children}</span>;
}

export function Page({ title, lead, actions, children }: { title: string; lead?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  return (
    <>
      <header className="page-head">
        <div>
          <h1>{title}</h1>
          {lead && <p className="muted">{lead}</p>}
        </div>
        {actions && <div className="actions">{actions}</div>}
      </header>
      {children}
    </>
  );
}

/** A labelled control; the help and the mistake are read out with it. */
export function Field({ label, help, error, children }: { label: string; help?: ReactNode; error?: string; children: (id: string, describedBy: string) => ReactNode }) {
  const id = `field-${label.replace(/\W+/g, "-")}-${useState(() => Math.random().toString(36).slice(2, 7))[0]}`;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children(id, `${id}-help`)}
      <div id={`${id}-help`} className={error ? "help bad" : "help"}>{error || help}</div>
    </div>
  );
}

// A dialog chooses what gets the focus, and goes by data-autofocus.
export function TextField({ label, help, error, ...rest }: Omit<ComponentProps<"input">, "id"> & { label: string; help?: ReactNode; error?: string }) {
  return (
    <Field label={label} help={help} error={error}>
      {(id, describedBy) => <input id={id} aria-describedby={describedBy} aria-invalid={!!error || undefined} data-autofocus={rest.autoFocus} {...rest} />}
    </Field>
  );
}

export function Switch({ label, checked, onChange, disabled, hideLabel }: { label: string; checked: boolean; onChange: (on: boolean) => void; disabled?: boolean; hideLabel?: boolean }) {
  return (
    <label className="switch">
      <Ariakit.Checkbox
        role="switch"
        aria-label={hideLabel ? label : undefined}
        checked={checked}
        disabled={disabled}
        onChange={(event) => onChange(event.target.checked)}
      />
      {!hideLabel && <span>{label}</span>}
    </label>
  );
}

export function Dialog({ title, onClose, children, wide }: { title: string; onClose: () => void; children: ReactNode; wide?: boolean }) {
  const { t } = useText();
  return (
    <Ariakit.Dialog open onClose={onClose} className={wide ? "dialog wide" : "dialog"} backdrop={<div className="backdrop" />}>
      <header>
        <Ariakit.DialogHeading>{title}</Ariakit.DialogHeading>
        <Ariakit.DialogDismiss className="button quiet icon-only" aria-label={t("action.close")}>
          <Icon name="close" />
        </Ariakit.DialogDismiss>
      </header>
      {children}
    </Ariakit.Dialog>
  );
}

/** Asks before something that cannot be undone. */
export function Confirm({ title, text, action, onConfirm, onClose }: { title: string; text: string; action: string; onConfirm: () => void; onClose: () => void }) {
  const { t } = useText();
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{text}</p>
      <footer>
        <Button onClick={onClose}>{t("action.cancel")}</Button>
        <Button kind="danger" onClick={() => { onClose(); onConfirm(); }}>{action}</Button>
      </footer>
    </Dialog>
  );
}

export function Tabs({ label, tabs, active, onChange }: { label: string; tabs: readonly { id: string; title: string; content: () => ReactNode }[]; active: string; onChange: (id: string) => void }) {
  return (
    <Ariakit.TabProvider selectedId={active} setSelectedId={(id) => id && onChange(id)}>
      <Ariakit.TabList className="tabs" aria-label={label}>
        {tabs.map((tab) => <Ariakit.Tab key={tab.id} id={tab.id}>{tab.title}</Ariakit.Tab>)}
      </Ariakit.TabList>
      {tabs.map((tab) => (
        <Ariakit.TabPanel key={tab.id} tabId={tab.id} className="tab-panel" unmountOnHide>
          {active === tab.id && tab.content()}
        </Ariakit.TabPanel>
      ))}
    </Ariakit.TabProvider>
  );
}

export function Empty({ icon, title, children }: { icon: IconName; title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <Icon name={icon} />
      <p className="strong">{title}</p>
      {children && <div className="muted">{children}</div>}
    </div>
  );
}

export function Facts({ items }: { items: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="facts">
      {items.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
    </dl>
  );
}

/** Runs a change, one at a time; what the host refuses is shown. */
export function useAction(): { busy: boolean; run: (work: () => Promise<void>, onError?: (message: string) => void) => Promise<void> } {
  const [busy, setBusy] = useState(false);
  const run = async (work: () => Promise<void>, onError: (message: string) => void = (message) => toast(message, "bad")) => {
    setBusy(true);
    try {
      await work();
    } catch (error) {
      onError((error as ApiError).message);
    } finally {
      setBusy(false);
    }
  };
  return { busy, run };
}
