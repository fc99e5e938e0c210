/** Hugging Face folders as GGUF: what keys and tensors become, and what is refused. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openModelContainer } from '../../src/architectures/index.ts';
import { resolveSource } from '../../src/bytes/resolve.ts';
import { memorySource } from '../../src/bytes/memory.ts';
import { type ByteSource, readFully } from '../../src/bytes/source.ts';
import { logarithm } from '../../src/container/huggingface/logarithm.ts';
import { statedSampling } from '../../src/sample/defaults.ts';
import type { AnyContainer } from '../../src/container/open.ts';
import { u64Bytes, utf8 } from '../builders.ts';
import { refuses } from '../refusal.ts';

type Json = Record<string, unknown>;
/** Shape, and bytes where they matter. */
type Tensor = readonly [type: 'BF16' | 'F32' | 'U8' | 'I64', shape: number[], bytes?: number[]];

const SIZES = { BF16: 2, F32: 4, U8: 1, I64: 8 };

function safetensors(tensors: Readonly<Record<string, Tensor>>): Uint8Array<ArrayBuffer> {
  const header: Json = {};
  const data: number[] = [];
  for (const [name, [dtype, shape, bytes]] of Object.entries(tensors)) {
    const begin = data.length;
    data.push(...(bytes ?? new Array(shape.reduce((a, b) => a * b, 1) * SIZES[dtype]).fill(0)));
    header[name] = { dtype, shape, data_offsets: [begin, data.length] };
  }
  const text = utf8(JSON.stringify(header));
  return new Uint8Array([...u64Bytes(text.length), ...text, ...data]);
}

/** A folder of these files. */
function folder(
  config: Json,
  tensors: Readonly<Record<string, Tensor>>,
  more: Readonly<Record<string, Json>> = {},
): ByteSource {
  const files: Record<string, Json> = { 'config.json': config, ...more };
  return {
    ...memorySource(safetensors(tensors), 'model.safetensors'),
    beside: (name) => Promise.resolve(name in files ? utf8(JSON.stringify(files[name])) : null),
  };
}

const LLAMA: Json = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: 8,
  intermediate_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  max_position_embeddings: 64,
  vocab_size: 4,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
};
const TENSORS: Record<string, Tensor> = {
  'model.embed_tokens.weight': ['BF16', [4, 8]],
  'model.layers.0.self_attn.q_proj.weight': ['BF16', [8, 8]],
  'model.layers.0.mlp.down_proj.bias': ['F32', [8]],
  'model.layers.0.self_attn.rotary_emb.inv_freq': ['F32', [2]],
  'lm_head.weight': ['BF16', [4, 8]],
};

const opened = (config: Json, tensors = TENSORS, more = {}): Promise<AnyContainer> =>
  openModelContainer(folder(config, tensors, more));

/** The elements of an F32 tensor. */
async function values(container: AnyContainer, name: string): Promise<number[]> {
  const info = container.tensors.get(name)!;
  const bytes = new Uint8Array(info.byteLength);
  await readFully(container.source!, bytes, info.offset, name);
  return [...new Float32Array(bytes.buffer)];
}

const test = suite('Hugging Face folders');

test('keys and tensors take the names of GGUF', async () => {
  const { format, metadata, tensors } = await opened(LLAMA);
  assert.is(format, 'huggingface');
  assert.is(metadata.get('general.architecture'), 'llama');
  assert.is(metadata.get('ternspike.rope.pairing'), 'halved');
  assert.is(metadata.get('llama.attention.head_count_kv'), 2, 'as many heads of keys as of queries');
  assert.is(metadata.get('llama.attention.key_length'), 4);
  assert.is(metadata.get('llama.rope.freq_base'), 10000);
  assert.equal([...tensors.keys()], [
    'token_embd.weight',
    'blk.0.attn_q.weight',
    'blk.0.ffn_down.bias',
    'output.weight',
  ]);
  const tied = await opened({ ...LLAMA, tie_word_embeddings: true });
  assert.not.ok(tied.tensors.has('output.weight'), 'a head that is tied is the embedding');
});

test('position scaling in both spellings', async () => {
  const yarn = {
    rope_type: 'yarn',
    factor: 4,
    original_max_position_embeddings: 16,
    beta_fast: 8,
    mscale: 1,
    mscale_all_dim: 1,
  };
  for (const config of [{ rope_parameters: { ...yarn, rope_theta: 500 } }, { rope_scaling: yarn, rope_theta: 500 }]) {
    const { metadata } = await opened({ ...LLAMA, ...config });
    assert.is(metadata.get('llama.rope.freq_base'), 500);
    assert.is(metadata.get('llama.rope.scaling.type'), 'yarn');
    assert.is(metadata.get('llama.rope.scaling.factor'), 4);
    assert.is(metadata.get('llama.rope.scaling.original_context_length'), 16);
    assert.is(metadata.get('llama.rope.scaling.yarn_beta_fast'), 8);
    assert.is(metadata.get('ternspike.rope.yarn.beta_fast'), 8);
    assert.is(metadata.get('ternspike.rope.yarn.magnitude'), 1);
  }
  const long = { type: 'longrope', original_max_position_embeddings: 16, long_factor: [2, 3], short_factor: [1, 1.5] };
  const container = await opened({ ...LLAMA, rope_scaling: long });
  assert.equal(await values(container, 'rope_factors_long.weight'), [2, 3]);
  assert.equal(await values(container, 'rope_factors_short.weight'), [1, 1.5]);
  const magnitude = Math.sqrt(1 + Math.log(4) / Math.log(16));
  assert.is(container.metadata.get('llama.rope.scaling.attn_factor'), Math.fround(magnitude));
  const three = {
    rope_type: 'llama3',
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 16,
  };
  const { metadata } = await opened({ ...LLAMA, rope_scaling: three });
  assert.equal(metadata.get('ternspike.rope.llama3'), [8, 1, 4, 16]);
});

test('norms of Gemma 3 are one more than stored; its layers see what the configuration says', async () => {
  const config = {
    ...LLAMA,
    architectures: ['Gemma3ForCausalLM'],
    model_type: 'gemma3_text',
    query_pre_attn_scalar: 16,
    sliding_window: 8,
    num_hidden_layers: 2,
    layer_types: ['sliding_attention', 'full_attention'],
    rope_parameters: { full_attention: { rope_theta: 1e6 }, sliding_attention: { rope_theta: 1e4 } },
  };
  const tensors: Record<string, Tensor> = {
    'model.embed_tokens.weight': ['BF16', [4, 8]],
    'model.norm.weight': ['BF16', [4], [0x80, 0x3f, 0x00, 0xbf, 0x00, 0x00, 0x00, 0x40]], // 1, −0.5, 0, 2
  };
  const container = await opened(config, tensors);
  assert.equal(await values(container, 'output_norm.weight'), [2, 0.5, 1, 3]);
  assert.is(container.metadata.get('gemma3.attention.scale'), 0.25);
  assert.equal(container.metadata.get('gemma3.attention.sliding_window_pattern'), [true, false]);
  assert.is(container.metadata.get('gemma3.rope.freq_base'), 1e6);
  assert.is(container.metadata.get('gemma3.rope.freq_base_swa'), 1e4);
});

test('packed matrices have four times the rows of their bytes', async () => {
  const config = { ...LLAMA, quantization_config: { quant_method: 'bitnet' } };
  const q = 'model.layers.0.self_attn.q_proj.weight';
  const tensors: Record<string, Tensor> = { ...TENSORS, [q]: ['U8', [2, 8]], [`${q}_scale`]: ['BF16', [1]] };
  const container = await opened(config, tensors);
  assert.is(container.tensors.get('blk.0.attn_q.weight')?.type, 'U2_ROWS');
  assert.equal(container.tensors.get('blk.0.attn_q.weight')?.shape, [8, 8]);
  assert.ok(container.tensors.has('blk.0.attn_q.weight_scale'));
  await refuses(opened(LLAMA, tensors), 'TENSOR_TYPE', q, 'quantization_config');
  await refuses(opened(LLAMA, { ...TENSORS, [q]: ['U8', [2, 8]] }), 'TENSOR_TYPE', q, 'U8');
  await refuses(opened(config, { ...TENSORS, [q]: ['U8', [16]] }), 'TENSOR_SHAPE', q);
});

test('how a model is sampled: what generation_config.json states, and no more', async () => {
  const sampling = async (stated: Json): Promise<unknown> =>
    statedSampling((await opened(LLAMA, TENSORS, { 'generation_config.json': stated })).metadata);
  assert.equal(
    await sampling({ do_sample: true, temperature: 0.5, top_k: 20, top_p: 0.75, min_p: 0.25, repetition_penalty: 1.5 }),
    { temperature: 0.5, topK: 20, topP: 0.75, minP: 0.25, repeatPenalty: 1.5 },
  );
  assert.equal(await sampling({ do_sample: false, temperature: 0.5 }), { temperature: 0 });
  assert.is(await sampling({ eos_token_id: 2 }), undefined);
  await refuses(sampling({ top_p: 2 }), 'DESCRIPTION', 'top_p', 'generation_config.json');
});

test('what is not computed, out of range or unknown is refused by name', async () => {
  const cases: [Json, string, ...string[]][] = [
    [{ architectures: ['FalconForCausalLM'] }, 'ARCHITECTURE', 'FalconForCausalLM', 'LlamaForCausalLM'],
    [{ architectures: undefined, model_type: 'falcon' }, 'ARCHITECTURE', 'falcon'],
    [{ hidden_act: 'gelu' }, 'DESCRIPTION', 'hidden_act', 'gelu', 'silu'],
    [{ rope_scaling: { type: 'dynamic', factor: 2 } }, 'DESCRIPTION', 'dynamic', 'yarn'],
    [{ rope_scaling: { type: 'constructor', factor: 2 } }, 'DESCRIPTION', 'constructor'],
    [{ rope_scaling: { type: 'yarn', factor: 1e9 } }, 'DESCRIPTION', 'factor', '1024'],
    [
      { rope_scaling: { type: 'longrope', long_factor: [1], short_factor: [1] } },
      'DESCRIPTION',
      'long_factor',
      '2 numbers',
    ],
    [{ quantization_config: { quant_method: 'gptq' } }, 'DESCRIPTION', 'gptq', 'bitnet'],
    [{ quantization_config: { quant_method: 'bitnet', quantization_mode: 'online' } }, 'DESCRIPTION', 'online'],
    [{ num_hidden_layers: 1e9 }, 'DESCRIPTION', 'num_hidden_layers', '1024'],
    [{ hidden_size: undefined }, 'DESCRIPTION', 'hidden_size', 'missing'],
    [{ num_attention_heads: 3 }, 'DESCRIPTION', 'num_attention_heads = 3'],
    [
      { architectures: ['MistralForCausalLM'], model_type: 'mistral', sliding_window: 8 },
      'DESCRIPTION',
      'sliding_window',
    ],
    [{ architectures: ['Qwen2ForCausalLM'], use_sliding_window: true }, 'DESCRIPTION', 'use_sliding_window'],
  ];
  for (const [change, code, ...words] of cases) {
    await refuses(opened({ ...LLAMA, ...change }), code as 'DESCRIPTION', ...words);
  }
  const extra = { ...TENSORS, 'model.layers.0.mlp.router.weight': ['F32', [2]] } as Record<string, Tensor>;
  await refuses(opened(LLAMA, extra), 'DESCRIPTION_TENSORS', 'router');
  const wide = { ...TENSORS, 'model.norm.weight': ['I64', [2]] } as Record<string, Tensor>;
  await refuses(opened(LLAMA, wide), 'TENSOR_TYPE', 'model.norm.weight', 'I64');
});

test('the classes of a BERT stand in their order', async () => {
  const config = {
    architectures: ['BertForSequenceClassification'],
    model_type: 'bert',
    hidden_act: 'gelu',
    hidden_size: 8,
    intermediate_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    max_position_embeddings: 16,
    vocab_size: 4,
    id2label: { 1: 'good', 0: 'bad' },
  };
  const { metadata, tensors } = await opened(config, {
    'bert.embeddings.word_embeddings.weight': ['F32', [4, 8]],
    'bert.embeddings.LayerNorm.gamma': ['F32', [8]],
    'bert.encoder.layer.0.attention.output.LayerNorm.beta': ['F32', [8]],
    'classifier.weight': ['F32', [2, 8]],
  });
  assert.equal(metadata.get('bert.classifier.output_labels'), ['bad', 'good']);
  assert.equal([...tensors.keys()], [
    'token_embd.weight',
    'token_embd_norm.weight',
    'blk.0.attn_output_norm.bias',
    'cls.output.weight',
  ]);
});

test('of files of one name, the outermost counts', async () => {
  const file = (path: string, bytes: Uint8Array<ArrayBuffer>): File =>
    Object.defineProperty(new File([bytes], path.split('/').at(-1)!), 'webkitRelativePath', { value: path });
  const source = await resolveSource([
    file('m/config.json', new TextEncoder().encode(JSON.stringify(LLAMA))),
    file('m/model.safetensors', safetensors(TENSORS)),
    file('m/1_Pooling/config.json', new TextEncoder().encode('{}')),
  ]);
  assert.is((await openModelContainer(source)).metadata.get('general.architecture'), 'llama');
});

test('logarithms are those of the host but for the last place', () => {
  for (let x = 1e-6; x < 1e9; x *= 1.37) {
    const error = Math.abs(logarithm(x) - Math.log(x));
    assert.ok(error <= 1e-15 * Math.max(1, Math.abs(Math.log(x))) * 4, `ln ${x}: ${error}`);
  }
});
test.run();
