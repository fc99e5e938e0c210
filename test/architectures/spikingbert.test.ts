/** Spiking BERTs as files: what describes them, where it is found, and what is refused before a weight is read. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { resolveSource } from '../../src/bytes/resolve.ts';
import type { TensorType } from '../../src/container/tensor.ts';
import { readGguf } from '../../src/container/parts.ts';
import type { MetadataValue } from '../../src/container/tensor.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { open, type OpenOptions, type SpikingBertDescription } from '../../src/entries/index.ts';
import { openModelContainer } from '../../src/architectures/index.ts';
import { describe, planModel } from '../describe.ts';
import { builtinModule } from '../../src/wasm/builtin.ts';
import { convertModel } from '../../src/model/convert.ts';
import { type BuiltTensor, ggufBytes, type MetaEntry } from '../builders.ts';
import { refuses } from '../refusal.ts';
import {
  checkpointBytes,
  randomWeights,
  safetensorsOf,
  SMALL,
  VOCABULARY,
  type Weights,
} from '../spikingbert-files.ts';

const test = suite('spiking BERT files');
const WEIGHTS = randomWeights();
const BYTES = checkpointBytes(WEIGHTS);
const CONFIG = JSON.stringify(SMALL);
const VOCAB = `${VOCABULARY.join('\n')}\n`;

let folder: string;
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ternspike-'));
});
test.after(() => rm(folder, { recursive: true }));

/** A folder with these files. */
async function filled(name: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const path = join(folder, name);
  await mkdir(path);
  for (const [file, data] of Object.entries(files)) await writeFile(join(path, file), data);
  return path;
}

const DESCRIPTION: SpikingBertDescription = {
  kind: 'spikingbert',
  architecture: 'spikingbert',
  name: '',
  layers: 2,
  width: 40,
  hidden: 72,
  heads: 2,
  headDim: 20,
  vocab: 60,
  trainedContext: 24,
  segments: 2,
  normEps: 1e-12,
  threshold: 0.8,
  leak: 0.95,
  initial: 0,
  steps: 10,
  classes: 2,
  labels: ['0', '1'],
  task: '',
  parameters: [...WEIGHTS.values()].reduce((n, { data }) => n + data.length, 0),
};

test('a checkpoint and its configuration, in every form they come in', async () => {
  const whole = await filled('whole', { 'pytorch_model.bin': BYTES, 'config.json': CONFIG, 'vocab.txt': VOCAB });
  const both = await filled('both', {
    'pytorch_model.bin': new Uint8Array(8), // the other one is taken
    'model.safetensors': safetensorsOf(WEIGHTS),
    'config.json': CONFIG,
  });
  const forms: [string, Parameters<typeof open>[0], OpenOptions, boolean][] = [
    ['folder', whole, {}, true],
    ['folder with a slash', `${whole}/`, {}, true],
    ['folder as a URL', pathToFileURL(whole), {}, true],
    ['file in a folder', join(whole, 'pytorch_model.bin'), {}, true],
    ['file as a URL', pathToFileURL(join(whole, 'pytorch_model.bin')), {}, true],
    ['safetensors first', both, {}, false],
    ['bytes and text', BYTES, { config: CONFIG, tokenizer: new TextEncoder().encode(VOCAB) }, true],
    ['bytes and bytes', BYTES, { config: new TextEncoder().encode(CONFIG) }, false],
    ['Blob and object', new Blob([new Uint8Array(BYTES)]), { config: SMALL }, false],
    ['safetensors', safetensorsOf(WEIGHTS), { config: SMALL }, false],
  ];
  const answers = [];
  for (const [name, source, options, words] of forms) {
    using model = await open(source, options);
    assert.equal({ ...model.describe() }, DESCRIPTION, name);
    answers.push((await model.classify({ ids: [2, 9, 30, 3] })).logits);
    assert.equal(answers[answers.length - 1], answers[0], name);
    if (words) assert.is((await model.classify('good film')).tokens, 4, name);
    else await refuses(model.classify('good film'), 'TOKENIZER_MISSING');
  }
});

test('what a folder lacks is named', async () => {
  await refuses(open(await filled('empty', {})), 'IO', 'model.safetensors', 'pytorch_model.bin');
  await refuses(open(await filled('bare', { 'pytorch_model.bin': BYTES })), 'DESCRIPTION', 'config.json', 'config');
  await refuses(open(BYTES), 'DESCRIPTION', 'config.json');
  await refuses(open(join(folder, 'nothing')), 'IO', 'nothing');
  const broken = await filled('broken', { 'pytorch_model.bin': BYTES, 'config.json': '{"hidden_size": 40' });
  await refuses(open(broken), 'DESCRIPTION', 'not JSON');
  const large = await filled('large', { 'pytorch_model.bin': BYTES, 'config.json': ' '.repeat(2 << 20) });
  await refuses(open(large), 'IO', '1048576');
  const words = await filled('words', { 'pytorch_model.bin': BYTES, 'config.json': CONFIG, 'vocab.txt': 'a\nb\n' });
  await refuses(open(words), 'TOKENIZER', 'vocab.txt');
});

/** A web server of these files; everything else is missing. */
function server(files: Readonly<Record<string, string | Uint8Array>>): typeof fetch {
  return ((url: string, init: RequestInit) => {
    const name = new URL(url).pathname.slice('/model/'.length);
    if (!Object.hasOwn(files, name)) return Promise.resolve(new Response('none', { status: 404 }));
    const data = files[name];
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
    const [from, to] = /bytes=(\d+)-(\d*)/.exec(new Headers(init.headers).get('range')!)!.slice(1).map((n) =>
      n === '' ? Infinity : Number(n)
    );
    const part = bytes.slice(from, to + 1);
    const headers = { 'content-range': `bytes ${from}-${from + part.length - 1}/${bytes.length}`, etag: name };
    return Promise.resolve(new Response(part, { status: 206, headers }));
  }) as typeof fetch;
}

test('a folder on a web server', async () => {
  const files = { 'pytorch_model.bin': BYTES, 'config.json': CONFIG, 'vocab.txt': VOCAB };
  for (const url of ['https://example.org/model/', 'https://example.org/model/pytorch_model.bin?download=true']) {
    using model = await open(url, { fetch: server(files) });
    assert.equal({ ...model.describe() }, DESCRIPTION);
    assert.is((await model.classify('good film')).tokens, 4);
  }
  await refuses(open('https://example.org/model/', { fetch: server({}) }), 'HTTP', 'folder', 'pytorch_model.bin');
  const lonely = { 'pytorch_model.bin': BYTES };
  await refuses(open('https://example.org/model/', { fetch: server(lonely) }), 'DESCRIPTION', 'config.json');
  const down = (() => Promise.reject(new TypeError('unreachable'))) as typeof fetch;
  await refuses(open('https://example.org/model/', { fetch: down, retries: 0 }), 'HTTP', 'unreachable');
  const source = await resolveSource('https://example.org/model/pytorch_model.bin', { fetch: server(lonely) });
  assert.is(await source.beside?.('config.json', 10), null);
});

test('numbers of a configuration are held to their ranges', async () => {
  const bad = (change: object, code: ErrorCode, ...words: string[]): Promise<unknown> =>
    refuses(open(BYTES, { config: { ...SMALL, ...change } }), code, ...words);
  await bad({ hidden_size: 41 }, 'DESCRIPTION', '41', '2 heads');
  await bad({ num_attention_heads: 3 }, 'DESCRIPTION', '40', '3 heads');
  await bad({ num_attention_heads: undefined }, 'DESCRIPTION', 'num_attention_heads', 'missing');
  await bad({ hidden_size: '40' }, 'DESCRIPTION', 'hidden_size');
  await bad({ num_hidden_layers: 0 }, 'DESCRIPTION', 'num_hidden_layers', '1 … 1024');
  await bad({ num_hidden_layers: 2 ** 31 }, 'DESCRIPTION', 'num_hidden_layers');
  await bad({ t_conv: 0 }, 'DESCRIPTION', 't_conv', '1 … 10000');
  await bad({ t_conv: 10_001 }, 'DESCRIPTION', 't_conv', '10001');
  await bad({ v_th: 0 }, 'DESCRIPTION', 'v_th');
  await bad({ leaky: 1.5 }, 'DESCRIPTION', 'leaky', '0 … 1');
  await bad({ v_init: 2e6 }, 'DESCRIPTION', 'v_init', '-1000000 … 1000000');
  await bad({ hidden_act: 'relu' }, 'DESCRIPTION', 'hidden_act', 'relu', 'gelu');
  await bad({ labels: 'good' }, 'DESCRIPTION_MISMATCH', 'labels');
  await bad({ num_hidden_layers: 1 }, 'DESCRIPTION_MISMATCH', 'network_s7', '1 layers');
  await bad({ num_hidden_layers: 3 }, 'DESCRIPTION_TENSORS', 'network_s13');
  await bad({ intermediate_size: 80 }, 'DESCRIPTION_MISMATCH', 'network_s5.dense.weight', '72 × 40', '80 × 40');
  await bad({ vocab_size: 61 }, 'DESCRIPTION_MISMATCH', 'word_embeddings', '60 × 40', '61 × 40');
  await refuses(open(BYTES, { config: '[1, 2]' }), 'DESCRIPTION', 'not a JSON object');
  await refuses(
    open(BYTES, { config: { a: Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [i, i])) } }),
    'DESCRIPTION',
    '10000 entries',
  );
  using defaults = await open(BYTES, {
    config: { ...SMALL, t_conv: undefined, v_th: undefined, leaky: undefined, type_vocab_size: undefined },
  });
  const { steps, threshold, leak, initial, segments } = defaults.describe() as SpikingBertDescription;
  assert.equal([steps, threshold, leak, initial, segments], [100, 1, 1, 0, 2]);
  using half = await open(BYTES, { config: { ...SMALL, v_init: 0.5 } });
  assert.is((half.describe() as SpikingBertDescription).initial, 0.5);
});

// case: P12
test('tensors that are missing, too many or of another kind', async () => {
  const without = (...names: string[]): Weights => new Map([...WEIGHTS].filter(([name]) => !names.includes(name)));
  const bad = (bytes: Uint8Array, code: ErrorCode, ...words: string[]): Promise<unknown> =>
    refuses(open(bytes, { config: SMALL }), code, ...words);
  await bad(checkpointBytes(without('network_s3.query.bias')), 'DESCRIPTION_TENSORS', 'missing: network_s3.query.bias');
  const heads = ['classification.weight', 'classification.bias'];
  await bad(checkpointBytes(without(...heads)), 'DESCRIPTION_TENSORS', 'general distillation', 'classifier');
  await bad(checkpointBytes(without('classification.bias')), 'DESCRIPTION_TENSORS', 'classification.bias');
  await bad(checkpointBytes(WEIGHTS, { 'network_s4.gate.weight': [2, 2] }), 'DESCRIPTION_TENSORS', 'network_s4.gate');
  const flat: Weights = new Map(WEIGHTS);
  flat.set('network_s1.dense.weight', { shape: [1600], data: WEIGHTS.get('network_s1.dense.weight')!.data });
  await bad(checkpointBytes(flat), 'DESCRIPTION_MISMATCH', 'network_s1.dense.weight', '1600', '40 × 40');
  const infinite: Weights = new Map(WEIGHTS);
  infinite.set('network_s6.LayerNorm.bias', { shape: [40], data: new Float32Array(40).fill(NaN) });
  await bad(checkpointBytes(infinite), 'WEIGHT_NOT_FINITE', 'network_s6.LayerNorm.bias');
  // the feedback network, which inference does not have, is one of the known parts
  using model = await open(checkpointBytes(WEIGHTS, { 'network_s13.fc.weight': [40, 40] }), { config: SMALL });
  assert.is(model.describe().parameters, DESCRIPTION.parameters);
});

test('the vocabulary is as large as the table of tokens', async () => {
  const words = (n: number): Uint8Array =>
    new TextEncoder().encode([...VOCABULARY, ...Array.from({ length: 9 }, (_, i) => `w${i}`)].slice(0, n).join('\n'));
  for (const n of [59, 61]) {
    const work = open(BYTES, { config: SMALL, tokenizer: words(n) });
    await refuses(work, 'DESCRIPTION_MISMATCH', `${n} tokens`, '60 rows');
  }
});

test('the plan counts what is read, once, and is kept', async () => {
  const container = await openModelContainer(memorySource(BYTES), { config: SMALL });
  assert.ok(container.tensors.size > 2.5 * WEIGHTS.size, 'aliases are listed');
  const plan = planModel(container, describe(container), {
    context: 24,
    kv: 'f16',
    threads: 1,
    maxBytes: 2 ** 32,
    base: 0,
  });
  const least = 4 * DESCRIPTION.parameters;
  assert.ok(plan.weightsBytes >= least && plan.weightsBytes < 1.3 * least, `${plan.weightsBytes} of ${least}`);
  using model = await open(BYTES, { config: SMALL });
  assert.is(model.plan.weightsBytes, plan.weightsBytes);
  // a text as long as the model, with as many steps as the model says, finds what was planned
  const before = model.stats().memoryBytes;
  await model.classify({ ids: Array.from({ length: 24 }, () => 2) });
  assert.is(model.stats().memoryBytes, before);
  await refuses(open(BYTES, { config: SMALL, maxMemoryBytes: 100_000 }), 'MEMORY_LIMIT', 'weights', 'tokens', '100000');
});

// ---- GGUF ----

const { module } = await builtinModule('base');

interface Parts {
  metadata: MetaEntry[];
  tensors: (BuiltTensor & { data: Uint8Array })[];
}

/** The parts of a converted model. */
async function gguf(type: 'tq2_0' | 'q1_0' | 'i8'): Promise<Parts> {
  const chunks: Uint8Array[] = [];
  const sink = { write: (part: Uint8Array): Promise<void> => Promise.resolve(void chunks.push(part.slice())) };
  await convertModel(module, memorySource(BYTES), sink, { type, config: SMALL });
  const bytes = new Uint8Array(Buffer.concat(chunks));
  const { metadata, metadataTypes, tensors } = await readGguf(memorySource(bytes));
  return {
    metadata: [...metadata].map(([key, value]): MetaEntry => [key, metadataTypes.get(key)!, value]),
    tensors: [...tensors.values()].map(({ name, type, shape, offset, byteLength }) => ({
      name,
      type: type as TensorType,
      shape,
      data: bytes.slice(offset, offset + byteLength),
    })),
  };
}

test('GGUF files of codes whose parts do not fit are refused', async () => {
  for (const type of ['tq2_0', 'q1_0', 'i8'] as const) {
    const whole = await gguf(type);
    const bad = async (change: (parts: Parts) => void, code: ErrorCode, ...words: string[]): Promise<void> => {
      const parts: Parts = { metadata: [...whole.metadata], tensors: whole.tensors.map((tensor) => ({ ...tensor })) };
      change(parts);
      await refuses(open(ggufBytes(parts)), code, ...words);
    };
    using model = await open(ggufBytes(whole));
    assert.equal({ ...model.describe() }, DESCRIPTION);
    const at = ({ tensors }: Parts, name: string): Parts['tensors'][number] => tensors.find((t) => t.name === name)!;
    const [matrix, scale] = ['network_s5.dense.weight', 'network_s5.dense.scale'];

    await bad(
      (parts) => at(parts, scale).data = new Uint8Array(new Float32Array(72).fill(NaN).buffer),
      'WEIGHT_NOT_FINITE',
      scale,
    );
    await bad(
      (parts) => Object.assign(at(parts, scale), { shape: [71], data: new Uint8Array(284) }),
      'TENSOR_TYPE',
      scale,
    );
    const without = whole.tensors.filter(({ name }) => name !== scale);
    if (type === 'i8') await bad((parts) => parts.tensors = without, 'TENSOR_TYPE', scale, 'missing');
    else {
      // without a vector of scales beside them, those of the blocks count, which are all 1
      using bare = await open(ggufBytes({ ...whole, tensors: without }));
      assert.is((await bare.classify({ ids: [2, 3] })).tokens, 2);
      const entry = at(whole, matrix);
      const cols = entry.shape[1];
      await bad(
        (parts) =>
          Object.assign(at(parts, matrix), { shape: [72, 2 * cols], data: new Uint8Array(2 * entry.data.length) }),
        'DESCRIPTION_MISMATCH',
        matrix,
        `72 × ${2 * cols}`,
      );
    }
    await bad(
      (parts) => parts.tensors.push({ name: 'blk.0.attn_q.weight', type: 'F32', shape: [4], data: new Uint8Array(16) }),
      'DESCRIPTION_TENSORS',
      'unexpected: blk.0.attn_q.weight',
    );
    await bad(
      (parts) => at(parts, 'classification.weight').name = 'output.weight',
      'DESCRIPTION_TENSORS',
      'classification',
    );
    const entry = (key: string, value: MetadataValue) => ({ metadata }: Parts): void => {
      const i = metadata.findIndex(([name]) => name === `spikingbert.${key}`);
      metadata[i] = [metadata[i][0], metadata[i][1], value];
    };
    await bad(entry('embedding_length', 48), 'DESCRIPTION_MISMATCH', 'word_embeddings', '60 × 48');
    await bad(entry('time_steps', 0), 'DESCRIPTION', 'spikingbert.time_steps');
    await bad(entry('spike_threshold', -1), 'DESCRIPTION', 'spikingbert.spike_threshold');
    await bad(entry('leak_factor', NaN), 'DESCRIPTION', 'spikingbert.leak_factor');
    await bad(entry('classifier.output_labels', ['yes']), 'DESCRIPTION_MISMATCH', '1 names');
    await bad(entry('attention.head_count', 7), 'DESCRIPTION', '7 heads');
    await bad(
      (parts) => parts.metadata = parts.metadata.filter(([key]) => key !== 'spikingbert.embedding_length'),
      'DESCRIPTION',
      'embedding_length',
      'missing',
    );
  }
});

test('blocks of one row with several scales are refused where spikes go in, and so are codes of no trit', async () => {
  const wide = { ...SMALL, hidden_size: 512, num_attention_heads: 4, num_hidden_layers: 1 };
  const weights = randomWeights(wide);
  const chunks: Uint8Array[] = [];
  const sink = { write: (part: Uint8Array): Promise<void> => Promise.resolve(void chunks.push(part.slice())) };
  await convertModel(module, memorySource(checkpointBytes(weights)), sink, { type: 'tq2_0', config: wide });
  const bytes = new Uint8Array(Buffer.concat(chunks));
  using model = await open(bytes);
  assert.is((await model.classify({ ids: [2, 3] }, { steps: 2 })).tokens, 2);
  const { tensors } = await readGguf(memorySource(bytes));
  const { offset } = tensors.get('network_s2.dense.weight')!;
  const view = new DataView(bytes.buffer);
  const one = view.getUint16(offset + 3 * 132 + 64, true);
  view.setUint16(offset + 3 * 132 + 64, 0x4000, true); // the first block of row 3: 2 instead of 1
  await refuses(open(bytes), 'TENSOR_TYPE', 'network_s2.dense.weight', 'row 3', 'several scales');
  view.setUint16(offset + 3 * 132 + 64, one, true);
  bytes[offset + 5 * 132] = 0xff;
  await refuses(open(bytes), 'TERNARY_CODE', 'network_s2.dense.weight', 'row 5');
});
test.run();
