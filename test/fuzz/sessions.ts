/**
 * Saved sessions, and answers that have to be equal: either build, one thread or two, a prompt whole or in pieces.
 * @module
 */
import { xxh32 } from '../../src/bytes/xxh32.ts';
import { type Model, open, type Session } from '../../src/entries/index.ts';
import { randomModel } from '../../src/model/random.ts';
import { type FileType, llamaFile } from '../llama-files.ts';
import { allLogits, threaded } from '../threads/executors.ts';
import { bytesChanged, WHOLE } from './mutate.ts';
import { expected, type Target, textOf, utf8 } from './target.ts';

const HEADER_BYTES = 48;
const CHECKSUM_AT = 40;

let kept: Promise<{ model: Model; session: Session; snapshot: Uint8Array; after: Float32Array }> | undefined;

/** A spiking model and a session that was saved, made once. */
async function saved(): Promise<Awaited<NonNullable<typeof kept>>> {
  return await (kept ??= (async () => {
    const model = await open(llamaFile({ seed: 5 }).bytes(), { contextLength: 32, threads: 1 });
    const session = model.session();
    await session.prefill([1, 2, 3, 4, 5]);
    const snapshot = session.snapshot();
    const other = model.session({ snapshot });
    const after = await other.step(6);
    other.dispose();
    return { model, session, snapshot, after: after.slice() };
  })());
}

const snapshots: Target = {
  name: 'snapshot',
  async make(c) {
    const { snapshot } = await saved();
    const bytes = bytesChanged(c, snapshot, 0, c.pick([HEADER_BYTES, HEADER_BYTES, snapshot.length]), 3);
    if (c.once(4) || bytes.length < HEADER_BYTES) return bytes;
    // with the right checksum, so that what is wrong is found elsewhere
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (c.once(4)) view.setUint32(c.below(10) * 4, c.pick(WHOLE), true);
    view.setUint32(CHECKSUM_AT, xxh32(bytes.subarray(HEADER_BYTES), xxh32(bytes.subarray(0, CHECKSUM_AT))), true);
    return bytes;
  },
  async use(input) {
    const { session, snapshot, after } = await saved();
    let refused: unknown;
    try {
      session.restore(input);
      if (session.position < 32) await session.step(7).catch((error) => (refused = error));
    } catch (error) {
      refused = error;
      const still = session.snapshot();
      expected(
        still.length === snapshot.length && still.every((byte, i) => byte === snapshot[i]),
        'a refusal changed the session',
      );
    }
    session.restore(snapshot);
    const logits = await session.step(6);
    expected(logits.every((value, i) => Object.is(value, after[i])), 'the session is not what it was');
    session.restore(snapshot);
    if (refused !== undefined) throw refused;
  },
};

const TYPES: readonly FileType[] = ['F32', 'F16', 'BF16', 'Q8_0', 'TQ1_0', 'TQ2_0', 'Q2_0', 'Q1_0', 'I2_S'];

interface Case {
  readonly file: Parameters<typeof llamaFile>[0] | { readonly spiking: 'f32' | 'i8' | 'tq2_0' };
  readonly ids: readonly number[];
  readonly cut: number;
  readonly threads: number;
}

function same(a: readonly Float32Array[], b: readonly Float32Array[], what: string): void {
  expected(a.length === b.length, `${what}: ${a.length} and ${b.length} rows`);
  a.forEach((row, at) =>
    expected(row.every((value, i) => Object.is(value, b[at][i])), `${what}: position ${at} differs`)
  );
}

const differential: Target = {
  name: 'equal',
  make(c) {
    const type = c.pick(TYPES);
    const blocks = !['F32', 'F16', 'BF16'].includes(type);
    const kvHeads = blocks ? c.pick([1, 2, 4]) : 1 + c.below(3);
    const file = c.once(4) ? { spiking: c.pick(['f32', 'i8', 'tq2_0'] as const) } : {
      type,
      architecture: c.pick(['llama', 'qwen2', 'qwen3']),
      tied: c.once(3),
      biases: c.once(2),
      outputBias: c.once(3),
      subNorms: c.once(3),
      seed: c.below(1 << 20),
      shape: blocks ? { layers: 1, heads: 4, kvHeads, headDim: 64, width: 256, hidden: 256 } : {
        layers: 1 + c.below(2),
        heads: kvHeads * (1 + c.below(3)),
        kvHeads,
        headDim: 4 * (1 + c.below(8)),
        width: 8 * (1 + c.below(9)),
        hidden: 8 * (1 + c.below(9)),
      },
    };
    const ids = Array.from({ length: 1 + c.below(40) }, () => c.below(40));
    return utf8(
      JSON.stringify({ file, ids, cut: c.below(ids.length + 1), threads: 2 + c.below(2) } as unknown as Case),
    );
  },
  async use(input) {
    const { file, ids, cut, threads } = JSON.parse(textOf(input)) as Case;
    const bytes = 'spiking' in (file ?? {})
      ? await randomModel('symboliclight-tiny', (file as { spiking: 'f32' }).spiking, 1)
      : llamaFile(file as Parameters<typeof llamaFile>[0]).bytes();
    const rows = async (
      choices: Omit<Parameters<typeof threaded>[1], 'context'>,
      batch: number,
    ): Promise<Float32Array[]> => {
      const m = await threaded(bytes, { ...choices, context: 64 });
      try {
        return await allLogits(m, ids, batch);
      } finally {
        m.executor.dispose();
      }
    };
    const one = await rows({ threads: 1, build: 'base' }, ids.length);
    same(await rows({ threads: 1, build: 'base' }, cut), one, `the first ${cut} of ${ids.length} at once`);
    if (relaxed()) same(await rows({ threads: 1, build: 'relaxed' }, ids.length), one, 'the relaxed build');
    same(await rows({ threads, build: 'base' }, ids.length), one, `${threads} threads`);
  },
};

/** (module (func (result v128) i32.const 0 i8x16.splat i32.const 0 i8x16.splat i8x16.relaxed_swizzle)) */
const RELAXED = [
  0,
  97,
  115,
  109,
  1,
  0,
  0,
  0,
  1,
  5,
  1,
  96,
  0,
  1,
  123,
  3,
  2,
  1,
  0,
  10,
  15,
  1,
  13,
  0,
  65,
  0,
  253,
  15,
  65,
  0,
  253,
  15,
];
RELAXED.push(253, 128, 2, 11);
const relaxed = (): boolean => WebAssembly.validate(new Uint8Array(RELAXED));

export const SESSIONS: readonly Target[] = [snapshots, differential];
