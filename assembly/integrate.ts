// Neurons of many vectors over time: currents in, nibbles out. A vector is one token at one time step:
//
//   n = step · tokens4 + token        tokens4: tokens, padded to 4
//   currents   (features, stride) f32: a feature's row holds all vectors, so that lanes are tokens and nothing is transposed
//   membranes  (features, tokens4) f32; of what is not there −∞: it never fires, whatever comes in
//   nibbles    see nibble.ts: four features, 16 apart, of one vector in a byte
//
// Features are taken 64 at a time, which is 16 groups of nibbles.

const BLOCK: i32 = 128;

/** Bits of the four features of a group, and 1.0; V8 rebuilds v128 constants at every use. */
const BITS = memory.data<i32>([1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8], 16);

/** Where the nibbles of group g of vector n begin. */
// @ts-ignore: decorator
@inline
function nibbleAt(x: usize, groups: i32, g: i32, n: i32): usize {
  return x + <usize>(n / BLOCK * groups + g) * BLOCK + (n % BLOCK);
}

/** Counts of four tokens += lanes of `more`. */
// @ts-ignore: decorator
@inline
function count4(at: usize, more: v128): void {
  const sum = i16x8.add(v128.load64_zero(at), i16x8.narrow_i32x4_u(more, more));
  v128.store64_lane(at, sum, 0);
}

/**
 * u ← u + I[n];   s[n] = [u ≥ θ];   u ← leak · (u − θ·s[n])                 64 features, all tokens, n of each step in turn
 * current (64, stride) f32; the next step `advance` elements on, 0: the same again    u (64, tokens4) f32 in and out
 * counts (64, tokens4) u16: how often each fired, in and out    x nibbles of `groups` groups, written for 16 groups from g0
 * range: NaN never fires.   needs: counts + steps < 2^16
 * equals: reference.integrateFire, bit for bit: each operation rounds to f32 in this order.   cost: 45 ops per 16 neurons and step
 */
export function integrate_fire(
  current: usize, stride: i32, advance: i32, u: usize, counts: usize, tokens4: i32, steps: i32, theta: f32, leak: f32,
  x: usize, groups: i32, g0: i32,
): void {
  const thetas = f32x4.splat(theta), leaks = f32x4.splat(leak);
  const bit0 = v128.load(BITS), bit1 = v128.load(BITS, 16), bit2 = v128.load(BITS, 32), bit3 = v128.load(BITS, 48);
  const line = <usize>stride << 6; // 16 rows of currents
  const cell = <usize>tokens4 << 6; // 16 rows of membranes
  for (let j = 0; j < 16; j++) {
    for (let token = 0; token < tokens4; token += 4) {
      let p = current + (<usize>(j * stride + token) << 2);
      const m = u + (<usize>(j * tokens4 + token) << 2);
      let u0 = v128.load(m), u1 = v128.load(m + cell), u2 = v128.load(m + 2 * cell), u3 = v128.load(m + 3 * cell);
      let c0 = i32x4.splat(0), c1 = c0, c2 = c0, c3 = c0;
      for (let step = 0, n = token; step < steps; step++, n += tokens4, p += <usize>advance << 2) {
        u0 = f32x4.add(u0, v128.load(p)), u1 = f32x4.add(u1, v128.load(p + line));
        u2 = f32x4.add(u2, v128.load(p + 2 * line)), u3 = f32x4.add(u3, v128.load(p + 3 * line));
        const f0 = f32x4.ge(u0, thetas), f1 = f32x4.ge(u1, thetas), f2 = f32x4.ge(u2, thetas), f3 = f32x4.ge(u3, thetas);
        u0 = f32x4.mul(f32x4.sub(u0, v128.and(f0, thetas)), leaks);
        u1 = f32x4.mul(f32x4.sub(u1, v128.and(f1, thetas)), leaks);
        u2 = f32x4.mul(f32x4.sub(u2, v128.and(f2, thetas)), leaks);
        u3 = f32x4.mul(f32x4.sub(u3, v128.and(f3, thetas)), leaks);
        c0 = i32x4.sub(c0, f0), c1 = i32x4.sub(c1, f1), c2 = i32x4.sub(c2, f2), c3 = i32x4.sub(c3, f3);
        const fired = v128.or(
          v128.or(v128.and(f0, bit0), v128.and(f1, bit1)), v128.or(v128.and(f2, bit2), v128.and(f3, bit3)),
        );
        const words = i16x8.narrow_i32x4_u(fired, fired);
        v128.store32_lane(nibbleAt(x, groups, g0 + j, n), i8x16.narrow_i16x8_u(words, words), 0);
      }
      v128.store(m, u0), v128.store(m + cell, u1), v128.store(m + 2 * cell, u2), v128.store(m + 3 * cell, u3);
      const at = counts + (<usize>(j * tokens4 + token) << 1);
      count4(at, c0), count4(at + (cell >> 1), c1), count4(at + cell, c2), count4(at + 3 * (cell >> 1), c3);
    }
  }
}

/** How many fired among vectors n0 … n1 − 1; both multiples of 4. */
export function count_nibbles(x: usize, groups: i32, n0: i32, n1: i32): i32 {
  let total = 0;
  for (let n = n0; n < n1; n += 4) {
    const at = nibbleAt(x, groups, 0, n);
    for (let g = 0; g < groups; g++) total += popcnt(load<i32>(at + <usize>g * BLOCK));
  }
  return total;
}

/**
 * current[f, n] += s[f, n]                                                            64 features, vectors 0 … count − 1
 * current (64, stride) f32    x nibbles of `groups` groups, 16 from g0.   needs: count a multiple of 4; f32 rows up to `rows`
 */
export function add_nibbles(current: usize, stride: i32, rows: i32, x: usize, groups: i32, g0: i32, count: i32): void {
  const one = f32x4.splat(1);
  for (let j = 0; j < 16; j++) {
    for (let n = 0; n < count; n += 4) {
      const bits = v128.load32_zero(nibbleAt(x, groups, g0 + j, n));
      const wide = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bits));
      for (let k = 0, r = j; k < 4 && r < rows; k++, r += 16) {
        const bit = v128.load(BITS + (k << 4));
        const p = current + (<usize>(r * stride + n) << 2);
        v128.store(p, f32x4.add(v128.load(p), v128.and(i32x4.eq(v128.and(wide, bit), bit), one)));
      }
    }
  }
}

/**
 * mean[n] = Σ_f x[f, n] / rows,   inverse[n] = 1 / √(Σ_f (x[f, n] − mean[n])² / rows + eps)            n0 ≤ n < n1
 * x (rows, stride) f32    mean, inverse (n1) f64.   needs: n0, n1 multiples of 4
 * order: features ascending, in f64, so that a plain loop gives the same bits.   cost: 4 ops per element
 */
export function feature_stats(x: usize, stride: i32, rows: i32, n0: i32, n1: i32, eps: f64, mean: usize, inverse: usize): void {
  const line = <usize>stride << 2;
  const all = f64x2.splat(<f64>rows), one = f64x2.splat(1), small = f64x2.splat(eps);
  for (let n = n0; n < n1; n += 4) {
    const first = x + (<usize>n << 2), end = first + <usize>rows * line;
    let a = f64x2.splat(0), b = a;
    for (let p = first; p < end; p += line) {
      const v = v128.load(p);
      a = f64x2.add(a, f64x2.promote_low_f32x4(v));
      b = f64x2.add(b, f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 1)));
    }
    const ma = f64x2.div(a, all), mb = f64x2.div(b, all);
    a = f64x2.splat(0), b = a;
    for (let p = first; p < end; p += line) {
      const v = v128.load(p);
      const da = f64x2.sub(f64x2.promote_low_f32x4(v), ma);
      const db = f64x2.sub(f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 1)), mb);
      a = f64x2.add(a, f64x2.mul(da, da)), b = f64x2.add(b, f64x2.mul(db, db));
    }
    const at = <usize>n << 3;
    v128.store(mean + at, ma), v128.store(mean + at, mb, 16);
    v128.store(inverse + at, f64x2.div(one, f64x2.sqrt(f64x2.add(f64x2.div(a, all), small))));
    v128.store(inverse + at, f64x2.div(one, f64x2.sqrt(f64x2.add(f64x2.div(b, all), small))), 16);
  }
}

/**
 * x[f, n] ← f32((x[f, n] − mean[n]) · inverse[n]) · weight[f] + bias[f]                      f < rows, n < count, in place
 * x (rows, stride) f32    mean, inverse (count) f64 of `feature_stats`    weight, bias (rows) f32
 * needs: count a multiple of 4.   equals: layer_norm_f32 over features, but for the order of its sums.   cost: 3 ops per element
 */
export function normalise_features(
  x: usize, stride: i32, rows: i32, count: i32, mean: usize, inverse: usize, weight: usize, bias: usize,
): void {
  for (let r = 0; r < rows; r++, x += <usize>stride << 2) {
    const w = v128.load32_splat(weight + (r << 2)), b = v128.load32_splat(bias + (r << 2));
    for (let n = 0; n < count; n += 4) {
      const p = x + (n << 2), at = <usize>n << 3;
      const v = v128.load(p);
      const low = f64x2.mul(f64x2.sub(f64x2.promote_low_f32x4(v), v128.load(mean + at)), v128.load(inverse + at));
      const high = f64x2.mul(
        f64x2.sub(f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 1)), v128.load(mean + at, 16)),
        v128.load(inverse + at, 16),
      );
      const centred = v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
      v128.store(p, f32x4.add(f32x4.mul(centred, w), b));
    }
  }
}
