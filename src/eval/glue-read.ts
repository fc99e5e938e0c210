/**
 * Samples of a GLUE task from its tab-separated files as they are published: quotes are letters, nothing is escaped, and
 * some lines are broken.
 * @module
 */
import type { ByteSource } from '../bytes/source.ts';
import { DatasetError } from '../errors.ts';
import { CALL, checkOptions, oneOf, type Rules, SIGNAL } from '../options.ts';
import { type Line, readLines } from './glue-lines.ts';
import type { GlueTask } from './glue-tasks.ts';

/** One sample. */
export interface GlueSample {
  /** Among the samples, from 0 on. */
  readonly index: number;
  /** Line of the file, from 1 on. */
  readonly line: number;
  readonly text: string;
  /** The second text, of tasks of pairs. */
  readonly pair?: string;
  /** Its place among the labels of the task; the score itself of STS-B. */
  readonly label: number;
}

/** A line that is no sample. */
export interface MalformedLine {
  readonly line: number;
  readonly reason: string;
}

export interface ReadGlueOptions {
  /** Whether a line that is no sample is left out, or ends the reading. Default `skip`, as the reference does. */
  readonly malformed?: 'skip' | 'refuse';
  /** Is told of every line that is left out. */
  readonly onMalformed?: (line: MalformedLine) => void;
  readonly signal?: AbortSignal;
}

/** Where the parts stand, by number, and how many columns there are. */
interface Places {
  readonly text: number;
  readonly pair: number | undefined;
  readonly label: number;
  readonly count: number;
}

/** STS-B's scores. */
const MOST_SCORE = 5;

/** Which values are right. */
const READ_RULES: Rules<ReadGlueOptions> = { malformed: oneOf('skip', 'refuse'), onMalformed: CALL, signal: SIGNAL };

/**
 * Reads one file of a task, a sample at a time.
 * @throws {DatasetError} `DATASET` for a file that is empty, of another task, or without a single sample; `DATASET_LABELS`
 *   for one without labels; `DATASET_LINE` for a malformed line where these are refused
 * @throws {OptionError} {IoError} the signal's reason
 */
export async function* readGlue(
  source: ByteSource,
  task: GlueTask,
  options: ReadGlueOptions = {},
): AsyncGenerator<GlueSample, void> {
  checkOptions('readGlue', options, READ_RULES);
  const { malformed = 'skip', onMalformed, signal } = options;
  const { name } = source;
  let places: Places | undefined;
  let index = 0;
  let skipped = 0;
  let first = '';
  // only what follows tells whether an empty line stands at the end, where it does no harm
  let blanks = { from: 0, to: 0 };
  const skip = (bad: MalformedLine): void => {
    if (malformed === 'refuse') {
      throw new DatasetError('DATASET_LINE', `${name}: line ${bad.line} ${bad.reason}; skip such lines, or correct it`);
    }
    if (skipped++ === 0) first = `line ${bad.line} ${bad.reason}`;
    onMalformed?.(bad);
  };
  for await (const line of readLines(source, signal)) {
    if (!places) {
      places = placesOf(task, line, name);
      if (task.columns.count === undefined) continue;
    }
    if (line.text === '') {
      blanks = { from: blanks.to > 0 ? blanks.from : line.number, to: line.number };
      continue;
    }
    for (let empty = blanks.from; empty > 0 && empty <= blanks.to; empty++) skip({ line: empty, reason: 'is empty' });
    blanks = { from: 0, to: 0 };
    const sample = parse(task, places, line);
    if ('reason' in sample) skip(sample);
    else yield { index: index++, ...sample };
  }
  if (!places) throw new DatasetError('DATASET', `${name} is empty; expected the samples of ${task.title}`);
  if (index > 0) return;
  throw new DatasetError(
    'DATASET',
    skipped === 0
      ? `${name} has no samples${task.columns.count === undefined ? ' after its header' : ''}`
      : `${name} has no sample of ${task.title}: all ${skipped} lines are malformed, ${first}`,
  );
}

/** Finds the columns. @throws {DatasetError} */
function placesOf({ title, columns }: GlueTask, { text, problem }: Line, name: string): Places {
  if (text === null) throw new DatasetError('DATASET', `${name}: line 1 ${problem}; is this a file of ${title}?`);
  const header = text.split('\t');
  const shown = header.slice(0, 16).map((word) => JSON.stringify(word.slice(0, 30))).join(', ');
  const unlabelled = (): DatasetError =>
    new DatasetError(
      'DATASET_LABELS',
      `${name} has no labels, its columns are ${shown}: GLUE keeps those of test sets; evaluate on train or dev`,
    );
  if (columns.count !== undefined) {
    // the test set alone has a header, of two columns
    if (header.join() === 'index,sentence') throw unlabelled();
    return { text: Number(columns.text), pair: undefined, label: Number(columns.label), count: columns.count };
  }
  const place = (column: string | number): number => header.indexOf(String(column));
  const missing = [columns.text, columns.pair].filter((column) => column !== undefined && place(column) < 0);
  if (missing.length > 0) {
    throw new DatasetError(
      'DATASET',
      `${name} has no column ${
        missing.map((column) => JSON.stringify(column)).join(' and no ')
      } in line 1, but ${shown}; ` +
        `is this a file of ${title}?`,
    );
  }
  if (place(columns.label) < 0) throw unlabelled();
  return {
    text: place(columns.text),
    pair: columns.pair === undefined ? undefined : place(columns.pair),
    label: place(columns.label),
    count: header.length,
  };
}

function parse(
  { labels }: GlueTask,
  { text, pair, label, count }: Places,
  line: Line,
): Omit<GlueSample, 'index'> | MalformedLine {
  const bad = (reason: string): MalformedLine => ({ line: line.number, reason });
  if (line.text === null) return bad(line.problem ?? 'cannot be read');
  const fields = line.text.split('\t');
  if (fields.length !== count) return bad(`has ${fields.length} columns, expected ${count}`);
  const given = fields[label].trim();
  const value = labels.length > 0 ? labels.indexOf(given) : given === '' ? NaN : Number(given);
  if (!(value >= 0 && (labels.length > 0 || value <= MOST_SCORE))) {
    const expected = labels.length > 0 ? `one of ${labels.join(', ')}` : `a number from 0 to ${MOST_SCORE}`;
    return bad(`has the label ${JSON.stringify(given.slice(0, 40))}, expected ${expected}`);
  }
  return {
    line: line.number,
    text: fields[text],
    ...(pair === undefined ? {} : { pair: fields[pair] }),
    label: value,
  };
}
