/** A model in a worker answers as one that is here; its streams, aborts, errors and ends. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { defaultModel } from '../../src/entries/default-model.ts';
import { open as openHere } from '../../src/entries/index.ts';
import { open, type WorkerModel, type WorkerSource } from '../../src/entries/worker.ts';
import { IoError, TernspikeError } from '../../src/errors.ts';
import { AHEAD, receivedError, sentError } from '../../src/worker/messages.ts';
import { until } from '../clock.ts';
import { checkout } from '../house/checkout.ts';
import { refuses } from '../refusal.ts';
import { webServer } from '../web-server.ts';

const PROMPT = 'Once upon a time';
const OPTIONS = { maxTokens: 40, seed: 7, temperature: 0.8 } as const;
const path = join(checkout(), 'models/stories-spiking.gguf');

const test = suite('worker');
let model: WorkerModel;

test.before(async () => {
  model = await open(defaultModel, { contextLength: 128 });
});
test.after(() => model.dispose());

async function text(pieces: AsyncIterable<{ text: string }>): Promise<string> {
  let all = '';
  for await (const piece of pieces) all += piece.text;
  return all;
}

test('it says what a model here says: pieces, usage, description, counts, ids', async () => {
  await using here = await openHere(defaultModel, { contextLength: 128 });
  const [expected, actual] = [[], []] as unknown[][];
  const without = ({ usage, ...chunk }: { usage?: object }): object => ({ ...chunk, ended: usage !== undefined });
  for await (const chunk of here.generate(PROMPT, OPTIONS)) expected.push(without(chunk));
  for await (const chunk of model.generate(PROMPT, OPTIONS)) actual.push(without(chunk));
  assert.equal(actual, expected);
  assert.ok(actual.length > 20);
  assert.equal({ ...model.describe() }, { ...here.describe() });
  assert.is((await model.stats()).weightsBytes, here.stats().weightsBytes);
  assert.equal(await model.encode(PROMPT), here.tokenizer.encode(PROMPT));
  assert.is(await model.decode([281, 306, 414]), here.tokenizer.decode([281, 306, 414]));
});

test('paths, URLs, blobs and sets of files reach it', async () => {
  const bytes = defaultModel;
  const server = await webServer(() => bytes);
  const sources: WorkerSource[] = [
    path,
    pathToFileURL(path),
    new Blob([bytes]),
    new Uint8Array(bytes),
    `${server.origin}/stories.gguf`,
    new URL(`${server.origin}/stories.gguf`),
    new Set([new File([bytes], 'stories.gguf')]),
  ];
  for (const source of sources) {
    const fractions: number[] = [];
    await using model = await open(source, { onProgress: ({ fraction }) => void fractions.push(fraction), threads: 1 });
    assert.is(model.describe().architecture, 'symboliclight');
    assert.is(fractions[0], 0);
    assert.ok(Math.max(...fractions) > 0.9);
  }
  await server.close();
});

test('sessions continue, and end', async () => {
  const session = await model.session();
  for await (const { usage } of model.generate(PROMPT, { maxTokens: 3, session })) {
    if (usage) assert.is(usage.promptTokens, (await model.encode(PROMPT, { special: true })).length);
  }
  assert.ok((await text(model.generate([414], { maxTokens: 3, session }))).length > 0);
  await session.dispose();
  await session.dispose();
  await refuses(text(model.generate([414], { session })), 'DISPOSED', 'session');
});

test('a break, an abort before and an abort meanwhile end a stream, and the model serves the next', async () => {
  for await (const _ of model.generate(PROMPT, { maxTokens: 100 })) break;
  const reason = new Error('enough');
  let pieces = 0;
  const controller = new AbortController();
  const stopped = (async () => {
    for await (const _ of model.generate(PROMPT, { maxTokens: 100, signal: controller.signal })) {
      if (++pieces === 5) controller.abort(reason);
    }
  })();
  assert.is(await stopped.catch((error) => error), reason);
  assert.is(pieces, 5);
  assert.is(await text(model.generate(PROMPT, { signal: AbortSignal.abort(reason) })).catch((error) => error), reason);
  assert.ok((await text(model.generate(PROMPT, OPTIONS))).length > 10);
});

test('it does not run far ahead of who reads', async () => {
  const stream = model.generate(PROMPT, { maxTokens: 100 });
  const before = (await model.stats()).tokens!;
  await stream.next();
  const ahead = async (): Promise<number> => (await model.stats()).tokens! - before;
  await until(async () => await ahead() >= AHEAD); // it goes on for some pieces
  const most = AHEAD + 2 + (await model.encode(PROMPT, { special: true })).length;
  for (let i = 0; i < 50; i++) assert.ok(await ahead() <= most, 'and then waits');
  let rest = 1;
  for await (const { id } of stream) if (id !== null) rest++;
  assert.is(rest, 100);
  assert.ok(AHEAD < 100);
});

test('errors keep their class, code, status and cause', async () => {
  await refuses(model.classify('a text'), 'ARCHITECTURE', 'classify');
  await refuses(text(model.generate(PROMPT, { temperature: -1 })), 'OPTION', 'temperature');
  const missing = await refuses(open(join(checkout(), 'no-such.gguf')), 'IO', 'no-such.gguf');
  assert.instance(missing, IoError);
  assert.match(String((missing.cause as Error).message), 'ENOENT');
  const server = await webServer(() => null);
  const absent = await refuses(open(`${server.origin}/a.gguf`), 'HTTP', '404');
  assert.is((absent as IoError).status, 404);
  await server.close();
  const foreign = receivedError(sentError(new TypeError('mine', { cause: 'text' })));
  assert.equal([foreign.name, foreign.message, String(foreign.cause)], ['TypeError', 'mine', 'Error: text']);
  assert.not.instance(foreign, TernspikeError);
});

test('what cannot be sent is refused as such', async () => {
  const source = { size: 3, name: 'x', read: () => Promise.resolve(0) };
  await refuses(open(source as unknown as WorkerSource), 'OPTION', 'cannot be sent');
  await refuses(open(defaultModel, { fetch: () => {} } as object), 'OPTION', 'cannot be sent');
  await refuses(text(model.generate((() => {}) as unknown as string)), 'OPTION', 'cannot be sent');
});

test('an abort ends opening, and a model that is disposed of refuses what waits and what comes', async () => {
  const server = await webServer(() => defaultModel, { latencyMs: 10_000 });
  const reason = new Error('enough');
  const controller = new AbortController();
  const opening = open(`${server.origin}/a.gguf`, { signal: controller.signal }).catch((error) => error);
  setTimeout(() => controller.abort(reason), 100);
  assert.is(await opening, reason);
  await server.close();

  const gone = await open(defaultModel);
  const answer = gone.generate(PROMPT, { maxTokens: 300 });
  await answer.next(); // the worker waits a few pieces ahead of who reads, so the answer is never over here
  gone.dispose();
  gone.dispose();
  await refuses(text(answer), 'DISPOSED');
  await refuses(gone.stats(), 'DISPOSED');
});

test('a worker that is no worker of a model is said to be lost', async () => {
  const hostUrl = pathToFileURL(join(checkout(), 'dist/no-such-host.js'));
  await refuses(open(defaultModel, { hostUrl }), 'WORKER_DIED', 'open it again');
  await using model = await open(defaultModel, { hostUrl: pathToFileURL(join(checkout(), 'dist/worker-host.js')) });
  assert.ok((await text(model.generate(PROMPT, OPTIONS))).length > 10);
});

test('an answer of a worker is held to a format, and a mask is refused, as a function cannot be sent', async () => {
  await using model = await open(defaultModel, { contextLength: 128 });
  let text = '';
  for await (const chunk of model.generate('One day', { format: { choice: ['yes', 'no'] }, logprobs: 1 })) {
    text += chunk.text;
    assert.ok(chunk.id === null || chunk.topLogprobs?.length === 1);
  }
  assert.match(text, /^(yes|no)$/);
  const mask = { mask: () => null } as object;
  await refuses(model.generate('One day', mask).next(), 'OPTION', 'cannot be sent');
});

test.run();
