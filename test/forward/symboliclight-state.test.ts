/** What a SymbolicLight session leaves in memory, and how much of it a fork or a snapshot takes along. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { openContainer } from '../../src/container/open.ts';
import { symbolicLightDecoder } from '../../src/architectures/symboliclight/decoder.ts';
import { symbolicLightWeights } from '../../src/architectures/symboliclight/weights.ts';
import { describe } from '../describe.ts';
import { ringOf, symbolicLightStateBytes } from '../../src/architectures/symboliclight/state.ts';
import { Arena } from '../../src/wasm/arena.ts';
import { builtinModule } from '../../src/wasm/builtin.ts';
import { instantiate } from '../../src/wasm/instantiate.ts';
import { WeightLoader } from '../../src/wasm/weights.ts';
import { checkpointBytes, randomWeights, SMALL } from '../symboliclight-files.ts';
import type { SessionDecoder } from '../../src/forward/sessions.ts';

const { module } = await builtinModule();
const test = suite('SymbolicLight states');

type State = ReturnType<SessionDecoder['createState']>;

async function load(changes: Partial<typeof SMALL> = {}) {
  const config = { ...SMALL, ...changes };
  const all = [...randomWeights(config)].filter(([name]) => config.enable_sparse_attn || !name.includes('sparse_attn'));
  const source = memorySource(checkpointBytes(config, new Map(all)));
  const container = await openContainer(source);
  const d = describe(container);
  if (d.kind !== 'symboliclight') throw new Error(d.kind);
  const arena = new Arena(new WebAssembly.Memory({ initial: 1 }));
  const k = instantiate(module, arena.memory);
  const loader = new WeightLoader(k, arena, source, container);
  const { weights, finish } = symbolicLightWeights(d, loader);
  await loader.fill();
  finish(k, arena);
  const decoder = symbolicLightDecoder(k, arena, d, weights);
  /** Appends n tokens. */
  const read = (state: State, n: number): void => {
    const ids = Array.from({ length: n }, (_, i) => (i * 97 + 13) % d.vocab);
    for (let at = 0; at < n; at += decoder.batch) {
      void decoder.forward(state, { ids, from: n, see: () => {} }, at, Math.min(decoder.batch, n - at));
    }
  };
  const bytes = symbolicLightStateBytes(d);
  const memoryOf = (state: State): Uint8Array => arena.u8(state.base, bytes);
  return { decoder, read, bytes, memoryOf, slots: d.anchors + ringOf(d) };
}

const zeros = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

// case: Z8
test('a state that is given back or reset holds nothing of its text, however long that was', async () => {
  const { decoder, read, memoryOf, slots } = await load();
  for (const length of [1, 5, slots - 1, slots, slots + 1, 3 * slots]) {
    for (const end of ['freeState', 'resetState'] as const) {
      const state = decoder.createState();
      read(state, length);
      assert.not.ok(zeros(memoryOf(state)));
      decoder[end](state);
      assert.ok(zeros(memoryOf(state)), `${end} after ${length} positions`);
      if (end === 'resetState') decoder.freeState(state);
    }
  }
  // what a longer text left is cleared although a shorter one was put over it
  const state = decoder.createState();
  read(state, 30);
  const short = decoder.createState();
  read(short, 3);
  const saved = new Uint8Array(decoder.stateBytes(3));
  decoder.writeState(short, saved);
  decoder.readState(state, saved, 3);
  decoder.freeState(state);
  assert.ok(zeros(memoryOf(state)));
});

test('what is held of a short text is little; a fork and a saved state are all of it', async () => {
  const { decoder, read, bytes, memoryOf, slots } = await load();
  assert.ok(decoder.stateBytes(0) < decoder.stateBytes(1) && decoder.stateBytes(4) < bytes / 4);
  assert.is(decoder.stateBytes(slots), bytes);
  assert.is(decoder.stateBytes(2 ** 31), bytes);
  for (const length of [0, 4, slots, 2 * slots]) {
    const state = decoder.createState();
    read(state, length);
    const copy = decoder.forkState(state);
    assert.equal(memoryOf(copy), memoryOf(state));
    const saved = new Uint8Array(decoder.stateBytes(length));
    decoder.writeState(state, saved);
    const restored = decoder.createState();
    decoder.readState(restored, saved, length);
    assert.equal(memoryOf(restored), memoryOf(state));
    for (const each of [state, copy, restored]) decoder.freeState(each);
    assert.ok([state, copy, restored].every((each) => zeros(memoryOf(each))), `${length} positions`);
  }
});

test('a model without attention has membranes and decaying states alone', async () => {
  const { decoder, read, bytes, memoryOf } = await load({ enable_sparse_attn: false });
  assert.is(decoder.stateBytes(1), bytes);
  const state = decoder.createState();
  read(state, 7);
  decoder.freeState(state);
  assert.ok(zeros(memoryOf(state)));
});

test.run();
