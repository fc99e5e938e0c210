/** Checkpoints that PyTorch has written: which tensors they have, where, and that these are numbers. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openFile } from '../../src/bytes/file.ts';
import { type ByteSource, readFully } from '../../src/bytes/source.ts';
import { openContainer } from '../../src/container/open.ts';
import type { Container, TensorInfo } from '../../src/container/tensor.ts';
import { countingSource } from '../faults.ts';
import { json, sharedTest } from '../shared.ts';
import { dirname, join } from 'node:path';

const checkpoints = suite('checkpoints');

async function withCheckpoint(
  path: string,
  run: (container: Container, source: ByteSource) => Promise<void>,
): Promise<void> {
  const source = countingSource(await openFile(path));
  try {
    const container = await openContainer(source);
    assert.is(container.format, 'torch');
    assert.ok(source.counts.bytes < 400_000, `${source.counts.bytes} bytes read before any weight`);
    await run(container, source);
  } finally {
    await source.close?.();
  }
}

/** Names and shapes, sorted by name. */
const table = (entries: Iterable<readonly [string, readonly number[]]>): string[] =>
  [...entries].map(([name, shape]) => `${name} ${shape.join('×')}`).sort();

const shapes = ({ tensors }: Container): string[] => table([...tensors].map(([name, info]) => [name, info.shape]));

async function values(source: ByteSource, info: TensorInfo): Promise<Float32Array> {
  const bytes = new Uint8Array(info.byteLength);
  await readFully(source, bytes, info.offset, info.name);
  return new Float32Array(bytes.buffer);
}

/** Every F32 tensor is finite, and every mask holds 0 and 1. */
async function checkValues({ tensors }: Container, source: ByteSource): Promise<void> {
  for (const info of tensors.values()) {
    if (info.type === 'BOOL') {
      const bytes = new Uint8Array(info.byteLength);
      await readFully(source, bytes, info.offset, info.name);
      assert.ok(bytes.every((byte) => byte <= 1) && bytes.includes(1), info.name);
    } else {
      assert.is(info.type, 'F32', info.name);
      assert.ok((await values(source, info)).every(Number.isFinite), info.name);
    }
  }
}

function symbolicLight({ metadata }: Container, masked: boolean, ranked: number): Array<readonly [string, number[]]> {
  const of = (key: string): number => metadata.get(`config.${key}`) as number;
  const [vocab, width, hidden, heads] = ['vocab_size', 'embed_dim', 'intermediate_dim', 'n_heads'].map(of);
  const norm = (
    name: string,
  ): Array<readonly [string, number[]]> => [[`${name}.weight`, [width]], [`${name}.bias`, [width]]];
  const all: Array<readonly [string, number[]]> = [
    ['spike_encoder.frontend.text_embedding.weight', [vocab, width]],
    ...norm('spike_encoder.norm'),
    ['output_head.output_proj.weight', [vocab, width]],
  ];
  for (let i = 0; i < of('n_layers'); i++) {
    const block = `blocks.${i}`;
    all.push([`${block}.tcam.decay_raw`, [heads]], [`${block}.tcam.attn_gate`, [1]]);
    all.push([`${block}.tcam.tcam_proj.weight`, [width, width]], [`${block}.tcam.out_proj.weight`, [width, width]]);
    all.push(...norm(`${block}.tcam.norm`), ...norm(`${block}.ffn.norm`));
    all.push([`${block}.ffn.up.weight`, [hidden, width]], [`${block}.ffn.down.weight`, [width, hidden]]);
    if (metadata.get('config.enable_sparse_attn') !== true) continue;
    const attention = `${block}.tcam.sparse_attn`;
    for (const proj of ['q_proj', 'k_proj', 'v_proj']) all.push([`${attention}.${proj}.weight`, [width, width]]);
    all.push([`${attention}.rope.inv_freq`, [of('head_dim') / 2]]);
    const positions = of('max_seq_len');
    if (masked) all.push([`${attention}._cached_mask`, [positions, positions]]);
  }
  if (masked) all.push(['output_head.prior_weight', []]);
  if (metadata.get('config.enable_dynamic_prior') === true) {
    all.push(['output_head.prior_net.0.weight', [ranked, width]], ['output_head.prior_net.2.weight', [vocab, ranked]]);
  } else {
    all.push(['output_head.log_prior', [vocab]]);
  }
  return all;
}

const SYMBOLICLIGHT: Array<[folder: string, masked: boolean, ranked: number]> = [
  ['0.8b-small', true, 32],
  ['0.8b-odd', true, 24],
  ['0.8b-decay-only', true, 16],
  ['194m-small', false, 32],
];
for (const [folder, masked, ranked] of SYMBOLICLIGHT) {
  const file = `conformance/symboliclight/${folder}/checkpoint.pt`;
  sharedTest(
    checkpoints,
    `${file} has the tensors of its configuration`,
    file,
    (path) =>
      withCheckpoint(path, async (container, source) => {
        assert.equal(shapes(container), table(symbolicLight(container, masked, ranked)));
        await checkValues(container, source);
        for (const info of container.tensors.values()) {
          if (!info.name.endsWith('rope.inv_freq')) continue;
          // θ^(−2i/d), known without the file
          const theta = container.metadata.get('config.rope_theta') as number;
          const dims = info.shape[0] * 2;
          const expected = Array.from({ length: dims / 2 }, (_, i) => theta ** ((-2 * i) / dims));
          (await values(source, info)).forEach((value, i) =>
            assert.ok(Math.abs(value - expected[i]) < 1e-6 * expected[i])
          );
        }
      }),
  );
}

interface BertConfig {
  hidden_size: number;
  intermediate_size: number;
  num_hidden_layers: number;
  vocab_size: number;
  max_position_embeddings: number;
  type_vocab_size: number;
}

function spikingBert(c: BertConfig): Array<readonly [string, number[]]> {
  const width = c.hidden_size;
  const norm = (
    name: string,
  ): Array<readonly [string, number[]]> => [[`${name}.weight`, [width]], [`${name}.bias`, [width]]];
  const linear = (name: string, out: number, into: number): Array<readonly [string, number[]]> => [
    [`${name}.weight`, [out, into]],
    [`${name}.bias`, [out]],
  ];
  const one = (layer: (j: number) => string): Array<readonly [string, number[]]> => {
    const all: Array<readonly [string, number[]]> = [
      ['network_x.word_embeddings.weight', [c.vocab_size, width]],
      ['network_x.position_embeddings.weight', [c.max_position_embeddings, width]],
      ['network_x.token_type_embeddings.weight', [c.type_vocab_size, width]],
      ...norm('network_x.LayerNorm'),
    ];
    for (let e = 0; e < c.num_hidden_layers; e++) {
      const at = (j: number): string => layer(6 * e + j);
      all.push(...linear(`${at(1)}.dense`, width, width), ...linear(`${at(2)}.dense`, width, width));
      all.push(...linear(`${at(3)}.query`, width, width));
      all.push(...linear(`${at(4)}.dense`, width, width), ...norm(`${at(4)}.LayerNorm`));
      all.push(...linear(`${at(5)}.dense`, c.intermediate_size, width));
      all.push(...linear(`${at(6)}.dense`, width, c.intermediate_size), ...norm(`${at(6)}.LayerNorm`));
    }
    all.push([`${layer(6 * c.num_hidden_layers + 1)}.fc.weight`, [width, width]]);
    return all;
  };
  const copies = ['snn_func', 'snn_func_copy', 'snn_ide_conv.snn_func', 'snn_ide_conv.snn_func_copy'];
  return [
    ...one((j) => `network_s${j}`),
    ...copies.flatMap((prefix) =>
      one((j) => `network_s_list.${j - 1}`).map(([name, shape]) => [`${prefix}.${name}`, shape] as const)
    ),
  ];
}

for (const folder of ['float-t16', 'binary-t8', 'ternary-t16', 'ternary-leaky-t12']) {
  const file = `conformance/spikingbert/${folder}/pytorch_model.bin`;
  sharedTest(
    checkpoints,
    `${file} has five sets of layers, three of which are one`,
    file,
    (path) =>
      withCheckpoint(path, async (container, source) => {
        const heads = /^(fit_dense|pooler_layer\.dense|classification)\./;
        const expected = table(spikingBert(json<BertConfig>(join(dirname(path), 'config.json'))));
        assert.equal(shapes(container).filter((line) => !heads.test(line)), expected);
        assert.is(container.tensors.size, expected.length + 6);
        const at = (name: string): number | undefined => container.tensors.get(name)?.offset;
        assert.is(at('snn_func.network_s_list.0.dense.weight'), at('network_s1.dense.weight'));
        assert.is(at('snn_ide_conv.snn_func.network_s_list.0.dense.weight'), at('network_s1.dense.weight'));
        assert.is.not(at('snn_func_copy.network_s_list.0.dense.weight'), at('network_s1.dense.weight'));
        await checkValues(container, source);
      }),
  );
}

checkpoints.run();
