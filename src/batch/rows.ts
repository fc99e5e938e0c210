/**
 * Rows of an answered batch. The id of a row says which run it is of and which line it answers, so that a file goes on only where
 * it is the same run, and the parts of many machines fit together without a model.
 * @module
 */
import { createHash } from 'node:crypto';
import { TernspikeError } from '../errors.ts';

/** All that an answer depends on besides its line. Undefined entries do not count. */
export type RunKey = Readonly<Record<string, unknown>>;

const DIGITS = 16;
const PREFIX = 'batch_req_';
const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, DIGITS);

/** 16 hexadecimal digits of a run. */
export function runSum(run: RunKey): string {
  const given = Object.entries(run).filter(([, value]) => value !== undefined);
  return hash(JSON.stringify(given.sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** The same of a line. @param index of the row among those that are not empty, from 0 on */
export const lineSum = (index: number, line: string): string => hash(`${index}\n${line}`);

/** The id of a row. */
export const rowId = (run: string, line: string): string => `${PREFIX}${run}${line}`;

/** Run and line of the row that a text holds; null for any other text. */
export function sumsOf(text: string): { readonly run: string; readonly line: string } | null {
  const [, run, line] = /^\{"id":"batch_req_([0-9a-f]{16})([0-9a-f]{16})",.*\}$/s.exec(text) ?? [];
  return run === undefined ? null : { run, line };
}

/** Codes that end a batch: the fault is not the row's, and a later try may succeed. */
const ENVIRONMENT = ['WORKER_DIED', 'DISPOSED', 'IO', 'MEMORY', 'WASM_FORBIDDEN'];

/** Whether an error is a row's own. Everything else ends the batch. */
export function isOfRow(error: unknown): error is TernspikeError {
  return error instanceof TernspikeError && !ENVIRONMENT.includes(error.code);
}
