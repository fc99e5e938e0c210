/** Matrices quantised while a model is loaded: the same bits as converting the file first. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import type { ByteSource } from '../../src/bytes/source.ts';
import type { GgufType } from '../../src/convert/options.ts';
import { convertModel } from '../../src/model/convert.ts';
import { open, type OpenOptions } from '../../src/entries/index.ts';
import { randomModel } from '../../src/model/random.ts';
import { builtinModule } from '../../src/wasm/builtin.ts';
import { sameBits } from '../kernels/harness.ts';
import { llamaFile } from '../llama-files.ts';
import { refuses } from '../refusal.ts';

type Types = Pick<OpenOptions, 'type' | 'head' | 'embedding'>;

const test = suite('types while loading');
const IDS = [1, 5, 200, 33, 7, 410, 2, 90, 17];

async function converted(source: ByteSource, options: Types & { readonly type: GgufType }): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const { module } = await builtinModule();
  await convertModel(module, source, { write: async (bytes) => void pieces.push(bytes.slice()) }, options);
  return new Uint8Array(Buffer.concat(pieces));
}

/** Type of each matrix, and the logits of a text. */
async function outcome(source: ByteSource | Uint8Array, options: OpenOptions): Promise<[string[], Float32Array[]]> {
  using model = await open(source, { ...options, threads: 1 });
  const types = [...model.container.tensors.values()].filter(({ shape }) => shape.length === 2)
    .map(({ name, type }) => `${name} ${type}`);
  return [types, await model.logits(IDS)];
}

const CASES: readonly (Types & { readonly type: GgufType })[] = [
  { type: 'q8_0' },
  { type: 'q4_0' },
  { type: 'tq2_0' },
  { type: 'tq1_0', head: 'f16' },
  { type: 'f16', embedding: 'q8_0' },
  { type: 'q4_0', head: 'q4_0', embedding: 'tq2_0' },
];

for (const stored of ['F32', 'F16', 'BF16'] as const) {
  for (const types of CASES) {
    test(`${stored} loaded as ${JSON.stringify(types)} is the converted file`, async () => {
      const shape = { width: 256, hidden: 256, headDim: 64, vocab: 512 };
      const bytes = llamaFile({ type: stored, headType: stored, shape }).bytes();
      const [expectedTypes, expected] = await outcome(await converted(memorySource(bytes), types), {});
      const [actualTypes, actual] = await outcome(bytes, types);
      assert.equal(actualTypes.sort(), expectedTypes.sort());
      actual.forEach((row, i) => sameBits(row, expected[i], `position ${i}`));
    });
  }
}

test('head and embedding alone leave the matrices of layers as they are', async () => {
  const [types] = await outcome(await randomModel('tiny', 'q4_k', 1), { head: 'q4_0', embedding: 'tq2_0' });
  assert.ok(types.includes('token_embd.weight TQ2_0'));
  assert.ok(types.includes('output.weight Q4_0'));
  assert.ok(types.includes('blk.0.ffn_up.weight Q4_K'));
});

test('type leaves quantised matrices as they are: they would be rounded twice', async () => {
  const [types] = await outcome(await randomModel('tiny', 'q4_0', 1), { type: 'tq2_0' });
  assert.ok(types.includes('blk.0.ffn_up.weight Q4_0'));
  assert.ok(types.includes('token_embd.weight Q8_0'));
});

test('rows that do not fit into blocks take the type that convert gives them', async () => {
  const bytes = llamaFile({ shape: { vocab: 512 } }).bytes(); // rows of 44 and 70
  const [expectedTypes, expected] = await outcome(await converted(memorySource(bytes), { type: 'q8_0' }), {});
  const [actualTypes, actual] = await outcome(bytes, { type: 'q8_0' });
  assert.equal(actualTypes.sort(), expectedTypes.sort());
  actual.forEach((row, i) => sameBits(row, expected[i], `position ${i}`));
});

test('other types, and models that spike, are refused', async () => {
  const source = await randomModel('tiny', 'f32', 1);
  for (const name of ['type', 'head', 'embedding']) {
    await refuses(open(source, { [name]: 'q6_k' }), 'OPTION', name, 'q6_k', 'q4_0');
  }
  await refuses(open(await randomModel('symboliclight-194m', 'i8', 1), { type: 'q8_0' }), 'OPTION', 'spike');
});

test('a NaN in the file is refused with its place', async () => {
  const file = llamaFile({ shape: { width: 256, hidden: 256, headDim: 64, vocab: 512 } });
  const bytes = file.bytes();
  const { offset } =
    (await import('../../src/container/open.ts').then(({ openContainer }) => openContainer(memorySource(bytes))))
      .tensors.get('blk.1.ffn_up.weight')!;
  new DataView(bytes.buffer, bytes.byteOffset).setFloat32(offset + 4 * (3 * 256 + 9), NaN, true);
  await refuses(open(bytes, { type: 'q8_0' }), 'WEIGHT_NOT_FINITE', 'blk.1.ffn_up.weight', 'row 3, column 9');
});
test.run();
