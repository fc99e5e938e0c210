/** Sessions side by side: one pass over the tokens of several, and for each of them the same tokens as alone. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import type { ByteSource } from '../../src/bytes/source.ts';
import { type GenerateOptions, type Model, open, type TernspikeError } from '../../src/entries/index.ts';
import { randomModel } from '../../src/model/random.ts';
import type { BuiltTensor } from '../builders.ts';
import { gemma3File } from '../gemma3-files.ts';
import { sameBits } from '../kernels/harness.ts';
import { llamaFile } from '../llama-files.ts';
import { refuses } from '../refusal.ts';
import { threaded } from '../threads/executors.ts';

const test = suite('sessions side by side');

/** Ids below 25 of a client. */
const prompt = (client: number, length: number): number[] =>
  Array.from({ length }, (_, i) => (i * 7 + client * 5 + (i * i) % 11) % 25);

interface Client {
  readonly ids: readonly number[];
  readonly options: GenerateOptions;
}

/** Prompts of one token, of a batch, of several; many and few tokens to answer with. */
const CLIENTS: readonly Client[] = [[1, 12], [40, 3], [5, 25], [70, 8], [2, 40], [33, 1], [9, 17]].map(
  ([length, maxTokens], client) => ({
    ids: prompt(client, length),
    options: { maxTokens, seed: client + 1, temperature: client % 3 === 0 ? 0 : 1 },
  }),
);

async function answer(model: Model, { ids, options }: Client): Promise<number[]> {
  const answered: number[] = [];
  for await (const { id } of model.generate(ids, options)) if (id !== null) answered.push(id);
  return answered;
}

async function sources(): Promise<Readonly<Record<string, ByteSource | Uint8Array>>> {
  return {
    llama: llamaFile({ type: 'TQ2_0', headType: 'Q8_0', biases: true }).bytes(),
    floats: llamaFile({ tied: true, subNorms: true }).bytes(),
    gemma3: gemma3File().bytes(),
    symboliclight: await randomModel('symboliclight-tiny', 'tq2_0', 2),
  };
}

/** Work on a model and give it back. */
async function using<T>(
  source: ByteSource | Uint8Array,
  options: Parameters<typeof open>[1],
  use: (model: Model) => Promise<T>,
): Promise<T> {
  const model = await open(source, { contextLength: 128, ...options });
  try {
    return await use(model);
  } finally {
    model.dispose();
  }
}

test('every client gets the tokens it would get alone, whatever the others ask, on one thread and on two', async () => {
  for (const [name, source] of Object.entries(await sources())) {
    const alone = await using(source, { threads: 1 }, async (model) => {
      const answers: number[][] = [];
      for (const client of CLIENTS) answers.push(await answer(model, client));
      return answers;
    });
    for (const [threads, parallel] of [[1, 2], [1, 7], [2, 4]]) {
      const together = await using(
        source,
        { threads, parallel },
        (model) => Promise.all(CLIENTS.map((client) => answer(model, client))),
      );
      assert.equal(together, alone, `${name}, ${threads} threads, ${parallel} at a time`);
    }
  }
});

test('tokens of several sessions share passes: weights are read once for all of them', async () => {
  const source = await randomModel('symboliclight-tiny', 'tq2_0', 2);
  const passes = async (slots: number): Promise<number> => {
    const { decoder, session } = await threaded(source, { threads: 1, slots });
    await Promise.all([1, 2, 3, 4].map(async (id) => {
      const [reader, leave] = [session(), decoder.join()];
      for (let i = 0; i < 20; i++) await reader.step(id);
      leave();
    }));
    assert.is(decoder.spikes!.tokens, 80);
    return decoder.spikes!.batches;
  };
  assert.is(await passes(1), 80);
  assert.ok(await passes(4) <= 24, `${await passes(4)} passes for 20 rounds`);
});

test('what one session spiked is what it spiked alone', async () => {
  const source = await randomModel('symboliclight-tiny', 'tq2_0', 2);
  const counts = async (model: Model, { ids, options }: Client): Promise<number[]> => {
    for await (const { usage } of model.generate(ids, options)) {
      if (usage) return usage.spikes!.layers.map(({ spikesPerToken }) => spikesPerToken);
    }
    throw new Error('no usage');
  };
  const few = CLIENTS.slice(0, 4);
  const alone = await using(source, { threads: 1 }, async (model) => {
    const all: number[][] = [];
    for (const client of few) all.push(await counts(model, client));
    return all;
  });
  const together = await using(
    source,
    { threads: 1, parallel: 4 },
    (model) => Promise.all(few.map((client) => counts(model, client))),
  );
  assert.equal(together, alone);
});

// case: X3
test('an abort, an early end and a session that is disposed of leave the others alone', async () => {
  for (const [name, source] of Object.entries(await sources())) {
    const alone = await using(source, { threads: 1 }, (model) => answer(model, CLIENTS[4]));
    await using(source, { threads: 1, parallel: 4 }, async (model) => {
      const abort = new AbortController();
      const aborted = (async () => {
        let n = 0;
        for await (const _ of model.generate(prompt(1, 30), { maxTokens: 60, signal: abort.signal })) {
          if (++n === 3) abort.abort(new Error('enough'));
        }
      })();
      const ended = (async () => {
        for await (const _ of model.generate(prompt(2, 3), { maxTokens: 60 })) break;
      })();
      const session = model.session();
      const disposed = session.prefill(prompt(3, 100)).then(
        () => 'read', // to its end, before it was disposed of
        (error: unknown) => (error as TernspikeError).code,
      );
      const whole = answer(model, CLIENTS[4]);
      setTimeout(() => session.dispose(), 0);
      await aborted.then(
        () => assert.unreachable('the abort was not seen'),
        (error: unknown) => assert.is((error as Error).message, 'enough'),
      );
      await ended;
      assert.equal(await whole, alone, name);
      assert.ok(['read', 'DISPOSED'].includes(await disposed));
      assert.equal(await answer(model, CLIENTS[4]), alone, `${name}, afterwards`);
    });
  }
});

test('a session whose numbers overflow fails alone, with its layer and position', async () => {
  const file = llamaFile({ outputBias: true });
  const numbers = (name: string): Float32Array => {
    const { data } = file.tensors.find((tensor) => tensor.name === name) as BuiltTensor;
    return new Float32Array((data as Uint8Array).buffer);
  };
  numbers('token_embd.weight').fill(3e38, 9 * 44, 10 * 44);
  numbers('blk.0.attn_output.bias').fill(2e38);
  const bytes = file.bytes();
  await using(bytes, { threads: 1, parallel: 3 }, async (model) => {
    const [good, bad, control] = [model.session(), model.session(), model.session()];
    const expected = await control.prefill([2, 3, 4]);
    await bad.prefill([1]);
    const [logits] = await Promise.all([
      good.prefill([2, 3, 4]),
      refuses(bad.prefill([2, 9, 3]), 'NOT_FINITE', 'layer 0', 'position 2'),
    ]);
    sameBits(logits, expected, 'beside a session that failed');
    assert.is(bad.position, 1);
    assert.is(good.position, 3);
  });
});

test('a callback that throws ends its own reading alone', async () => {
  await using(llamaFile().bytes(), { threads: 1, parallel: 2 }, async (model) => {
    const expected = await model.session().prefill([5, 6]);
    const [a, b] = [model.session(), model.session()];
    const broken = b.read([1, 2], {}, 0, () => {
      throw new Error('no more');
    });
    const [logits] = await Promise.all([
      a.prefill([5, 6]),
      broken.then(() => assert.unreachable(), (error: unknown) => assert.is((error as Error).message, 'no more')),
    ]);
    sameBits(logits, expected, 'beside a reader that threw');
  });
});

test('the plan counts with the sessions that were asked for, and says what would fit', async () => {
  const bytes = llamaFile().bytes();
  const [one, eight] = [await open(bytes, { threads: 1 }), await open(bytes, { threads: 1, parallel: 8 })];
  assert.is(one.plan.sessions, 1);
  assert.is(eight.plan.sessions, 8);
  assert.is(eight.plan.stateBytes, one.plan.stateBytes);
  const { weightsBytes, stateBytes, scratchBytes } = eight.plan;
  assert.ok(eight.plan.totalBytes > weightsBytes + 8 * stateBytes + scratchBytes);
  const before = eight.stats().memoryBytes;
  const sessions = Array.from({ length: 8 }, () => eight.session());
  await Promise.all(sessions.map((session, i) => session.prefill([i + 1])));
  assert.is(eight.stats().memoryBytes, before, 'eight sessions took no more than was planned');
  const { totalBytes } = eight.plan;
  await refuses(open(bytes, { threads: 1, parallel: 8, maxMemoryBytes: totalBytes - 1 }), 'MEMORY_LIMIT', 'times 8');
  for (const parallel of [0, 1.5, 1025, '2' as unknown as number]) {
    await refuses(open(bytes, { parallel }), 'OPTION', 'parallel', '1024');
  }
});

test('a snapshot of a session that ran beside others is that of one that ran alone', async () => {
  for (const [name, source] of Object.entries(await sources())) {
    const bytes = source instanceof Uint8Array ? memorySource(source) : source;
    const snapshots = async (parallel: number): Promise<Uint8Array[]> =>
      await using(bytes, { threads: 1, parallel }, async (model) => {
        const sessions = [0, 1, 2].map(() => model.session());
        await Promise.all(sessions.map((session, i) => session.prefill(prompt(i, 20 + 13 * i))));
        return sessions.map((session) => session.snapshot());
      });
    assert.equal(await snapshots(3), await snapshots(1), name);
  }
});

test.run();
