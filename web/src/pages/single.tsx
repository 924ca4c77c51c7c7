/** The frame of the pages before signing in. */

import type { ReactNode } from "react";
import { Logo } from "../ui/icons";
import { Look } from "../ui/look";

export function Single({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className="single">
      <div className="brand"><Logo /><span>punktfunk</span></div>
      <section className="card"><h1>{title}</h1>{children}</section>
      <Look />
    </main>
  );
}
