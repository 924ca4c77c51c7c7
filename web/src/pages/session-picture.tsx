/** A small picture of what a session shows, renewed while somebody looks. Displays that give none leave no gap. */

import { useEffect, useState } from "react";
import { useText } from "../i18n";

const EVERY_MS = 5000;

export function SessionPicture({ id, device }: { id: string; device: string }) {
  const { t } = useText();
  const [round, setRound] = useState(0);
  const [state, setState] = useState<"waiting" | "there" | "none">("waiting");
  useEffect(() => {
    if (state === "none") return;
    const timer = setInterval(() => {
      if (!document.hidden) setRound((before) => before + 1);
    }, EVERY_MS);
    return () => clearInterval(timer);
  }, [state]);
  if (state === "none") return null;
  return (
    <img
      className="session-picture" src={`/api/v1/sessions/${id}/picture?${round}`} alt={t("session.picture", { device })}
      onLoad={() => setState("there")} onError={() => setState((before) => (before === "waiting" ? "none" : before))}
    />
  );
}
