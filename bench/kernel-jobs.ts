/**
 * What the benchmark of the kernels runs: every kernel that a token or a prompt spends its time in, on the shapes of
 * TinyLlama, with what it reads and computes per call.
 * @module
 */
import {
  attentionBytes,
  codeVectorBytes,
  groupedVectorBytes,
  int8VectorBytes,
  TILE_BYTES,
} from '../src/description/layout.ts';
import type { Arena, Ptr } from '../src/wasm/arena.ts';
import type { Build } from '../src/wasm/features.ts';
import type { Kernels } from '../src/wasm/kernels.ts';

/** Columns and rows of the matrix. */
export const COLS = 2048;
export const ROWS = 1408;
const CHUNKS = COLS / 64;
const BLOCKS = COLS / 32;
/** Weights of the whole pool; read round robin. */
const POOL_BYTES = 192 << 20;
/** f16 bits of a plain number, so that no kernel meets subnormals. */
const PLAIN_F16 = 0x2c00;
/** Vectors of a batch. */
export const BATCH = 32;
const [HEADS, HEAD_DIM, KEYS] = [8, 64, 2048];

/** One kernel's calls: `at` is where the weights of this call lie. */
export interface Job {
  readonly name: string;
  /** Products of a call, or weights where it has one vector. */
  readonly products: number;
  /** Bytes of weights, keys and values that a call reads once. */
  readonly bytes: number;
  /** Bytes from the first that is read to behind the last, where it is more. */
  readonly extent?: number;
  /**
   * Instructions of 128 bits for a product, as the kernel's header counts them: with the additions of vectors that this
   * machine does in a second they are what its arithmetic could do at most. 0 where nobody counted.
   */
  readonly instructions: number;
  run(at: Ptr): void;
}

export interface Jobs {
  readonly pool: Ptr;
  readonly poolBytes: number;
  /** One vector against rows: decoding. */
  readonly vector: readonly Job[];
  /** A batch of vectors against rows, and attention: reading a prompt. */
  readonly batch: readonly Job[];
  /** Spikes against columns. */
  readonly columns: readonly Job[];
}

/** All jobs of a build over buffers of `arena`. */
export function kernelJobs(k: Kernels, arena: Arena, build: Build): Jobs {
  const x = arena.alloc(BATCH * COLS * 4, 'x');
  arena.f32(x, BATCH * COLS).set(Float32Array.from({ length: BATCH * COLS }, (_, i) => Math.sin(i)));
  const codes = (): Ptr => arena.alloc(BATCH * codeVectorBytes(COLS), 'codes');
  const [token, blocks, tokens, manyBlocks] = [codes(), codes(), codes(), codes()];
  const ints = arena.alloc(BATCH * int8VectorBytes(COLS), 'ints');
  k.quantize_absmax_i8(x, COLS, COLS, CHUNKS, CHUNKS, token, 0, 1);
  k.quantize_absmax_i8(x, COLS, COLS, CHUNKS, 4, blocks, 0, 1);
  k.quantize_absmax_batch(x, COLS, COLS, CHUNKS, CHUNKS, tokens, BATCH);
  k.quantize_absmax_batch(x, COLS, COLS, CHUNKS, 4, manyBlocks, BATCH);
  k.quantize_block32_i16(x, COLS, BLOCKS, ints, int8VectorBytes(COLS), BATCH, 127);
  const groupBytes = groupedVectorBytes(COLS);
  const grouped = [1, 8].map((span) => {
    const at = arena.alloc(BATCH * groupBytes, 'grouped');
    k.quantize_grouped(x, COLS, BLOCKS, span, at, groupBytes, BATCH);
    return at;
  });
  const scales = arena.alloc(ROWS * BLOCKS * 2, 'scales');
  arena.u16(scales, ROWS * BLOCKS).fill(PLAIN_F16);
  // small scales and minima: their bytes as f16 are small normal numbers too
  const parts = arena.alloc((ROWS / 4) * (BLOCKS / 8) * 144, 'scales');
  arena.u8(parts, (ROWS / 4) * (BLOCKS / 8) * 144).fill(0x11);
  /** Types of 4 and of more bits: their kinds are drawn in grouped.ts. */
  const groupedJobs = (n: number): Job[] => [
    job(
      'u4, Q4_K',
      37 / 64,
      (n > 1 ? 36 : 48) / 128,
      n,
      (w) => k.grouped_gemm_u4(w, parts, 3, BLOCKS, grouped[1], groupBytes, y, ROWS, 0, ROWS, n),
    ),
    job(
      'u4, Q4_0',
      9 / 16,
      (n > 1 ? 36 : 50) / 128,
      n,
      (w) => k.grouped_gemm_u4(w, parts, 32, BLOCKS, grouped[0], groupBytes, y, ROWS, 0, ROWS, n),
    ),
    job(
      'u8, Q6_K',
      1 + 9 / 128,
      (n > 1 ? 40 : 50) / 128,
      n,
      (w) => k.grouped_gemm_u8(w, parts, 129, BLOCKS, grouped[1], groupBytes, y, ROWS, 0, ROWS, n),
    ),
  ];
  const y = arena.alloc(BATCH * ROWS * 4, 'y');
  const tile = arena.alloc(TILE_BYTES, 'tile');
  const pool = arena.alloc(POOL_BYTES, 'pool');
  // codes 0 and 1, and as floats of any width small normal numbers: subnormals would be slow
  const bytes = arena.u8(pool, POOL_BYTES);
  for (let i = 0; i < bytes.length; i++) bytes[i] = 0x10 | ((i * 2654435761) >>> 13 & 5);

  const relaxed = build === 'relaxed';
  const weights = COLS * ROWS;
  const job = (name: string, bytesPerWeight: number, instructions: number, n: number, run: Job['run']): Job => ({
    name,
    products: weights * n,
    bytes: weights * bytesPerWeight,
    instructions,
    run,
  });
  const vectorBytes = int8VectorBytes(COLS);
  return {
    pool,
    poolBytes: POOL_BYTES,
    vector: [
      job(
        'trit2, per row',
        1 / 4,
        (relaxed ? 286 : 460) / 1024,
        1,
        (w) => k.trit2_gemm_i8(w, scales, 0, CHUNKS, CHUNKS, token, 0, y, 0, 0, ROWS, 1),
      ),
      job(
        'trit2, per 256',
        1 / 4,
        (relaxed ? 310 : 490) / 1024,
        1,
        (w) => k.trit2_gemm_i8(w, scales, 1, 4, CHUNKS, blocks, 0, y, 0, 0, ROWS, 1),
      ),
      job('trit2, per 64', 1 / 4, 0, 1, (w) => k.trit2_gemm_i8(w, scales, 1, 1, CHUNKS, blocks, 0, y, 0, 0, ROWS, 1)),
      job(
        'bit1, per 128',
        1 / 8,
        (relaxed ? 300 : 490) / 1024,
        1,
        (w) => k.bit1_gemm_i8(w, scales, 1, 1, CHUNKS, blocks, 0, y, 0, 0, ROWS, 1),
      ),
      job(
        'int8, per 32',
        1 + 2 / 32,
        75 / 128,
        1,
        (w) => k.int8_gemm_i16(w, scales, 1, BLOCKS, ints, 0, y, 0, 0, ROWS, 1),
      ),
      job(
        'int8 × f32, per 32',
        1 + 2 / 32,
        160 / 128,
        1,
        (w) => k.int8_gemm_f32(w, scales, 1, BLOCKS, x, 0, y, 0, 0, ROWS, 1),
      ),
      ...groupedJobs(1),
      job('f16', 2, 1.5, 1, (w) => k.f16_gemm(w, COLS, x, 0, y, 0, 0, ROWS, 1)),
      job('f32', 4, 0.81, 1, (w) => k.f32_gemm(w, COLS, x, 0, y, 0, 0, ROWS, 1)),
    ],
    batch: [
      job(
        'trit2, per row',
        1 / 4,
        12 / 128,
        BATCH,
        (w) => k.trit2_gemm_lookup(w, scales, 0, CHUNKS, CHUNKS, tokens, y, ROWS, 0, ROWS, BATCH, tile),
      ),
      job(
        'trit2, per 256',
        1 / 4,
        12.5 / 128,
        BATCH,
        (w) => k.trit2_gemm_lookup(w, scales, 1, 4, CHUNKS, manyBlocks, y, ROWS, 0, ROWS, BATCH, tile),
      ),
      job(
        'bit1, per 128',
        1 / 8,
        11 / 128,
        BATCH,
        (w) => k.bit1_gemm_lookup(w, scales, 1, 1, CHUNKS, manyBlocks, y, ROWS, 0, ROWS, BATCH, tile),
      ),
      job(
        'int8, per 32',
        1 + 2 / 32,
        64 / 128,
        BATCH,
        (w) => k.int8_gemm_tile(w, scales, 1, BLOCKS, ints, vectorBytes, y, ROWS, 0, ROWS, BATCH, tile),
      ),
      ...groupedJobs(BATCH),
      job('f16', 2, 1.5, BATCH, (w) => k.f16_gemm(w, COLS, x, COLS, y, ROWS, 0, ROWS, BATCH)),
      ...attentionJobs(k, arena),
    ],
    columns: [0.06, 0.5, 1].flatMap((rate) => columnJobs(k, arena, rate)),
  };
}

/** The heads of one key head, one token and a batch. */
function attentionJobs(k: Kernels, arena: Arena): Job[] {
  const width = HEADS * HEAD_DIM;
  const q = arena.alloc(BATCH * width * 4, 'queries');
  arena.f32(q, BATCH * width).set(Float32Array.from({ length: BATCH * width }, (_, i) => Math.sin(i)));
  const cache = arena.alloc(2 * KEYS * HEAD_DIM * 4, 'keys and values');
  const [out, scratch] = [arena.alloc(BATCH * width * 4, 'out'), arena.alloc(attentionBytes(HEAD_DIM, KEYS), 'scores')];
  return (['f16', 'f32'] as const).flatMap((kv) =>
    [1, BATCH].map((n) => {
      const size = kv === 'f16' ? 2 : 4;
      const attend = kv === 'f16' ? k.attention_f16 : k.attention_f32;
      const keys = n === 1 ? KEYS : 256;
      const values = cache + KEYS * HEAD_DIM * size;
      if (kv === 'f16') arena.u16(cache, 2 * KEYS * HEAD_DIM).fill(PLAIN_F16);
      else arena.f32(cache, 2 * KEYS * HEAD_DIM).fill(0.1);
      return {
        name: `attention ${kv}, ${HEADS} heads × ${n} at ${keys} keys`,
        products: 2 * HEADS * n * (keys + (n - 1) / 2) * HEAD_DIM,
        bytes: 2 * (keys + n) * HEAD_DIM * size,
        instructions: (kv === 'f16' ? 3.6 : 3.1) / 4,
        run: () => attend(q, width, HEADS, cache, values, out, width, HEAD_DIM, keys - n + 1, n, 0.125, scratch),
      };
    })
  );
}

/** The matrix lies by columns: ROWS inputs, COLS outputs, of which a share fired; products and bytes are those of columns read. */
function columnJobs(k: Kernels, arena: Arena, rate: number): Job[] {
  const active = Math.round(ROWS * rate);
  const list = arena.alloc(ROWS * 4, 'list');
  arena.i32(list, active).set(Int32Array.from({ length: active }, (_, i) => Math.floor(i / rate)));
  const [sums, bytes] = [arena.alloc(COLS * 4, 'sums'), arena.alloc(COLS, 'sums')];
  const [y, scales] = [arena.alloc(COLS * 4, 'y'), arena.alloc(COLS * 4, 'scales')];
  arena.f32(scales, COLS).fill(0.01);
  const share = `${rate * 100} % fired`;
  const products = active * COLS;
  return [
    {
      name: `i8 columns, ${share}`,
      products,
      bytes: products,
      extent: ROWS * COLS,
      instructions: 0,
      run: (w) => k.columns_i8(w, COLS, scales, ROWS, list, active, sums, y, 0, COLS),
    },
    {
      name: `trit2 columns, ${share}`,
      products,
      bytes: products / 4,
      extent: (ROWS * COLS) / 4,
      instructions: 0,
      run: (w) => k.columns_trit2(w, COLS, scales, ROWS, list, active, sums, bytes, y, 0, COLS),
    },
    {
      name: `bit1 columns, ${share}`,
      products,
      bytes: products / 8,
      extent: (ROWS * COLS) / 8,
      instructions: 0,
      run: (w) => k.columns_bit1(w, COLS, scales, ROWS, list, active, sums, bytes, y, 0, COLS),
    },
  ];
}
