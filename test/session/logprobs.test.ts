/** How likely tokens were, prompts that are echoed, completions side by side, and aborts of a long prompt. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type GenerateChunk, type GenerateOptions, type Model, open } from '../../src/entries/index.ts';
import { randomModel } from '../../src/model/random.ts';
import { refuses } from '../refusal.ts';
import { jsonModel } from '../structured/schemas.ts';

let shared: Promise<Model> | null = null;
const model = (): Promise<Model> => (shared ??= jsonModel());
const PROMPT = [1, 300, 301, 290, 310, 305];

/** ln softmax of a row, in f64. */
function logSoftmax(row: Float32Array): number[] {
  const top = Math.max(...row);
  const sum = Math.log(row.reduce((all, x) => all + Math.exp(x - top), 0)) + top;
  return Array.from(row, (x) => x - sum);
}

async function chunksOf(prompt: number[], options: GenerateOptions): Promise<GenerateChunk[]> {
  const chunks: GenerateChunk[] = [];
  for await (const chunk of (await model()).generate(prompt, options)) chunks.push(chunk);
  return chunks;
}

const near = (a: number, b: number): void => assert.ok(Math.abs(a - b) < 1e-4, `${a} is not ${b}`);

const test = suite('logprobs');
test.after(async () => (await shared)?.dispose());

test('they are of the distribution as the model made it, whatever the draw did to it', async () => {
  const options = {
    seed: 3,
    maxTokens: 5,
    temperature: 2,
    topK: 7,
    logitBias: { 300: 5, 2: -Infinity },
    repeatPenalty: 1.3,
  };
  const said = (await chunksOf(PROMPT, { ...options, logprobs: 4 })).filter(({ id }) => id !== null);
  const rows = await (await model()).logits([...PROMPT, ...said.map(({ id }) => id!)]);
  said.forEach(({ id, logprob, topLogprobs }, i) => {
    const expected = logSoftmax(rows[PROMPT.length - 1 + i]);
    near(logprob!, expected[id!]);
    const best = expected.map((value, id) => ({ id, value })).sort((a, b) => b.value - a.value || a.id - b.id).slice(
      0,
      4,
    );
    assert.equal(topLogprobs!.map(({ id }) => id), best.map(({ id }) => id));
    topLogprobs!.forEach(({ logprob }, j) => near(logprob, best[j].value));
  });
  const plain = (await chunksOf(PROMPT, options)).filter(({ id }) => id !== null);
  assert.equal(plain.map(({ id }) => id), said.map(({ id }) => id), 'the answer is the same');
  assert.ok(plain.every((chunk) => !('logprob' in chunk)));
  assert.equal((await chunksOf(PROMPT, { ...options, logprobs: 0 }))[0].topLogprobs, []);
  await refuses(chunksOf(PROMPT, { logprobs: 21 }), 'OPTION', '20');
});

test('an echoed prompt is scored by itself: logarithms of all its ids but the first', async () => {
  const rows = await (await model()).logits(PROMPT);
  for (const maxTokens of [0, 2]) {
    const chunks = await chunksOf(PROMPT, { echo: true, logprobs: 1, maxTokens, temperature: 0 });
    const prompt = chunks.filter(({ prompt }) => prompt);
    assert.equal(prompt.map(({ id }) => id), PROMPT);
    assert.equal([prompt[0].logprob, prompt[0].topLogprobs], [null, []]);
    prompt.slice(1).forEach(({ id, logprob, topLogprobs }, i) => {
      const expected = logSoftmax(rows[i]);
      near(logprob!, expected[id!]);
      near(topLogprobs![0].logprob, Math.max(...expected));
    });
    assert.is(chunks.length, PROMPT.length + maxTokens + 1);
    const { tokenizer } = await model();
    const ids = chunks.flatMap(({ id }) => (id === null ? [] : [id]));
    assert.is(chunks.map(({ text }) => text).join(''), tokenizer.decode(ids));
  }
  const { ids, logprobs } = await (await model()).complete(PROMPT, { echo: true, logprobs: 0, maxTokens: 1, seed: 1 });
  assert.equal([ids.length, logprobs?.length], [1, PROMPT.length + 1]);
  const echoed = await chunksOf(PROMPT, { echo: true, maxTokens: 1 });
  assert.ok(echoed.every((chunk) => !('logprob' in chunk)));
});

test('completions side by side are those of their seeds alone, and the prompt is read once', async () => {
  const own = await model();
  const options = { maxTokens: 6, temperature: 2, logprobs: 1, echo: true };
  const reads: number[] = [];
  const all = await own.completions(PROMPT, {
    ...options,
    n: 4,
    seed: 7,
    onPrefill: ({ read }) => void reads.push(read),
  });
  for (const [i, one] of all.entries()) {
    const alone = await own.complete(PROMPT, { ...options, seed: 7 + i });
    assert.equal([one.ids, one.text, one.logprobs, one.finishReason], [
      alone.ids,
      alone.text,
      alone.logprobs,
      alone.finishReason,
    ]);
    assert.is(one.usage.promptTokens, PROMPT.length);
  }
  assert.ok(new Set(all.map(({ ids }) => ids.join())).size > 1, 'seeds differ');
  assert.is(reads.filter((read) => read < PROMPT.length).length, new Set(reads).size - 1);
  const indices = new Set<number | undefined>();
  for await (const { index } of own.generate(PROMPT, { n: 2, maxTokens: 2 })) indices.add(index);
  assert.equal([...indices].sort(), [0, 1]);
  await refuses(own.complete(PROMPT, { n: 2 }), 'OPTION', 'completions');
  await refuses(own.generate(PROMPT, { n: 2, session: own.session() }).next(), 'OPTION', 'fork');
  await refuses(own.completions(PROMPT, { n: 0 }), 'OPTION', '128');
  for await (const { id } of own.generate(PROMPT, { n: 3, maxTokens: 50 })) if (id !== null) break; // frees all sessions
  assert.is((await own.complete(PROMPT, { maxTokens: 1 })).ids.length, 1);
});

test('no end token comes before the least number of tokens', async () => {
  const options = { logitBias: { 2: 1000 }, temperature: 0, maxTokens: 9 };
  assert.is((await chunksOf(PROMPT, options)).length, 1);
  const chunks = await chunksOf(PROMPT, { ...options, minTokens: 3 });
  assert.equal([chunks.length, chunks.at(-1)!.finishReason], [4, 'stop']);
});

test('an abort during a long prompt ends it with the batch that is under way', async () => {
  using own = await open(await randomModel('tiny', 'f32', 3), { contextLength: 512 });
  const prompt = Array.from({ length: 500 }, (_, i) => i % 512);
  for (const when of [1, 3]) {
    const controller = new AbortController();
    let batches = 0;
    const work = own.complete(prompt, {
      signal: controller.signal,
      stretchMs: 1e-3, // looks at the host's events after every batch; session/abort has aborts that come from events
      onPrefill: () => {
        if (++batches === when) controller.abort(new Error('gone'));
      },
    });
    await work.then(() => assert.unreachable(), (error: Error) => assert.is(error.message, 'gone'));
    assert.is(batches, when, `${batches} batches, aborted in ${when}`);
  }
});

test.run();
