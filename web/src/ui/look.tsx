/** Language and appearance. */

import { keepLanguage, LANGUAGES, useText } from "../i18n";
import { useStore } from "../state/store";
import { keepTheme, theme, THEMES, type Theme } from "../theme";

export function Look() {
  const { t, locale } = useText();
  const shown = useStore(theme);
  return (
    <div className="look">
      <select aria-label={t("language.label")} value={locale} onChange={(event) => keepLanguage(event.target.value)}>
        {Object.entries(LANGUAGES).map(([tag, { name }]) => <option key={tag} value={tag} lang={tag}>{name}</option>)}
      </select>
      <select aria-label={t("theme.label")} value={shown} onChange={(event) => keepTheme(event.target.value as Theme)}>
        {THEMES.map((one) => <option key={one} value={one}>{t(`theme.${one}`)}</option>)}
      </select>
    </div>
  );
}
