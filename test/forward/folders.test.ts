/**
 * Models in several files against references: parts of a GGUF file against llama.cpp's answers for the whole, Hugging Face
 * folders against transformers in f32. Packed matrices take inputs that are rounded to int8, here in blocks and there a
 * token at a time, so that those agree within what rounding allows.
 */
import { dirname } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openContainer } from '../../src/container/open.ts';
import { resolveSource } from '../../src/bytes/resolve.ts';
import { builds } from '../kernels/harness.ts';
import { allLogits, bare } from '../models.ts';
import { json, sharedTest } from '../shared.ts';

interface Reference {
  readonly ids: number[];
  /** Of the last positions. */
  readonly logits: number[][];
}

/** Largest error of a logit. */
const BOUNDS: Record<string, number> = {
  'llama-bf16': 1e-3,
  'llama-f32-sharded': 1e-3,
  'qwen3-yarn-bf16': 1e-3,
  'bitnet-bf16-unpacked': 1e-3,
  'bitnet-packed-autobitlinear': 0.05,
  'llama-packed-bitlinear': 0.05,
};

const test = suite('folders against transformers');
for (const [name, bound] of Object.entries(BOUNDS)) {
  for (const build of builds) {
    sharedTest(test, `${name} (${build})`, `conformance/hf/${name}/reference.json`, async (file) => {
      const { ids, logits } = json<Reference>(file);
      const rows = await allLogits(await bare(dirname(file), { build, kv: 'f32' }), ids);
      let worst = 0;
      let largest = 0;
      logits.forEach((expected, i) => {
        const row = rows[ids.length - logits.length + i];
        assert.is(row.length, expected.length);
        expected.forEach((value, id) => {
          worst = Math.max(worst, Math.abs(row[id] - value));
          largest = Math.max(largest, Math.abs(value));
        });
      });
      console.log(`  ${name} (${build}): largest error ${worst.toExponential(1)} of logits up to ${largest.toFixed(2)}`);
      assert.ok(worst <= bound, `logit error ${worst}, at most ${bound}`);
    });
  }
}

const SPLIT = 'conformance/split/tiny-q8_0-00001-of-00003.gguf';
sharedTest(test, 'a GGUF file in three parts gives the bits of the whole, whichever part is opened', SPLIT, async (file) => {
  const ids = [1, 17, 300, 5, 42, 9];
  const whole = await allLogits(await bare(file.replace(/split.*/, 'llama/tiny-q8_0.gguf')), ids);
  for (const part of [1, 2, 3]) {
    assert.equal(await allLogits(await bare(file.replace('00001', `0000${part}`)), ids), whole);
  }
});

sharedTest(test, 'gemma3 and bert: names, sizes and norms', 'conformance/hf/gemma3-bf16/config.json', async (file) => {
  const source = await resolveSource(dirname(file));
  const { metadata, tensors, source: joined } = await openContainer(source);
  assert.is(metadata.get('gemma3.rope.freq_base'), 1e6);
  assert.is(metadata.get('gemma3.rope.freq_base_swa'), 1e4);
  assert.is(metadata.get('gemma3.attention.sliding_window'), 16);
  const norm = tensors.get('blk.5.post_ffw_norm.weight')!;
  assert.is(norm.type, 'F32');
  const bytes = new Uint8Array(norm.byteLength);
  assert.is(await joined!.read(bytes, norm.offset), bytes.length);
  const values = [...new Float32Array(bytes.buffer)];
  assert.ok(values.every((value) => Math.abs(value - 1) < 0.9), 'norms are near 1');
  await source.close?.();

  const other = await resolveSource(dirname(file).replace('gemma3-bf16', 'bert-3-labels'));
  const bert = await openContainer(other);
  assert.is(bert.metadata.get('general.architecture'), 'bert');
  assert.equal(bert.tensors.get('cls.output.weight')?.shape, [3, 64]);
  assert.is(bert.tensors.size, 5 + 2 * 16 + 4);
  await other.close?.();
});
test.run();
