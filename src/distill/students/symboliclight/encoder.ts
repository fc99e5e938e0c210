/**
 * The student's encoder, forwards as the engine runs it and backwards through time, on the host: it hangs on few numbers, and
 * its recursion has no fast form as array operations.
 *
 *   c = LayerNorm(embedding[id]);   u_t = clamp(leak·v_(t−1) + c_t, ±3);   s_t = [u_t ≥ θ];   v_t = u_t·(1 − s_t)
 *
 * Backwards the step has the derivative h of `surrogate.ts`; a reset ends the memory and carries no gradient of its own, and
 * where the clamp holds u the gradient ends. A spike reaches back over at most `truncation` tokens, its own included.
 * @module
 */
import { surrogateDerivative } from './surrogate.ts';
import type { StudentConfig } from './types.ts';

const NORM_EPS = 1e-5;
/** The membrane is clamped to ±3. */
const LIMIT = 3;

/** What `encode` found and `encodeBack` needs. */
export interface Encoded {
  /** (B·S, width) */
  readonly stream: Float32Array;
  readonly spikes: Float32Array;
  /** u before the clamp. */
  readonly potential: Float32Array;
}

type Config = Pick<
  StudentConfig,
  'width' | 'vocab' | 'threshold' | 'leak' | 'surrogate' | 'surrogateWidth' | 'truncation'
>;

/** LayerNorm of one row of `x` at `from` → `out` at `to`: sums in f64, as the engine's kernel has them. */
function normaliseRow(
  x: Float32Array,
  from: number,
  n: number,
  weight: Float32Array,
  bias: Float32Array,
  out: Float32Array,
  to: number,
): void {
  const { mean, inverse } = momentsOf(x, from, n);
  for (let i = 0; i < n; i++) {
    out[to + i] = Math.fround(Math.fround((x[from + i] - mean) * inverse) * weight[i]) + bias[i];
  }
}

function momentsOf(x: Float32Array, from: number, n: number): { mean: number; inverse: number } {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += x[from + i];
  const mean = sum / n;
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (x[from + i] - mean) ** 2;
  return { mean, inverse: 1 / Math.sqrt(squares / n + NORM_EPS) };
}

/**
 * Runs the encoder over rows of `length` ids, each from a membrane of 0.
 * @param ids B × stride, of which the first `length` of each row are read
 */
export function encode(
  { width, threshold, leak }: Config,
  embedding: Float32Array,
  weight: Float32Array,
  bias: Float32Array,
  ids: ArrayLike<number>,
  batch: number,
  length: number,
  stride: number,
): Encoded {
  const stream = new Float32Array(batch * length * width);
  const spikes = new Float32Array(stream.length);
  const potential = new Float32Array(stream.length);
  const v = new Float32Array(width);
  const theta = Math.fround(threshold);
  const keep = Math.fround(leak);
  const rows = new Map<number, number>();
  for (let b = 0; b < batch; b++) {
    v.fill(0);
    for (let t = 0; t < length; t++) {
      const id = ids[b * stride + t];
      const at = (b * length + t) * width;
      const before = rows.get(id);
      if (before === undefined) {
        normaliseRow(embedding, id * width, width, weight, bias, stream, at);
        rows.set(id, at);
      } else stream.copyWithin(at, before, before + width);
      for (let i = 0; i < width; i++) {
        const u = Math.fround(Math.fround(v[i] * keep) + stream[at + i]);
        const held = u < -LIMIT ? -LIMIT : u > LIMIT ? LIMIT : u;
        const fires = held >= theta;
        potential[at + i] = u;
        spikes[at + i] = fires ? 1 : 0;
        v[i] = fires ? 0 : held;
      }
    }
  }
  return { stream, spikes, potential };
}

/**
 * Adds the gradients of embedding, weight and bias to `to`.
 * @param dStream gradient by `stream`; changed
 * @param dSpikes gradient by `spikes`
 */
export function encodeBack(
  config: Config,
  embedding: Float32Array,
  weight: Float32Array,
  ids: ArrayLike<number>,
  batch: number,
  length: number,
  stride: number,
  encoded: Encoded,
  dStream: Float32Array,
  dSpikes: Float32Array,
  to: { readonly embedding: Float32Array; readonly weight: Float32Array; readonly bias: Float32Array },
): void {
  const { width } = config;
  throughTime(config, batch, length, encoded, dStream, dSpikes);

  // gradients by the normalised rows, one row for each id
  const sums = new Map<number, Float64Array>();
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < length; t++) {
      const id = ids[b * stride + t];
      let sum = sums.get(id);
      if (sum === undefined) sums.set(id, sum = new Float64Array(width));
      const at = (b * length + t) * width;
      for (let i = 0; i < width; i++) sum[i] += dStream[at + i];
    }
  }
  const unit = new Float64Array(width);
  for (const [id, sum] of sums) {
    const { mean, inverse } = momentsOf(embedding, id * width, width);
    let straight = 0;
    let along = 0;
    for (let i = 0; i < width; i++) {
      unit[i] = (embedding[id * width + i] - mean) * inverse;
      to.weight[i] += sum[i] * unit[i];
      to.bias[i] += sum[i];
      straight += sum[i] * weight[i];
      along += sum[i] * weight[i] * unit[i];
    }
    for (let i = 0; i < width; i++) {
      to.embedding[id * width + i] += inverse * (sum[i] * weight[i] - straight / width - unit[i] * (along / width));
    }
  }
}

/** dStream += what the spikes send back through the membranes. */
function throughTime(
  { width, threshold, leak, surrogate, surrogateWidth, truncation }: Config,
  batch: number,
  length: number,
  { spikes, potential }: Encoded,
  dStream: Float32Array,
  dSpikes: Float32Array,
): void {
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < length; t++) {
      const at = (b * length + t) * width;
      const least = Math.max(0, t - truncation + 1);
      for (let i = 0; i < width; i++) {
        const u = Math.min(LIMIT, Math.max(-LIMIT, potential[at + i]));
        let d = dSpikes[at + i] * surrogateDerivative(surrogate, surrogateWidth, u - threshold);
        if (d === 0) continue;
        for (let k = t, p = at + i;; k--, p -= width) {
          if (Math.abs(potential[p]) > LIMIT) break;
          dStream[p] += d;
          if (k === least || spikes[p - width] === 1) break;
          d *= leak;
        }
      }
    }
  }
}
