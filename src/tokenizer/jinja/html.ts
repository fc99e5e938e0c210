/**
 * Escaping of HTML as markupsafe does it.
 * @module
 */
import type { Budget } from './budget.ts';
import { str } from './print.ts';
import { Markup, type Value } from './values.ts';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
};

/** The text of a value, escaped unless it is markup already. */
export function escaped(value: Value, budget: Budget): string {
  if (value instanceof Markup) return value.text;
  const text = str(value, budget);
  budget.chars(text.length);
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char]);
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\xa0' };

/** Text without tags and comments, runs of blanks as one, and the usual entities as the characters that they name. */
export function stripTags(value: string): string {
  const parts: string[] = [];
  let at = 0;
  for (let start = value.indexOf('<'); start !== -1; start = value.indexOf('<', at)) {
    const comment = value.startsWith('<!--', start);
    const end = comment ? value.indexOf('-->', start + 4) : value.indexOf('>', start);
    if (end === -1) break;
    parts.push(value.slice(at, start));
    at = end + (comment ? 3 : 1);
  }
  const text = parts.join('') + value.slice(at);
  return text.split(/\s+/).filter(Boolean).join(' ').replace(
    /&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|(\w{2,5}));/g,
    (all, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return Object.hasOwn(NAMED, name) ? NAMED[name] : all;
      const code = decimal === undefined ? parseInt(hex as string, 16) : Number(decimal);
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd';
    },
  );
}
