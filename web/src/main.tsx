import { render } from 'preact';
import { App } from './app';
import { startLanguage } from './i18n';
import { startPrefs } from './prefs';
import { startRoutes } from './route';
import './styles/base.css';
import './styles/home.css';
import './styles/page.css';

startPrefs();
startRoutes();
void startLanguage().then(() => {
  const root = document.getElementById('app');
  if (root) render(<App />, root);
});
