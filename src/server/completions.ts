/**
 * `POST /v1/completions`: a text goes on.
 * @module
 */
import { MAX_ANSWERS, MAX_LOGPROBS } from '../limits.ts';
import type { GenerateChunk } from '../model/model.ts';
import { FLAG, whole } from '../options.ts';
import { answers } from './answers.ts';
import { readAnswerRules, room, seeded } from './asked.ts';
import type { Call } from './call.ts';
import { ApiError, badField } from './errors.ts';
import { field, type Fields, readFields, samplerOptions, SAMPLING, type SamplingFields, stopTexts } from './fields.ts';
import { type ResponseFormat, responseFormat } from './format.ts';
import { CompletionScores } from './scores.ts';
import type { Served, Task } from './served.ts';
import { dataEvent, DONE } from './sse.ts';
import { UsageSum } from './usage.ts';

interface CompletionFields extends SamplingFields {
  readonly prompt?: unknown;
  readonly max_tokens?: number;
  readonly min_tokens?: number;
  readonly n?: number;
  readonly best_of?: number;
  readonly logprobs?: number;
  readonly echo?: boolean;
  readonly response_format?: ResponseFormat;
}

const FIELDS: Fields<CompletionFields> = {
  ...SAMPLING,
  ...readAnswerRules,
  prompt: field({ expected: '', holds: () => true }), // `prompts` says more
  best_of: field(whole(1, MAX_ANSWERS)),
  logprobs: field(whole(0, MAX_LOGPROBS)),
  echo: field(FLAG),
};

/** As OpenAI has it. */
const DEFAULT_TOKENS = 16;

const REFUSED = { suffix: (value: unknown): boolean => value === '' };

export async function completions(call: Call): Promise<Response> {
  const { fields, ignored } = readFields(await call.body(), FIELDS, REFUSED);
  call.ignore(ignored);
  const { n = 1, best_of: best = n, logprobs, stream } = fields;
  if (best !== n) throw badField('best_of', `best_of is ${best}, n is ${n}; only equal ones are supported`);
  const served = call.model(fields.model);
  const prompts = promptsOf(fields.prompt).map((prompt) => served.model.promptIds(prompt));
  if (prompts.length * n > MAX_ANSWERS) {
    throw badField('n', `${prompts.length} prompts times n = ${n} are more than ${MAX_ANSWERS} answers`);
  }
  const tasks = prompts.flatMap((ids) => Array.from({ length: n }, (_, i) => taskOf(served, fields, ids, i, n)));
  const sum = new UsageSum(n);
  const id = `cmpl-${crypto.randomUUID().replaceAll('-', '')}`;
  const head = {
    id,
    object: 'text_completion',
    created: Math.floor(Date.now() / 1000),
    model: served.name,
    system_fingerprint: served.fingerprint,
  };
  const scores = tasks.map(() => logprobs === undefined ? null : new CompletionScores(served.model.tokenizer));
  const place = await served.place(call.signal);
  const pieces = answers(served, tasks, place, call, (index, figures) => sum.answer(index, figures));
  if (stream) {
    const usage = fields.stream_options?.include_usage === true;
    return call.stream(async function* (): AsyncGenerator<string, void> {
      for await (const { index, chunk } of pieces) {
        if (chunk.usage) sum.engine(chunk.usage);
        const shown = chunk.text !== '' || chunk.finishReason !== null || scores[index] !== null;
        if (!shown) continue;
        yield dataEvent({
          ...head,
          choices: [{
            index,
            text: chunk.text,
            logprobs: scores[index]?.of([chunk]) ?? null,
            finish_reason: chunk.finishReason,
          }],
          ...(usage && { usage: null }),
        });
      }
      if (usage) yield dataEvent({ ...head, choices: [], usage: sum.usage(), ...sum.extras() });
      yield DONE;
    }());
  }
  const said: GenerateChunk[][] = tasks.map(() => []);
  for await (const { index, chunk } of pieces) {
    if (chunk.usage) sum.engine(chunk.usage);
    said[index].push(chunk);
  }
  const choices = said.map((chunks, index) => ({
    index,
    text: chunks.map(({ text }) => text).join(''),
    logprobs: scores[index]?.of(chunks) ?? null,
    finish_reason: chunks.at(-1)?.finishReason ?? null,
  }));
  return call.json({ ...head, choices, usage: sum.usage(), ...sum.extras() });
}

function taskOf(
  served: Served,
  fields: CompletionFields,
  ids: readonly number[],
  i: number,
  n: number,
): Task {
  const { model } = served;
  const { echo = false, logprobs, max_tokens: wanted = DEFAULT_TOKENS, min_tokens: minTokens } = fields;
  const maxTokens = room(served, ids, wanted, 'prompt');
  const options = {
    ...samplerOptions(fields),
    seed: seeded(fields.seed, i),
    stop: stopTexts(fields),
    maxTokens,
    minTokens,
    logprobs,
    ...(echo && { echo }),
    ...(fields.response_format && { format: responseFormat(fields.response_format) }),
  };
  return {
    ids,
    // a model that cannot go back keeps the prompt, and so does a prompt with several answers
    boundaries: n > 1 || !served.rewinds ? [ids.length - 1] : [],
    whole: (echo && logprobs !== undefined) || fields.cache_prompt === false,
    start: (session, read, signal) => model.generate(ids, { ...options, session, read, signal }),
  };
}

/** A prompt, or several: texts or ids. @throws {ApiError} 400 */
function promptsOf(prompt: unknown): (string | readonly number[])[] {
  const given = prompt ?? '';
  if (typeof given === 'string') return [given];
  const wrong = (): ApiError => badField('prompt', 'prompt has to be a text, a list of ids, or a list of such');
  if (!Array.isArray(given) || given.length === 0) throw wrong();
  const list = given as readonly unknown[];
  if (list.every(isId)) return [list as readonly number[]];
  if (list.length > MAX_ANSWERS) {
    throw badField('prompt', `prompt has ${list.length} texts, at most ${MAX_ANSWERS} are accepted`);
  }
  return list.map((one) => {
    if (typeof one === 'string' || (Array.isArray(one) && one.every(isId))) return one as string | readonly number[];
    throw wrong();
  });
}

const isId = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
