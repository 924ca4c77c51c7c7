/** The console around its pages: menu, state of the connection. */

import { lazy, Suspense, useEffect } from "react";
import { useText, type TextKey } from "./i18n";
import { Account } from "./pages/account";
import { Devices } from "./pages/devices";
import { Home } from "./pages/home";
import { Library } from "./pages/library";
import { Settings } from "./pages/settings";
import { go, usePath } from "./router";
import { goLive, useConnection } from "./state/live";
import { Icon, Logo, type IconName } from "./ui/icons";
import { hasPending, usePending } from "./pages/pending";

const Diagnosis = lazy(() => import("./pages/diagnosis"));

const PAGES: readonly { path: string; title: TextKey; icon: IconName; page: () => React.ReactNode }[] = [
  { path: "/", title: "nav.home", icon: "home", page: () => <Home /> },
  { path: "/devices", title: "nav.devices", icon: "devices", page: () => <Devices /> },
  { path: "/library", title: "nav.library", icon: "library", page: () => <Library /> },
  { path: "/settings", title: "nav.settings", icon: "settings", page: () => <Settings /> },
  { path: "/diagnostics", title: "nav.diagnosis", icon: "diagnosis", page: () => <Diagnosis /> },
  { path: "/account", title: "nav.account", icon: "account", page: () => <Account /> },
];

export function Shell() {
  const { t } = useText();
  const path = usePath();
  const connection = useConnection();
  const pending = usePending();
  useEffect(goLive, []);
  const current = PAGES.find((page) => page.path !== "/" && path.startsWith(page.path)) ?? PAGES[0]!;
  useEffect(() => {
    document.title = `${t(current.title)} · ${t("app.title")}`;
  });
  return (
    <div className={connection === "lost" ? "shell lost" : "shell"}>
      <a className="skip" href="#content">{t("app.skip")}</a>
      <nav className="menu" aria-label={t("app.menu")}>
        <div className="brand"><Logo /><span>{t("app.title")}</span></div>
        <ul>
          {PAGES.map((page) => (
            <li key={page.path}>
              <Link path={page.path} current={page === current}>
                <Icon name={page.icon} />
                <span>{t(page.title)}</span>
                {page.path === "/devices" && hasPending(pending) && <i className="dot" />}
              </Link>
            </li>
          ))}
        </ul>
        {__HAS_PLAYER__ && <a className="button primary play" href="/play.html"><Icon name="play" />{t("nav.play")}</a>}
        <p className={`connection ${connection}`}><i className="dot" />{connection === "live" ? t("app.live") : t("app.offline")}</p>
      </nav>
      <main id="content" tabIndex={-1}>
        {connection === "lost" && <p className="banner bad" role="alert"><Icon name="alert" />{t("app.lost")}</p>}
        <Suspense fallback={<p className="muted">{t("app.loading")}</p>}>{current.page()}</Suspense>
      </main>
    </div>
  );
}

function Link({ path, current, children }: { path: string; current: boolean; children: React.ReactNode }) {
  return (
    <a
      href={path}
      aria-current={current ? "page" : undefined}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        go(path);
      }}
    >
      {children}
    </a>
  );
}
