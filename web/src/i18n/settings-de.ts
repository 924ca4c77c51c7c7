export const settingsDe: Readonly<Record<string, string>> = {};
