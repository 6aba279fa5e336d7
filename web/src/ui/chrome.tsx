/** What surrounds the quiet screens: the name, the language, the light. */

import type { ComponentChildren } from 'preact';
import { chooseLanguage, LANGUAGES, language, t } from '../i18n';
import { type Theme, theme } from '../prefs';
import { go } from '../route';
import { Icon, type IconName, Logo } from './icons';

export function Brand() {
  return (
    <a
      class="brand"
      href="/"
      onClick={(event) => {
        event.preventDefault();
        go('/');
      }}
    >
      <Logo />
      <span class="brand-name">madang</span>
    </a>
  );
}

export function Page({ children, narrow = false }: { children: ComponentChildren; narrow?: boolean }) {
  return (
    <div class="page">
      <header class="page-head">
        <Brand />
        <div class="page-tools">
          <LanguageToggle />
          <ThemeToggle />
        </div>
      </header>
      <main class={narrow ? 'page-main page-narrow' : 'page-main'} id="main">
        {children}
      </main>
    </div>
  );
}

/** One button: there are two languages, and each is written in itself. */
export function LanguageToggle() {
  const other = LANGUAGES.find((each) => each.code !== language.value) ?? LANGUAGES[0];
  if (!other) return null;
  return (
    <button type="button" class="tool" lang={other.code} data-testid="toggle-language" onClick={() => void chooseLanguage(other.code)}>
      <Icon name="globe" size={18} />
      <span>{other.name}</span>
    </button>
  );
}

const THEMES: ReadonlyArray<{ value: Theme; icon: IconName; label: () => string }> = [
  { value: 'system', icon: 'auto', label: () => t.value.app.themeSystem },
  { value: 'light', icon: 'sun', label: () => t.value.app.themeLight },
  { value: 'dark', icon: 'moon', label: () => t.value.app.themeDark },
];

export function ThemeToggle() {
  const at = THEMES.findIndex((each) => each.value === theme.value);
  const now = THEMES[at] ?? THEMES[0];
  const next = THEMES[(at + 1) % THEMES.length];
  if (!now || !next) return null;
  return (
    <button
      type="button"
      class="tool tool-icon"
      data-testid="toggle-theme"
      data-theme-choice={now.value}
      aria-label={`${t.value.app.theme}: ${now.label()}`}
      title={`${t.value.app.theme}: ${now.label()}`}
      onClick={() => {
        theme.value = next.value;
      }}
    >
      <Icon name={now.icon} size={18} />
    </button>
  );
}

export function ThemeChoice() {
  return (
    <fieldset class="choice">
      <legend>{t.value.app.theme}</legend>
      <div class="segments">
        {THEMES.map((each) => (
          <label class="segment" key={each.value}>
            <input
              type="radio"
              name="theme"
              checked={theme.value === each.value}
              onChange={() => {
                theme.value = each.value;
              }}
            />
            <span>{each.label()}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

export function LanguageChoice() {
  return (
    <fieldset class="choice">
      <legend>{t.value.app.language}</legend>
      <div class="segments">
        {LANGUAGES.map((each) => (
          <label class="segment" key={each.code} lang={each.code}>
            <input type="radio" name="language" checked={language.value === each.code} onChange={() => void chooseLanguage(each.code)} />
            <span>{each.name}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
