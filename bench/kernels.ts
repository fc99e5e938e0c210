/**
 * Speed of the kernels beside what the machine can do at most: `npm run bench:kernels -- [--runtime node24|node|deno|bun]
 * [--only NAME] [--ms 300] [--json]`.
 *
 * Weights lie in a memory larger than any cache and every call reads others, as decoding does; `again` reads the same ones
 * and shows what the arithmetic alone can do. Fastest calls and medians of tinybench: on a machine that is shared the fastest
 * say more about the kernels, and the distance between the two about the neighbours.
 *
 *   G/s       products, or weights where there is one vector, in 10⁹ a second
 *   bound     the same if nothing but the kernel's own instructions counted: additions of vectors a second, measured, over
 *             instructions for a product, counted
 *   GB/s      of weights, keys and values, each counted once
 * @module
 */
import { cpus, loadavg } from 'node:os';
import { Bench } from 'tinybench';
import { Arena, type Ptr } from '../src/wasm/arena.ts';
import { builtinModule } from '../src/wasm/builtin.ts';
import { type Build, hasRelaxedSimd } from '../src/wasm/features.ts';
import { instantiate } from '../src/wasm/instantiate.ts';
import { calibration } from './calibrate.ts';
import { BATCH, COLS, type Job, kernelJobs, ROWS } from './kernel-jobs.ts';

const ADDITIONS = 48000;
const READ_BYTES = 4 << 20;

interface Time {
  readonly best: number;
  readonly median: number;
}

interface Row {
  readonly build: Build;
  readonly kernel: string;
  readonly vectors: number;
  readonly ms: Time;
  /** The same with weights that are in a cache. */
  readonly againMs: Time;
  readonly gPerSecond: number;
  readonly againGPerSecond: number;
  readonly boundGPerSecond: number | null;
  readonly gbPerSecond: number;
}

function option(name: string, otherwise: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1] ?? otherwise;
}
const MS = Number(option('ms', '300'));
const ONLY = option('only', '');

/** Milliseconds of a call. */
async function time(call: () => void): Promise<Time> {
  const bench = new Bench({ time: MS, warmupTime: MS / 4 });
  bench.add('call', call);
  await bench.run();
  const { latency, error } = bench.tasks[0].result as { latency?: { min: number; p50: number }; error?: Error };
  if (!latency) throw error ?? new Error('tinybench measured nothing');
  return { best: latency.min, median: latency.p50 };
}

/** Calls `run` at one place after another of the pool, so that nothing it reads is in a cache. */
function along(pool: Ptr, poolBytes: number, bytes: number, run: (at: Ptr) => void): () => void {
  const step = Math.ceil(bytes / 64) * 64;
  const places = Math.max(1, Math.floor(poolBytes / step));
  let call = 0;
  return () => run(pool + (call++ % places) * step);
}

interface Machine {
  readonly cpu: string | undefined;
  readonly cores: number;
  readonly load: number;
  readonly runtime: string;
  readonly gAdditionsPerSecond: number;
  readonly readGbPerSecond: number;
}

async function measure(build: Build, additions: number): Promise<{ rows: Row[]; read: number }> {
  const { module } = await builtinModule(build);
  const arena = new Arena(new WebAssembly.Memory({ initial: 1 }));
  const k = instantiate(module, arena.memory);
  const { pool, poolBytes, vector, batch, columns } = kernelJobs(k, arena, build);
  const { read } = calibration(arena.memory);
  const rows: Row[] = [];
  const of = async (jobs: readonly Job[], vectors: number): Promise<void> => {
    for (const { name, products, bytes, extent = bytes, instructions, run } of jobs) {
      if (!name.includes(ONLY)) continue;
      const ms = await time(along(pool, poolBytes, extent, run));
      const againMs = await time(() => run(pool));
      rows.push({
        build,
        kernel: name,
        vectors,
        ms,
        againMs,
        gPerSecond: products / ms.best / 1e6,
        againGPerSecond: products / againMs.best / 1e6,
        boundGPerSecond: instructions === 0 ? null : additions / instructions,
        gbPerSecond: bytes / ms.best / 1e6,
      });
    }
  };
  await of(vector, 1);
  await of(batch, BATCH);
  await of(columns, 1);
  const reading = await time(along(pool, poolBytes, READ_BYTES, (at) => read(at, at + READ_BYTES)));
  return { rows, read: READ_BYTES / reading.best / 1e6 };
}

function runtime(): string {
  const { versions } = process as { versions: Record<string, string | undefined> };
  const name = ['deno', 'bun', 'node'].find((key) => versions[key]) ?? 'unknown';
  return `${name} ${versions[name] ?? ''}`;
}

const load = loadavg()[0];
const { add } = calibration(new WebAssembly.Memory({ initial: 1 }));
const adding = await time(() => add(ADDITIONS, 1024));
const additions = ADDITIONS / adding.best / 1e6;
const results = [];
for (const build of hasRelaxedSimd() ? ['relaxed', 'base'] as const : ['base'] as const) {
  results.push(await measure(build, additions));
}
const rows = results.flatMap((result) => result.rows);
const machine: Machine = {
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  load,
  runtime: runtime(),
  gAdditionsPerSecond: additions,
  readGbPerSecond: Math.max(...results.map(({ read }) => read)),
};
if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ machine, shape: [ROWS, COLS], batch: BATCH, rows }));
} else {
  const { cpu, cores, runtime, readGbPerSecond } = machine;
  console.log(
    `${cpu}, ${cores} cores, load ${
      load.toFixed(2)
    } before; ${runtime}, one thread; ${ROWS} × ${COLS}, batches of ${BATCH}.\n` +
      `${additions.toFixed(1)} G additions of vectors a second, ${readGbPerSecond.toFixed(1)} GB/s read.\n`,
  );
  console.log('| build | vectors | kernel | ms | median | G/s | again | bound | GB/s |');
  console.log(`|${'---|'.repeat(9)}`);
  for (const row of rows) {
    const cells = [
      row.build,
      `${row.vectors}`,
      row.kernel,
      row.ms.best.toFixed(3),
      row.ms.median.toFixed(3),
      row.gPerSecond.toFixed(1),
      row.againGPerSecond.toFixed(1),
      row.boundGPerSecond?.toFixed(1) ?? '',
      row.gbPerSecond.toFixed(1),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}
