/** Neurons of many vectors over time, their residuals and norms, and attention over spikes, against plain loops. */
import * as assert from 'uvu/assert';
import { groupsOf, integrateFire, normaliseFeatures, packNibbles, spikeAttention } from '../reference-snn.ts';
import { kernelSuite, normals, random, sameBits, SPECIALS } from './harness.ts';

const up = (n: number, to: number): number => Math.ceil(n / to) * to;
const rows64 = (features: number): number => up(features, 64);

/** n rows of 0 and 1. */
function randomSpikes(n: number, cols: number, rate: number, seed: number): Uint8Array[] {
  const u = random(seed);
  return Array.from({ length: n }, () => Uint8Array.from({ length: cols }, () => Number(u() < rate)));
}

await kernelSuite('integrate', ({ k, arena }, test) => {
  /** Runs layers of several sizes in pieces of `piece` steps; what comes out must not depend on it. */
  const neurons = (
    features: number,
    tokens: number,
    steps: number,
    piece: number,
    theta: number,
    leak: number,
  ): void => {
    const tokens4 = up(tokens, 4);
    const n = steps * tokens4;
    const currents = normals(features * n, features + steps, 0.8);
    SPECIALS.slice(0, 6).forEach((value, i) => currents[i] = value);
    const full = new Float32Array(rows64(features) * n).fill(NaN);
    const u = new Float32Array(rows64(features) * tokens4).fill(-Infinity);
    for (let f = 0; f < features; f++) {
      full.set(currents.subarray(f * n, (f + 1) * n), f * n);
      u.fill(0, f * tokens4, f * tokens4 + tokens);
    }
    const at = arena.put(full);
    const membranes = arena.put(u);
    const counts = arena.alloc(rows64(features) * tokens4 * 2);
    const groups = groupsOf(features);
    const spikes: Uint8Array[] = Array.from({ length: n }, () => new Uint8Array(features));
    for (let from = 0; from < steps; from += piece) {
      const count = Math.min(piece, steps - from);
      const x = arena.alloc(up(count * tokens4, 128) * groups);
      for (let f = 0; f < features; f += 64) {
        k.integrate_fire(
          at + (f * n + from * tokens4) * 4,
          n,
          tokens4,
          membranes + f * tokens4 * 4,
          counts + f * tokens4 * 2,
          tokens4,
          count,
          theta,
          leak,
          x,
          groups,
          f / 4,
        );
      }
      const bytes = arena.bytes(x, up(count * tokens4, 128) * groups);
      for (let v = 0; v < count * tokens4; v++) {
        for (let f = 0; f < features; f++) {
          const group = Math.floor(f / 64) * 16 + (f % 16);
          const byte = bytes[(Math.floor(v / 128) * groups + group) * 128 + (v % 128)];
          spikes[from * tokens4 + v][f] = (byte >> ((f >> 4) & 3)) & 1;
        }
      }
      assert.equal(
        bytes,
        packNibbles(spikes.slice(from * tokens4, (from + count) * tokens4), features),
        'silence elsewhere',
      );
      for (let step = 0; step < count; step++) {
        const first = step * tokens4;
        const expected = spikes.slice(from * tokens4 + first, from * tokens4 + first + tokens4);
        assert.is(
          k.count_nibbles(x, groups, first, first + tokens4),
          expected.reduce((a, row) => a + row.reduce((b, s) => b + s, 0), 0),
        );
      }
    }
    const last = arena.f32(membranes, rows64(features) * tokens4);
    const fired = arena.u16(counts, rows64(features) * tokens4);
    for (let f = 0; f < features; f++) {
      for (let token = 0; token < tokens4; token++) {
        const own = Array.from({ length: steps }, (_, step) => currents[f * n + step * tokens4 + token]);
        const expected = integrateFire(own, token < tokens ? 0 : -Infinity, theta, leak);
        const what = `feature ${f}, token ${token}`;
        assert.equal(own.map((_, step) => spikes[step * tokens4 + token][f]), expected.spikes, what);
        assert.is(fired[f * tokens4 + token], expected.spikes.reduce((a, b) => a + b, 0), what);
        sameBits([last[f * tokens4 + token]], [expected.u], what);
      }
    }
  };

  test('neurons fire, are reset and leak as a plain loop has it, whole or in pieces', () => {
    for (const [features, tokens, steps] of [[48, 7, 9], [64, 12, 16], [100, 1, 5], [130, 33, 4]]) {
      for (const piece of [steps, 1, 3]) {
        arena.reset();
        neurons(features, tokens, steps, piece, 1, 1);
        arena.reset();
        neurons(features, tokens, steps, piece, 0.7, 0.9);
      }
    }
  });

  test('a constant current is read again in every step', () => {
    const current = normals(64 * 4, 3);
    const u = arena.alloc(64 * 16);
    const counts = arena.alloc(64 * 8);
    k.integrate_fire(arena.put(current), 4, 0, u, counts, 4, 10, 1, 1, arena.alloc(128 * 32), 32, 0);
    const fired = arena.u16(counts, 64 * 4);
    current.forEach((c, i) =>
      assert.is(fired[i], integrateFire(new Float32Array(10).fill(c), 0, 1, 1).spikes.filter(Boolean).length)
    );
  });

  test('spikes are added to currents', () => {
    for (const [features, n] of [[48, 8], [100, 20], [130, 132]]) {
      arena.reset();
      const spikes = randomSpikes(n, features, 0.4, n);
      const x = arena.put(packNibbles(spikes, features));
      const current = normals(features * n, 5);
      const y = arena.put(current);
      for (let f = 0; f < features; f += 64) {
        k.add_nibbles(y + f * n * 4, n, Math.min(64, features - f), x, groupsOf(features), f / 4, n);
      }
      sameBits(arena.f32(y, features * n), current.map((c, i) => c + spikes[i % n][Math.floor(i / n)]));
    }
  });

  test('features are normalised as layer norm has it', () => {
    for (const [rows, n] of [[1, 4], [48, 12], [769, 8]]) {
      for (const [shift, scale] of [[0, 1], [1000, 0.01], [3, 0]]) {
        arena.reset();
        const x = normals(rows * n, rows, scale).map((v) => v + shift);
        const [weight, bias] = [normals(rows, 1), normals(rows, 2)];
        const at = arena.put(x);
        const [mean, inverse] = [arena.alloc(n * 8), arena.alloc(n * 8)];
        k.feature_stats(at, n, rows, 0, 4, 1e-12, mean, inverse);
        k.feature_stats(at, n, rows, 4, n, 1e-12, mean, inverse);
        k.normalise_features(at, n, rows, n, mean, inverse, arena.put(weight), arena.put(bias));
        const y = arena.f32(at, rows * n);
        for (let v = 0; v < n; v++) {
          const own = Float32Array.from({ length: rows }, (_, r) => x[r * n + v]);
          const expected = normaliseFeatures(own, weight, bias, 1e-12);
          sameBits(Array.from({ length: rows }, (_, r) => y[r * n + v]), expected, `vector ${v} of ${rows} features`);
        }
      }
    }
  });

  test('attention over spikes is softmax attention', () => {
    for (
      const [tokens, headDim, heads, rate] of [[1, 12, 4, 0.5], [7, 12, 4, 0.3], [9, 32, 2, 0.2], [33, 64, 2, 0.1], [
        5,
        6,
        3,
        1,
      ], [6, 10, 7, 0]]
    ) {
      arena.reset();
      const features = headDim * heads;
      const tokens4 = up(tokens, 4);
      const steps = 3;
      // what is behind is padding: it asks, and nobody looks at it
      const visible = Math.ceil(tokens * 0.8);
      const n = steps * tokens4;
      const q = normals(features * n, tokens, 3);
      const [keys, values] = [randomSpikes(n, features, rate, 7), randomSpikes(n, features, rate, 8)];
      const at = arena.put(q);
      const [kAt, vAt] = [arena.put(packNibbles(keys, features)), arena.put(packNibbles(values, features))];
      const scores = arena.alloc(tokens * tokens4 * 4);
      const root = Math.fround(Math.sqrt(headDim));
      for (let step = 0; step < steps; step++) {
        for (let h = 0; h < heads; h++) {
          k.spike_attention(
            at,
            n,
            kAt,
            vAt,
            groupsOf(features),
            step * tokens4,
            tokens4,
            visible,
            h * headDim,
            headDim,
            root,
            scores,
          );
        }
      }
      const out = arena.f32(at, features * n);
      for (let step = 0; step < steps; step++) {
        for (let h = 0; h < heads; h++) {
          const own = (rows: Uint8Array[]): Uint8Array[] =>
            rows.slice(step * tokens4, step * tokens4 + visible).map((row) =>
              row.subarray(h * headDim, (h + 1) * headDim)
            );
          const queries = Array.from(
            { length: tokens },
            (_, i) => Float32Array.from({ length: headDim }, (_, f) => q[(h * headDim + f) * n + step * tokens4 + i]),
          );
          const expected = spikeAttention(queries, own(keys), own(values), root);
          for (let i = 0; i < tokens; i++) {
            for (let f = 0; f < headDim; f++) {
              const actual = out[(h * headDim + f) * n + step * tokens4 + i];
              assert.ok(Math.abs(actual - expected[i][f]) < 1e-6, `query ${i}: ${actual}, expected ${expected[i][f]}`);
            }
          }
        }
      }
    }
  });
});
