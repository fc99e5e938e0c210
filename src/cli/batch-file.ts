/**
 * The answers of a batch as a file: begun, or continued where it is of the same run.
 * @module
 */
import type { Item } from '../batch/batch.ts';
import { sumsOf } from '../batch/rows.ts';
import { type ByteSource, readFully } from '../bytes/source.ts';
import { DatasetError } from '../errors.ts';
import { readLines } from '../eval/glue-lines.ts';
import { MAX_BATCH_LINE_BYTES } from '../limits.ts';
import { type AppendedFile, openAppended } from './appended-file.ts';

/** What a file of answers held when it was opened. */
export interface Answered {
  readonly rows: number;
  /** Of its whole rows; what follows them was cut off. */
  readonly bytes: number;
}

/** Every row begins with it. */
const BEGINNING = '{"id":"batch_req_';

/**
 * Opens the file of answers. Whole rows that are there stay, a row that was cut off is taken away.
 * @param items the lines of the batch; those that are answered are taken from it
 * @param resume whether rows stay; otherwise the file begins anew
 * @throws {DatasetError} `BATCH` for a file of another run, of other lines, or that is no file of answers; {IoError}
 */
export function openAnswers(
  path: string,
  items: AsyncIterator<Item, void>,
  run: string,
  { resume, signal }: { readonly resume: boolean; readonly signal: AbortSignal },
): Promise<AppendedFile<Answered>> {
  const read = async (source: ByteSource): Promise<Answered> => {
    await checkBeginning(source, path, signal);
    let [rows, bytes] = [0, 0];
    if (!resume) return { rows, bytes };
    for await (const line of readLines(source, signal, MAX_BATCH_LINE_BYTES)) {
      if (!line.whole) break;
      const sums = line.text === null ? null : sumsOf(line.text);
      if (!sums) throw refusal(path, `line ${line.number} is no row of a batch`);
      if (sums.run !== run) throw refusal(path, 'it is of another model, version, or options');
      const item = await items.next();
      if (item.done || item.value.sum !== sums.line) throw refusal(path, `row ${rows} answers another line`);
      rows++;
      bytes = line.end;
    }
    return { rows, bytes };
  };
  return openAppended(path, { resume: true, option: 'out', header: '', read, signal });
}

/** What is no file of answers is not written over, whatever was asked for. */
async function checkBeginning(source: ByteSource, path: string, signal: AbortSignal): Promise<void> {
  const head = new Uint8Array(Math.min(BEGINNING.length, source.size));
  await readFully(source, head, 0, 'the first row', signal);
  if (BEGINNING.startsWith(String.fromCharCode(...head))) return;
  throw new DatasetError('BATCH', `${path} is there and has no answers of a batch; choose another name`);
}

const refusal = (path: string, why: string): DatasetError =>
  new DatasetError('BATCH', `${path} has answers of another run: ${why}; choose another name, or give --no-resume`);
