/** Hugging Face folders to GGUF: the same logits, heads in the order of llama.cpp, packed codes unpacked. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import type { ByteSource } from '../../src/bytes/source.ts';
import { readGguf } from '../../src/container/parts.ts';
import type { ConvertOptions } from '../../src/convert/types.ts';
import { neighbours } from '../../src/convert/row-order.ts';
import { open } from '../../src/entries/index.ts';
import { convertModel } from '../../src/model/convert.ts';
import { builtinModule } from '../../src/wasm/builtin.ts';
import { u64Bytes, utf8 } from '../builders.ts';
import { normals } from '../kernels/harness.ts';
import { refuses } from '../refusal.ts';

const { module } = await builtinModule('base');
const test = suite('folders to GGUF');

const SHAPE = { width: 32, hidden: 48, heads: 4, kvHeads: 4, headDim: 8, vocab: 24 };

const CONFIG = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: SHAPE.width,
  intermediate_size: SHAPE.hidden,
  num_hidden_layers: 2,
  num_attention_heads: SHAPE.heads,
  num_key_value_heads: SHAPE.kvHeads,
  vocab_size: SHAPE.vocab,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  attention_bias: true,
};

type Stored = { readonly dtype: 'F32' | 'U8'; readonly shape: readonly number[]; readonly bytes: Uint8Array };

const f32 = (shape: readonly number[], values: Float32Array): Stored => ({
  dtype: 'F32',
  shape,
  bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
});

function random(seed: number, ...shape: number[]): Stored {
  const n = shape.reduce((a, b) => a * b, 1);
  return f32(shape, normals(n, seed).map((v) => Math.fround(v * 0.2)));
}

/** Tensors of the model, with matrices as floats. */
function tensors(): Map<string, Stored> {
  const { width, hidden, heads, kvHeads, headDim, vocab } = SHAPE;
  const all = new Map([
    ['model.embed_tokens.weight', random(1, vocab, width)],
    ['model.norm.weight', random(2, width)],
    ['lm_head.weight', random(3, vocab, width)],
  ]);
  for (const layer of [0, 1]) {
    const at = `model.layers.${layer}.`;
    const seed = 10 * (layer + 1);
    all.set(`${at}self_attn.q_proj.weight`, random(seed, heads * headDim, width));
    all.set(`${at}self_attn.k_proj.weight`, random(seed + 1, kvHeads * headDim, width));
    all.set(`${at}self_attn.v_proj.weight`, random(seed + 2, kvHeads * headDim, width));
    all.set(`${at}self_attn.o_proj.weight`, random(seed + 3, width, heads * headDim));
    all.set(`${at}self_attn.q_proj.bias`, random(seed + 4, heads * headDim));
    all.set(`${at}self_attn.k_proj.bias`, random(seed + 5, kvHeads * headDim));
    all.set(`${at}self_attn.v_proj.bias`, random(seed + 6, kvHeads * headDim));
    all.set(`${at}mlp.gate_proj.weight`, random(seed + 7, hidden, width));
    all.set(`${at}mlp.up_proj.weight`, random(seed + 8, hidden, width));
    all.set(`${at}mlp.down_proj.weight`, random(seed + 9, width, hidden));
    all.set(`${at}input_layernorm.weight`, random(seed + 50, width));
    all.set(`${at}post_attention_layernorm.weight`, random(seed + 51, width));
  }
  return all;
}

/** Codes 0 … 2 of a matrix, and the bytes that hold four rows each. */
function packed(rows: number, cols: number, seed: number): { readonly codes: Uint8Array; readonly stored: Stored } {
  const codes = Uint8Array.from(normals(rows * cols, seed), (v) => (v < -0.4 ? 0 : v > 0.4 ? 2 : 1));
  const bytes = new Uint8Array((rows * cols) / 4);
  codes.forEach((code, i) => (bytes[i % bytes.length] |= code << (2 * Math.floor(i / bytes.length))));
  return { codes, stored: { dtype: 'U8', shape: [rows / 4, cols], bytes } };
}

function folder(config: object, all: ReadonlyMap<string, Stored>): ByteSource {
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const [name, { dtype, shape, bytes }] of all) {
    header[name] = { dtype, shape, data_offsets: [end, end += bytes.length] };
  }
  const text = utf8(JSON.stringify(header));
  const bytes = Buffer.concat([u64Bytes(text.length), text, ...[...all.values()].map((tensor) => tensor.bytes)]);
  return {
    ...memorySource(new Uint8Array(bytes), 'model.safetensors'),
    beside: (name) => Promise.resolve(name === 'config.json' ? utf8(JSON.stringify(config)) : null),
  };
}

async function converted(source: ByteSource, options: ConvertOptions): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  await convertModel(module, source, { write: async (part) => void chunks.push(part.slice()) }, options);
  return new Uint8Array(Buffer.concat(chunks));
}

const IDS = [3, 1, 4, 1, 5, 9, 2, 6];

async function logits(source: ByteSource | Uint8Array<ArrayBuffer>): Promise<Float32Array[]> {
  const model = await open(source, { kv: 'f32', threads: 1 });
  try {
    return await model.logits(IDS);
  } finally {
    model.dispose();
  }
}

function near(actual: readonly Float32Array[], expected: readonly Float32Array[], bound: number): void {
  assert.is(actual.length, expected.length);
  actual.forEach((row, t) => {
    row.forEach((v, i) => assert.ok(Math.abs(v - expected[t][i]) <= bound, `position ${t}: ${v}, ${expected[t][i]}`));
  });
}

test('a converted llama has its heads as llama.cpp expects them, and the logits of its folder', async () => {
  const all = tensors();
  const source = folder(CONFIG, all);
  const bytes = await converted(source, { type: 'f32' });
  const { metadata, tensors: written } = await readGguf(memorySource(bytes));
  assert.not.ok([...metadata.keys()].some((key) => key.startsWith('ternspike.')), 'no key of our own is needed');
  near(await logits(bytes), await logits(source), 2e-6);

  // row 2i of a head was row i, row 2i + 1 was row i + headDim / 2; of biases too
  for (
    const [to, from, cols] of [
      ['blk.1.attn_q.weight', 'model.layers.1.self_attn.q_proj.weight', SHAPE.width],
      ['blk.1.attn_k.bias', 'model.layers.1.self_attn.k_proj.bias', 1],
    ] as const
  ) {
    const { offset, byteLength } = written.get(to)!;
    const now = new Float32Array(bytes.slice(offset, offset + byteLength).buffer);
    const before = new Float32Array(all.get(from)!.bytes.slice().buffer);
    const half = SHAPE.headDim / 2;
    for (let row = 0; row < now.length / cols; row++) {
      const head = Math.floor(row / SHAPE.headDim) * SHAPE.headDim;
      const old = head + ((row % SHAPE.headDim) >> 1) + (row & 1) * half;
      assert.equal(now.subarray(row * cols, (row + 1) * cols), before.subarray(old * cols, (old + 1) * cols), to);
    }
  }
  assert.equal(neighbours(8), [0, 4, 1, 5, 2, 6, 3, 7]);
});

test('packed codes are written as numbers, ternary blocks and int8, with the scale beside them', async () => {
  for (const [linear, factor] of [['autobitlinear', 0.75], ['bitlinear', 1 / 0.75]] as const) {
    const config = { ...CONFIG, quantization_config: { quant_method: 'bitnet', linear_class: linear } };
    const all = tensors();
    const plain = tensors();
    const matrices = [...all.keys()].filter((name) => name.endsWith('proj.weight'));
    matrices.forEach((name, i) => {
      const [rows, cols] = all.get(name)!.shape;
      const { codes, stored } = packed(rows, cols, 100 + i);
      all.set(name, stored);
      all.set(`${name}_scale`, f32([1], Float32Array.of(0.75)));
      plain.set(name, f32([rows, cols], Float32Array.from(codes, (code) => (code - 1) * Math.fround(factor))));
    });
    const bytes = await converted(folder(config, all), { type: 'f32' });
    near(await logits(bytes), await logits(folder(CONFIG, plain)), 2e-6);
    const { tensors: written } = await readGguf(memorySource(bytes));
    assert.not.ok([...written.keys()].some((name) => name.endsWith('_scale')));
    assert.ok((await converted(folder(config, all), { type: 'q8_0' })).length < bytes.length);

    const name = matrices[2];
    const { stored } = packed(all.get(name)!.shape[0] * 4, SHAPE.width, 1);
    const bad = { ...stored, bytes: stored.bytes.slice() };
    bad.bytes[SHAPE.width + 3] |= 0b00110000; // the third quarter, its second row
    const damaged = new Map(all).set(name, bad);
    const row = 2 * stored.shape[0] + 1;
    await refuses(converted(folder(config, damaged), { type: 'f32' }), 'TERNARY_CODE', `row ${row}, column 3`);
    const without = new Map(all);
    without.delete(`${name}_scale`);
    await refuses(converted(folder(config, without), { type: 'f32' }), 'TENSOR_TYPE', '_scale', 'missing');
  }
});

test.run();
