// Text between the page's clipboard and the desktop's, as far as the browser lets a page.

import { encode } from "./wire";
import type { View } from "./view";

/** The host takes no more. */
export const MAX_TEXT_BYTES = 64 * 1024;

export class Clipboard {
  private last = "";

  constructor(
    private readonly view: View,
    private readonly send: (message: Uint8Array<ArrayBuffer>) => void,
  ) {}

  /** Something was copied in the desktop. */
  fromHost(text: string): void {
    this.last = text;
    this.write(text).catch(() => this.view.toast("copied", { text: "copy", run: () => void this.write(text).catch(() => undefined) }));
  }

  /** The page has come to the front: take along what was copied elsewhere, where that was allowed before. */
  async look(): Promise<void> {
    const permission = await navigator.permissions?.query({ name: "clipboard-read" as PermissionName }).catch(() => null);
    if (permission?.state === "granted") await this.read().catch(() => undefined);
  }

  /** The person asked for it. */
  async paste(): Promise<void> {
    try {
      await this.read();
      this.view.toast("paste_done");
    } catch {
      this.view.toast("paste_denied");
    }
  }

  private async write(text: string): Promise<void> {
    await navigator.clipboard.writeText(text);
  }

  private async read(): Promise<void> {
    const text = await navigator.clipboard.readText();
    if (!text || text === this.last || new TextEncoder().encode(text).length > MAX_TEXT_BYTES) return;
    this.last = text;
    this.send(encode({ is: "Clipboard", text }));
  }
}
