/**
 * Rows of a file written across the columns of `i8col`, `trit2col` and `f32col`, a few rows at a time, while loading.
 * Drawings of the layouts stand in assembly/columns.ts.
 * @module
 */

/** Rows of a file: `count` of `cols` elements each, the first of which is row `row` of the matrix. */
export interface RowRun {
  readonly row: number;
  readonly count: number;
  readonly cols: number;
}

/** int8 rows → `i8col` of `paddedRows` bytes a column. */
export function int8Columns(rows: Int8Array, { row, count, cols }: RowRun, to: Int8Array, paddedRows: number): void {
  for (let c = 0, at = row; c < cols; c++, at += paddedRows) {
    for (let r = 0, from = c; r < count; r++, from += cols) to[at + r] = rows[from];
  }
}

/** 2-bit codes, one a byte → `trit2col`, whose bits are 0 where these rows lie. */
export function codeColumns(codes: Uint8Array, { row, count, cols }: RowRun, to: Uint8Array, paddedRows: number): void {
  for (let r = 0; r < count; r++) {
    // sixty-four rows of a column share sixteen bytes: row j of them is two bits of byte j mod 16
    const lane = (row + r) % 64;
    const shift = 2 * (lane >> 4);
    let at = (row + r - lane) / 4 + (lane & 15);
    for (let c = 0, from = r * cols; c < cols; c++, from++, at += paddedRows / 4) to[at] |= codes[from] << shift;
  }
}

/** int8 rows with a scale for every `block` columns → `f32col`. */
export function scaledColumns(
  rows: Int8Array,
  scales: Float32Array,
  block: number,
  { row, count, cols }: RowRun,
  to: Float32Array,
  paddedRows: number,
): void {
  for (let c = 0, at = row; c < cols; c++, at += paddedRows) {
    const b = Math.floor(c / block);
    for (let r = 0; r < count; r++) to[at + r] = scales[r * (cols / block) + b] * rows[r * cols + c];
  }
}

/**
 * The one scale of a row whose blocks carry `scales`. A block with scale 0 has weights 0 whatever its codes say: these
 * become the code of 0, so that it fits any scale.
 * @returns NaN when blocks disagree
 */
export function sharedScale(scales: Float32Array, codes: Uint8Array): number {
  const block = codes.length / scales.length;
  let shared = 0;
  for (let b = 0; b < scales.length; b++) {
    if (scales[b] === 0) codes.fill(1, b * block, (b + 1) * block);
    else if (shared === 0) shared = scales[b];
    else if (scales[b] !== shared) return NaN;
  }
  return shared;
}
