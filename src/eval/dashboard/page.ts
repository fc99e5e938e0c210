/**
 * One self-contained page about any number of comparisons: no network, light and dark, for print, keyboard and screen reader. Its
 * content security policy lets nothing run but its own script, whose hash it names.
 * @module
 */
import { checkOptions, FLAG, LIST, OBJECT, type Rules, TEXT } from '../../options.ts';
import type { CompareResult } from '../compare/result.ts';
import type { GateResult } from '../gate/gate.ts';
import type { HistoryEntry } from '../history.ts';
import { LIVE_SCRIPT, SEARCH_SCRIPT } from './script.ts';
import { comparison, overview, trends, verdict } from './sections.ts';
import { STYLE } from './style.ts';
import { escapeHtml } from './svg.ts';

export interface DashboardOptions {
  readonly title: string;
  /** Runs whose trends are drawn. */
  readonly entries?: readonly HistoryEntry[];
  readonly gate?: GateResult;
  /** The page of a server, which follows its events. */
  readonly live?: boolean;
  /** Sections that stand before the others: HTML that is safe. */
  readonly before?: string;
}

/** Which values are right. */
const DASHBOARD_RULES: Rules<DashboardOptions> = { title: TEXT, entries: LIST, gate: OBJECT, live: FLAG, before: TEXT };

/**
 * A page. Names and texts of models and data are shown as text, whatever they contain.
 * @example
 * await writeFile('out.html', await dashboardOf([result], { title: 'f32 against q8_0' }));
 */
export async function dashboardOf(results: readonly CompareResult[], options: DashboardOptions): Promise<string> {
  checkOptions('dashboardOf', options, DASHBOARD_RULES, ['title']);
  const { title, entries = [], gate, live = false, before = '' } = options;
  const main = [
    before,
    gate ? verdict(gate) : '',
    results.length > 0 ? overview(results) : '',
    ...results.map(comparison),
    trends(entries),
  ].join('\n');
  const script = live ? SEARCH_SCRIPT + LIVE_SCRIPT : SEARCH_SCRIPT;
  const policy = [
    "default-src 'none'",
    'img-src data:', // the empty icon, for which browsers would ask the server otherwise
    `style-src 'sha256-${await hash(STYLE)}'`,
    `script-src 'sha256-${await hash(script)}'`,
    ...(live ? ["connect-src 'self'"] : []),
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    '<meta name="color-scheme" content="light dark">',
    `<title>${escapeHtml(title)}</title><link rel="icon" href="data:,">`,
    `<style>${STYLE}</style></head>`,
    `<body><a class="skip" href="#main">Skip to the figures</a><header><h1>${escapeHtml(title)}</h1>`,
    `${live ? '<p role="status" aria-live="polite" id="status"></p>' : ''}</header>`,
    `<main id="main" tabindex="-1">${main === '' ? '<p>Nothing yet.</p>' : main}</main>`,
    '<footer><p>Energy is an estimate for an ideal 45 nm machine (Horowitz, ISSCC 2014) unless joules were measured. Speeds are of ' +
    'the machine that ran this; ratios of rounds can be compared, single figures hardly.</p></footer>',
    `<script>${script}</script></body></html>`,
    '',
  ].join('\n');
}

/** SHA-256 in base64, as policies have it. */
async function hash(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  return btoa(String.fromCharCode(...digest));
}
