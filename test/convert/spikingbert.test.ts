/**
 * Spiking BERTs in other containers and types: the conformance cases through GGUF and safetensors without a spike of
 * difference, the formulas of every type against plain ones, and runs of converted models against f32 runs on the weights
 * that their files stand for.
 */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { openContainer } from '../../src/container/open.ts';
import type { Container } from '../../src/container/tensor.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { type Classification, open, type OpenOptions, type SpikingBertDescription } from '../../src/entries/index.ts';
import { builtinModule } from '../../src/wasm/builtin.ts';
import { convertModel } from '../../src/model/convert.ts';
import type { ConvertOptions, ConvertResult } from '../../src/convert/types.ts';
import { encodeQ8, f16, f16Bits, roundEven, unpackQ8 } from '../reference.ts';
import { refuses } from '../refusal.ts';
import { json, shared, sharedTest } from '../shared.ts';
import {
  caseFile,
  CASES,
  checkpointBytes,
  isLinear,
  randomWeights,
  safetensorsOf,
  SMALL,
  spikingCase,
  usedWeights,
  type Weights,
} from '../spikingbert-files.ts';

const { module } = await builtinModule('base');
const test = suite('convert spiking BERT');
const fround = Math.fround;

interface Converted {
  readonly bytes: Uint8Array;
  readonly container: Container;
  readonly result: ConvertResult;
}

async function convert(source: Uint8Array, options: ConvertOptions): Promise<Converted> {
  const chunks: Uint8Array[] = [];
  const write = async (part: Uint8Array): Promise<void> => void chunks.push(part.slice());
  const result = await convertModel(module, memorySource(source), { write }, options);
  const bytes = new Uint8Array(Buffer.concat(chunks));
  return { bytes, container: await openContainer(memorySource(bytes)), result };
}

// ---- conformance ----

/** Configuration of a case, with the numbers of its run. */
function configOf(name: string): Record<string, unknown> {
  const { t_conv, v_th, leaky } = spikingCase(name);
  return { ...json<object>(shared(caseFile(name, 'config.json')) as string), t_conv, v_th, leaky };
}

async function equalsCase(bytes: Uint8Array, name: string, options: OpenOptions = {}): Promise<void> {
  const expected = spikingCase(name);
  const { input_ids: ids, token_type_ids: typeIds, attention_mask: mask } = expected;
  using model = await open(bytes, options);
  const { spikeCounts, logits } = await model.classify({ ids, typeIds, mask }, { counts: true });
  spikeCounts!.forEach((counts, j) => {
    const wanted = expected.spike_counts[j].flat();
    const other = wanted.filter((count, i) => count !== counts[i]).length;
    assert.is(other, 0, `${name}, layer ${j}: ${other} of ${wanted.length} spike counts differ`);
  });
  logits.forEach((logit, i) => assert.ok(Math.abs(logit - expected.logits[i]) <= 1e-5, `logit ${i} is ${logit}`));
}

const EXACT: Readonly<Record<string, readonly ConvertOptions['type'][]>> = {
  'float-t16': ['f32'],
  'ternary-t16': ['f32', 'tq2_0', 'tq1_0', 'i8'],
  'ternary-leaky-t12': ['f32', 'tq2_0', 'tq1_0', 'i8'],
  'binary-t8': ['f32', 'q1_0', 'tq2_0', 'tq1_0', 'i8'],
};

for (const name of CASES) {
  sharedTest(
    test,
    `${name} through GGUF: not a spike of difference`,
    caseFile(name, 'pytorch_model.bin'),
    async (file) => {
      const source = new Uint8Array(readFileSync(file));
      const config = configOf(name);
      for (const type of EXACT[name]) {
        const { bytes, result, container } = await convert(source, { type, config });
        assert.ok(result.tensors.every(({ maxError }) => maxError === 0), `${type}: weights moved`);
        assert.is(container.metadata.get('general.architecture'), 'spikingbert');
        await equalsCase(bytes, name);
        // and on to the next type that holds them
        const next = EXACT[name][(EXACT[name].indexOf(type) + 1) % EXACT[name].length];
        const again = await convert(bytes, { type: next });
        assert.ok(again.result.tensors.every(({ maxError }) => maxError === 0), `${type} to ${next}: weights moved`);
        await equalsCase(again.bytes, name);
      }
    },
  );

  sharedTest(test, `${name} as safetensors`, caseFile(name, 'pytorch_model.bin'), async (file) => {
    const all = await usedWeights(new Uint8Array(readFileSync(file)));
    await equalsCase(safetensorsOf(all), name, { config: configOf(name) });
  });
}

// ---- a random model of odd widths ----

const ORIGINAL = randomWeights();
const SOURCE = checkpointBytes(ORIGINAL);
const IDS = Array.from({ length: 20 }, (_, i) => (i * 17 + 3) % SMALL.vocab_size);
const TYPE_IDS = IDS.map((_, i) => (i < 12 ? 0 : 1));

async function run(bytes: Uint8Array, options: OpenOptions = {}): Promise<Classification> {
  using model = await open(bytes, options);
  return await model.classify({ ids: IDS, typeIds: TYPE_IDS }, { counts: true });
}

/** Not one spike differs. */
function sameSpikes(a: Classification, b: Classification, what: string): void {
  a.spikeCounts!.forEach((counts, j) => {
    const other = counts.filter((count, i) => count !== b.spikeCounts![j][i]).length;
    assert.is(other, 0, `${what}, layer ${j}: ${other} of ${counts.length} spike counts differ`);
  });
  assert.equal(a.logits, b.logits, what);
}

/** What a matrix becomes. */
type Formula = (w: Float32Array, cols: number) => Float32Array;

const mean = (w: Float32Array, of: (x: number) => number): number => w.reduce((sum, x) => sum + of(x), 0) / w.length;
const perRow = (formula: Formula): Formula => (w, cols) => {
  const out = new Float32Array(w.length);
  for (let at = 0; at < w.length; at += cols) out.set(formula(w.subarray(at, at + cols), cols), at);
  return out;
};
const trits = (factor: number): Formula => (w) => {
  const s = fround(factor * mean(w, Math.abs));
  return w.map((x) => s * Math.max(-1, Math.min(1, roundEven(x / s))));
};
const bits: Formula = (w) => {
  const [beta, middle] = [fround(mean(w, Math.abs)), mean(w, (x) => x)];
  return w.map((x) => (x >= middle ? beta : -beta));
};
const int8: Formula = perRow((w) => {
  const s = fround(w.reduce((most, x) => Math.max(most, Math.abs(x)), 0) / 127);
  return w.map((x) => s * roundEven(x / s));
});
const half: Formula = (w) => w.map((x) => f16(f16Bits(x)));
/** int8 in blocks of 32 with f16 scales; rows begin new blocks. */
const q8: Formula = perRow((w) => {
  const row = new Float32Array(Math.ceil(w.length / 32) * 32);
  row.set(w);
  const { codes, scales } = unpackQ8(encodeQ8(row).bytes);
  return w.map((_, i) => f16(scales[i >> 5]) * codes[i]);
});

const LINEAR: Readonly<Record<string, [Partial<ConvertOptions> & Pick<ConvertOptions, 'type'>, Formula]>> = {
  'f16': [{ type: 'f16', embedding: 'f32' }, half],
  'i8': [{ type: 'i8' }, int8],
  'q8_0': [{ type: 'q8_0' }, q8],
  'tq2_0': [{ type: 'tq2_0' }, trits(1)],
  'tq1_0 by rows': [{ type: 'tq1_0', scale: 'row' }, perRow(trits(1))],
  'tq2_0 as SpikeLM': [{ type: 'tq2_0', ternary: 'spikelm' }, trits(4 / 3)],
  'tq1_0 as SpikeLM by rows': [{ type: 'tq1_0', ternary: 'spikelm', scale: 'row' }, perRow(trits(4 / 3))],
  'q1_0': [{ type: 'q1_0' }, bits],
  'q1_0 by rows': [{ type: 'q1_0', scale: 'row' }, perRow(bits)],
};

for (const [name, [options, formula]] of Object.entries(LINEAR)) {
  test(`${name} stands for its formula, and runs as f32 does on those weights`, async () => {
    const { bytes, result } = await convert(SOURCE, { ...options, config: SMALL });
    const meant: Weights = new Map();
    for (const [key, { shape, data }] of ORIGINAL) {
      meant.set(key, { shape, data: isLinear(key) ? formula(data, shape[1]) : data });
    }
    for (const { name: key, maxError, rmsError } of result.tensors) {
      const [before, after] = [ORIGINAL.get(key)!.data, meant.get(key)!.data];
      const worst = before.reduce((most, w, i) => Math.max(most, Math.abs(w - after[i])), 0);
      assert.ok(
        Math.abs(maxError - worst) < 1e-6 && (worst > 0) === isLinear(key),
        `${key}: ${maxError}, not ${worst}`,
      );
      assert.ok(rmsError <= maxError);
    }
    const packed = await run(bytes);
    sameSpikes(packed, await run(checkpointBytes(meant), { config: SMALL }), name);
    const active = packed.firingRates.filter((rate) => rate > 0.01 && rate < 0.99).length;
    assert.ok(active > 8, 'the model is dead or always on');
    // a second conversion to the same type copies
    const again = await convert(bytes, { ...options });
    assert.ok(again.result.tensors.every(({ maxError }) => maxError === 0));
    assert.equal(again.bytes, bytes);
    // and to f32 writes what the types stand for
    sameSpikes(await run((await convert(bytes, { type: 'f32' })).bytes), packed, 'as f32');
  });
}

const TABLES: Readonly<Record<string, [ConvertOptions['embedding'], Formula]>> = {
  f16: ['f16', half],
  i8: ['i8', int8],
  q8_0: ['q8_0', q8],
  tq2_0: ['tq2_0', perRow(trits(1))],
  tq1_0: ['tq1_0', perRow(trits(1))],
};

for (const [name, [embedding, formula]] of Object.entries(TABLES)) {
  test(`tables of tokens and positions as ${name}`, async () => {
    const { bytes, container } = await convert(SOURCE, { type: 'f32', embedding, config: SMALL });
    const meant: Weights = new Map();
    for (const [key, { shape, data }] of ORIGINAL) {
      const table = /^network_x\.(word|position)_/.test(key);
      assert.is(container.tensors.get(key)!.type, table ? name.toUpperCase() : 'F32');
      meant.set(key, { shape, data: table ? formula(data, shape[1]) : data });
    }
    sameSpikes(await run(bytes), await run(checkpointBytes(meant), { config: SMALL }), name);
    sameSpikes(await run((await convert(bytes, { type: 'f32' })).bytes), await run(bytes), 'as f32');
  });
}

test('matrices that are ternary by rows, with scales of their own, are kept, zeros and all', async () => {
  const all: Weights = new Map(ORIGINAL);
  for (const [key, { shape, data }] of ORIGINAL) {
    if (!isLinear(key)) continue;
    const rounded = perRow(trits(1))(data, shape[1]);
    rounded.fill(0, 0, shape[1]); // a row that feels nothing
    all.set(key, { shape, data: rounded });
  }
  const source = checkpointBytes(all);
  const expected = await run(source, { config: SMALL });
  for (const type of ['tq2_0', 'tq1_0', 'i8'] as const) {
    const { bytes, result } = await convert(source, { type, config: SMALL });
    assert.ok(result.tensors.every(({ maxError }) => maxError === 0), type);
    sameSpikes(await run(bytes), expected, type);
  }
  // a zero has no sign
  const { result } = await convert(source, { type: 'q1_0', config: SMALL });
  assert.ok(result.tensors.some(({ maxError }) => maxError > 0));
});

test('numbers of a run, labels and task travel in the file', async () => {
  const { bytes } = await convert(SOURCE, {
    type: 'tq2_0',
    config: { ...SMALL, id2label: { 0: 'bad', 1: 'good' }, finetuning_task: 'SST2' },
  });
  using model = await open(bytes);
  const { steps, threshold, leak, labels, task, classes } = model.describe() as SpikingBertDescription;
  assert.equal({ steps, threshold, leak, labels, task, classes }, {
    steps: 10,
    threshold: 0.8,
    leak: 0.95,
    labels: ['bad', 'good'],
    task: 'sst-2',
    classes: 2,
  });
  const numbers = { steps: 3, threshold: 1.25, leak: 1, initial: 0.625, labels: ['no', 'yes'], task: 'rte' };
  using other = await open((await convert(bytes, { type: 'tq2_0', classifier: numbers })).bytes);
  assert.equal({ ...other.describe() }, { ...model.describe(), ...numbers });
  // a file says nothing of a number that is 0, as files of earlier versions
  const says = async (bytes: Uint8Array): Promise<boolean> =>
    (await openContainer(memorySource(bytes))).metadata.has('spikingbert.initial_membrane');
  assert.equal([await says(bytes), await says((await convert(bytes, { type: 'f32', classifier: numbers })).bytes)], [
    false,
    true,
  ]);
  await refuses(convert(bytes, { type: 'f32', classifier: { steps: 0 } }), 'DESCRIPTION', 'time_steps', '1 … 10000');
  await refuses(convert(bytes, { type: 'f32', classifier: { labels: ['one'] } }), 'DESCRIPTION_MISMATCH', '1 names');
});

test('what cannot be converted is refused before a byte is written', async () => {
  const bad = (options: object, code: ErrorCode, ...texts: string[]): Promise<unknown> =>
    refuses(convert(SOURCE, { type: 'tq2_0', config: SMALL, ...options } as ConvertOptions), code, ...texts);
  await bad({ head: 'f32' }, 'OPTION', 'head');
  await bad({ embedding: 'q1_0' }, 'OPTION', 'embedding', 'tq2_0');
  await bad({ scale: 'block' }, 'OPTION', 'scale');
  await bad({ ternary: 'best' }, 'OPTION', 'ternary');
  await bad({ config: undefined }, 'DESCRIPTION', 'config.json');
  const tokens = { type: 'string[]' as const, value: ['a', 'b'] };
  await bad({ metadata: new Map([['tokenizer.ggml.tokens', tokens]]) }, 'DESCRIPTION_MISMATCH', '2 tokens');
  const infinite: Weights = new Map(ORIGINAL);
  infinite.set('network_s5.dense.weight', { shape: [72, 40], data: new Float32Array(2880).fill(Infinity) });
  await refuses(
    convert(checkpointBytes(infinite), { type: 'tq2_0', config: SMALL }),
    'WEIGHT_NOT_FINITE',
    'network_s5.dense.weight',
  );
});
test.run();
