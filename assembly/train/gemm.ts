// Products of f32 matrices for training, forward and backward: rows and columns of both factors at any stride, so that no
// matrix is transposed beforehand. The relaxed build fuses multiply and add: training is the same from run to run of one
// machine, where the engine promises the same bits everywhere.
//
// B is cut into panels of 12 columns and A into panels of 4 rows, both copied in the order in which they are read; a tile of
// 4 × 12 sums stays in registers over a block of KC columns of A.

/** Rows and columns of a tile. */
const MR: i32 = 4, NR: i32 = 12;
/** Columns of A that are summed at a time: a panel of B is 12 kB and stays in the first-level cache. */
const KC: i32 = 256;
/** Rows of A that are packed at a time: 128 kB, for the second-level cache. */
const MC: i32 = 128;

/** Bytes of scratch that a product with n columns takes. */
export function gemm_scratch(n: i32): i32 {
  return ((n + NR - 1) / NR * NR * KC + MC * KC + MR * NR) << 2;
}

// @ts-ignore: decorator
@inline
function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** Panels of B: (columns / 12) panels of (k, 12), zeros after the last column. */
function packB(b: usize, row: i32, col: i32, k: i32, n: i32, to: usize): void {
  const rowBytes = <usize>row << 2, colBytes = <usize>col << 2;
  for (let j = 0; j < n; j += NR) {
    const width = min(NR, n - j);
    let p = b + <usize>j * colBytes;
    if (width == NR && col == 1) {
      for (let i = 0; i < k; i++, p += rowBytes, to += NR << 2) {
        v128.store(to, v128.load(p)), v128.store(to, v128.load(p, 16), 16), v128.store(to, v128.load(p, 32), 32);
      }
      continue;
    }
    if (width == NR && row == 1) {
      packColumns(p, colBytes, k, to), packColumns(p + 4 * colBytes, colBytes, k, to + 16);
      packColumns(p + 8 * colBytes, colBytes, k, to + 32);
      to += <usize>k * (NR << 2);
      continue;
    }
    for (let i = 0; i < k; i++, p += rowBytes) {
      for (let c = 0; c < NR; c++, to += 4) store<f32>(to, c < width ? load<f32>(p + <usize>c * colBytes) : 0);
    }
  }
}

/** Four columns that lie as rows, transposed into a panel of 12. */
// @ts-ignore: decorator
@inline
function packColumns(p: usize, colBytes: usize, k: i32, to: usize): void {
  let i = 0;
  for (; i + 4 <= k; i += 4, p += 16, to += NR << 4) {
    const a = v128.load(p), b = v128.load(p + colBytes), c = v128.load(p + 2 * colBytes), d = v128.load(p + 3 * colBytes);
    const ab0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5), ab1 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
    const cd0 = v128.shuffle<i32>(c, d, 0, 4, 1, 5), cd1 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<i64>(ab0, cd0, 0, 2)), v128.store(to, v128.shuffle<i64>(ab0, cd0, 1, 3), 48);
    v128.store(to, v128.shuffle<i64>(ab1, cd1, 0, 2), 96), v128.store(to, v128.shuffle<i64>(ab1, cd1, 1, 3), 144);
  }
  for (; i < k; i++, p += 4, to += NR << 2) {
    for (let c: usize = 0; c < 4; c++) store<f32>(to + (c << 2), load<f32>(p + c * colBytes));
  }
}

/** Panels of A: (rows / 4) panels of (k, 4), zeros after the last row. */
function packA(a: usize, row: i32, col: i32, m: i32, k: i32, to: usize): void {
  const rowBytes = <usize>row << 2, colBytes = <usize>col << 2;
  for (let i = 0; i < m; i += MR) {
    const height = min(MR, m - i);
    let p = a + <usize>i * rowBytes;
    if (height == MR && row == 1) {
      for (let c = 0; c < k; c++, p += colBytes, to += 16) v128.store(to, v128.load(p));
      continue;
    }
    if (height == MR && col == 1) {
      let c = 0;
      for (; c + 4 <= k; c += 4, p += 16, to += 64) {
        const w = v128.load(p), x = v128.load(p + rowBytes), y = v128.load(p + 2 * rowBytes), z = v128.load(p + 3 * rowBytes);
        const wx0 = v128.shuffle<i32>(w, x, 0, 4, 1, 5), wx1 = v128.shuffle<i32>(w, x, 2, 6, 3, 7);
        const yz0 = v128.shuffle<i32>(y, z, 0, 4, 1, 5), yz1 = v128.shuffle<i32>(y, z, 2, 6, 3, 7);
        v128.store(to, v128.shuffle<i64>(wx0, yz0, 0, 2)), v128.store(to, v128.shuffle<i64>(wx0, yz0, 1, 3), 16);
        v128.store(to, v128.shuffle<i64>(wx1, yz1, 0, 2), 32), v128.store(to, v128.shuffle<i64>(wx1, yz1, 1, 3), 48);
      }
      for (; c < k; c++, p += 4, to += 16) {
        for (let r: usize = 0; r < 4; r++) store<f32>(to + (r << 2), load<f32>(p + r * rowBytes));
      }
      continue;
    }
    for (let c = 0; c < k; c++, p += colBytes) {
      for (let r = 0; r < MR; r++, to += 4) store<f32>(to, r < height ? load<f32>(p + <usize>r * rowBytes) : 0);
    }
  }
}

/** c += panel of A · panel of B, 4 × 12. */
function tile(a: usize, b: usize, k: i32, c: usize, cRow: usize): void {
  let p = c;
  let c00 = v128.load(p), c01 = v128.load(p, 16), c02 = v128.load(p, 32);
  p += cRow;
  let c10 = v128.load(p), c11 = v128.load(p, 16), c12 = v128.load(p, 32);
  p += cRow;
  let c20 = v128.load(p), c21 = v128.load(p, 16), c22 = v128.load(p, 32);
  p += cRow;
  let c30 = v128.load(p), c31 = v128.load(p, 16), c32 = v128.load(p, 32);
  for (const end = a + (<usize>k << 4); a < end; a += 16, b += NR << 2) {
    const b0 = v128.load(b), b1 = v128.load(b, 16), b2 = v128.load(b, 32);
    let x = v128.load32_splat(a);
    c00 = madd(x, b0, c00), c01 = madd(x, b1, c01), c02 = madd(x, b2, c02);
    x = v128.load32_splat(a, 4);
    c10 = madd(x, b0, c10), c11 = madd(x, b1, c11), c12 = madd(x, b2, c12);
    x = v128.load32_splat(a, 8);
    c20 = madd(x, b0, c20), c21 = madd(x, b1, c21), c22 = madd(x, b2, c22);
    x = v128.load32_splat(a, 12);
    c30 = madd(x, b0, c30), c31 = madd(x, b1, c31), c32 = madd(x, b2, c32);
  }
  v128.store(c, c00), v128.store(c, c01, 16), v128.store(c, c02, 32);
  c += cRow;
  v128.store(c, c10), v128.store(c, c11, 16), v128.store(c, c12, 32);
  c += cRow;
  v128.store(c, c20), v128.store(c, c21, 16), v128.store(c, c22, 32);
  c += cRow;
  v128.store(c, c30), v128.store(c, c31, 16), v128.store(c, c32, 32);
}

/**
 * c[i,j] (+)= Σ_p a[i·aRow + p·aCol] · b[p·bRow + j·bCol]                                         i < m, j < n, p < k
 * a, b f32, strides in elements    c (m, cRow) f32    add: 0 overwrites c    scratch `gemm_scratch(n)` bytes
 * needs: nothing of alignment or sizes.   order: p ascending, in sums of 256
 * equals: that sum in f64 within k · 2^-24 of the sum of sizes.   cost: 1 fused operation per 4 products
 */
export function gemm(
  a: usize, aRow: i32, aCol: i32, b: usize, bRow: i32, bCol: i32, c: usize, cRow: i32, m: i32, n: i32, k: i32, add: i32,
  scratch: usize,
): void {
  const cBytes = <usize>cRow << 2;
  if (!add) for (let i = 0; i < m; i++) memory.fill(c + <usize>i * cBytes, 0, <usize>n << 2);
  const panels = scratch;
  const rows = panels + (<usize>((n + NR - 1) / NR * NR * KC) << 2);
  const edge = rows + (MC * KC << 2);
  for (let p = 0; p < k; p += KC) {
    const kc = min(KC, k - p);
    packB(b + (<usize>(p * bRow) << 2), bRow, bCol, kc, n, panels);
    for (let i = 0; i < m; i += MC) {
      const mc = min(MC, m - i);
      packA(a + (<usize>(i * aRow + p * aCol) << 2), aRow, aCol, mc, kc, rows);
      for (let j = 0; j < n; j += NR) {
        const panel = panels + (<usize>(j * kc) << 2);
        for (let r = 0; r < mc; r += MR) {
          const at = c + <usize>(i + r) * cBytes + (<usize>j << 2);
          const left = rows + (<usize>(r * kc) << 2);
          if (r + MR <= mc && j + NR <= n) tile(left, panel, kc, at, cBytes);
          else edgeTile(left, panel, kc, at, cBytes, min(MR, mc - r), min(NR, n - j), edge);
        }
      }
    }
  }
}

/** A tile of which only some rows and columns are there. */
function edgeTile(a: usize, b: usize, k: i32, c: usize, cRow: usize, rows: i32, cols: i32, own: usize): void {
  memory.fill(own, 0, MR * NR << 2);
  tile(a, b, k, own, NR << 2);
  for (let r = 0; r < rows; r++, c += cRow) {
    for (let j = 0; j < cols; j++) {
      const at = c + (<usize>j << 2);
      store<f32>(at, load<f32>(at) + load<f32>(own + (<usize>(r * NR + j) << 2)));
    }
  }
}
