/**
 * Two ways to multiply codes with a batch of spike vectors, by how many fire: columns of neurons that fired, vector by
 * vector, over codes by columns (SymbolicLight); looked-up sums over codes by rows (the spiking BERT), which cost the same
 * whoever fires. `node build/bench/spike-batches.js`
 *
 * Shapes are those of SymbolicLight 0.8B. Least processor times of many calls, in turn, so that other programs disturb little.
 * @module
 */
import { loadavg } from 'node:os';
import process from 'node:process';
import { Arena, type Ptr } from '../src/wasm/arena.ts';
import { builtinModule } from '../src/wasm/builtin.ts';
import { instantiate } from '../src/wasm/instantiate.ts';
import type { Kernels } from '../src/wasm/kernels.ts';

const ROWS = 1536;
const INPUTS = [1536, 6144];
const BATCHES = [32, 128];
const RATES = [0.05, 0.1, 0.2, 0.3, 0.5, 1];
const REPEATS = 20;

type Codes = 'trit2' | 'bit1';

/** Random codes by rows; as codes by columns the same bytes serve. */
function randomCodes(arena: Arena, codes: Codes, bytes: number): Ptr {
  const at = arena.alloc(bytes, 'codes');
  const trits = (): number => [0, 2, 4, 6].reduce((byte, shift) => byte | (Math.floor(Math.random() * 3) << shift), 0);
  arena.u8(at, bytes).forEach((_, i, all) => all[i] = codes === 'trit2' ? trits() : Math.floor(Math.random() * 256));
  return at;
}

/** Least ms of processor time of each of several actions. */
function least(actions: Record<string, () => void>): Record<string, number> {
  const best: Record<string, number> = {};
  for (let i = 0; i < REPEATS; i++) {
    for (const [name, run] of Object.entries(actions)) {
      const begin = process.cpuUsage();
      run();
      const { user, system } = process.cpuUsage(begin);
      best[name] = Math.min(best[name] ?? Infinity, (user + system) / 1000);
    }
  }
  return best;
}

function compare(k: Kernels, arena: Arena, codes: Codes, inputs: number, n: number, rate: number): void {
  const mark = arena.mark();
  const groups = inputs / 4;
  const w = randomCodes(arena, codes, (ROWS * inputs) / (codes === 'trit2' ? 4 : 8));
  const [scales, bias, y, sums] = Array.from({ length: 4 }, () => arena.alloc(ROWS * 4, 'rows'));
  const bytes = arena.alloc(ROWS, 'rows');
  arena.f32(scales, ROWS).fill(1);
  const tables = arena.alloc(8192, 'tables');
  k.nibble_tables(tables);
  const x = arena.alloc(groups * 128, 'spikes');
  const bit = (): number => Number(Math.random() < rate);
  arena.u8(x, groups * 128).forEach((_, i, all) => all[i] = bit() | (bit() << 1) | (bit() << 2) | (bit() << 3));
  const lists = arena.alloc(n * inputs * 4, 'lists');
  const listed = arena.alloc(n * 4, 'lists');
  k.spike_lists(x, groups, 0, n, lists, inputs, listed);
  const counts = arena.i32(listed, n).slice();
  counts.forEach((count, i) => arena.i32(lists + i * inputs * 4, count).sort());
  const stride = n + 16;
  const all = arena.alloc(ROWS * stride * 4, 'results');
  const scratch = arena.alloc(272, 'scratch');
  const columns = codes === 'trit2' ? k.columns_trit2 : k.columns_bit1;
  const units = inputs / 64;
  const best = least({
    columns: () => {
      counts.forEach((count, i) => {
        columns(w, ROWS, scales, inputs, lists + i * inputs * 4, count, sums, bytes, y, 0, ROWS);
      });
    },
    nibbles: () => {
      k.nibble_gemm(
        Number(codes === 'bit1'),
        w,
        scales,
        0,
        units,
        units,
        bias,
        tables,
        x,
        all,
        stride,
        0,
        ROWS,
        n,
        scratch,
      );
    },
  });
  console.log(
    `${codes}  ${ROWS} x ${inputs}  batch ${String(n).padStart(3)}  ${String(rate * 100).padStart(3)} % fired   ` +
      `columns ${best.columns.toFixed(2)} ms   nibbles ${best.nibbles.toFixed(2)} ms   ` +
      `columns / nibbles ${(best.columns / best.nibbles).toFixed(2)}`,
  );
  arena.release(mark);
}

const { module, build } = await builtinModule();
const arena = new Arena(new WebAssembly.Memory({ initial: 1 }));
const k = instantiate(module, arena.memory);
console.log(`${build} build, node ${process.version}, load ${loadavg()[0].toFixed(2)}`);
for (const codes of ['trit2', 'bit1'] as const) {
  for (const inputs of INPUTS) {
    for (const n of BATCHES) for (const rate of RATES) compare(k, arena, codes, inputs, n, rate);
  }
}
