#!/usr/bin/env node
// Products of training in GFLOP/s, forward and both ways back, by the kernels of assembly/train and by jax-js: what a layer of a BERT of
// 384 asks for. The fastest of rounds in turns, as other work on the machine only slows
// them down; one thread. `node scripts/build.mjs --tests && node bench/train.mjs [ROUNDS]`
import process from 'node:process';
import { trainKernels } from '../build/src/distill/train-kernels.js';

const ROUNDS = Number(process.argv[2] ?? 30);
/** Tokens, outputs, inputs. */
const SHAPES = [[512, 384, 384], [512, 1536, 384], [512, 384, 1536]];
const WAYS = ['forward', 'to inputs', 'to weights'];

const builds = {};
for (const build of ['base', 'relaxed']) {
  try {
    builds[build] = await trainKernels(build);
  } catch {
    // this host has no relaxed SIMD
  }
}
const jax = typeof navigator === 'undefined' ? null : await import('@jax-js/jax').catch(() => null);
if (jax) {
  await jax.init('wasm');
  jax.defaultDevice('wasm');
}

/** Ways to run a product, by name. */
function runners([n, out, cols], way) {
  const runs = {};
  for (const [name, { k, arena }] of Object.entries(builds)) {
    const [x, w, y] = [n * cols, out * cols, n * out].map((size) => {
      const at = arena.alloc(size * 4, 'bench');
      arena.f32(at, size).fill(0.01);
      return at;
    });
    const scratch = arena.alloc(k.gemm_scratch(Math.max(out, cols)), 'scratch');
    runs[`ternspike ${name}`] = {
      forward: () => k.gemm(x, cols, 1, w, 1, cols, y, out, n, out, cols, 0, scratch),
      'to inputs': () => k.gemm(y, out, 1, w, cols, 1, x, cols, n, cols, out, 0, scratch),
      'to weights': () => k.gemm(y, 1, out, x, cols, 1, w, cols, out, cols, n, 0, scratch),
    }[way];
  }
  if (jax) {
    const { numpy: np, jit } = jax;
    const full = (a, b) => np.ones([a, b]);
    const [left, right] = {
      forward: [full(n, cols), full(cols, out)],
      'to inputs': [full(n, out), full(out, cols)],
      'to weights': [full(out, n), full(n, cols)],
    }[way];
    const product = jit((a, b) => np.dot(a, b));
    runs['jax-js'] = () => void product(left.ref, right.ref).dataSync();
  }
  return runs;
}

for (const shape of SHAPES) {
  for (const way of WAYS) {
    const runs = runners(shape, way);
    const times = Object.fromEntries(Object.keys(runs).map((name) => [name, []]));
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [name, run] of Object.entries(runs)) {
        const start = performance.now();
        run();
        if (round > 0) times[name].push(performance.now() - start); // the first compiles
      }
    }
    const flops = 2 * shape[0] * shape[1] * shape[2];
    const said = Object.entries(times).map(([name, list]) => {
      return `${name} ${(flops / Math.min(...list) / 1e6).toFixed(1)}`;
    });
    console.log(`${shape.join(' × ').padEnd(18)} ${way.padEnd(11)} ${said.join('   ')}`);
  }
}
