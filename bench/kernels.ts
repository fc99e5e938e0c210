/**
 * Speed of the kernels that stream weights, beside the read bandwidth of the machine: `npm run bench:kernels`.
 *
 * Weights lie in a memory larger than any cache and every call reads others, as decoding does; `cached` rows read the same
 * ones again and show what the arithmetic alone can do. Medians of tinybench; look at the load before believing a figure.
 * @module
 */
import { cpus, loadavg } from 'node:os';
import { Bench } from 'tinybench';
import { codeVectorBytes, int8VectorBytes } from '../src/model/layout.ts';
import { Arena, type Ptr } from '../src/wasm/arena.ts';
import { builtinModule } from '../src/wasm/builtin.ts';
import { type Build, hasRelaxedSimd } from '../src/wasm/features.ts';
import { instantiate } from '../src/wasm/instantiate.ts';
import type { Kernels } from '../src/wasm/kernels.ts';

const COLS = 2048;
const ROWS = 5632;
const CHUNKS = COLS / 64;
/** Weights of the whole pool; read round robin. */
const POOL_BYTES = 192 << 20;
/** f16 bits of a plain number, so that no kernel meets subnormals. */
const PLAIN_F16 = 0x2c00;

interface Row {
  readonly build: Build;
  readonly name: string;
  readonly ms: number;
  readonly weights: number;
  readonly bytes: number;
}

/** One kernel's calls over the pool: `at` is where the weights of this call lie. */
interface Job {
  readonly name: string;
  readonly bytesPerWeight: number;
  /** Share of the weights that is read; all unless told. */
  readonly share?: number;
  run(w: Ptr): void;
}

function jobs(k: Kernels, arena: Arena): { pool: Ptr; list: Job[] } {
  const x = arena.alloc(COLS * 4, 'x');
  arena.f32(x, COLS).set(Float32Array.from({ length: COLS }, (_, i) => Math.sin(i)));
  const [token, blocks] = [arena.alloc(codeVectorBytes(COLS), 'codes'), arena.alloc(codeVectorBytes(COLS), 'codes')];
  const ints = arena.alloc(int8VectorBytes(COLS), 'ints');
  k.quantize_absmax_i8(x, COLS, COLS, CHUNKS, CHUNKS, token, 0, 1);
  k.quantize_absmax_i8(x, COLS, COLS, CHUNKS, 4, blocks, 0, 1);
  k.quantize_block32_i16(x, COLS, COLS / 32, ints, 0, 1, 127);
  const scales = arena.alloc(ROWS * (COLS / 32) * 2, 'scales');
  arena.u16(scales, ROWS * (COLS / 32)).fill(PLAIN_F16);
  const y = arena.alloc(ROWS * 4, 'y');
  const pool = arena.alloc(POOL_BYTES, 'pool');
  // codes 0 and 1, and as floats of any width small normal numbers: subnormals would be slow
  const bytes = arena.u8(pool, POOL_BYTES);
  for (let i = 0; i < bytes.length; i++) bytes[i] = 0x10 | ((i * 2654435761) >>> 13 & 5);
  const list: Job[] = [
    {
      name: 'trit2, scale per row',
      bytesPerWeight: 1 / 4,
      run: (w) => k.trit2_gemm_i8(w, scales, 0, CHUNKS, CHUNKS, token, 0, y, 0, 0, ROWS, 1),
    },
    {
      name: 'trit2, per 256',
      bytesPerWeight: 1 / 4,
      run: (w) => k.trit2_gemm_i8(w, scales, 1, 4, CHUNKS, blocks, 0, y, 0, 0, ROWS, 1),
    },
    {
      name: 'trit2, per 64',
      bytesPerWeight: 1 / 4,
      run: (w) => k.trit2_gemm_i8(w, scales, 1, 1, CHUNKS, blocks, 0, y, 0, 0, ROWS, 1),
    },
    {
      name: 'bit1, per 128',
      bytesPerWeight: 1 / 8,
      run: (w) => k.bit1_gemm_i8(w, scales, 1, 1, CHUNKS, blocks, 0, y, 0, 0, ROWS, 1),
    },
    {
      name: 'int8, per 32',
      bytesPerWeight: 1 + 2 / 32,
      run: (w) => k.int8_gemm_i16(w, scales, 1, COLS / 32, ints, 0, y, 0, 0, ROWS, 1),
    },
    { name: 'f16', bytesPerWeight: 2, run: (w) => k.f16_gemm(w, COLS, x, 0, y, 0, 0, ROWS, 1) },
    { name: 'f32', bytesPerWeight: 4, run: (w) => k.f32_gemm(w, COLS, x, 0, y, 0, 0, ROWS, 1) },
    ...[0.06, 0.5, 1].flatMap((rate) => columnJobs(k, arena, rate)),
    // a kernel that does next to nothing with what it reads
    { name: 'read bandwidth', bytesPerWeight: 4, run: (w) => k.not_finite_f32(w, ROWS * COLS) },
  ];
  return { pool, list };
}

/** The matrix lies by columns: ROWS inputs, COLS outputs, of which a share fired. GB/s and weights count what is read. */
function columnJobs(k: Kernels, arena: Arena, rate: number): Job[] {
  const active = Math.round(ROWS * rate);
  const list = arena.alloc(ROWS * 4, 'list');
  arena.i32(list, active).set(Int32Array.from({ length: active }, (_, i) => Math.floor(i / rate)));
  const sums = arena.alloc(COLS * 4, 'sums');
  const bytes = arena.alloc(COLS, 'sums');
  const y = arena.alloc(COLS * 4, 'y');
  const scales = arena.alloc(COLS * 4, 'scales');
  arena.f32(scales, COLS).fill(0.01);
  const share = `${rate * 100} % fired`;
  return [
    {
      name: `i8 columns, ${share}`,
      bytesPerWeight: 1,
      share: rate,
      run: (w) => k.columns_i8(w, COLS, scales, ROWS, list, active, sums, y, 0, COLS),
    },
    {
      name: `trit2 columns, ${share}`,
      bytesPerWeight: 1 / 4,
      share: rate,
      run: (w) => k.columns_trit2(w, COLS, scales, ROWS, list, active, sums, bytes, y, 0, COLS),
    },
    {
      name: `bit1 columns, ${share}`,
      bytesPerWeight: 1 / 8,
      share: rate,
      run: (w) => k.columns_bit1(w, COLS, scales, ROWS, list, active, sums, bytes, y, 0, COLS),
    },
  ];
}

async function measure(build: Build): Promise<Row[]> {
  const { module } = await builtinModule(build);
  const arena = new Arena(new WebAssembly.Memory({ initial: 1 }));
  const k = instantiate(module, arena.memory);
  const { pool, list } = jobs(k, arena);
  const rows: Row[] = [];
  for (const cached of [false, true]) {
    for (const { name, bytesPerWeight, share = 1, run } of list) {
      if (cached && name === 'read bandwidth') continue;
      const bytes = ROWS * COLS * Math.min(bytesPerWeight, 4);
      const places = cached ? 1 : Math.max(1, Math.floor(POOL_BYTES / bytes));
      let call = 0;
      const bench = new Bench({ time: 300, warmupTime: 60 });
      bench.add(name, () => run(pool + Math.floor((call++ % places) * bytes / 64) * 64));
      await bench.run();
      const result = bench.tasks[0].result as { latency?: { p50: number } } | undefined;
      rows.push({
        build,
        name: cached ? `${name} (again)` : name,
        ms: result?.latency?.p50 ?? NaN,
        weights: ROWS * COLS * share,
        bytes: bytes * share,
      });
    }
  }
  return rows;
}

const json = process.argv.includes('--json');
const load = loadavg()[0];
const rows: Row[] = [];
for (const build of hasRelaxedSimd() ? ['relaxed', 'base'] as const : ['base'] as const) {
  rows.push(...await measure(build));
}
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, load, versions: process.versions.v8 };
if (json) {
  console.log(JSON.stringify({ machine, shape: [ROWS, COLS], rows }));
} else {
  console.log(
    `${machine.cpu}, ${machine.cores} cores, load ${
      load.toFixed(2)
    } before; ${ROWS} × ${COLS}, one vector, one thread\n`,
  );
  console.log('| build | kernel | ms | G weights/s | GB/s |\n|---|---|---|---|---|');
  for (const { build, name, ms, weights, bytes } of rows) {
    console.log(
      `| ${build} | ${name} | ${ms.toFixed(3)} | ${(weights / ms / 1e6).toFixed(1)} | ${
        (bytes / ms / 1e6).toFixed(1)
      } |`,
    );
  }
}
