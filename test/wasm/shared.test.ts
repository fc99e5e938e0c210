/** The shared variant of the kernels: the same module but for the limits of its memory. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { builtin } from '../../src/wasm/builtin.ts';
import { instantiate } from '../../src/wasm/instantiate.ts';
import { withSharedMemory } from '../../src/wasm/shared.ts';
import { builds } from '../kernels/harness.ts';
import { refuses } from '../refusal.ts';

const MAGIC = [0, 97, 115, 109, 1, 0, 0, 0];
/** (type (func)) */
const TYPES = [1, 4, 1, 96, 0, 0];
/** (import "a" "b" (memory LIMITS)), then (func) with its body, so that something stands behind. */
const module = (...limits: number[]): Uint8Array =>
  new Uint8Array([
    ...MAGIC,
    ...TYPES,
    2,
    6 + limits.length,
    1,
    1,
    97,
    1,
    98,
    2,
    ...limits,
    3,
    2,
    1,
    0,
    10,
    4,
    1,
    2,
    0,
    11,
  ]);

const shared = (initial: number, maximum: number): WebAssembly.Memory =>
  new WebAssembly.Memory({ initial, maximum, shared: true });

const test = suite('shared memory');

test('with and without a maximum, small minimum or large: a shared memory of at least that size is taken', async () => {
  for (const limits of [[0, 1], [1, 1, 2], [0, 0x80, 0x02], [1, 0x80, 0x02, 0x80, 0x80, 0x04]]) {
    const bytes = module(...limits);
    assert.ok(WebAssembly.validate(bytes as Uint8Array<ArrayBuffer>), `the test's own module ${limits}`);
    const compiled = await WebAssembly.compile(withSharedMemory(bytes));
    const least = limits[1] === 1 ? 1 : 256;
    const instance = (memory: WebAssembly.Memory): WebAssembly.Instance =>
      new WebAssembly.Instance(compiled, { a: { b: memory } });
    for (const maximum of [least, 1024, 65536]) instance(shared(least, maximum));
    assert.throws(() => instance(new WebAssembly.Memory({ initial: least, maximum: 1024 })));
    if (least > 1) assert.throws(() => instance(shared(1, 1024)));
  }
});

test('a module that imports something else, or nothing, is refused', async () => {
  const func = new Uint8Array([...MAGIC, ...TYPES, 2, 7, 1, 1, 97, 1, 98, 0, 0]);
  for (const bytes of [func, new Uint8Array(MAGIC), new Uint8Array([...MAGIC, ...TYPES])]) {
    await refuses(Promise.resolve().then(() => withSharedMemory(bytes)), 'WASM_MODULE');
  }
});

test('the kernels work over a shared memory, those of either build', async () => {
  for (const build of builds) {
    const { modules } = builtin(build);
    const memory = shared(1, 16);
    const k = instantiate(await modules(true), memory);
    const x = new Float32Array(memory.buffer, 32768, 8);
    x.set([1, 2, 3, 4, 5, 6, 7, 8]);
    k.add_f32(32768, 32768 + 16, 4);
    assert.equal([...x], [6, 8, 10, 12, 5, 6, 7, 8]);
    assert.is(await modules(true), await modules(true), 'compiled once');
    await refuses(Promise.resolve().then(async () => instantiate(await modules(false), memory)), 'WASM_MODULE');
  }
});
test.run();
