/** Attention over window and anchors against the plain version: edges of both, a ring that wraps, silent positions. */
import * as assert from 'uvu/assert';
import * as reference from '../reference-spikes.ts';
import { kernelSuite, normals, random, sameBits } from './harness.ts';

interface Shape {
  headDim: number;
  window: number;
  anchors: number;
  /** Slots beyond window + 1, as a batch that is being read needs them. */
  spare: number;
}

await kernelSuite('window', ({ k, arena }, test) => {
  /** Keys and values of positions 0 … pos, as a session would have cached them. */
  const attend = (
    { headDim, window, anchors, spare }: Shape,
    pos: number,
    fired: (position: number) => boolean,
    size = 1,
  ): { got: Float32Array; expected: number[]; seen: number[] } => {
    arena.reset();
    const ring = window + 1 + spare;
    const slots = anchors + ring;
    const slot = (j: number): number => (j < anchors ? j : anchors + ((j - anchors) % ring));
    const rows = Array.from({ length: 2 * pos + 2 }, (_, i) => normals(headDim, i, size));
    const row = (position: number, which: number): Float32Array => rows[position * 2 + which];
    // what no position was written to must not be looked at
    const keys = new Float32Array(slots * headDim).fill(NaN);
    const values = new Float32Array(slots * headDim).fill(NaN);
    const flags = new Uint8Array(slots);
    for (let j = 0; j <= pos; j++) {
      keys.set(row(j, 0), slot(j) * headDim);
      values.set(row(j, 1), slot(j) * headDim);
      flags[slot(j)] = Number(fired(j));
    }
    const q = normals(headDim, 12345, size);
    const out = arena.put(new Float32Array(headDim).fill(3));
    const scratch = arena.alloc(Math.ceil((anchors + window + 1) / 4) * 16);
    const scale = Math.fround(1 / Math.sqrt(headDim));
    k.window_attention_f32(
      arena.put(q),
      arena.put(keys),
      arena.put(values),
      arena.put(flags),
      out,
      headDim,
      pos,
      window,
      anchors,
      ring,
      scale,
      scratch,
    );
    const seen = reference.visible(pos, window, anchors).filter(fired);
    const expected = reference.windowAttention(q, (j) => row(j, 0), (j) => row(j, 1), seen, scale);
    return { got: arena.f32(out, headDim), expected, seen };
  };

  const close = (got: Float32Array, expected: readonly number[], what: string): void => {
    got.forEach((value, i) => {
      assert.ok(
        Math.abs(value - expected[i]) <= 2e-6 * Math.max(1, Math.abs(expected[i])),
        `${what} [${i}]: ${value}, ${expected[i]}`,
      );
    });
  };

  const SHAPES: Shape[] = [
    { headDim: 4, window: 1, anchors: 0, spare: 0 },
    { headDim: 4, window: 5, anchors: 1, spare: 0 },
    { headDim: 32, window: 8, anchors: 4, spare: 3 },
    { headDim: 64, window: 13, anchors: 4, spare: 32 },
    { headDim: 8, window: 3, anchors: 20, spare: 1 },
  ];

  // case: N7
  test('equals the reference at every position, over window and anchor edges and around the ring', () => {
    for (const shape of SHAPES) {
      for (let pos = 0; pos < 70; pos++) {
        const what = `${JSON.stringify(shape)} at ${pos}`;
        const all = attend(shape, pos, () => true);
        close(all.got, all.expected, what);
        const u = random(pos);
        const some = Array.from({ length: pos + 1 }, () => u() < 0.4);
        const few = attend(shape, pos, (j) => some[j]);
        if (few.seen.length > 0) close(few.got, few.expected, `${what}, some silent`);
        else sameBits(few.got, new Float32Array(shape.headDim), `${what}, all silent`);
      }
    }
  });

  // case: N7
  test('positions that did not fire give zeros when they are all there is', () => {
    for (const shape of SHAPES) {
      for (const pos of [0, 1, 6, 50]) {
        sameBits(attend(shape, pos, () => false).got, new Float32Array(shape.headDim), `at ${pos}`);
      }
    }
  });

  test('one visible position gives its value, wherever it lies', () => {
    const shape = { headDim: 8, window: 6, anchors: 2, spare: 4 };
    for (const only of [0, 1, 24, 30]) {
      const { got, expected, seen } = attend(shape, 30, (j) => j === only);
      assert.equal(seen, [only]);
      close(got, expected, `position ${only}`);
    }
    // one before the window, one behind the anchors
    for (const only of [2, 23]) {
      sameBits(attend(shape, 30, (j) => j === only).got, new Float32Array(8), `position ${only}`);
    }
  });

  test('scores far apart stay finite', () => {
    const { got, expected } = attend({ headDim: 16, window: 9, anchors: 3, spare: 0 }, 40, () => true, 300);
    got.forEach((value, i) =>
      assert.ok(Math.abs(value - expected[i]) <= 1e-3 * 300, `[${i}]: ${value}, ${expected[i]}`)
    );
  });
});
