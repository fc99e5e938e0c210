/**
 * The log of a run over a task, JSON Lines: what was run, then a record for each sample in their order.
 *
 *   {"ternspike":"glue","version":1,"run":{"task":"sst2","split":"dev",…}}
 *   {"index":0,"line":2,"label":1,"predicted":1,"scores":[0.25,0.75],"spikes":81234,"energy":0.12,"ms":35.1}
 *
 * A run that was cut off goes on behind its last whole line.
 * @module
 */
import type { ByteSource } from '../bytes/source.ts';
import { DatasetError } from '../errors.ts';
import type { GlueRecord } from './glue.ts';
import { type Line, readLines } from './glue-lines.ts';
import type { GlueTask } from './glue-tasks.ts';

const KIND = 'glue';
const VERSION = 1;
/** What every log begins with. */
const BEGINNING = `{"ternspike":"${KIND}",`;
/** Significant digits of scores; predictions are kept exactly. */
const DIGITS = 7;

/** All that a record depends on: task, split, data, model and options. Undefined entries do not count. */
export type GlueRun = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** The first line of a log. */
export function glueLogHeader(run: GlueRun): string {
  return `${JSON.stringify({ ternspike: KIND, version: VERSION, run })}\n`;
}

/** The line of a record. */
export function glueLogLine({ index, line, label, predicted, scores, spikes, energy, ms }: GlueRecord): string {
  const short = (value: number): number => Number(value.toPrecision(DIGITS));
  const record = { index, line, label, predicted, scores: scores.map(short), spikes, energy, ms: short(ms) };
  return `${JSON.stringify(record)}\n`;
}

/** What a log holds. */
export interface GlueLog {
  readonly records: readonly GlueRecord[];
  /** Bytes up to the end of the last whole line: what is behind was cut off while it was written. */
  readonly bytes: number;
}

/**
 * Reads the log of a run that is to go on. A last line that was cut off is left out.
 * @throws {DatasetError} `EVAL_LOG` for a log of another run, naming what differs, for a damaged one, and for any other file
 */
export async function readGlueLog(
  source: ByteSource,
  run: GlueRun,
  task: GlueTask,
  signal?: AbortSignal,
): Promise<GlueLog> {
  const { name } = source;
  const records: GlueRecord[] = [];
  let bytes = 0;
  for await (const line of readLines(source, signal)) {
    if (line.number === 1) checkHeader(line, run, name);
    if (!line.whole) break;
    if (line.number > 1) records.push(recordOf(line, records, task, name));
    bytes = line.end;
  }
  return { records, bytes };
}

function checkHeader({ text, whole }: Line, run: GlueRun, name: string): void {
  const begun = text !== null && (text.startsWith(BEGINNING) || (!whole && BEGINNING.startsWith(text)));
  const header = whole ? parsed(text) : {};
  if (!begun || !header) {
    throw new DatasetError('EVAL_LOG', `${name} is not a log of an evaluation; choose another name`);
  }
  if (!whole) return;
  if (header.version !== VERSION) {
    throw new DatasetError('EVAL_LOG', `${name} is of version ${String(header.version)}, expected ${VERSION}`);
  }
  const theirs = (typeof header.run === 'object' ? (header.run ?? {}) : {}) as Readonly<Record<string, unknown>>;
  for (const key of new Set([...Object.keys(theirs), ...Object.keys(run)])) {
    if (theirs[key] === run[key]) continue;
    const show = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 80));
    throw new DatasetError(
      'EVAL_LOG',
      `${name} is the log of another run: ${key} is ${show(theirs[key])} there and ${show(run[key])} here; ` +
        'choose another name',
    );
  }
}

function recordOf(line: Line, records: readonly GlueRecord[], { labels }: GlueTask, name: string): GlueRecord {
  const found = parsed(line.text);
  const number = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
  const classOf = (value: unknown): boolean => number(value) && (labels.length === 0 || labels[value] !== undefined);
  const amount = (value: unknown): boolean => number(value) && value >= 0;
  const before = records[records.length - 1]?.line ?? 0;
  const checks: Readonly<Record<keyof GlueRecord, (value: unknown) => boolean>> = {
    index: (value) => value === records.length,
    line: (value) => Number.isSafeInteger(value) && Number(value) > before,
    label: classOf,
    predicted: classOf,
    scores: (value) => Array.isArray(value) && value.length === Math.max(labels.length, 1) && value.every(number),
    spikes: (value) => value === undefined || amount(value),
    energy: (value) => value === undefined || amount(value),
    ms: amount,
  };
  const wrong = found ? Object.entries(checks).find(([key, check]) => !check(found[key]))?.[0] : 'JSON';
  if (wrong === undefined) return found as unknown as GlueRecord;
  throw new DatasetError(
    'EVAL_LOG',
    `${name}: line ${line.number} is not record ${records.length} of this task (${wrong}); correct it or start a new log`,
  );
}

/** An object, or null. */
function parsed(text: string | null): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
