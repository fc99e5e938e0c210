/**
 * Models in the K-quants and the older types of 4 and 5 bits: weights equal to gguf's Python package bit for bit, as rows that a
 * model reads and as `convert` decodes them; probabilities against native llama.cpp, which rounds activations in its own way.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { openContainer } from '../../src/container/open.ts';
import { convertModel } from '../../src/model/convert.ts';
import { readRow } from '../../src/forward/matmul.ts';
import { Arena } from '../../src/wasm/arena.ts';
import { builtinModule } from '../../src/wasm/builtin.ts';
import { instantiate } from '../../src/wasm/instantiate.ts';
import { WeightLoader } from '../../src/wasm/weights.ts';
import { builds } from '../kernels/harness.ts';
import { allLogits, argmax, bare, softmax } from '../models.ts';
import { json, sharedTest } from '../shared.ts';

const NAMES = [
  'q4_0',
  'q4_1',
  'q5_0',
  'q5_1',
  'q2_k',
  'q3_k',
  'q4_k',
  'q5_k',
  'q6_k',
  'iq4_nl',
  'tq2_0-llama-quantize',
];

interface Prompt {
  readonly ids: number[];
  /** Per position the most probable ids with their probabilities, best first. */
  readonly top: [number, number][][];
}

/** By the README of the material: largest error of a probability, and the lead from which the best id must be ours too. */
const MAX_ERROR = 1.5e-3;
const CLEAR_LEAD = 1.05;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const test = suite('K-quants');
for (const name of NAMES) {
  const file = `conformance/kquants/tiny-${name}.gguf`;

  sharedTest(test, `${name}: rows and decoded tensors are those of gguf's Python package`, file, async (path) => {
    const expected = json<Record<string, { shape: number[]; sha256: string }>>(path.replace('.gguf', '.weights.json'));
    const { module } = await builtinModule();
    const source = memorySource(readFileSync(path));
    const container = await openContainer(source);
    const arena = new Arena(new WebAssembly.Memory({ initial: 1 }));
    const kernels = instantiate(module, arena.memory);
    const loader = new WeightLoader(kernels, arena, source, container);
    const matrices = Object.keys(expected).map((tensor) => loader.matrix(tensor));
    await loader.fill();
    const out = arena.alloc(4 * 4096, 'row');
    const pieces: Uint8Array[] = [];
    await convertModel(module, source, { write: async (bytes) => void pieces.push(bytes.slice()) }, { type: 'f32' });
    const whole = Buffer.concat(pieces);
    const decoded = await openContainer(memorySource(whole));
    for (const m of matrices) {
      const { shape, sha256: hash } = expected[m.name];
      const all = new Float32Array(shape[0] * shape[1]);
      for (let r = 0; r < shape[0]; r++) {
        readRow(kernels, m, r, out);
        all.set(arena.f32(out, shape[1]), r * shape[1]);
      }
      assert.is(sha256(new Uint8Array(all.buffer)), hash, `rows of ${m.name}`);
      const { offset, byteLength } = decoded.tensors.get(m.name)!;
      assert.is(sha256(whole.subarray(offset, offset + byteLength)), hash, `${m.name}, converted to f32`);
    }
  });

  for (const build of builds) {
    sharedTest(
      test,
      `${name} (${build}): probabilities of llama.cpp, and the same bits token by token`,
      file,
      async (path) => {
        const { prompts } = json<{ prompts: Prompt[] }>(path.replace('.gguf', '.json'));
        const model = await bare(path, { build });
        let worst = 0;
        for (const { ids, top } of prompts) {
          const rows = await allLogits(model, ids);
          rows.forEach((row, position) => {
            const p = softmax(row);
            for (const [id, probability] of top[position]) worst = Math.max(worst, Math.abs(p[id] - probability));
            const [[best, first], [, second]] = top[position];
            if (first > second * CLEAR_LEAD) assert.is(argmax(row), best, `best id at position ${position}`);
          });
          using stepped = model.session();
          for (const [i, id] of ids.entries()) assert.equal(await stepped.step(id), rows[i], `step ${i}`);
        }
        console.log(`  ${name} (${build}): largest probability error ${worst.toExponential(1)}`);
        assert.ok(worst <= MAX_ERROR, `probability error ${worst}, at most ${MAX_ERROR}`);
      },
    );
  }
}
test.run();
