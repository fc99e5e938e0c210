/**
 * A journal as JSON Lines: what is compared, then a line for each finished part.
 *
 *   {"ternspike":"compare-journal","version":1,"run":{"a":"…","b":"…","data":"…",…}}
 *   {"part":"window","index":0,"sum":"1b2c3d4e","value":{…}}
 * @module
 */
import type { ByteSource } from '../../bytes/source.ts';
import { xxh32 } from '../../bytes/xxh32.ts';
import { DatasetError } from '../../errors.ts';
import { MAX_JOURNAL_LINE_BYTES } from '../../limits.ts';
import { readLines } from '../glue-lines.ts';

const KIND = 'compare-journal';
const VERSION = 1;

/** All that parts depend on. Undefined entries do not count. */
export type JournalRun = Readonly<Record<string, string | number | boolean | undefined>>;

/** The first line of a journal. */
export function journalHeader(run: JournalRun): string {
  return `${JSON.stringify({ ternspike: KIND, version: VERSION, run })}\n`;
}

/** The line of a part. Its checksum tells a line that was altered from one that was written. */
export function journalLine(part: string, index: number, value: unknown): string {
  const text = JSON.stringify(value);
  return `{"part":${JSON.stringify(part)},"index":${index},"sum":"${sumOf(text)}","value":${text}}\n`;
}

const sumOf = (text: string): string => xxh32(new TextEncoder().encode(text)).toString(16).padStart(8, '0');

/** The name of a part in memory. */
export const partKey = (part: string, index: number): string => `${part} ${index}`;

/**
 * Reads a journal. What follows its last whole line was cut off while it was written, and is left out.
 * @throws {DatasetError} `EVAL_LOG` for the journal of another run, naming what differs, for a damaged one, and for any other file
 */
export async function readJournal(
  source: ByteSource,
  run: JournalRun,
  signal?: AbortSignal,
): Promise<{ readonly parts: Map<string, unknown>; readonly bytes: number }> {
  const { name } = source;
  const parts = new Map<string, unknown>();
  let bytes = 0;
  const header = journalHeader(run);
  for await (const { number, text, whole, end } of readLines(source, signal, MAX_JOURNAL_LINE_BYTES)) {
    if (number === 1) {
      const begun = text !== null && (whole ? text.startsWith(BEGINNING) : header.startsWith(text));
      if (!begun) throw new DatasetError('EVAL_LOG', `${name} is not the journal of a comparison; choose another name`);
    }
    if (!whole) break;
    const value = parsed(text);
    const wrong = new DatasetError('EVAL_LOG', `${name}: line ${number} is damaged; remove it or start a new journal`);
    if (!value) throw wrong;
    if (number === 1) {
      checkRun(value, run, name);
    } else {
      const { part, index, sum, value: kept } = value;
      if (typeof part !== 'string' || !Number.isSafeInteger(index) || sum !== sumOf(JSON.stringify(kept))) throw wrong;
      parts.set(partKey(part, Number(index)), kept);
    }
    bytes = end;
  }
  return { parts, bytes };
}

/** What every journal begins with. */
const BEGINNING = `{"ternspike":"${KIND}",`;

function checkRun({ version, run: theirs }: Record<string, unknown>, run: JournalRun, name: string): void {
  if (version !== VERSION) {
    throw new DatasetError('EVAL_LOG', `${name} is of version ${String(version)}, expected ${VERSION}`);
  }
  const before = (typeof theirs === 'object' ? (theirs ?? {}) : {}) as Record<string, unknown>;
  for (const key of new Set([...Object.keys(before), ...Object.keys(run)])) {
    if (before[key] === run[key]) continue;
    const show = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 80));
    throw new DatasetError(
      'EVAL_LOG',
      `${name} is the journal of another run: ${key} is ${show(before[key])} there and ${
        show(run[key])
      } here; choose another name`,
    );
  }
}

function parsed(text: string | null): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
