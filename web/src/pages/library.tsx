import { type FormEvent, useState } from "react";
import { del, get, post, put } from "../api/client";
import type { Custom, Details, Entry } from "../api/schema";
import { useText } from "../i18n";
import { fromLines, toLines } from "../lib/variables";
import { useResource } from "../state/live";
import { Button, Card, Confirm, Dialog, Empty, Field, Page, Switch, TextField, useAction } from "../ui/parts";
import { toast } from "../ui/toasts";
import { Icon } from "../ui/icons";

const NEW: Details = {
  id: "", store: "custom", title: "", art: {}, custom: true, working_dir: "", environment: {}, prepare: [], image: "",
  exit_ends_session: true,
};

export function Library() {
  const { t, locale } = useText();
  const library = useResource<Entry[]>("/library", ["library"]);
  const [text, setText] = useState("");
  const [edited, setEdited] = useState<Details | null>(null);
  const { run } = useAction();
  const wanted = text.trim().toLocaleLowerCase(locale);
  const found = library.data?.filter((one) => one.title.toLocaleLowerCase(locale).includes(wanted)) ?? [];
  const open = (entry: Entry) => void run(async () => setEdited(await get<Details>(`/library/${entry.id}`)));
  return (
    <Page
      title={t("library.title")}
      lead={library.data && t("library.count", { n: library.data.length })}
      actions={<Button kind="primary" icon="plus" onClick={() => setEdited(NEW)}>{t("library.add")}</Button>}
    >
      <div className="search">
        <Icon name="search" />
        <input type="search" aria-label={t("library.search")} placeholder={t("library.search")} value={text} onChange={(event) => setText(event.target.value)} />
      </div>
      {library.data && !found.length && <Card><Empty icon="library" title={t("library.none", { text })} /></Card>}
      <ul className="covers">
        {found.map((entry) => (
          <li key={entry.id}>
            <button type="button" onClick={() => open(entry)}>
              <Cover entry={entry} />
              <span className="strong">{entry.title}</span>
              <small>{entry.launch?.value || t("library.desktop_only")}</small>
            </button>
            {__HAS_PLAYER__ && (
              <a className="button play-here" href={`/play?app=${entry.id}`} aria-label={t("library.play", { name: entry.title })}><Icon name="play" />{t("nav.play")}</a>
            )}
          </li>
        ))}
      </ul>
      {edited && <TitleDialog title={edited} onClose={() => { setEdited(null); library.reload(); }} />}
    </Page>
  );
}

function Cover({ entry }: { entry: Entry }) {
  const [isBroken, setBroken] = useState(false);
  if (entry.art.portrait && !isBroken) return <img className="cover" src={entry.art.portrait} alt="" loading="lazy" onError={() => setBroken(true)} />;
  const tone = [...entry.title].reduce((sum, letter) => sum + letter.codePointAt(0)!, 0) % 6;
  return <span className={`cover letter tone-${tone}`} aria-hidden="true">{[...entry.title][0]}</span>;
}

function TitleDialog({ title, onClose }: { title: Details; onClose: () => void }) {
  const { t } = useText();
  const { busy, run } = useAction();
  const [asks, setAsks] = useState(false);
  const [error, setError] = useState("");
  const [variables, setVariables] = useState(toLines(title.environment));
  const [draft, setDraft] = useState({ ...title, command: title.launch?.value ?? "" });
  const change = (changed: Partial<typeof draft>) => setDraft((before) => ({ ...before, ...changed }));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const environment = fromLines(variables);
    if (typeof environment === "number") {
      setError(t("library.environment_wrong", { n: environment }));
      return;
    }
    const body: Custom = {
      title: draft.title, launch: { kind: "command", value: draft.command }, working_dir: draft.working_dir, environment,
      prepare: draft.prepare.filter((step) => step.do), image: draft.image, exit_ends_session: draft.exit_ends_session,
    };
    void run(async () => {
      await (title.id && title.custom ? put(`/library/custom/${title.id}`, body) : post("/library/custom", body));
      toast(t("library.saved", { name: draft.title }));
      onClose();
    }, setError);
  };
  const remove = () =>
    void run(async () => {
      await del(`/library/custom/${title.id}`);
      toast(t("library.removed", { name: title.title }));
      onClose();
    });
  const step = (index: number, changed: { do?: string; undo?: string }) =>
    change({ prepare: draft.prepare.map((one, at) => (at === index ? { ...one, ...changed } : one)) });
  return (
    <Dialog wide title={title.id ? t("library.edit_title") : t("library.add_title")} onClose={onClose}>
      <form onSubmit={submit}>
        {error && <p className="banner bad" role="alert"><Icon name="alert" />{error}</p>}
        <div className="two">
          <TextField label={t("library.name")} required maxLength={120} value={draft.title} onChange={(event) => change({ title: event.target.value })} />
          <TextField label={t("library.command")} help={t("library.command_help")} className="mono" value={draft.command} onChange={(event) => change({ command: event.target.value })} />
          <TextField label={t("library.folder")} help={t("library.folder_help")} className="mono" value={draft.working_dir} onChange={(event) => change({ working_dir: event.target.value })} />
          <TextField label={t("library.cover")} help={t("library.cover_help")} className="mono" value={draft.image} onChange={(event) => change({ image: event.target.value })} />
        </div>
        <Field label={t("library.environment")} help={t("library.environment_help")}>
          {(id, describedBy) => <textarea id={id} aria-describedby={describedBy} rows={3} className="mono" value={variables} onChange={(event) => setVariables(event.target.value)} />}
        </Field>
        <fieldset>
          <legend>{t("library.prepare")}</legend>
          {draft.prepare.map((one, index) => (
            <div className="step" key={index}>
              <TextField label={t("library.prepare_do", { n: index + 1 })} className="mono" value={one.do} onChange={(event) => step(index, { do: event.target.value })} />
              <TextField label={t("library.prepare_undo", { n: index + 1 })} className="mono" value={one.undo ?? ""} onChange={(event) => step(index, { undo: event.target.value })} />
              <Button
                kind="quiet" icon="close" type="button" aria-label={t("library.prepare_remove", { n: index + 1 })}
                onClick={() => change({ prepare: draft.prepare.filter((_, at) => at !== index) })}
              />
            </div>
          ))}
          <Button icon="plus" type="button" onClick={() => change({ prepare: [...draft.prepare, { do: "", undo: "" }] })}>{t("library.prepare_add")}</Button>
        </fieldset>
        <Switch label={t("library.exit")} checked={draft.exit_ends_session} onChange={(on) => change({ exit_ends_session: on })} />
        <footer>
          {title.id && title.custom && <Button kind="danger" onClick={() => setAsks(true)}>{t("action.remove")}</Button>}
          <span className="grow" />
          <Button onClick={onClose}>{t("action.cancel")}</Button>
          <Button kind="primary" type="submit" disabled={busy}>{t("action.save")}</Button>
        </footer>
      </form>
      {asks && (
        <Confirm
          title={t("library.remove_title", { name: title.title })} text={t("library.remove_text")}
          action={t("action.remove")} onConfirm={remove} onClose={() => setAsks(false)}
        />
      )}
    </Dialog>
  );
}
