/**
 * SymbolicLight in other containers and types: lossless round trips, the formulas of every type against plain ones, and
 * runs of converted models against f32 runs on the weights that their files stand for.
 */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { openContainer } from '../../src/container/open.ts';
import type { Container } from '../../src/container/tensor.ts';
import { open, type OpenOptions } from '../../src/entries/index.ts';
import { builtinModule } from '../../src/wasm/builtin.ts';
import { convertModel } from '../../src/model/convert.ts';
import type { ConvertOptions, ConvertResult } from '../../src/convert/types.ts';
import { type BuiltTensor, ggufBytes, type MetaEntry } from '../builders.ts';
import { builds, sameBits } from '../kernels/harness.ts';
import { argmax } from '../models.ts';
import { f16, f16Bits, roundEven, unpackQ1, unpackQ8, unpackTq1, unpackTq2 } from '../reference.ts';
import { refuses } from '../refusal.ts';
import { sharedTest } from '../shared.ts';
import {
  checkpointBytes,
  checkpointSafetensors,
  EMBEDDING,
  randomWeights,
  SMALL,
  type Weights,
} from '../symboliclight-files.ts';

const { module } = await builtinModule('base');
const test = suite('convert SymbolicLight');
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

// ---- a model whose rows are whole blocks of every type ----

const CONFIG = SMALL;

const ORIGINAL = randomWeights(CONFIG);
const checkpoint = (values: Weights): Uint8Array => checkpointBytes(CONFIG, values);
const safetensors = (values: Weights): Uint8Array => checkpointSafetensors(CONFIG, values);
const SOURCE = checkpoint(ORIGINAL);

/** The same model is converted once for all tests. */
const MADE = new Map<string, Promise<Converted>>();
function converted(options: ConvertOptions): Promise<Converted> {
  const key = JSON.stringify(options);
  const made = MADE.get(key) ?? convert(SOURCE, options);
  MADE.set(key, made);
  return made;
}

const IDS = Array.from({ length: 48 }, (_, i) => (i * 97 + 13) % CONFIG.vocab_size);

async function logits(bytes: Uint8Array, options: OpenOptions = {}): Promise<Float32Array[]> {
  using model = await open(bytes, options);
  return await model.logits(IDS);
}

const worst = (a: readonly Float32Array[], b: readonly Float32Array[]): number =>
  a.reduce((most, row, t) => row.reduce((m, value, i) => Math.max(m, Math.abs(value - b[t][i])), most), 0);

// ---- plain formulas ----

/** What a matrix becomes, row by row. */
type Formula = (w: Float32Array, cols: number) => Float32Array;

function rows(w: Float32Array, cols: number, of: (row: Float32Array) => Float32Array): Float32Array {
  const out = new Float32Array(w.length);
  for (let at = 0; at < w.length; at += cols) out.set(of(w.subarray(at, at + cols)), at);
  return out;
}
const mean = (w: Float32Array, of: (x: number) => number): number => w.reduce((sum, x) => sum + of(x), 0) / w.length;
const half = (x: number): number => f16(f16Bits(x));

const int8: Formula = (w, cols) =>
  rows(w, cols, (row) => {
    const scale = fround(row.reduce((m, x) => Math.max(m, Math.abs(x)), 0) / 127);
    return row.map((x) => scale * roundEven(x / scale));
  });
const ternary = (w: Float32Array): Float32Array => {
  const gamma = half(mean(w, Math.abs));
  return w.map((x) => gamma * Math.max(-1, Math.min(1, roundEven(x / gamma))));
};
const binary = (w: Float32Array): Float32Array => {
  const [beta, middle] = [half(mean(w, Math.abs)), mean(w, (x) => x)];
  return w.map((x) => (x >= middle ? beta : -beta));
};

/** Values of a Q8_0 tensor as its file has them. */
function q8(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const scales = Array.from({ length: bytes.length / 34 }, (_, block) => f16(view.getUint16(block * 34, true)));
  return Float32Array.from({ length: 32 * scales.length }, (_, i) => {
    const block = Math.floor(i / 32);
    return scales[block] * view.getInt8(block * 34 + 2 + (i % 32));
  });
}

const FORMULAS: Record<string, Formula> = {
  F32: (w) => w,
  F16: (w) => w.map(half),
  I8: int8,
  TQ2_0: ternary,
  TQ1_0: ternary,
  Q1_0: binary,
};

/** The weights that a converted file stands for. */
function meant({ bytes, container }: Converted, formulas = FORMULAS): Weights {
  const values: Weights = new Map();
  for (const [name, { shape, data }] of ORIGINAL) {
    const { type, offset, byteLength } = container.tensors.get(name)!;
    const cols = shape[1] ?? 1;
    const to = type === 'Q8_0' ? q8(bytes.slice(offset, offset + byteLength)) : formulas[type](data, cols);
    values.set(name, { shape, data: to });
  }
  return values;
}

/** Share of positions whose best token is the same. */
const agreement = (a: readonly Float32Array[], b: readonly Float32Array[]): number =>
  a.filter((row, t) => argmax(row) === argmax(b[t])).length / a.length;

// ---- containers ----

for (const name of ['0.8b-small', '194m-small', '0.8b-odd', '0.8b-decay-only']) {
  sharedTest(
    test,
    `${name} as f32 GGUF gives the same logits, bit for bit`,
    `conformance/symboliclight/${name}/checkpoint.pt`,
    async (file) => {
      const bytes = new Uint8Array(readFileSync(file));
      const { bytes: gguf, result } = await convert(bytes, { type: 'f32' });
      using a = await open(bytes);
      using b = await open(gguf);
      assert.equal({ ...b.describe(), name: '' }, { ...a.describe(), name: '' });
      const ids = Array.from({ length: 60 }, (_, i) => (i * 37 + 11) % a.describe().vocab);
      const expected = await a.logits(ids);
      (await b.logits(ids)).forEach((row, t) => sameBits(row, expected[t], `position ${t}`));
      assert.ok(result.tensors.every(({ maxError, rmsError }) => maxError === 0 && rmsError === 0));
      // odd widths have no whole blocks, and become int8 by row
      for (const type of ['tq1_0', 'q8_0'] as const) {
        using c = await open((await convert(bytes, { type })).bytes);
        assert.ok((await c.logits(ids)).every((row) => row.every(Number.isFinite)));
      }
    },
  );
}

test('a checkpoint, its safetensors and its GGUF give the same logits, bit for bit', async () => {
  const expected = await logits(SOURCE);
  const forms = [
    safetensors(ORIGINAL),
    (await converted({ type: 'f32' })).bytes,
    (await convert(safetensors(ORIGINAL), { type: 'f32' })).bytes,
  ];
  for (const bytes of forms) (await logits(bytes)).forEach((row, t) => sameBits(row, expected[t], `position ${t}`));
});

test('a GGUF of floats is converted again, with what it carried', async () => {
  const entry = { type: 'string', value: 'kept' } as const;
  const first = await convert(SOURCE, { type: 'f32', metadata: new Map([['general.name', entry]]) });
  const again = await convert(first.bytes, { type: 'tq2_0' });
  assert.is(again.container.metadata.get('general.name'), 'kept');
  assert.equal([...again.container.tensors.keys()], [...first.container.tensors.keys()]);
  const direct = await converted({ type: 'tq2_0' });
  const expected = await logits(direct.bytes);
  (await logits(again.bytes)).forEach((row, t) => sameBits(row, expected[t]));
});

/** Every matrix of a file, as it is stored. */
const matrices = ({ bytes, container }: Converted): Map<string, Uint8Array> =>
  new Map(
    [...container.tensors.values()].map(({ name, offset, byteLength }) => [
      name,
      bytes.slice(offset, offset + byteLength),
    ]),
  );

test('an I8 file is converted onward as the weights that it stands for', async () => {
  const int8File = await converted({ type: 'i8' });
  const weights = checkpoint(meant(int8File));
  for (const type of ['f32', 'f16', 'q8_0', 'tq2_0', 'tq1_0', 'q1_0'] as const) {
    const onward = await convert(int8File.bytes, { type });
    assert.equal(matrices(onward), matrices(await convert(weights, { type })), type);
    const { from, maxError } = onward.result.tensors.find(({ name }) => name === 'blocks.0.ffn.up.weight')!;
    assert.is(from, 'I8');
    assert.is(maxError > 0, type !== 'f32');
  }
});

test('what has its type already is copied, and ternary types become each other without loss', async () => {
  for (const type of ['i8', 'q8_0', 'tq2_0', 'q1_0'] as const) {
    const once = await converted({ type, scale: 'row' });
    const again = await convert(once.bytes, { type });
    assert.equal(matrices(again), matrices(once), type);
    assert.ok(again.result.tensors.every(({ maxError }) => maxError === 0));
  }
  const two = await converted({ type: 'tq2_0', scale: 'row' });
  const one = await convert(two.bytes, { type: 'tq1_0' });
  assert.is(one.container.tensors.get('blocks.0.ffn.down.weight')!.type, 'TQ1_0');
  assert.ok(one.result.tensors.every(({ maxError }) => maxError === 0));
  assert.equal(matrices(await convert(one.bytes, { type: 'tq2_0' })), matrices(two));
});

// ---- types ----

const EXACT = [['f16', 1e-3], ['i8', 1e-3], ['q8_0', 1e-3]] as const;
for (const [type, bound] of EXACT) {
  let expected: Float32Array[] = [];
  for (const build of builds) {
    test(`${type} (${build}) equals an f32 run on its weights, within what its activations are rounded to`, async () => {
      const file = await converted({ type });
      if (expected.length === 0) expected = await logits(checkpoint(meant(file)));
      const exact = await logits(file.bytes, { build, activations: 'f32' });
      assert.ok(worst(exact, expected) <= bound, `${worst(exact, expected)}`);
      assert.is(agreement(exact, expected), 1);
      const fine = await logits(file.bytes, { build });
      const coarse = await logits(file.bytes, { build, activations: 'int8' });
      const share = (rows: readonly Float32Array[]): string => `${(100 * agreement(rows, expected)).toFixed(0)} %`;
      console.log(
        `  ${type} (${build}): ${
          worst(exact, expected).toExponential(1)
        } with f32 activations; best tokens with int16 ` +
          `${share(fine)}, with int8 ${share(coarse)}`,
      );
      assert.ok(agreement(fine, expected) >= 0.95);
      assert.ok(agreement(coarse, expected) >= 0.5);
      (await logits(file.bytes, { build, activations: 'int16' })).forEach((row, t) => sameBits(row, fine[t]));
    });
  }
}

for (const type of ['tq2_0', 'tq1_0', 'q1_0'] as const) {
  for (const scale of ['tensor', 'row'] as const) {
    test(`${type} with a scale per ${scale} is near an f32 run on the weights that the formulas give`, async () => {
      const file = await converted({ type, scale });
      const perRow = (of: (w: Float32Array) => Float32Array): Formula => (w, cols) => rows(w, cols, of);
      const own = { TQ2_0: perRow(ternary), TQ1_0: perRow(ternary), Q1_0: perRow(binary) };
      const expected = await logits(checkpoint(meant(file, scale === 'row' ? { ...FORMULAS, ...own } : FORMULAS)));
      const near = await logits(file.bytes);
      const share = agreement(near, expected);
      console.log(
        `  ${type} by ${scale}: ${worst(near, expected).toExponential(1)}, ${
          (100 * share).toFixed(0)
        } % of best tokens`,
      );
      assert.ok(share >= 0.5, `${share}`);
      const types = new Set(
        [...file.container.tensors.values()].filter(({ shape }) => shape.length === 2).map((t) => t.type),
      );
      assert.equal([...types].sort(), [type.toUpperCase(), 'Q8_0'].sort());
    });
  }
}

/** Plain decoders of blocks, and the weight of a code. */
const UNPACK = {
  q8_0: [unpackQ8, (code: number) => code],
  tq2_0: [unpackTq2, (code: number) => code - 1],
  tq1_0: [unpackTq1, (code: number) => code - 1],
  q1_0: [unpackQ1, (code: number) => 2 * code - 1],
} as const;
function weightsOf(type: keyof typeof UNPACK, stored: Uint8Array): Float32Array {
  const [unpack, weight] = UNPACK[type];
  const { codes, scales } = unpack(stored);
  const block = codes.length / scales.length;
  const floats = scales.map(f16);
  return Float32Array.from(codes, (code, i) => floats[Math.floor(i / block)] * weight(code));
}

test('spikes alone are exact in every type, whether a row has one scale or several', async () => {
  // everything else stays f32, so that no activation is quantised
  const spiking = (name: string): boolean => name.endsWith('tcam_proj.weight') || name.endsWith('ffn.down.weight');
  const base = await converted({ type: 'f32' });
  const metadata = [...base.container.metadata].map(([key, value]): MetaEntry => [
    key,
    typeof value === 'string' ? 'string' : typeof value === 'boolean' ? 'bool' : 'float64',
    value,
  ]);
  const cases = [['i8', false], ...Object.keys(UNPACK).flatMap((type) => [[type, false], [type, true]])];
  for (const [type, several] of cases as [keyof typeof UNPACK | 'i8', boolean][]) {
    const { bytes, container } = await converted({ type, scale: 'row' });
    const tensors: BuiltTensor[] = [];
    const values: Weights = new Map(ORIGINAL);
    for (const [name, { shape, data }] of ORIGINAL) {
      if (!spiking(name)) {
        tensors.push({ name, type: 'F32', shape: shape.length === 0 ? [1] : shape, data });
        continue;
      }
      const info = container.tensors.get(name)!;
      const stored = bytes.slice(info.offset, info.offset + info.byteLength);
      if (several) {
        const blocks = (shape[0] * shape[1]) / info.blockElements;
        const size = stored.length / blocks;
        const at = type === 'q8_0' || type === 'q1_0' ? 0 : size - 2;
        const view = new DataView(stored.buffer);
        for (let b = 0; b < blocks; b++) {
          view.setUint16(b * size + at, f16Bits(b % 7 === 3 ? 0 : 0.03 + (b % 5) / 100), true);
        }
      }
      tensors.push({ name, type: info.type as 'I8', shape, data: stored });
      const scales = container.tensors.get(name.replace('.weight', '.scale'));
      if (scales) {
        const own = bytes.slice(scales.offset, scales.offset + scales.byteLength);
        tensors.push({ name: scales.name, type: 'F32', shape: scales.shape, data: own });
      }
      values.set(name, { shape, data: type === 'i8' ? int8(data, shape[1]) : weightsOf(type, stored) });
    }
    const error = worst(await logits(ggufBytes({ metadata, tensors })), await logits(checkpoint(values)));
    assert.ok(error <= 1e-4, `${type}${several ? ' of several scales' : ''}: ${error}`);
  }
});

test('rows of ternary and binary tables have scales of their own', async () => {
  const formulas = { tq2_0: ternary, tq1_0: ternary, q1_0: binary } as const;
  for (const type of ['tq2_0', 'tq1_0', 'q1_0'] as const) {
    const { bytes, container } = await convert(SOURCE, { type, head: type, embedding: type, scale: 'tensor' });
    let compared = 0;
    for (const [name, { shape, data }] of ORIGINAL) {
      const info = container.tensors.get(name)!;
      if (info.type !== type.toUpperCase()) continue;
      const table = name.includes('embedding') || name.startsWith('output_head.');
      const wanted = table ? rows(data, shape[1], formulas[type]) : formulas[type](data);
      const found = weightsOf(type, bytes.slice(info.offset, info.offset + info.byteLength));
      assert.equal(found.map((x) => x + 0), wanted.map((x) => x + 0), `${type} ${name}`);
      compared += table ? 1 : 0;
    }
    assert.ok(compared >= 2, `${compared} tables of ${type}`);
  }
});

test('head and embedding take types of their own, and vectors stay f32', async () => {
  const { container, result } = await convert(SOURCE, { type: 'tq2_0', head: 'i8', embedding: 'f16' });
  assert.is(container.tensors.get('output_head.output_proj.weight')!.type, 'I8');
  assert.is(container.tensors.get('output_head.prior_net.2.weight')!.type, 'I8');
  assert.is(container.tensors.get(EMBEDDING)!.type, 'F16');
  assert.is(container.tensors.get('blocks.1.ffn.norm.bias')!.type, 'F32');
  assert.not(container.tensors.has('blocks.0.tcam.sparse_attn.rope.inv_freq'));
  assert.is((await converted({ type: 'i8' })).container.tensors.get(EMBEDDING)!.type, 'F32');
  using model = await open((await convert(SOURCE, { type: 'i8', embedding: 'i8' })).bytes);
  assert.is(model.describe().parameters, [...ORIGINAL.values()].reduce((sum, { data }) => sum + data.length, 0));
  const { maxError, rmsError } = result.tensors.find(({ name }) => name === 'output_head.output_proj.weight')!;
  const { data } = ORIGINAL.get('output_head.output_proj.weight')!;
  const errors = int8(data, CONFIG.embed_dim).map((w, i) => w - data[i]);
  assert.ok(Math.abs(maxError - errors.reduce((m, e) => Math.max(m, Math.abs(e)), 0)) < 1e-8);
  assert.ok(Math.abs(rmsError - Math.sqrt(mean(errors, (e) => e * e))) < 1e-8);
});

test('a row of zeros has scale 0, in every type', async () => {
  const name = 'blocks.0.ffn.down.weight';
  const { shape, data } = ORIGINAL.get(name)!;
  const changed = data.slice().fill(0, 0, 2 * shape[1]);
  const bytes = checkpoint(new Map([...ORIGINAL, [name, { shape, data: changed }]]));
  for (const type of ['i8', 'tq1_0', 'tq2_0', 'q1_0'] as const) {
    const rowsOf = await logits((await convert(bytes, { type, scale: 'row' })).bytes);
    assert.ok(rowsOf.every((row) => row.every(Number.isFinite)), type);
  }
});

// ---- refusals ----

test('int8 without scales, or with one that is no number, is refused by name', async () => {
  const { bytes, container } = await converted({ type: 'i8' });
  const name = new TextEncoder().encode('blocks.0.ffn.up.scale');
  const at = Buffer.from(bytes).indexOf(name);
  const other = bytes.slice();
  other[at + name.length - 1] = 'X'.charCodeAt(0);
  await refuses(open(other), 'TENSOR_TYPE', 'blocks.0.ffn.up.weight', 'blocks.0.ffn.up.scale', 'missing');
  const nan = bytes.slice();
  new DataView(nan.buffer).setFloat32(container.tensors.get('blocks.1.ffn.down.scale')!.offset + 8, NaN, true);
  await refuses(open(nan), 'WEIGHT_NOT_FINITE', 'blocks.1.ffn.down.scale', 'element 2');
  for (const type of ['f32', 'i8'] as const) {
    await refuses(convert(nan, { type }), 'WEIGHT_NOT_FINITE', 'blocks.1.ffn.down.scale', 'column 2');
  }
});

test('options out of range are refused', async () => {
  await refuses(convert(SOURCE, { type: 'q4_0' as 'i8' }), 'OPTION', 'type', 'q4_0', 'tq1_0');
  await refuses(convert(SOURCE, { type: 'i8', embedding: 'x' as 'i8' }), 'OPTION', 'embedding');
  await refuses(convert(SOURCE, { type: 'i8', scale: 'block' as 'row' }), 'OPTION', 'scale', 'row');
  await refuses(open(SOURCE, { activations: 'f16' as 'f32' }), 'OPTION', 'activations', 'int8');
});

test.run();
