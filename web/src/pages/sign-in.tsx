import { type FormEvent, useState } from "react";
import { post } from "../api/client";
import type { Me } from "../api/schema";
import { useText } from "../i18n";
import { go } from "../router";
import { takeMe } from "../state/live";
import { Button, TextField, useAction } from "../ui/parts";
import { Single } from "./single";

export function SignIn() {
  const { t } = useText();
  const { busy, run } = useAction();
  const [password, setPassword] = useState("");
  const [error, setError] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void run(async () => {
      takeMe(await post<Me>("/auth/login", { password }));
      if (window.location.pathname === "/setup") go("/", true);
    }, setError);
  };
  return (
    <Single title={t("sign_in.title")}>
      <form onSubmit={submit}>
        <p className="muted">{t("sign_in.lead", { host: window.location.hostname })}</p>
        <TextField
          label={t("sign_in.password")} type="password" autoComplete="current-password" required autoFocus
          value={password} error={error} onChange={(event) => setPassword(event.target.value)}
        />
        <Button kind="primary" type="submit" disabled={busy}>{t("sign_in.submit")}</Button>
      </form>
    </Single>
  );
}
