/** The first password: the setup link carries its secret in the fragment. */

import { type FormEvent, useState } from "react";
import { post } from "../api/client";
import type { Me } from "../api/schema";
import { useText } from "../i18n";
import { go } from "../router";
import { takeMe } from "../state/live";
import { Button, TextField, useAction } from "../ui/parts";
import { Single } from "./single";

export function SetupNeeded() {
  const { t } = useText();
  return (
    <Single title={t("setup.needed")}>
      <p>{t("setup.needed_lead")}</p>
      <p className="muted">{t("setup.check")}</p>
    </Single>
  );
}

export function Setup() {
  const { t } = useText();
  const { busy, run } = useAction();
  const [password, setPassword] = useState("");
  const [repeat, setRepeat] = useState("");
  const [error, setError] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (password !== repeat) {
      setError(t("setup.differ"));
      return;
    }
    const secret = window.location.hash.slice(1);
    void run(async () => {
      const me = await post<Me>("/auth/setup", { secret, password });
      go("/", true);
      takeMe(me);
    }, setError);
  };
  return (
    <Single title={t("setup.title")}>
      <form onSubmit={submit}>
        <p className="muted">{t("setup.lead")}</p>
        <TextField
          label={t("setup.password")} type="password" autoComplete="new-password" required minLength={8} autoFocus
          help={t("setup.hint")} value={password} onChange={(event) => setPassword(event.target.value)}
        />
        <TextField
          label={t("setup.repeat")} type="password" autoComplete="new-password" required
          error={error} value={repeat} onChange={(event) => setRepeat(event.target.value)}
        />
        <Button kind="primary" type="submit" disabled={busy}>{t("setup.submit")}</Button>
      </form>
    </Single>
  );
}
