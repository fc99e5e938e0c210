/**
 * Rows of a file written across the columns of `i8col`, `trit2col` and `bit1col`, a few rows at a time, while loading.
 * Drawings of the layouts stand in assembly/columns.ts and assembly/bit-columns.ts.
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

/** Codes of 1 or 2 bits, one a byte → `bit1col` or `trit2col`, whose bits are 0 where these rows lie. */
export function codeColumns(
  codes: Uint8Array,
  { row, count, cols }: RowRun,
  bits: number,
  to: Uint8Array,
  paddedRows: number,
): void {
  const perByte = 8 / bits;
  for (let r = 0; r < count; r++) {
    // as many rows as fit into sixteen bytes lie together: row j of them in byte j mod 16
    const thread = (row + r) % (16 * perByte);
    const shift = bits * (thread >> 4);
    let at = (row + r - thread) / perByte + (thread & 15);
    for (let c = 0, from = r * cols; c < cols; c++, from++, at += paddedRows / perByte) to[at] |= codes[from] << shift;
  }
}

/**
 * Scales of the blocks of some rows → one row of scales for each block of inputs, (blocks, paddedRows).
 * @param scales (count, blocks)
 */
export function scaleColumns(scales: Float32Array, { row, count }: RowRun, to: Float32Array, paddedRows: number): void {
  const blocks = scales.length / count;
  for (let r = 0, from = 0; r < count; r++) {
    for (let b = 0; b < blocks; b++, from++) to[b * paddedRows + row + r] = scales[from];
  }
}

/**
 * The one scale of a row whose blocks carry `scales`. A block with scale 0 has weights 0 whatever its codes say: where a
 * code stands for 0, they become that code, so that the block fits any scale.
 * @param zero the code of weight 0; none for signs
 * @returns NaN when blocks disagree
 */
export function sharedScale(scales: Float32Array, codes: Uint8Array, zero: number | null): number {
  const block = codes.length / scales.length;
  let shared = zero === null ? scales[0] : 0;
  let agree = true;
  for (let b = 0; b < scales.length; b++) {
    if (zero !== null && scales[b] === 0) codes.fill(zero, b * block, (b + 1) * block);
    else if (zero !== null && shared === 0) shared = scales[b];
    else if (scales[b] !== shared) agree = false;
  }
  return agree ? shared : NaN;
}
