/** Which of the three faces to show: sign-in, first password, or the console. */

import { useEffect, useState } from "react";
import { Backoff } from "./api/backoff";
import { useText } from "./i18n";
import { SignIn } from "./pages/sign-in";
import { Setup, SetupNeeded } from "./pages/setup";
import { usePath } from "./router";
import { Shell } from "./shell";
import { me, refreshMe } from "./state/live";
import { useStore } from "./state/store";
import { Toasts } from "./ui/toasts";

export function App() {
  return (
    <>
      <Face />
      <Toasts />
    </>
  );
}

function Face() {
  const { t } = useText();
  const now = useStore(me);
  const path = usePath();
  const [isAway, setAway] = useState(false);
  useEffect(() => {
    const backoff = new Backoff();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = () =>
      refreshMe().then(() => setAway(false)).catch(() => {
        setAway(true);
        timer = setTimeout(ask, backoff.next());
      });
    void ask();
    return () => clearTimeout(timer);
  }, []);
  if (!now) return <main className="single"><p role="status">{isAway ? t("app.lost") : t("app.loading")}</p></main>;
  if (now.signed_in) return <Shell />;
  if (now.needs_setup || path === "/setup") return window.location.hash.length > 1 ? <Setup /> : <SetupNeeded />;
  return <SignIn />;
}
