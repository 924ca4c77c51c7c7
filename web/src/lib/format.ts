/** Figures in words of the reader's language. */

export function megabits(kbps: number, locale: string): string {
  return `${new Intl.NumberFormat(locale, { maximumFractionDigits: kbps < 10_000 ? 1 : 0 }).format(kbps / 1000)} Mbit/s`;
}

export function number(value: number, locale: string, digits = 0): string {
  return new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

export function hertz(refreshMhz: number, locale: string): string {
  return `${new Intl.NumberFormat(locale, { maximumFractionDigits: 2 }).format(refreshMhz / 1000)} Hz`;
}

/** Hours, minutes and seconds as on a clock: 0:07, 1:02:03. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value: number) => String(value).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

export function dateTime(unixSeconds: number, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(unixSeconds * 1000);
}

/** The moment in so many seconds: the time alone where it is today. */
export function untilIn(seconds: number, locale: string): string {
  const end = new Date(Date.now() + seconds * 1000);
  const isToday = end.toDateString() === new Date().toDateString();
  return isToday ? new Intl.DateTimeFormat(locale, { timeStyle: "short" }).format(end) : dateTime(end.getTime() / 1000, locale);
}

export function timeOfDay(unixMs: number, locale: string): string {
  return new Intl.DateTimeFormat(locale, { timeStyle: "medium" }).format(unixMs);
}

/** A fingerprint in the form in which browsers show it. */
export function inPairs(fingerprint: string): string {
  return (fingerprint.toUpperCase().match(/../g) ?? []).join(":");
}
