/**
 * A batch: lines in, a row for each out, in their order. The same lines, model and options give the same bytes, however often the
 * run was broken off, however many rows ran together, and on however many machines.
 * @module
 */
import type { ByteSource } from '../bytes/source.ts';
import { readLines } from '../eval/glue-lines.ts';
import { MAX_BATCH_LINE_BYTES } from '../limits.ts';
import type { Model } from '../model/model.ts';
import type { GenerateOptions } from '../model/types.ts';
import { inOrder } from './in-order.ts';
import { type Asked, isRequest, readLine, type Task, type Unreadable } from './line.ts';
import { answerPlain } from './plain.ts';
import { requestAnswerer } from './requests.ts';
import { isOfRow, lineSum, rowId } from './rows.ts';
import { inShard, type Shard } from '../eval/shard.ts';

/** A line that is to be answered. */
export interface Item {
  /** Among the lines that are not empty, from 0 on. */
  readonly index: number;
  /** In the file, from 1 on. */
  readonly line: number;
  /** See `lineSum`. */
  readonly sum: string;
  readonly asked: Asked | Unreadable;
}

/** Reads the lines of a batch that a shard has. @throws {IoError}; the signal's reason */
export async function* readItems(
  source: ByteSource,
  { shard, signal }: { readonly shard?: Shard; readonly signal?: AbortSignal },
): AsyncGenerator<Item, void> {
  let index = 0;
  let requests: boolean | undefined;
  for await (const { number, text, problem } of readLines(source, signal, MAX_BATCH_LINE_BYTES)) {
    if (text !== null && text.trim() === '') continue;
    requests ??= text !== null && isRequest(text);
    if (inShard(shard, index)) {
      const asked: Item['asked'] = text === null
        ? { kind: 'unreadable', customId: null, reason: problem ?? 'it cannot be read', request: requests }
        : readLine(text, requests);
      yield { index, line: number, sum: lineSum(index, text ?? `${number} ${problem}`), asked };
    }
    index++;
  }
}

/** What is the same for every row. */
export interface BatchOptions {
  readonly model: Model;
  /** How answers call the model. */
  readonly name: string;
  /** See `runSum`. */
  readonly run: string;
  /** Of plain rows. */
  readonly task: Task;
  /** A row without a seed of its own takes this one plus its index. */
  readonly seed: number;
  readonly date: Date;
  readonly defaults: GenerateOptions;
  /** Rows that run together. */
  readonly parallel: number;
  readonly signal: AbortSignal;
}

/** An answered row. */
export interface Row {
  readonly index: number;
  /** With its line feed. */
  readonly text: string;
  readonly failed: boolean;
  readonly tokens: number;
}

/** Finished rows that wait for one before them, for each that runs. */
const AHEAD = 8;

/**
 * Answers items in their order. What a row does wrong is in its row.
 * @throws what is no row's fault, as a lost thread, after the rows before it; the signal's reason
 */
export async function* answerItems(items: AsyncIterator<Item, void>, options: BatchOptions): AsyncGenerator<Row, void> {
  const { model, name, run, task, seed, date, defaults, parallel, signal: outer } = options;
  const controller = new AbortController();
  const abort = (): void => controller.abort(outer.reason);
  outer.addEventListener('abort', abort, { once: true });
  const request = requestAnswerer({ model, name, date, parallel });
  const answer = async ({ index, line, sum, asked }: Item): Promise<Row> => {
    outer.throwIfAborted();
    const id = rowId(run, sum);
    const text = (row: object, failed: boolean, tokens: number): Row => ({
      index,
      text: `${JSON.stringify({ id, ...row })}\n`,
      failed,
      tokens,
    });
    if (asked.kind === 'unreadable') {
      const error = { code: 'invalid_line', message: `line ${line}: ${asked.reason}` };
      if (!asked.request) return text({ index, ...custom(asked.customId), error }, true, 0);
      return text({ custom_id: asked.customId, response: null, error }, true, 0);
    }
    const own = (seed + index) % Number.MAX_SAFE_INTEGER;
    const { signal } = controller;
    try {
      if (asked.kind === 'plain') {
        const said = await answerPlain(task, asked.row, { model, seed: own, date, defaults, signal });
        return text({ index, ...custom(asked.customId), ...said }, false, tokensOf(said));
      }
      const { url, body: fields, customId } = asked;
      const { status, body } = await request({ url, body: fields, id, seed: own, signal });
      const response = { status_code: status, request_id: id, body };
      return text({ custom_id: customId, response, error: null }, status >= 400, tokensOf(body));
    } catch (error) {
      if (signal.aborted || asked.kind === 'request' || !isOfRow(error)) throw error;
      const { code, reason: message } = error;
      return text({ index, ...custom(asked.customId), error: { code, message } }, true, 0);
    }
  };
  try {
    yield* inOrder(items, answer, { most: parallel, ahead: AHEAD * parallel });
  } finally {
    controller.abort(outer.reason);
    outer.removeEventListener('abort', abort);
  }
}

const custom = (id: string | null | undefined): object => (id === null || id === undefined ? {} : { custom_id: id });

/** Tokens that an answer has, for the progress. */
function tokensOf(said: object): number {
  const { completionTokens, tokens, usage } = said as {
    completionTokens?: number;
    tokens?: number;
    usage?: { completion_tokens?: number; total_tokens?: number };
  };
  return completionTokens ?? tokens ?? usage?.completion_tokens ?? usage?.total_tokens ?? 0;
}
