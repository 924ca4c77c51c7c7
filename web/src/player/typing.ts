// A text field for screen keyboards, which send no keys: what is written into it goes to the desktop and not into it.

import type { Input } from "./input";

const ENTER = 28;
const BACKSPACE = 14;
const DELETE = 111;
const TAPS: Record<string, number> = {
  insertLineBreak: ENTER,
  insertParagraph: ENTER,
  deleteContentBackward: BACKSPACE,
  deleteWordBackward: BACKSPACE,
  deleteContentForward: DELETE,
};

/** Something to delete: screen keyboards tell nothing of a deletion in an empty field. */
const NOTHING = "\u200b";

export function wireTyping(field: HTMLTextAreaElement, input: () => Input | null): void {
  field.addEventListener("focus", () => (field.value = NOTHING));
  field.addEventListener("beforeinput", (event) => {
    const tap = TAPS[event.inputType];
    if (event.isComposing && tap === undefined) return; // its end brings the whole
    event.preventDefault();
    if (tap !== undefined) input()?.tap(tap);
    else input()?.text(event.data ?? event.dataTransfer?.getData("text/plain") ?? "");
  });
  field.addEventListener("compositionend", ({ data }) => {
    input()?.text(data);
    field.value = NOTHING;
  });
}
