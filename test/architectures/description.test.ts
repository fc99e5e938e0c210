/** What a file says of its model: every number in its range, tensors as the numbers ask, nothing unknown. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { openContainer } from '../../src/container/open.ts';
import { open } from '../../src/entries/index.ts';
import type { LlamaDescription } from '../../src/architectures/llama/description.ts';
import { describeLlama } from '../../src/architectures/llama/description.ts';
import type { MetaEntry } from '../builders.ts';
import { type LlamaChoices, type LlamaFile, llamaFile } from '../llama-files.ts';
import { refuses } from '../refusal.ts';

async function describe(file: LlamaFile): Promise<LlamaDescription> {
  return describeLlama(await openContainer(memorySource(file.bytes())));
}

/** The file with some metadata replaced, added, or (null) left out; keys without the architecture. */
function having(entries: Record<string, [MetaEntry[1], MetaEntry[2]] | null>, choices: LlamaChoices = {}): LlamaFile {
  const file = llamaFile(choices);
  for (const [name, value] of Object.entries(entries)) {
    const key = name.startsWith('general.') || name.startsWith('tokenizer.')
      ? name
      : `${choices.architecture ?? 'llama'}.${name}`;
    const at = file.metadata.findIndex(([k]) => k === key);
    if (at >= 0) file.metadata.splice(at, 1);
    if (value) file.metadata.push([key, ...value]);
  }
  return file;
}

const u32 = (value: number): [MetaEntry[1], MetaEntry[2]] => ['uint32', value];
const f32 = (value: number): [MetaEntry[1], MetaEntry[2]] => ['float32', value];
const MAX_U32 = 2 ** 32 - 1;

const test = suite('description');

test('a well-formed file is described by its numbers, frozen', async () => {
  const d = await describe(llamaFile());
  assert.is(d.layers, 2);
  assert.is(d.headDim, 12);
  assert.is(d.vocab, 51);
  assert.is(d.tied, false);
  assert.ok(Object.isFrozen(d));
  assert.is((await describe(llamaFile({ tied: true }))).tied, true);
});

const REFUSED: Record<string, readonly [MetaEntry[1], MetaEntry[2]][]> = {
  block_count: [u32(0), u32(1025), u32(MAX_U32), f32(1.5), f32(NaN), ['string', '2'], ['bool', true], ['uint32[]', [
    2,
    2,
  ]]],
  embedding_length: [u32(0), u32(2 ** 17 + 1), u32(MAX_U32), ['int32', -1]],
  feed_forward_length: [u32(0), u32(MAX_U32), ['uint32[]', [70, 71]], ['uint32[]', [70, 70, 70]]],
  'attention.head_count': [u32(0), u32(1025), u32(5), u32(MAX_U32), ['uint64', 2n ** 63n]],
  'attention.head_count_kv': [u32(0), u32(3), u32(8), u32(MAX_U32)],
  'attention.key_length': [u32(0), u32(13), u32(14), u32(2 ** 17), u32(MAX_U32)],
  'attention.value_length': [u32(0), u32(16)],
  'attention.layer_norm_rms_epsilon': [f32(0), f32(-1), f32(NaN), f32(Infinity), f32(2), ['string', '1e-5']],
  'rope.freq_base': [f32(0), f32(-1), f32(NaN), f32(Infinity)],
  'rope.dimension_count': [u32(3), u32(14), u32(MAX_U32)],
  'rope.scaling.factor': [f32(0), f32(NaN), f32(Infinity), f32(-4)],
  'rope.scale_linear': [f32(-1), f32(NaN)],
  context_length: [u32(0), u32(2 ** 20 + 1), u32(2 ** 31), u32(MAX_U32)],
};

for (const [key, values] of Object.entries(REFUSED)) {
  // case: D1 D2
  test(`${key} out of range, of another type or absurd is refused with its name and value`, async () => {
    for (const value of values) {
      const error = await refuses(describe(having({ [key]: value })), 'DESCRIPTION');
      const shown = Array.isArray(value[1])
        ? 'array'
        : String(value[0] === 'float32' ? Math.fround(Number(value[1])) : value[1]);
      assert.ok(error.message.includes(shown) || error.message.includes('multiple'), error.message);
    }
  });
}

test('what must be there and is not is refused by name; what may be left out has its default', async () => {
  for (
    const key of [
      'block_count',
      'embedding_length',
      'feed_forward_length',
      'attention.head_count',
      'context_length',
      'attention.layer_norm_rms_epsilon',
    ]
  ) {
    await refuses(describe(having({ [key]: null })), 'DESCRIPTION', key, 'missing');
  }
  const d = await describe(having({ 'rope.freq_base': null, 'rope.dimension_count': null }));
  assert.is(d.rope.theta, 10000);
  assert.is(d.rope.dims, 12);
  assert.is(d.rope.linear, 1);
});

/** Keys that change the arithmetic: values that are refused, and one that asks for nothing. */
const NOT_COMPUTED: Record<
  string,
  readonly [refused: [MetaEntry[1], MetaEntry[2]], neutral: [MetaEntry[1], MetaEntry[2]]]
> = {
  'attention.causal': [['bool', false], ['bool', true]],
  'attention.clamp_kqv': [f32(8), f32(0)],
  'attention.max_alibi_bias': [f32(8), f32(0)],
  'attention.scale': [f32(0.5), f32(0)],
  'attention.output_scale': [f32(0.5), f32(1)],
  'attention.temperature_length': [u32(8192), u32(0)],
  'attention.temperature_scale': [f32(0.1), f32(0)],
  'attention.q_lora_rank': [u32(8), u32(0)],
  'attention.kv_lora_rank': [u32(8), u32(0)],
  'attention.sliding_window': [u32(8), u32(0)],
  'attention.relative_buckets_count': [u32(32), u32(0)],
  'attention.shared_kv_layers': [u32(1), u32(0)],
  'rope.dimension_sections': [['uint32[]', [4, 1, 1, 0]], ['uint32[]', [0, 0, 0, 0]]],
  'rope.scaling.alpha': [f32(1000), f32(0)],
  'rope.scaling.yarn_log_multiplier': [f32(0.1), f32(0)],
  attn_logit_softcapping: [f32(50), f32(0)],
  final_logit_softcapping: [f32(30), f32(0)],
  router_logit_softcapping: [f32(30), f32(0)],
  logit_scale: [f32(0.5), f32(1)],
  embedding_scale: [f32(12), f32(1)],
  residual_scale: [f32(0.2), f32(0)],
  activation_sparsity_scale: [['float32[]', [1.6, 0]], ['float32[]', [0, 0]]],
  expert_count: [u32(8), u32(0)],
  expert_shared_count: [u32(1), u32(0)],
  leading_dense_block_count: [u32(1), u32(0)],
  moe_every_n_layers: [u32(2), u32(0)],
  interleave_moe_layer_step: [u32(2), u32(0)],
  nextn_predict_layers: [u32(1), u32(0)],
  n_deepstack_layers: [u32(3), u32(0)],
  token_shift_count: [u32(2), u32(0)],
  rescale_every_n_layers: [u32(6), u32(0)],
  swin_norm: [['bool', true], ['bool', false]],
  use_parallel_residual: [['bool', true], ['bool', false]],
};

test('keys that change the arithmetic and are not computed are refused by name, unless they ask for nothing', async () => {
  for (const [key, [bad, good]] of Object.entries(NOT_COMPUTED)) {
    const error = await refuses(describe(having({ [key]: bad })), 'DESCRIPTION', `"llama.${key}"`, 'supported is');
    assert.ok(error.message.includes('does not compute'), error.message);
    assert.is((await describe(having({ [key]: good }))).notices, undefined, key);
  }
  const window = u32(2 ** 20);
  assert.is((await describe(having({ 'attention.sliding_window': window }))).notices, undefined);
});

test('other keys of the namespace are named in a notice, which open passes on', async () => {
  const odd = { 'attention.new_thing': f32(0.5), 'attention.other_thing': u32(3) };
  const { notices } = await describe(having(odd));
  assert.is(notices?.length, 1);
  assert.match(notices![0], /"llama.attention.new_thing", "llama.attention.other_thing" are not read/);
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`key${i}`, u32(i)]));
  assert.match((await describe(having(many))).notices![0], /"llama.key7" and 12 more are not read/);
  // keys of other namespaces, and those that say nothing of the arithmetic
  const plain = { 'general.author': ['string', 'x'], tensor_data_layout: ['string', 'y'] } as const;
  const idle = {
    ...plain,
    expert_used_count: u32(0),
    pooling_type: u32(3),
    'rope.scaling.finetuned': ['bool', true],
  } as const;
  assert.is((await describe(having(idle as unknown as Parameters<typeof having>[0]))).notices, undefined);
  assert.is((await describe(llamaFile())).notices, undefined);
  const heard: string[] = [];
  await using model = await open(having(odd).bytes(), { threads: 1, onNotice: (text) => void heard.push(text) });
  assert.equal(heard, notices);
  assert.equal(model.describe().notices, notices);
});

test('numbers stated once a layer count where they are equal, and are refused by name where they are not', async () => {
  const lists = { 'attention.head_count': 4, 'attention.head_count_kv': 2, feed_forward_length: 70 };
  for (const [key, value] of Object.entries(lists)) {
    const list = (...values: number[]): [MetaEntry[1], MetaEntry[2]] => ['uint32[]', values];
    await describe(having({ [key]: list(value, value) }));
    await refuses(describe(having({ [key]: list(value, value + 1) })), 'DESCRIPTION', `llama.${key}`, 'not equal');
    await refuses(describe(having({ [key]: list(value) })), 'DESCRIPTION', `llama.${key}`, '1 values for 2 layers');
  }
});

// case: D2
test('edges of the ranges are accepted', async () => {
  assert.is((await describe(having({ context_length: u32(1) }))).trainedContext, 1);
  assert.is((await describe(having({ context_length: u32(2 ** 20) }))).trainedContext, 2 ** 20);
  assert.is((await describe(having({ 'rope.dimension_count': u32(0) }))).rope.dims, 0);
  assert.is((await describe(having({ 'rope.freq_base': f32(1) }))).rope.theta, 1);
  assert.is((await describe(having({ 'attention.layer_norm_rms_epsilon': f32(1) }))).normEps, 1);
  assert.is((await describe(having({ block_count: ['uint64', 2n] }))).layers, 2);
  assert.is((await describe(having({ feed_forward_length: ['uint32[]', [70, 70]] }))).hidden, 70);
});

test('linear scaling may come as a factor alone or under its older name; other scalings are refused', async () => {
  assert.is((await describe(having({ 'rope.scaling.factor': f32(4) }))).rope.linear, 4);
  assert.is((await describe(having({ 'rope.scale_linear': f32(8) }))).rope.linear, 8);
  assert.is(
    (await describe(having({ 'rope.scaling.type': ['string', 'none'], 'rope.scaling.factor': f32(4) }))).rope.linear,
    1,
  );
  await refuses(describe(having({ 'rope.scaling.type': ['string', 'ntk'] })), 'DESCRIPTION', 'ntk', 'yarn');
});

// case: D4
test('an architecture that is unknown or absent is refused with those that are supported', async () => {
  for (const name of ['mamba', '__proto__', 'constructor', '']) {
    await refuses(describe(having({ 'general.architecture': ['string', name] })), 'ARCHITECTURE', 'llama', 'qwen3');
  }
  await refuses(describe(having({ 'general.architecture': null })), 'ARCHITECTURE', 'missing', 'llama');
  await refuses(describe(having({ 'general.architecture': u32(1) })), 'DESCRIPTION', 'general.architecture');
});

// case: G19
test('metadata that contradict the tensors are refused with both sizes', async () => {
  const contradictions: Record<string, [MetaEntry[1], MetaEntry[2]]>[] = [
    { embedding_length: u32(48) },
    { vocab_size: u32(50) },
    { feed_forward_length: u32(71) },
    { 'attention.head_count': u32(2) },
    { 'attention.head_count_kv': u32(4) },
    { 'attention.key_length': u32(8), 'rope.dimension_count': u32(8) },
  ];
  for (const entries of contradictions) await refuses(describe(having(entries)), 'DESCRIPTION_MISMATCH', 'tensor', '×');
  assert.is((await describe(having({ vocab_size: u32(51) }))).vocab, 51);
  const file = llamaFile();
  const norm = file.tensors.find(({ name }) => name === 'output_norm.weight');
  Object.assign(norm ?? {}, { shape: [1, 44] });
  await refuses(describe(file), 'DESCRIPTION_MISMATCH', 'output_norm.weight');
});

// case: P12
test('missing and unexpected tensors are refused together, by name', async () => {
  const file = llamaFile();
  file.tensors.splice(file.tensors.findIndex(({ name }) => name === 'blk.1.ffn_up.weight'), 1);
  file.tensors.push({ name: 'blk.0.ffn_gate_exps.weight', type: 'F32', shape: [4] });
  file.tensors.push({ name: 'blk.2.attn_q.weight', type: 'F32', shape: [48, 44] });
  await refuses(
    describe(file),
    'DESCRIPTION_TENSORS',
    'blk.1.ffn_up.weight',
    'blk.0.ffn_gate_exps.weight',
    'blk.2.attn_q.weight',
  );
  const none = llamaFile();
  none.tensors.length = 0;
  await refuses(describe(none), 'DESCRIPTION_TENSORS', 'token_embd.weight');
});

test('more layers than tensors are refused; a missing layer is named', async () => {
  await refuses(describe(having({ block_count: u32(3) })), 'DESCRIPTION_TENSORS', 'blk.2.attn_q.weight', 'more');
  await refuses(describe(having({ block_count: u32(1) })), 'DESCRIPTION_TENSORS', 'unexpected', 'blk.1.');
});

test('a vector of a block type is refused before memory is taken; float types are accepted', async () => {
  const file = llamaFile({ shape: { width: 64, headDim: 16 } });
  const norm = file.tensors.find(({ name }) => name === 'blk.0.attn_norm.weight');
  Object.assign(norm ?? {}, { type: 'Q8_0', data: undefined });
  await refuses(describe(file), 'DESCRIPTION', 'blk.0.attn_norm.weight', 'Q8_0', 'F32');
  await describe(llamaFile({ vectorType: 'F16' }));
  await describe(llamaFile({ vectorType: 'BF16' }));
});

const VOCABULARY: MetaEntry[] = [
  ['tokenizer.ggml.model', 'string', 'llama'],
  ['tokenizer.ggml.tokens', 'string[]', ['<unk>', '<s>', '</s>', '▁a', 'b']],
  ['tokenizer.ggml.scores', 'float32[]', [0, 0, 0, -1, -2]],
  ['tokenizer.ggml.token_type', 'int32[]', [2, 3, 3, 1, 1]],
];

test('a vocabulary larger than the embedding is refused with both numbers; a smaller one leaves rows that are never drawn', async () => {
  const small = llamaFile({ shape: { vocab: 4 } });
  small.metadata.push(...VOCABULARY);
  await refuses(open(small.bytes()), 'DESCRIPTION_MISMATCH', '5 tokens', '4 rows');
  const large = llamaFile();
  large.metadata.push(...VOCABULARY);
  const model = await open(large.bytes());
  const ids: number[] = [];
  let text = '';
  for await (
    const chunk of model.generate('a', {
      maxTokens: 30,
      temperature: 5,
      topK: 0,
      topP: 1,
      minP: 0,
      seed: 1,
      logitBias: { 2: -Infinity },
      joined: false, // as the text decodes by itself
    })
  ) {
    if (chunk.id !== null) ids.push(chunk.id);
    text += chunk.text;
  }
  assert.is(ids.length, 30);
  assert.ok(ids.every((id) => id < 5), 'only rows with a piece');
  assert.is(text, model.tokenizer.decode(ids));
  model.dispose();
});

// case: D5
test('special ids outside the vocabulary count as none: generation ends by the number of tokens', async () => {
  for (const id of [5, MAX_U32]) {
    const file = llamaFile();
    file.metadata.push(...VOCABULARY, ['tokenizer.ggml.eos_token_id', 'uint32', id], [
      'tokenizer.ggml.bos_token_id',
      'uint32',
      id,
    ]);
    const model = await open(file.bytes());
    assert.is(model.tokenizer.specials.eos, undefined);
    assert.equal(model.tokenizer.specials.stop, []);
    for await (const chunk of model.generate('a', { maxTokens: 5, temperature: 0 })) {
      if (chunk.usage) assert.is(chunk.usage.completionTokens, 5);
    }
    model.dispose();
  }
  const file = llamaFile();
  file.metadata.push(...VOCABULARY, ['tokenizer.ggml.eos_token_id', 'uint32', 2]);
  const model = await open(file.bytes());
  assert.equal(model.tokenizer.specials.stop, [2]);
  model.dispose();
});
test.run();
