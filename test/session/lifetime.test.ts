/** Lives of models and sessions: what is over refuses calls, gives its memory back, and disturbs nobody else. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { randomModel } from '../../src/model/random.ts';
import { open } from '../../src/entries/index.ts';
import { hurried } from '../clock.ts';
import { sameBits } from '../kernels/harness.ts';
import { llamaFile } from '../llama-files.ts';
import { refuses } from '../refusal.ts';

const test = suite('lifetime');

// case: M9
test('a disposed session refuses every call; disposing again is harmless', async () => {
  const model = await open(llamaFile().bytes());
  const session = model.session();
  await session.prefill([1, 2]);
  session.dispose();
  session.dispose();
  session[Symbol.dispose]();
  await refuses(session.prefill([1]), 'DISPOSED');
  await refuses(session.step(1), 'DISPOSED');
  const calls: (() => unknown)[] = [
    () => session.fork(),
    () => session.rewind(0),
    () => session.reset(),
    () => session.position,
    () => session.contextLength,
  ];
  for (const call of calls) await refuses(Promise.resolve().then(call), 'DISPOSED');
  assert.is((await model.session().prefill([1])).length, 51, 'the model goes on');
});

// case: M9
test('a disposed model refuses every call and ends its sessions and forks; disposing again is harmless', async () => {
  const model = await open(llamaFile().bytes());
  const session = model.session();
  await session.prefill([1, 2]);
  const fork = session.fork();
  const stream = model.generate([1, 2], { maxTokens: 5 });
  await stream.next();
  model.dispose();
  model.dispose();
  await model[Symbol.asyncDispose]();
  await refuses(session.step(1), 'DISPOSED');
  await refuses(fork.step(1), 'DISPOSED');
  await refuses(stream.next(), 'DISPOSED');
  await refuses(model.logits([1]), 'DISPOSED');
  await refuses(model.generate([1]).next(), 'DISPOSED');
  const calls: (() => unknown)[] = [
    () => model.session(),
    () => model.tokenizer,
    () => model.describe(),
    () => model.stats(),
    () => model.plan,
    () => model.container,
  ];
  for (const call of calls) await refuses(Promise.resolve().then(call), 'DISPOSED');
  session.dispose();
});

test('a session disposed of during a call refuses that call, and its memory serves the next session at once', async () => {
  const model = await open(await randomModel('tiny', 'f32', 3), { contextLength: 512 });
  const ids = Array.from({ length: 400 }, (_, i) => i);
  const expected = (await model.logits([5, 6])).at(-1) as Float32Array;
  const session = model.session();
  await hurried(async () => { // so that it lets events in before it is over
    const refusal = refuses(session.prefill(ids), 'DISPOSED');
    await new Promise((resolve) => setTimeout(resolve, 0));
    session.dispose();
    const next = model.session();
    sameBits(await next.prefill([5, 6]), expected, 'next session');
    await refusal;
  });
  model.dispose();
});

// case: M10
test('two models at once, used in turn and disposed of in turn, each give what they give alone', async () => {
  const files = [llamaFile({ seed: 1 }).bytes(), llamaFile({ seed: 2, architecture: 'qwen3', qkNorms: true }).bytes()];
  const alone = [];
  for (const file of files) {
    const model = await open(file);
    alone.push(await model.logits([1, 2, 3, 4]));
    model.dispose();
  }
  const models = await Promise.all(files.map((file) => open(file)));
  const sessions = models.map((model) => model.session());
  for (let i = 0; i < 3; i++) {
    for (const m of [0, 1]) sameBits(await sessions[m].step(i + 1), alone[m][i], `model ${m}, step ${i}`);
  }
  models[0].dispose();
  sameBits(await sessions[1].step(4), alone[1][3], 'the other model is gone');
});

/** Collects garbage where the host lets us. */
async function collector(): Promise<(() => void) | null> {
  if (!('process' in globalThis) || process.versions.bun || 'Deno' in globalThis) return null;
  const [v8, vm] = await Promise.all([import('node:v8'), import('node:vm')]);
  v8.setFlagsFromString('--expose-gc');
  return vm.runInNewContext('gc') as () => void;
}

// case: M8
test('a thousand times open, five tokens, dispose: memory does not grow', async () => {
  const collect = await collector();
  if (!collect) return; // other hosts neither count wasm memory alike nor let it be collected at will
  const file = llamaFile({ shape: { layers: 1 } }).bytes();
  const round = async (): Promise<void> => {
    const model = await open(file, { contextLength: 16 });
    for await (const { text } of model.generate([1, 2], { maxTokens: 5 })) assert.is(text, '');
    model.dispose();
  };
  const held = async (): Promise<number> => {
    for (let i = 0; i < 3; i++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const { rss, external, arrayBuffers, heapUsed } = process.memoryUsage();
    return Math.max(rss, external + arrayBuffers + heapUsed);
  };
  for (let i = 0; i < 100; i++) await round();
  const before = await held();
  for (let i = 0; i < 900; i++) {
    await round();
    if (i % 100 === 99) collect();
  }
  const grown = (await held()) - before;
  assert.ok(grown < 30e6, `${(grown / 1e6).toFixed(1)} MB more after 900 rounds`);
});
test.run();
