/**
 * Sessions as bytes: going on from them equals never having stopped, what is damaged or of another model is refused and
 * changes nothing, and nothing that was forgotten is in them.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { xxh32 } from '../../src/bytes/xxh32.ts';
import { randomModel } from '../../src/model/random.ts';
import { type Model, open, type OpenOptions, type Session, TernspikeError } from '../../src/entries/index.ts';
import { builds, sameBits } from '../kernels/harness.ts';
import { llamaFile } from '../llama-files.ts';
import { refuses } from '../refusal.ts';
import { sharedTest } from '../shared.ts';

const HEADER_BYTES = 48;
const LENGTH_AT = 24;
const PAYLOAD_AT = 32;

const tiny = async (options: OpenOptions = {}, type = 'tq2_0'): Promise<Model> =>
  open(await randomModel('tiny', type, 2), { contextLength: 64, ...options });

/** n ids that are no pattern of the batch. */
const text = (n: number, vocab: number, seed = 0): number[] =>
  Array.from({ length: n }, (_, i) => ((i + seed) * 37 + 11) % vocab);

async function reading(model: Model, ids: readonly number[]): Promise<Session> {
  const session = model.session();
  if (ids.length) await session.prefill(ids);
  return session;
}

/** A refusal of `restore` with `code`. */
function restoreRefused(session: Session, bytes: Uint8Array, code: string, ...words: string[]): void {
  try {
    session.restore(bytes);
  } catch (error) {
    if (!(error instanceof TernspikeError)) throw error;
    assert.is(error.code, code, error.message);
    for (const word of words) assert.ok(error.message.includes(word), `${error.message}\n  does not mention ${word}`);
    return;
  }
  assert.unreachable(`expected ${code}, nothing was refused`);
}

/** Changes a snapshot and gives it the checksum that belongs to it. */
function forged(snapshot: Uint8Array, change: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = snapshot.slice();
  const view = new DataView(bytes.buffer);
  change(view, bytes);
  view.setUint32(40, xxh32(bytes.subarray(HEADER_BYTES), xxh32(bytes.subarray(0, 40))), true);
  return bytes;
}

/** What every architecture must keep to. */
async function laws(model: Model, other: Model): Promise<void> {
  const { vocab } = model.describe();
  const ids = text(60, vocab);
  const whole = await model.logits(ids);
  const source = await reading(model, ids.slice(0, 41));
  const bytes = source.snapshot();

  // into a session that read something else, into a new one, into another instance of the model
  const used = await reading(model, text(50, vocab, 5));
  used.restore(bytes);
  for (const session of [used, model.session({ snapshot: bytes }), other.session({ snapshot: bytes })]) {
    assert.is(session.position, 41);
    assert.equal(session.snapshot(), bytes);
    for (let i = 41; i < ids.length; i++) sameBits(await session.step(ids[i]), whole[i], `position ${i}`);
    session.dispose();
  }
  sameBits(await source.prefill(ids.slice(41)), whole[59], 'taking a snapshot changes nothing');

  // what was forgotten
  const fresh = model.session().snapshot();
  source.reset();
  assert.equal(source.snapshot(), fresh, 'after a reset');
  source.restore(bytes);
  source.restore(fresh);
  assert.is(source.position, 0);
  assert.equal(source.snapshot(), fresh, 'after an empty snapshot');
  sameBits(await source.prefill(ids), whole[59], 'from an empty snapshot');
  source.dispose();
  assert.equal(model.session().snapshot(), fresh, 'memory of a session that was disposed of');
}

/** Cuts and flips: every byte of the header, and of the payload as many as are given. */
function damage(session: Session, bytes: Uint8Array, samples: number): void {
  const before = session.snapshot();
  const step = Math.max(1, Math.floor(bytes.length / samples));
  for (let at = 0; at < bytes.length; at += at < HEADER_BYTES + 16 ? 1 : step) {
    restoreRefused(session, bytes.subarray(0, at), 'SNAPSHOT');
    const changed = bytes.slice();
    for (const bit of [1, 128]) {
      changed[at] ^= bit;
      // bytes 44 … 47 stand outside the checksum
      restoreRefused(session, changed, 'SNAPSHOT');
      changed[at] ^= bit;
    }
  }
  const longer = new Uint8Array(bytes.length + 1);
  longer.set(bytes);
  restoreRefused(session, longer, 'SNAPSHOT', String(longer.length - HEADER_BYTES));
  assert.equal(session.snapshot(), before, 'refused snapshots change nothing');
}

const test = suite('snapshot');

for (const kv of ['f16', 'f32'] as const) {
  // case: Z1 Z8
  test(`a llama-shaped session (${kv}) goes on as if it had never stopped, and forgets what was reset`, async () => {
    using model = await tiny({ kv });
    using other = await tiny({ kv, build: 'base' });
    await laws(model, other);
  });
}

sharedTest(
  test,
  'a SymbolicLight session goes on as if it had never stopped',
  'conformance/symboliclight/0.8b-small/checkpoint.pt',
  async (file) => {
    using model = await open(file);
    using other = await open(file, { build: 'base' });
    await laws(model, other);
    const { vocab } = model.describe();
    const session = await reading(model, text(9, vocab));
    damage(await reading(model, text(7, vocab, 3)), session.snapshot(), 60);
  },
);

test('the builds write the same bytes', async () => {
  const written = await Promise.all(builds.map(async (build) => {
    using model = await tiny({ build });
    return (await reading(model, text(33, 512))).snapshot();
  }));
  for (const bytes of written) assert.equal(bytes, written[0]);
});

// case: Z2
test('cut at every byte, every byte changed: refused, and the session is as it was', async () => {
  using model = await open(llamaFile().bytes(), { contextLength: 16 });
  const bytes = (await reading(model, [1, 2])).snapshot();
  assert.ok(bytes.length < 5000, `${bytes.length} bytes`);
  const session = await reading(model, [3, 4, 5]);
  damage(session, bytes, Infinity);
  session.restore(bytes);
  assert.is(session.position, 2);
  damage(session, model.session().snapshot(), Infinity);
});

test('large snapshots are looked at everywhere', async () => {
  using model = await tiny();
  damage(model.session(), (await reading(model, text(64, 512))).snapshot(), 300);
});

// case: Z4
test('sizes that lie, with the right checksum, are refused', async () => {
  using model = await tiny();
  const session = await reading(model, [7]);
  const bytes = (await reading(model, text(20, 512))).snapshot();
  const before = session.snapshot();
  const payload = BigInt(bytes.length - HEADER_BYTES);
  const lies: [(view: DataView, bytes: Uint8Array) => void, string][] = [
    ...[0n, payload - 1n, payload + 1n, 1n << 53n, (1n << 64n) - 1n].map((n): [(view: DataView) => void, string] => [
      (view) => view.setBigUint64(PAYLOAD_AT, n, true),
      String(n),
    ]),
    ...[0, 19, 21, 64].map((n): [(view: DataView) => void, string] => [
      (view) => view.setUint32(LENGTH_AT, n, true),
      `${n} positions`,
    ]),
    [(view) => view.setUint32(LENGTH_AT, 65, true), '65'],
    [(view) => view.setUint32(LENGTH_AT, 2 ** 32 - 1, true), '4294967295'],
    [(view) => view.setUint32(8, 2, true), 'version 2'],
    [(view) => view.setUint32(12, 2, true), '2'],
    [(view) => view.setUint32(44, 1, true), '44'],
  ];
  for (const [lie, word] of lies) restoreRefused(session, forged(bytes, lie), 'SNAPSHOT', word);
  for (const none of [null, 'TSPKSNAP', 7, [1]]) {
    restoreRefused(session, none as unknown as Uint8Array, 'OPTION', 'Uint8Array');
  }
  assert.equal(session.snapshot(), before);
  session.restore(forged(bytes, () => {}));
  assert.is(session.position, 20);
});

// case: Z3
test('another model, quantisation or type of keys and values is refused', async () => {
  using model = await tiny();
  const bytes = (await reading(model, [1, 2, 3])).snapshot();
  const others: [Promise<Model>, string][] = [
    [tiny({}, 'tq1_0'), 'model'],
    [open(await randomModel('tiny', 'tq2_0', 3), { contextLength: 64 }), 'model'],
    [open(llamaFile().bytes(), { contextLength: 64 }), 'model'],
    [tiny({ kv: 'f32' }), 'kv: "f16"'],
  ];
  for (const [opening, word] of others) {
    using other = await opening;
    restoreRefused(other.session(), bytes, 'SNAPSHOT_MODEL', word);
    assert.throws(() => other.session({ snapshot: bytes }), /SNAPSHOT_MODEL/);
  }
  // weights alone tell models apart
  const [a, b] = await Promise.all([1, 2].map((seed) => open(llamaFile({ seed }).bytes(), { contextLength: 16 })));
  restoreRefused(b.session(), (await reading(a, [1])).snapshot(), 'SNAPSHOT_MODEL');
  // and the same file opened again is the same model, whatever its context
  using same = await tiny({ contextLength: 8 });
  assert.is(same.session({ snapshot: bytes }).position, 3);
});

// case: Z5 Z6
test('a full session is taken and given back; a smaller context refuses it with numbers', async () => {
  using model = await tiny({ contextLength: 64 });
  const ids = text(64, 512);
  const full = (await reading(model, ids)).snapshot();
  using session = model.session({ snapshot: full });
  assert.is(session.position, 64);
  await refuses(session.step(1), 'CONTEXT_OVERFLOW');
  session.rewind(63);
  sameBits(await session.step(ids[63]), (await model.logits(ids, { from: 63 }))[0], 'after a rewind');

  using small = await tiny({ contextLength: 63 });
  using room = await reading(small, [1, 2]);
  restoreRefused(room, full, 'CONTEXT_OVERFLOW', '64', '63');
  assert.is(room.position, 2);
  using large = await tiny({ contextLength: 128 });
  using longer = large.session({ snapshot: full });
  sameBits(await longer.prefill([5, 6]), (await large.logits([...ids, 5, 6], { from: 65 }))[0], 'a larger context');
});

test('a session that slides goes on sliding', async () => {
  using model = await tiny({ contextLength: 32 });
  using straight = model.session({ overflow: 'slide' });
  await straight.prefill(text(50, 512));
  using again = model.session({ overflow: 'slide', snapshot: straight.snapshot() });
  const rest = text(40, 512, 50);
  sameBits(await again.prefill(rest), await straight.prefill(rest), 'after sliding');
});

// case: Z5
test('refused during a call and after the end', async () => {
  using model = await tiny();
  const session = await reading(model, [1]);
  const bytes = session.snapshot();
  const call = session.prefill(text(40, 512));
  assert.throws(() => session.snapshot(), /BUSY/);
  assert.throws(() => session.restore(bytes), /BUSY/);
  await call;
  assert.is(session.position, 41);
  session.dispose();
  assert.throws(() => session.snapshot(), /DISPOSED/);
  assert.throws(() => session.restore(bytes), /DISPOSED/);
});

test('a generation goes on from a snapshot', async () => {
  using model = await tiny();
  const ids: number[] = [];
  for await (const { id } of model.generate(text(10, 512), { temperature: 0, maxTokens: 8 })) {
    if (id !== null) ids.push(id);
  }
  const snapshot = (await reading(model, text(9, 512))).snapshot();
  const again: number[] = [];
  for await (const { id } of model.generate([text(10, 512)[9]], { temperature: 0, maxTokens: 8, snapshot })) {
    if (id !== null) again.push(id);
  }
  assert.equal(again, ids);
});
test.run();
