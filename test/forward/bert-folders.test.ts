/** Folders of the BERT family: classes with other names, pooling as sentence-transformers writes it, refusals by name. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bert } from '../../src/architectures/bert/architecture.ts';
import { describeBert } from '../../src/architectures/bert/description.ts';
import { bertRunBytes } from '../../src/architectures/bert/state.ts';
import { bertWeights } from '../../src/architectures/bert/weights.ts';
import { openModelContainer } from '../../src/architectures/index.ts';
import { open } from '../../src/entries/index.ts';
import type { MemoryPlan } from '../../src/description/plan.ts';
import { Arena, ARENA_BASE } from '../../src/wasm/arena.ts';
import { builtinModule } from '../../src/wasm/builtin.ts';
import { instantiate } from '../../src/wasm/instantiate.ts';
import { WeightLoader } from '../../src/wasm/weights.ts';
import { bertFolder, type Files, VOCAB, vocabulary } from '../bert-folder.ts';
import { referenceBert } from '../reference-bert.ts';
import { refuses } from '../refusal.ts';

const test = suite('folders of the BERT family');

for (
  const name of [
    'BertForSequenceClassification',
    'BertModel',
    'DistilBertForSequenceClassification',
    'XLMRobertaForSequenceClassification',
  ]
) {
  test(`${name}: states, attention and logits of a plain pass in f64`, async () => {
    const { source, reference } = bertFolder(name);
    await using model = await open(source, { threads: 1 });
    const last = model.describe().trainedContext;
    assert.is(last, 40, 'rows of positions that serve no token do not count');
    for (const n of [1, 7, last]) {
      const ids = Array.from({ length: n }, (_, t) => (t * 17 + n) % VOCAB);
      const right = referenceBert(reference, ids, ids.map(() => 0));
      const said = await model.encode({ ids }, { hidden: true, attention: true });
      const close = (a: ArrayLike<number> | null | undefined, b: readonly number[] | null, what: string): void => {
        assert.is(a?.length, b?.length, what);
        b?.forEach((value, i) => assert.ok(Math.abs((a as ArrayLike<number>)[i] - value) < 1e-5, `${what} ${i}`));
      };
      right.hidden.forEach((rows, l) => close(said.hidden?.[l], rows.flat(), `hidden ${l}`));
      right.attention.forEach((rows, l) => close(said.attention?.[l], rows.flat(2), `attention ${l}`));
      close(said.pooled, right.pooled, 'pooled');
      close(said.logits, right.logits, 'logits');
      if (!right.logits) await refuses(model.classify({ ids }), 'ARCHITECTURE', 'do not classify');
      else {assert.is(
          (await model.classify({ ids })).label,
          ['no', 'maybe', 'yes'][right.logits.indexOf(Math.max(...right.logits))],
        );}
    }
    await refuses(model.encode({ ids: new Array<number>(last + 1).fill(5) }), 'CONTEXT_OVERFLOW', '41', '40');
  });
}

test('a pair has segments in BERT, two separators in RoBERTa, and neither in DistilBERT', async () => {
  const files = { 'vocab.txt': vocabulary() };
  const ids = async (name: string): Promise<string> => {
    await using model = await open(bertFolder(name, files).source, { threads: 1 });
    const { ids, typeIds } = await model.encode(['a b', 'c']);
    assert.is((await model.encode(['a b', 'c'], { maxLength: 6 })).tokens, 6);
    return `${ids.join(' ')} | ${typeIds.join(' ')}`;
  };
  assert.is(await ids('BertModel'), '2 5 6 3 7 3 | 0 0 0 0 1 1');
  assert.is(await ids('DistilBertForSequenceClassification'), '2 5 6 3 7 3 | 0 0 0 0 0 0');
  assert.is(await ids('XLMRobertaForSequenceClassification'), '2 5 6 3 3 7 3 | 0 0 0 0 0 0 0');
});

const MODULES = ['Transformer', 'Pooling', 'Normalize'].map((kind, i) => ({
  idx: i,
  name: `${i}`,
  path: i === 0 ? '' : `${i}_${kind}`,
  type: `sentence_transformers.models.${kind}`,
}));
const mode = (name: string): Record<string, boolean> => ({
  pooling_mode_cls_token: false,
  pooling_mode_mean_tokens: false,
  pooling_mode_max_tokens: false,
  pooling_mode_lasttoken: false,
  ...(name && { [`pooling_mode_${name}`]: true }),
});
/** A folder of sentence-transformers. */
const sentence = (pooling: unknown, modules: unknown = MODULES): Files => ({
  'vocab.txt': vocabulary(),
  'modules.json': modules,
  '1_Pooling/config.json': pooling,
});

test('vectors are pooled and scaled as the folder says, unless the caller says otherwise', async () => {
  const { reference } = bertFolder('BertModel');
  const ids = [2, 5, 6, 7, 3];
  const { hidden } = referenceBert(reference, ids, [0, 0, 0, 0, 0]);
  const rows = hidden[2];
  const right: Record<string, number[]> = {
    mean: rows[0].map((_, i) => rows.reduce((sum, row) => sum + row[i], 0) / rows.length),
    cls: rows[0],
    last: rows[4],
    max: rows[0].map((_, i) => Math.max(...rows.map((row) => row[i]))),
  };
  const close = (vector: Float32Array, pooling: string, scaled: boolean): void => {
    const length = scaled ? Math.hypot(...right[pooling]) : 1;
    right[pooling].forEach((value, i) => assert.ok(Math.abs(vector[i] - value / length) < 1e-5, `${pooling} ${i}`));
  };
  const cases: [Files, string, boolean][] = [
    [{ 'vocab.txt': vocabulary() }, 'mean', true],
    [sentence(mode('mean_tokens')), 'mean', true],
    [sentence(mode('cls_token')), 'cls', true],
    [sentence(mode('max_tokens'), MODULES.slice(0, 2)), 'max', false],
    [sentence(mode('lasttoken'), MODULES.slice(0, 2)), 'last', false],
    [sentence({ pooling_mode: 'cls' }), 'cls', true],
  ];
  for (const [files, pooling, scaled] of cases) {
    await using model = await open(bertFolder('BertModel', files).source, { threads: 1 });
    assert.is(model.defaultPooling, pooling);
    close(await model.embed('a b c'), pooling, scaled);
    close(await model.embed('a b c', { pooling: 'max', normalise: !scaled }), 'max', !scaled);
  }
});

test('modules that are not computed, and paths that leave the folder, are refused', async () => {
  const opened = (files: Files): Promise<unknown> => open(bertFolder('BertModel', files).source, { threads: 1 });
  const dense = [...MODULES, { idx: 3, name: '3', path: '3_Dense', type: 'sentence_transformers.models.Dense' }];
  await refuses(opened(sentence(mode('mean_tokens'), dense)), 'DESCRIPTION', 'modules.json', 'Dense');
  const two = { ...mode('mean_tokens'), pooling_mode_cls_token: true };
  await refuses(opened(sentence(two)), 'DESCRIPTION', 'cls_token', 'mean_tokens', 'one of them');
  await refuses(opened(sentence(mode(''))), 'DESCRIPTION', 'nothing');
  await refuses(opened(sentence(mode('weightedmean_tokens'))), 'DESCRIPTION', 'weightedmean');
  await refuses(opened(sentence({ pooling_mode: 'cls and more' })), 'DESCRIPTION', 'cls and more');
  await refuses(opened(sentence('[]')), 'DESCRIPTION', '1_Pooling/config.json');
  await refuses(opened(sentence({}, '{}')), 'DESCRIPTION', 'modules');
  await refuses(opened(sentence({}, '[')), 'DESCRIPTION', 'modules.json');
  for (const path of ['../1_Pooling', '/etc', '..', 'a/b', '']) {
    await refuses(opened(sentence({}, [{ ...MODULES[1], path }])), 'DESCRIPTION', 'path');
  }
  await refuses(
    opened(sentence({}, [{ ...MODULES[1], path: '2_Pooling' }])),
    'DESCRIPTION',
    '2_Pooling/config.json',
    'not there',
  );
});

test('other encoders are refused by their names', async () => {
  for (const architecture of ['NomicBertModel', 'ModernBertModel', 'BertForMaskedLM']) {
    const files = { 'config.json': { architectures: [architecture], model_type: 'other' } };
    await refuses(open(bertFolder('BertModel', files).source), 'ARCHITECTURE', architecture, 'DistilBertModel');
  }
});

test('damaged weights are refused; numbers that overflow are traced to where they did', async () => {
  const nan = bertFolder(
    'BertModel',
    {},
    (tensors) => tensors.get('encoder.layer.1.output.dense.weight')?.fill(NaN, 3, 4),
  );
  await refuses(open(nan.source), 'WEIGHT_NOT_FINITE', 'blk.1.ffn_down.weight');
  const cases: [string, string][] = [
    ['embeddings.LayerNorm.weight', 'the embedding'],
    ['encoder.layer.0.attention.self.key.weight', 'layer 0'],
    ['encoder.layer.1.output.dense.weight', 'layer 1'],
    ['classifier.weight', 'the classifier'],
  ];
  for (const [tensor, place] of cases) {
    const { source } = bertFolder('BertForSequenceClassification', {}, (tensors) => tensors.get(tensor)?.fill(3e38));
    await using model = await open(source, { threads: 1 });
    await refuses(model.classify({ ids: [2, 5, 3] }), 'NOT_FINITE', place);
    await refuses(model.encode({ ids: [2, 5, 3] }, { hidden: true }), 'NOT_FINITE', place);
  }
});

test('what a model takes is what the plan says: weights, and texts up to its number of tokens', async () => {
  const { source } = bertFolder('BertForSequenceClassification');
  const container = await openModelContainer(source);
  const d = describeBert(container);
  for (const threads of [1, 3]) {
    const base = ARENA_BASE;
    const plan = bert.plan(container, d, { context: 1, kv: 'f16', threads, maxBytes: Infinity, base });
    const arena = new Arena(new WebAssembly.Memory({ initial: 1 }));
    const { module } = await builtinModule();
    const kernels = instantiate(module, arena.memory);
    const loader = new WeightLoader(kernels, arena, container.source ?? source, container);
    bertWeights(d, loader);
    assert.is(arena.used - base, plan.weightsBytes);
    // the largest pack: 256 tokens, the longest text, 64 texts
    const shape = { tokens: 256, texts: 64, longest: 40, hidden: false, squares: 0 };
    assert.is(bertRunBytes(d, shape, threads), plan.stateBytes);
  }
  const model = await open(source, { threads: 1 });
  const { memoryBytes } = model.stats();
  assert.ok(memoryBytes <= Math.ceil(model.plan.totalBytes / 65536) * 65536);
  const inputs = Array.from({ length: 200 }, (_, i) => ({ ids: new Array<number>(1 + (i * 7) % 40).fill(i % VOCAB) }));
  let answered = 0;
  for await (const { logits } of model.classifyAll(inputs)) answered += Number(logits.length === 3);
  assert.is(answered, 200);
  assert.is(model.stats().memoryBytes, memoryBytes, 'no more was taken');
});

test('a small limit has fewer tokens run together, down to 32, and is refused below', async () => {
  const container = await openModelContainer(bertFolder('BertModel').source);
  const d = describeBert(container);
  const threads = 16; // whose scratch is more than the loader's
  const planned = (maxBytes: number): MemoryPlan =>
    bert.plan(container, d, { context: 1, kv: 'f16', threads, maxBytes, base: ARENA_BASE });
  const of = (tokens: number): number =>
    bertRunBytes(
      d,
      { tokens, texts: Math.min(tokens, 64), longest: Math.min(tokens, 40), hidden: false, squares: 0 },
      threads,
    );
  let most = Infinity;
  for (const tokens of [256, 128, 64, 32]) {
    const { stateBytes, totalBytes } = planned(most);
    assert.is(stateBytes, of(tokens), `${tokens} tokens`);
    most = totalBytes - 1;
  }
  assert.throws(() => planned(most), /MEMORY_LIMIT.*texts of 32 tokens/);
});

test('calls side by side take turns; a call that waits can be aborted; disposal ends them all', async () => {
  const { source } = bertFolder('BertForSequenceClassification');
  const model = await open(source, { threads: 1 });
  const ids = Array.from({ length: 40 }, (_, t) => t);
  const alone = await model.classify({ ids });
  const all = await Promise.all([1, 2, 3].map(() => model.classify({ ids })));
  for (const said of all) assert.equal(said, alone);
  const many = model.embed(new Array<string>(5).fill('a')).catch(() => null); // no vocabulary: refused, and nobody waits for it
  await many;
  const control = new AbortController();
  const first = model.classify({ ids });
  const waits = model.classify({ ids }, { signal: control.signal });
  control.abort(new Error('enough'));
  await waits.then(() => assert.unreachable('was not aborted'), (error: Error) => assert.is(error.message, 'enough'));
  assert.equal(await first, alone);
  await model.classify({ ids }, { signal: control.signal }).then(
    () => assert.unreachable('began although aborted'),
    (error: Error) => assert.is(error.message, 'enough'),
  );
  const left = [model.classify({ ids }), model.classify({ ids })];
  model.dispose();
  for (const work of left) await refuses(work, 'DISPOSED');
  await refuses(model.encode({ ids }), 'DISPOSED');
});

test('a hundred thousand texts can be aborted, and a text of a million characters is refused at once', async () => {
  const { source } = bertFolder('BertModel', { 'vocab.txt': vocabulary() });
  await using model = await open(source, { threads: 1 });
  const control = new AbortController();
  const texts = Array.from({ length: 100_000 }, (_, i) => `a text ${i}`);
  setTimeout(() => control.abort(new Error('enough')), 30);
  await model.embed(texts, { signal: control.signal }).then(
    () => assert.unreachable('was not aborted'),
    (error: Error) => assert.is(error.message, 'enough'),
  );
  await refuses(model.embed('a '.repeat(500_000)), 'CONTEXT_OVERFLOW', 'or more', '40 positions');
  assert.is((await model.embed('a '.repeat(500_000), { maxLength: 40 })).length, 16);
  assert.equal(await model.embed('a '.repeat(500_000), { maxLength: 40 }), await model.embed('a '.repeat(38)));
  await refuses(model.embed('a'.repeat(5_000_000)), 'TEXT_TOO_LONG');
  assert.is((await model.embed('')).length, 16);
});

test.run();
