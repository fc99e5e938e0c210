/**
 * The last 1 to 3 elements of a vector whose length is not a multiple of 4. Nothing beyond them is read or written, so
 * a kernel may be given any slice of a longer vector, at any alignment.
 */

/** Lane numbers 0 1 2 3. */
const LANES: usize = memory.data<i32>([0, 1, 2, 3], 16);

/** Lanes 0 … n−1 all ones, the others zero. */
@inline
export function headMask(n: i32): v128 {
  return i32x4.gt_s(i32x4.splat(n), v128.load(LANES));
}

/** x[0 … n−1] of 4 bytes each, then zeros; 1 ≤ n ≤ 3. */
export function loadHead(x: usize, n: i32): v128 {
  let v = v128.load_zero<f32>(x);
  if (n > 1) v = v128.load_lane<f32>(x + 4, v, 1);
  if (n > 2) v = v128.load_lane<f32>(x + 8, v, 2);
  return v;
}

/** y[0 … n−1] = lanes 0 … n−1; 1 ≤ n ≤ 3. */
export function storeHead(y: usize, v: v128, n: i32): void {
  v128.store_lane<f32>(y, v, 0);
  if (n > 1) v128.store_lane<f32>(y + 4, v, 1);
  if (n > 2) v128.store_lane<f32>(y + 8, v, 2);
}

/** The next 4 elements, or the `left` < 4 that there are and zeros. */
@inline
export function load4(x: usize, left: i32): v128 {
  return left >= 4 ? v128.load(x) : loadHead(x, left);
}

/** Writes 4 elements, or the `left` < 4 that there are. */
@inline
export function store4(y: usize, v: v128, left: i32): void {
  if (left >= 4) v128.store(y, v);
  else storeHead(y, v, left);
}
