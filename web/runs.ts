/**
 * The dashboard of runs: results of `ternspike compare` that are dropped in, and a history of them. It is drawn by the code that
 * `ternspike dashboard` has, and in its style.
 * @module
 */
import { memorySource } from '../src/bytes/memory.ts';
import { comparison, overview, trends } from '../src/eval/dashboard/sections.ts';
import { STYLE } from '../src/eval/dashboard/style.ts';
import type { CompareResult } from '../src/eval/compare/result.ts';
import { type HistoryEntry, readHistory } from '../src/eval/history.ts';
import { byId, h, reason } from './dom.ts';

/** Bytes of a file; results of large suites have some megabytes. */
const MOST_BYTES = 64 << 20;

interface Found {
  readonly results: readonly CompareResult[];
  readonly entries: readonly HistoryEntry[];
}

/** What is in a file. @throws {Error} for one that `compare` has not written */
async function readRuns(file: File): Promise<Found> {
  if (file.size > MOST_BYTES) throw new Error(`${file.name} has ${file.size} bytes, at most ${MOST_BYTES} are read`);
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (/\.jsonl$/i.test(file.name)) return { results: [], entries: await readHistory(memorySource(bytes, file.name)) };
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Error(`${file.name} is not JSON; write it with ternspike compare … --json > ${file.name}`);
  }
  const { ternspike, results } = (value ?? {}) as { ternspike?: unknown; results?: unknown };
  const found = ternspike === 'suite' && typeof results === 'object' && results ? Object.values(results) : [value];
  if (found.length === 0 || found.some((one) => (one as { ternspike?: unknown } | null)?.ternspike !== 'compare')) {
    throw new Error(`${file.name} is not a result of compare; write it with ternspike compare … --json > ${file.name}`);
  }
  return { results: found as CompareResult[], entries: [] };
}

/** Builds the view. */
export function runsView(section: HTMLElement): void {
  let results: CompareResult[] = [];
  let entries: HistoryEntry[] = [];
  const error = h('p', { role: 'alert', class: 'error' });
  const status = h('p', { role: 'status', class: 'soft' });
  const host = h('div', { class: 'results' });
  const root = host.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE.replaceAll(':root', ':host'));
  root.adoptedStyleSheets = [sheet];
  root.addEventListener('input', (event) => search(event.target as HTMLInputElement));

  const draw = (): void => {
    // every text in it is escaped by the code that makes it
    root.innerHTML = (results.length > 0 ? overview(results) : '') +
      results.map((result, i) => comparison(result, i)).join('') + trends(entries);
    clear.hidden = results.length + entries.length === 0;
    status.textContent = results.length + entries.length === 0
      ? ''
      : `Comparisons: ${results.length}; runs of a history: ${entries.length}.`;
  };
  const take = async (files: readonly File[]): Promise<void> => {
    error.textContent = '';
    for (const file of files) {
      const [oldResults, oldEntries] = [results, entries];
      try {
        const found = await readRuns(file);
        results = [...results, ...found.results];
        entries = [...entries, ...found.entries];
        draw();
      } catch (thrown) {
        // a result with a part missing is found out when it is drawn
        [results, entries] = [oldResults, oldEntries];
        error.textContent = thrown instanceof TypeError
          ? `${file.name} is not a whole result of compare`
          : reason(thrown);
        draw();
      }
    }
  };
  const input = h('input', { type: 'file', multiple: true, accept: '.json,.jsonl', class: 'hidden-input' });
  input.onchange = (): void => {
    void take([...input.files ?? []]);
    input.value = '';
  };
  const clear = h('button', {
    type: 'button',
    hidden: true,
    onclick: () => {
      results = [];
      entries = [];
      draw();
    },
  }, 'Clear');
  section.append(
    h(
      'p',
      { class: 'lede' },
      'Drop the files that ',
      h('code', {}, 'ternspike compare … --json'),
      ' and ',
      h('code', {}, '--history runs.jsonl'),
      ' write: quality with intervals, speed, spikes and energy side by side, and how they change over time.',
    ),
    h('div', { class: 'line' }, h('label', { class: 'button' }, input, 'Choose files'), clear),
    status,
    error,
    host,
  );
  document.body.addEventListener('drop', (event) => {
    const files = [...event.dataTransfer?.files ?? []];
    if (!byId('view-runs').hidden && files.length > 0) void take(files);
  });
}

/** Hides the rows of a table that do not contain what is typed. */
function search(field: HTMLInputElement): void {
  const box = field.closest('[data-search]');
  if (!box) return;
  const wanted = field.value.toLowerCase();
  let shown = 0;
  for (const row of box.querySelectorAll<HTMLElement>('tbody tr')) {
    row.hidden = !row.textContent?.toLowerCase().includes(wanted);
    if (!row.hidden) shown++;
  }
  const output = box.querySelector('output');
  if (output) output.textContent = `${shown} ${shown === 1 ? 'sample' : 'samples'}`;
}
