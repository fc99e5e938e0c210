/**
 * Answers of many machines → the file of one: rows in the order of their lines, each once. A line that two machines answered is
 * compared, for both must have the same bytes.
 * @module
 */
import type { ByteSource } from '../bytes/source.ts';
import { DatasetError } from '../errors.ts';
import { readLines } from '../eval/glue-lines.ts';
import { MAX_BATCH_LINE_BYTES } from '../limits.ts';
import type { Item } from './batch.ts';
import { sumsOf } from './rows.ts';

/** A file of answers, and where it is in its rows. */
interface Part {
  readonly name: string;
  readonly next: () => Promise<Head | null>;
  head: Head | null;
}

interface Head {
  readonly number: number;
  readonly text: string;
  readonly run: string;
  readonly line: string;
}

/** What was put together. */
export interface Merged {
  readonly rows: number;
  /** Lines that several files answered, with equal bytes. */
  readonly compared: number;
}

/** Files of answers that are read side by side. */
export const MAX_MERGED: number = 1000;

/**
 * Puts parts together. Rows of a part are in the order of their lines, as `batch` writes them; a last row that was cut off does not
 * count.
 * @param write takes a row with its line feed
 * @throws {DatasetError} `BATCH_DIFFERS` where two files answer a line with other bytes, naming both; `BATCH` for rows of another
 *   run or other lines, and where lines are unanswered
 */
export async function mergeBatch(
  items: AsyncIterable<Item>,
  sources: readonly ByteSource[],
  write: (row: string) => Promise<void>,
  signal?: AbortSignal,
): Promise<Merged> {
  const parts = sources.map((source) => partOf(source, signal));
  for (const part of parts) part.head = await part.next();
  const begun = parts.find(({ head }) => head !== null);
  const run = begun?.head?.run;
  let [rows, compared, missing, first] = [0, 0, 0, 0];
  for await (const { index, line, sum } of items) {
    const found = parts.filter(({ head }) => head?.line === sum);
    if (found.length === 0 && missing++ === 0) first = line;
    for (const part of found) {
      const head = part.head as Head;
      if (head.run !== run) throw otherRun(part.name, begun?.name ?? '');
      if (head.text !== (found[0].head as Head).text) throw differs(line, index, found[0].name, part.name);
    }
    if (found.length === 0) continue;
    await write(`${(found[0].head as Head).text}\n`);
    rows++;
    if (found.length > 1) compared++;
    for (const part of found) part.head = await part.next();
  }
  const left = parts.find(({ head }) => head !== null);
  if (left) {
    throw new DatasetError(
      'BATCH',
      `${left.name}: row ${left.head?.number} answers no line of this batch, or not in its order; give the IN that it was made of`,
    );
  }
  if (missing === 0) return { rows, compared };
  throw new DatasetError(
    'BATCH',
    `${missing} lines have no answer, the first is line ${first}; run the shard that has it to its end and merge again`,
  );
}

function partOf(source: ByteSource, signal?: AbortSignal): Part {
  const lines = readLines(source, signal, MAX_BATCH_LINE_BYTES);
  const next = async (): Promise<Head | null> => {
    const { value: line, done } = await lines.next();
    if (done || !line.whole) return null;
    const sums = line.text === null ? null : sumsOf(line.text);
    if (sums) return { number: line.number, text: line.text as string, ...sums };
    throw new DatasetError('BATCH', `${source.name}: line ${line.number} is no row of a batch`);
  };
  return { name: source.name, next, head: null };
}

const otherRun = (name: string, other: string): DatasetError =>
  new DatasetError(
    'BATCH',
    `${name} is of another run than ${other}: another model, version or options; run both with the same`,
  );

const differs = (line: number, index: number, a: string, b: string): DatasetError =>
  new DatasetError(
    'BATCH_DIFFERS',
    `line ${line} (row ${index}) is answered with other bytes in ${a} and in ${b}, by the same model, version and options: ` +
      'one of the two machines computes wrongly; run the row on a third, and test the memory of the one that is alone',
  );
