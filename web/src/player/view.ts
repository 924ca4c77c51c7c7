// What there is to see beside the picture: bar, messages, hints and figures.

import { t, type TextKey } from "./texts";

const SHOWN_FOR_MS = 3000;
const FIRST_SHOWN_FOR_MS = 6000;
const EDGE_PX = 6;
const TOAST_MS = 5000;
const MAX_TOASTS = 4;

export interface Deed {
  text: TextKey;
  run: () => void;
  primary?: boolean;
}

export interface Message {
  text: TextKey;
  /** In the host's own words, which are English. */
  detail?: string;
  busy?: boolean;
  /** Above a picture that stands still, instead of the only thing there is. */
  over?: boolean;
  deeds?: Deed[];
}

const element = <K extends keyof HTMLElementTagNameMap>(name: K, text = "", attributes: Record<string, string> = {}) => {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};
const find = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;

export class View {
  readonly canvas = find<HTMLCanvasElement>("picture");
  readonly typing = find<HTMLTextAreaElement>("typing");
  private readonly bar = find<HTMLElement>("bar");
  private readonly handle = find<HTMLButtonElement>("handle");
  private readonly status = find<HTMLElement>("status");
  private readonly toasts = find<HTMLElement>("toasts");
  private readonly figures = find<HTMLTableElement>("figures");
  private hiding = 0;

  constructor() {
    document.title = `${t("play")} · punktfunk`;
    this.canvas.setAttribute("aria-label", t("canvas"));
    this.typing.setAttribute("aria-label", t("keyboard_label"));
    this.bar.setAttribute("aria-label", t("bar"));
    this.handle.setAttribute("aria-label", t("handle"));
    this.handle.addEventListener("click", () => this.toggleBar());
    window.addEventListener("pointermove", ({ clientY, pointerType }) => pointerType === "mouse" && clientY < EDGE_PX && this.showBar());
    window.addEventListener("keydown", (event) => this.hotkey(event), { capture: true });
    this.bar.addEventListener("pointermove", () => this.showBar());
    this.bar.addEventListener("focusin", () => this.showBar(0));
    this.bar.addEventListener("focusout", () => this.showBar());
    this.bar.addEventListener("keydown", (event) => this.inBar(event));
  }

  /** Whether the figures are to be seen, and so worth being made. */
  get showsFigures(): boolean {
    return !this.figures.hidden;
  }

  say(message: Message | null): void {
    this.status.replaceChildren();
    this.status.hidden = !message;
    if (!message) return;
    this.status.classList.toggle("over", !!message.over);
    const card = element("div", "", { class: "card", "data-message": message.text });
    card.append(element("p", t(message.text), message.busy ? { class: "busy" } : {}));
    if (message.detail) card.append(element("p", message.detail, { class: "detail", lang: "en" }));
    if (message.deeds?.length) {
      const deeds = element("div", "", { class: "deeds" });
      deeds.append(...message.deeds.map((deed) => this.button(deed)));
      card.append(deeds);
    }
    this.status.append(card);
  }

  /** A hint that goes by itself; one with a deed stays until it is done or taken back by the returned function. */
  toast(text: TextKey | null, deed?: Deed): () => void {
    const toast = element("div");
    const gone = () => toast.remove();
    if (text) toast.append(element("span", t(text)));
    if (deed) toast.append(this.button({ ...deed, run: () => (gone(), deed.run()) }));
    else window.setTimeout(gone, TOAST_MS);
    this.toasts.append(toast);
    while (this.toasts.children.length > MAX_TOASTS) this.toasts.firstElementChild!.remove();
    return gone;
  }

  /** The bar's content; it is shown for a while, so that one knows that it is there. */
  setBar(items: HTMLElement[]): void {
    this.bar.replaceChildren(...items);
    this.bar.hidden = this.handle.hidden = false;
    this.showBar(FIRST_SHOWN_FOR_MS);
  }

  button(deed: Deed): HTMLButtonElement {
    const button = element("button", t(deed.text), { type: "button", "data-deed": deed.text });
    if (deed.primary) button.className = "primary";
    button.addEventListener("click", deed.run);
    return button;
  }

  link(text: TextKey, href: string): HTMLAnchorElement {
    return element("a", t(text), { href, class: "link" });
  }

  choice(label: TextKey, options: readonly (readonly [value: string, text: TextKey])[], value: string, changed: (value: string) => void): HTMLElement {
    const select = element("select");
    select.append(...options.map(([key, text]) => element("option", t(text), { value: key })));
    select.value = value;
    select.addEventListener("change", () => (changed(select.value), this.canvas.focus()));
    const labelled = element("label", t(label));
    labelled.append(select);
    return labelled;
  }

  toggleFigures(): boolean {
    return !(this.figures.hidden = !this.figures.hidden);
  }

  showFigures(rows: readonly (readonly [TextKey, string])[]): void {
    this.figures.replaceChildren(
      ...rows.map(([key, text]) => {
        const row = element("tr");
        row.append(element("th", t(key), { scope: "row" }), element("td", text));
        return row;
      }),
    );
  }

  /** Show the bar; with 0 until something else is said. */
  private showBar(forMs = SHOWN_FOR_MS): void {
    this.bar.classList.add("shown");
    clearTimeout(this.hiding);
    if (forMs) this.hiding = window.setTimeout(() => this.hideBar(), forMs);
  }

  private hideBar(): void {
    if (!this.bar.contains(document.activeElement)) this.bar.classList.remove("shown");
  }

  private toggleBar(): void {
    if (!this.bar.classList.contains("shown")) return this.showBar();
    this.bar.classList.remove("shown");
    this.canvas.focus();
  }

  private hotkey(event: KeyboardEvent): void {
    if (event.code !== "KeyM" || !event.ctrlKey || !event.altKey || !event.shiftKey || this.bar.hidden) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.showBar(0);
    this.bar.querySelector("button")?.focus();
  }

  private inBar(event: KeyboardEvent): void {
    if (event.key === "Escape") return this.canvas.focus();
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step || event.target instanceof HTMLSelectElement) return;
    const items = [...this.bar.querySelectorAll<HTMLElement>("button, select, a")];
    const at = items.indexOf(document.activeElement as HTMLElement);
    items[(at + step + items.length) % items.length]?.focus();
  }
}
