/** The entry for hosts that forbid compiling: a module must be given, and must be ours; then all is as elsewhere. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { open as openEdge } from '../../src/entries/edge.ts';
import { open } from '../../src/entries/index.ts';
import { builtinModule } from '../../src/wasm/builtin.ts';
import { hasRelaxedSimd } from '../../src/wasm/features.ts';
import { sameBits } from '../kernels/harness.ts';
import { llamaFile } from '../llama-files.ts';
import { refuses } from '../refusal.ts';

type EdgeOptions = Parameters<typeof openEdge>[1];

/** (module), and a module that imports what no host here gives. */
const EMPTY = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
const FOREIGN = new WebAssembly.Module(
  new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 2, 7, 1, 1, 97, 1, 98, 0, 0]),
);

const test = suite('edge');

test('without a module it is refused as an option', async () => {
  const file = llamaFile().bytes();
  await refuses(openEdge(file, {} as EdgeOptions), 'OPTION', 'module');
  await refuses((openEdge as unknown as (source: Uint8Array) => Promise<unknown>)(file), 'OPTION', 'module');
  await refuses(openEdge(file, { module: new Uint8Array(8) } as unknown as EdgeOptions), 'OPTION', 'module');
});

test('a module that is not ours is refused, in both entries', async () => {
  const file = llamaFile().bytes();
  for (const module of [EMPTY, FOREIGN]) {
    await refuses(openEdge(file, { module }), 'WASM_MODULE');
    await refuses(open(file, { module }), 'WASM_MODULE');
  }
});

test('with a module of ours it gives the same bits', async () => {
  const file = llamaFile().bytes();
  const { module } = await builtinModule('base');
  const edge = await openEdge(file, { module: module[0] });
  const full = await open(file);
  const expected = await full.logits([1, 2, 3]);
  (await edge.logits([1, 2, 3])).forEach((row, i) => sameBits(row, expected[i], `position ${i}`));
  assert.is(edge.stats().build, 'custom');
  edge.dispose();
  full.dispose();
});

test('relaxed.wasm is nothing without base.wasm', async () => {
  if (!hasRelaxedSimd()) return console.log('  skipped: this host has no relaxed SIMD');
  const { module } = await builtinModule('relaxed');
  await refuses(openEdge(llamaFile().bytes(), { module: module[1] }), 'WASM_MODULE', 'base.wasm');
});

test('options of the wrong type or range are refused by name', async () => {
  const file = llamaFile().bytes();
  for (
    const options of [
      { contextLength: 0 },
      { contextLength: 1.5 },
      { contextLength: 2 ** 20 + 1 },
      { contextLength: NaN },
      { threads: 0 },
      { threads: 1000 },
      { maxMemoryBytes: 0 },
      { kv: 'f64' as 'f32' },
      { build: 'fast' as 'base' },
      { onProgress: 1 as unknown as () => void },
    ]
  ) {
    await refuses(open(file, options), 'OPTION', Object.keys(options)[0]);
  }
  (await open(file, { contextLength: 1, threads: 1, kv: 'f32', build: 'base' })).dispose();
});
test.run();
