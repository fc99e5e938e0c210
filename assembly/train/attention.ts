// Attention of whole texts, forward and backward: every token sees all of its own text. Texts of one length lie one behind the
// other; heads lie side by side in a row, a multiple of 4 wide.

import { exp4 } from '../inline/mathf';

// @ts-ignore: decorator
@inline
function dot(a: usize, b: usize, n: i32): f32 {
  let s = f32x4.splat(0);
  for (const end = a + (<usize>n << 2); a < end; a += 16, b += 16) s = f32x4.add(s, f32x4.mul(v128.load(a), v128.load(b)));
  const pair = f32x4.add(s, v128.shuffle<i64>(s, s, 1, 0));
  return f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1);
}

/** y += f · x */
// @ts-ignore: decorator
@inline
function axpy(y: usize, x: usize, f: f32, n: i32): void {
  const factor = f32x4.splat(f);
  for (const end = y + (<usize>n << 2); y < end; y += 16, x += 16) {
    v128.store(y, f32x4.add(v128.load(y), f32x4.mul(factor, v128.load(x))));
  }
}

/**
 * scores[b,h,i,j] = q_i·k_j · scale,   probs = softmax over j,   out_i = Σ_j probs · v_j
 * q, k, v, out (texts · length, heads · dim)    scores, probs (texts, heads, length, length)
 */
export function attention(
  q: usize, k: usize, v: usize, texts: i32, length: i32, heads: i32, dim: i32, scale: f32, scores: usize, probs: usize, out: usize,
): void {
  const row = <usize>(heads * dim) << 2;
  memory.fill(out, 0, <usize>(texts * length) * row);
  for (let b = 0; b < texts; b++) {
    const base = <usize>(b * length) * row;
    for (let h = 0; h < heads; h++) {
      const at = base + (<usize>(h * dim) << 2);
      for (let i = 0; i < length; i++) {
        const qi = q + at + <usize>i * row;
        let top: f32 = -Infinity;
        for (let j = 0; j < length; j++) {
          const s = dot(qi, k + at + <usize>j * row, dim) * scale;
          store<f32>(scores + (<usize>j << 2), s);
          top = max(top, s);
        }
        let sum: f32 = 0;
        for (let j = 0; j < length; j++) {
          const e = f32x4.extract_lane(exp4(f32x4.splat(load<f32>(scores + (<usize>j << 2)) - top)), 0);
          store<f32>(probs + (<usize>j << 2), e);
          sum += e;
        }
        const share: f32 = 1 / sum;
        for (let j = 0; j < length; j++) {
          const p = load<f32>(probs + (<usize>j << 2)) * share;
          store<f32>(probs + (<usize>j << 2), p);
          axpy(out + at + <usize>i * row, v + at + <usize>j * row, p, dim);
        }
        scores += <usize>length << 2, probs += <usize>length << 2;
      }
    }
  }
}

/**
 * Backward of `attention`: dq, dk, dv are overwritten. dscores (texts, heads, length, length): what else pulls at the scores
 */
export function attention_back(
  q: usize, k: usize, v: usize, probs: usize, texts: i32, length: i32, heads: i32, dim: i32, scale: f32,
  dout: usize, dscores: usize, dq: usize, dk: usize, dv: usize,
): void {
  const row = <usize>(heads * dim) << 2;
  const all = <usize>(texts * length) * row;
  memory.fill(dq, 0, all), memory.fill(dk, 0, all), memory.fill(dv, 0, all);
  for (let b = 0; b < texts; b++) {
    const base = <usize>(b * length) * row;
    for (let h = 0; h < heads; h++) {
      const at = base + (<usize>(h * dim) << 2);
      for (let i = 0; i < length; i++, probs += <usize>length << 2, dscores += <usize>length << 2) {
        const here = at + <usize>i * row;
        let mean: f32 = 0;
        // dp stands in dv's loop, and is computed again below: a row of scratch less
        for (let j = 0; j < length; j++) {
          const there = at + <usize>j * row, p = load<f32>(probs + (<usize>j << 2));
          mean += p * dot(dout + here, v + there, dim);
          axpy(dv + there, dout + here, p, dim);
        }
        for (let j = 0; j < length; j++) {
          const there = at + <usize>j * row, p = load<f32>(probs + (<usize>j << 2)), cell = dscores + (<usize>j << 2);
          const d = (p * (dot(dout + here, v + there, dim) - mean) + load<f32>(cell)) * scale;
          axpy(dq + here, k + there, d, dim);
          axpy(dk + there, q + here, d, dim);
        }
      }
    }
  }
}

/**
 * Σ (s − t)² over rows whose means are taken off, as softmax does not see them; ds = factor · (s − t), overwritten
 * scores, target, ds (rows, length)
 */
export function match_scores(scores: usize, target: usize, rows: i32, length: i32, factor: f32, ds: usize): f64 {
  let all: f64 = 0;
  for (let r = 0; r < rows; r++) {
    let mean: f32 = 0;
    for (let j: usize = 0; j < <usize>length << 2; j += 4) mean += load<f32>(scores + j) - load<f32>(target + j);
    mean /= <f32>length;
    for (let j = 0; j < length; j++, scores += 4, target += 4, ds += 4) {
      const d = load<f32>(scores) - load<f32>(target) - mean;
      all += <f64>d * d;
      store<f32>(ds, factor * d);
    }
  }
  return all;
}
