/**
 * Plain versions of the kernels of spiking models: neurons, sums of columns, attention over a window. They share no code
 * with assembly/; where a kernel promises equality, every operation rounds to f32 in the same order.
 * @module
 */
const fround = Math.fround;

/** Membranes over time; `v` is changed. @returns one row of 0 and 1 per step */
export function lifScan(
  xs: readonly Float32Array[],
  v: Float32Array,
  { leak, theta, limit }: { leak: number; theta: number; limit: number },
): number[][] {
  return xs.map((x) =>
    Array.from(x, (input, i) => {
      let u = fround(fround(v[i] * fround(leak)) + input);
      if (u < -limit) u = -limit;
      if (u > limit) u = limit;
      const fires = u >= fround(theta);
      v[i] = fires ? 0 : u;
      return Number(fires);
    })
  );
}

/** 1 where x ≥ θ. */
export function threshold(x: Float32Array, theta: number): number[] {
  return Array.from(x, (value) => Number(value >= fround(theta)));
}

/** Bits of a row of 0 and 1, lowest first, in whole words. */
export function bitsOf(fired: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(fired.length / 32) * 4);
  fired.forEach((bit, i) => bytes[i >> 3] |= bit << (i & 7));
  return bytes;
}

/** Indices of the ones. */
export function activeList(fired: readonly number[]): number[] {
  return fired.flatMap((bit, i) => (bit ? [i] : []));
}

/** h ← a·h + (1 − a)·x, x ← h, step after step; both are changed. Subnormal results are +0. */
export function decayScan(xs: readonly Float32Array[], h: Float32Array, a: Float32Array, headDim: number): void {
  for (const x of xs) {
    for (let i = 0; i < h.length; i++) {
      const keep = a[Math.floor(i / headDim)];
      const next = fround(fround(keep * h[i]) + fround(fround(1 - keep) * x[i]));
      x[i] = h[i] = Math.abs(next) < 2 ** -126 ? 0 : next;
    }
  }
}

/** g·x + (1 − g)·y. */
export function mix(y: Float32Array, x: Float32Array, gate: number): Float32Array {
  const g = fround(gate);
  return y.map((value, i) => fround(fround(g * x[i]) + fround(fround(1 - g) * value)));
}

/** Sums of the columns in `list`, four at a time as the kernel documents; `w(column, row)`. */
export function columnSum(
  w: (column: number, row: number) => number,
  list: readonly number[],
  rows: number,
): Float32Array {
  return Float32Array.from({ length: rows }, (_, r) => {
    let y = 0;
    let j = 0;
    for (; j + 4 <= list.length; j += 4) {
      const [a, b, c, d] = list.slice(j, j + 4).map((column) => w(column, r));
      y = fround(y + fround(fround(a + b) + fround(c + d)));
    }
    for (; j < list.length; j++) y = fround(y + w(list[j], r));
    return y;
  });
}

/**
 * Exact sums of the integers of every `span` inputs, rounded to f32, times the scale of that group and row, added up one
 * group after the other; groups of which none is in the list are left out. `scales` (groups, rows).
 */
export function columnSumScaled(
  w: (column: number, row: number) => number,
  list: readonly number[],
  scales: Float32Array,
  rows: number,
  span: number = Infinity,
): Float32Array {
  const groups = new Map<number, number[]>();
  for (const column of list) {
    const group = Math.floor(column / span);
    const own = groups.get(group);
    if (own) own.push(column);
    else groups.set(group, [column]);
  }
  return Float32Array.from({ length: rows }, (_, r) => {
    let y = 0;
    for (const [group, own] of groups) {
      let sum = 0;
      for (const column of own) sum += w(column, r);
      y = fround(y + fround(fround(sum) * scales[group * rows + r]));
    }
    return y;
  });
}

/** What a query sees: the anchors and its window, as far as they lie before it. */
export function visible(pos: number, window: number, anchors: number): number[] {
  return Array.from({ length: pos + 1 }, (_, j) => j).filter((j) => j < anchors || pos - j <= window);
}

/** Attention over the visible positions that fired, in f64; zeros where there are none. */
export function windowAttention(
  q: Float32Array,
  key: (position: number) => Float32Array,
  value: (position: number) => Float32Array,
  positions: readonly number[],
  scale: number,
): number[] {
  const scores = positions.map((j) => scale * q.reduce((sum, x, i) => sum + x * key(j)[i], 0));
  const top = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - top));
  const total = weights.reduce((a, b) => a + b, 0);
  return Array.from(q, (_, i) => positions.reduce((sum, j, n) => sum + (weights[n] / total) * value(j)[i], 0));
}
