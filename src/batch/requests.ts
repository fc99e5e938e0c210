/**
 * Requests in OpenAI's form, answered by the server's own handler, which needs no socket. An answer depends on the request and on the
 * model alone: no clock is in it, so `created` is 0, and no figure of speed.
 * @module
 */
import { IoError } from '../errors.ts';
import { MAX_BATCH_LINE_BYTES } from '../limits.ts';
import type { Model } from '../model/model.ts';
import { createApp } from '../server/app.ts';
import type { Fields, Url } from './line.ts';

/** What every request is answered with. */
export interface RequestMeans {
  readonly model: Model;
  /** How the model is called where the body does not say. */
  readonly name: string;
  /** What templates take for today. */
  readonly date: Date;
  /** Requests that run together. */
  readonly parallel: number;
}

/** One request. */
export interface ApiRequest {
  readonly url: Url;
  readonly body: Fields;
  /** Of the answer. */
  readonly id: string;
  /** For a body without one. */
  readonly seed: number;
  readonly signal: AbortSignal;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: Fields;
}

/** A request may take as long as it does: nobody waits at the other end. */
const NO_DEADLINE_MS = 2 ** 31 - 1;
/** Faults of the machine: a later run may do better, so that they are no answers. */
const FAULT = /\b(WORKER_DIED|DISPOSED|MEMORY|MEMORY_LIMIT): [^\n]*/;

/** What answers requests. @throws {IoError} `IO` for a fault of the machine; the signal's reason */
export function requestAnswerer(
  { model, name, date, parallel }: RequestMeans,
): (request: ApiRequest) => Promise<ApiAnswer> {
  const faults = new Map<string, string>();
  const app = createApp({ [name]: model }, {
    parallel,
    queue: parallel,
    // what was read before must not be seen in an answer
    cacheBytes: 0,
    timeoutMs: NO_DEADLINE_MS,
    bodyBytes: MAX_BATCH_LINE_BYTES,
    hosts: 'any',
    date,
    log: ({ id, stack }) => void (stack !== undefined && faults.set(id, stack)),
  });
  return async ({ url, body, id, seed, signal }) => {
    if (body.stream === true) return { status: 400, body: wholeAnswers() };
    const sent = { ...body, model: name, seed: body.seed ?? seed };
    const response = await app.fetch(
      new Request(`http://localhost${url}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(sent),
        signal,
      }),
    );
    signal.throwIfAborted();
    const said = await response.json() as Record<string, unknown>;
    const request = response.headers.get('x-request-id') ?? '';
    const fault = FAULT.exec(faults.get(request) ?? '');
    faults.delete(request);
    if (fault) throw new IoError('IO', `the model failed in the middle of the batch: ${fault[0]}`);
    return { status: response.status, body: fixed(said, id, typeof body.model === 'string' ? body.model : name) };
  };
}

/** Without what differs from run to run. */
function fixed({ timings: _, ...said }: Record<string, unknown>, id: string, model: string): Fields {
  return {
    ...said,
    ...('id' in said && { id }),
    ...('created' in said && { created: 0 }),
    ...('model' in said && { model }),
  };
}

const wholeAnswers = (): Fields => ({
  error: {
    message: 'stream is for servers; a batch has whole answers',
    type: 'invalid_request_error',
    param: 'stream',
    code: null,
  },
});
