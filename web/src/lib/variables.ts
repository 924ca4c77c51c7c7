/** Environment variables as lines of text. */

const LINE = /^([A-Za-z_][A-Za-z0-9_]{0,127})=(.*)$/;

export function toLines(variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables).map(([name, value]) => `${name}=${value}`).join("\n");
}

/** The variables, or the number (from 1) of the first line that is none. Empty lines do not count. */
export function fromLines(text: string): Record<string, string> | number {
  const found: Record<string, string> = {};
  for (const [index, line] of text.split("\n").entries()) {
    if (!line.trim()) continue;
    const match = LINE.exec(line.trim());
    if (!match) return index + 1;
    found[match[1]!] = match[2]!;
  }
  return found;
}
