/**
 * Elements and numbers: the little that the page needs of a framework.
 * @module
 */

type Child = Node | string | null | undefined | false;
type Props = Readonly<Record<string, unknown>>;

/**
 * An element. Names that begin with `on` are listeners, those of DOM properties are set, all others are attributes.
 * @example h('button', { type: 'button', onclick: run }, 'Write')
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: readonly (Child | readonly Child[])[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'class') element.className = String(value);
    else if (name.startsWith('on') || name in element) (element as unknown as Record<string, unknown>)[name] = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.flat().filter((child): child is Node | string => Boolean(child) || child === ''));
  return element;
}

/** The element of this id, which is part of the page. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** 12345 → "12,345"; 1234567 → "1.23 million". */
export function count(value: number): string {
  for (const [size, word] of [[1e12, 'trillion'], [1e9, 'billion'], [1e6, 'million']] as const) {
    if (value >= size) return `${(value / size).toFixed(value >= 100 * size ? 0 : value >= 10 * size ? 1 : 2)} ${word}`;
  }
  return Math.round(value).toLocaleString('en-GB');
}

/** 1234567 → "1.23 MB". */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}

/** 0.1234 → "12.3 %". */
export function percent(share: number): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(share > 0.9995 || share < 0.1 ? 2 : 1)} %` : '–';
}

/** Microjoules. */
export function joules(micro: number): string {
  if (!Number.isFinite(micro)) return '–';
  return micro >= 1000 ? `${(micro / 1000).toPrecision(3)} mJ` : `${micro.toPrecision(3)} µJ`;
}

/** Saves a file to where the browser puts downloads. */
export function save(name: string, blob: Blob): void {
  const href = URL.createObjectURL(blob);
  h('a', { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

/** A line of CSV. Texts that a spreadsheet would run as a formula begin with an apostrophe. */
export function csvLine(cells: readonly (string | number)[]): string {
  return cells.map((cell) => {
    if (typeof cell === 'number') return String(cell);
    const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }).join(',') + '\r\n';
}

/** A token as it is shown in a line of text. */
export const quoted = (text: string): string => `“${text.replaceAll('\n', '↵')}”`;

/** What went wrong, for people. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
