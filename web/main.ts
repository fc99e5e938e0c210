/**
 * The page: its views, the model that writes as soon as it is open, and the service worker that keeps all of it for later.
 * @module
 */
import { byId } from './dom.ts';
import { writeView } from './write.ts';

const VIEWS = ['write', 'beside', 'classify', 'runs'] as const;
type View = typeof VIEWS[number];

/** Views are built when they are first shown; each is loaded for itself. */
const BUILD: Readonly<Record<View, (section: HTMLElement) => Promise<void> | void>> = {
  write: writeView,
  beside: async (section) => (await import('./beside.ts')).besideView(section),
  classify: async (section) => (await import('./classify.ts')).classifyView(section),
  runs: async (section) => (await import('./runs.ts')).runsView(section),
};
const built = new Set<View>();

function show(focus: boolean): void {
  const named = location.hash.slice(1) as View;
  const view = VIEWS.includes(named) ? named : 'write';
  for (const each of VIEWS) byId(`view-${each}`).hidden = each !== view;
  for (const link of document.querySelectorAll('nav a')) {
    if (link.getAttribute('href') === `#${view}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const section = byId(`view-${view}`);
  const heading = section.querySelector('h1');
  document.title = `ternspike: ${heading?.textContent ?? ''}`;
  if (!built.has(view)) {
    built.add(view);
    void BUILD[view](section);
  }
  if (focus) byId('main').focus({ preventScroll: true });
}

addEventListener('hashchange', () => show(true));
if (location.hash === '#main') history.replaceState(null, '', ' ');
show(false);

byId('place').textContent = `ternspike ${ENGINE_VERSION}. Everything runs in this browser; nothing is sent anywhere.`;

if ('serviceWorker' in navigator) {
  // after the first text: the page itself comes first
  addEventListener(
    'load',
    () => setTimeout(() => void navigator.serviceWorker.register('sw.js').catch(() => {}), 1500),
  );
}
