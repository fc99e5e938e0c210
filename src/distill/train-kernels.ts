/**
 * The kernels of training, as assembly/train declares them, over a memory of their own. Running a model never loads them.
 *
 * The build with relaxed SIMD fuses multiplications and additions: twice as fast, and other last bits. A run goes on to the same
 * numbers on one runtime; the engine promises more.
 * @module
 */
import { instantiateSync } from '@assemblyscript/loader';
import { MAX_MEMORY_BYTES } from '../limits.ts';
import { Arena, type Ptr } from '../wasm/arena.ts';
import { hasRelaxedSimd } from '../wasm/features.ts';

/** Counts are elements; shapes and formulas stand in the headers of assembly/train/*.ts. */
export interface TrainKernels {
  gemm_scratch(n: number): number;
  gemm(
    a: Ptr,
    aRow: number,
    aCol: number,
    b: Ptr,
    bRow: number,
    bCol: number,
    c: Ptr,
    cRow: number,
    m: number,
    n: number,
    k: number,
    add: number,
    scratch: Ptr,
  ): void;
  add_bias(y: Ptr, bias: Ptr, n: number, cols: number): void;
  column_sums(y: Ptr, n: number, cols: number, out: Ptr): void;
  add_scaled(y: Ptr, x: Ptr, factor: number, n: number): void;
  rates(current: Ptr, rate: Ptr, n: number, levels: number, spread: number, seed: number): void;
  rates_back(current: Ptr, grad: Ptr, n: number, margin: number): void;
  total(x: Ptr, n: number): number;
  variance(a: Ptr, weight: Ptr, flat: number, n: number, cols: number, out: Ptr): void;
  variance_back(
    a: Ptr,
    weight: Ptr,
    flat: number,
    n: number,
    cols: number,
    dout: Ptr,
    da: Ptr,
    dweight: Ptr,
  ): void;
  norm(
    u: Ptr,
    gain: Ptr,
    shift: Ptr,
    noise: Ptr,
    eps: number,
    n: number,
    cols: number,
    inverse: Ptr,
    out: Ptr,
  ): void;
  norm_back(
    z: Ptr,
    gain: Ptr,
    inverse: Ptr,
    n: number,
    cols: number,
    grad: Ptr,
    dgain: Ptr,
    dshift: Ptr,
    dnoise: Ptr,
  ): void;
  gelu(x: Ptr, noise: Ptr, weight: Ptr, n: number, cols: number, out: Ptr): void;
  gelu_back(
    x: Ptr,
    noise: Ptr,
    weight: Ptr,
    n: number,
    cols: number,
    grad: Ptr,
    dnoise: Ptr,
    dweight: Ptr,
  ): void;
  squares(w: Ptr, rows: number, cols: number, byRow: Ptr, byCol: Ptr, factor: number): void;
  squares_back(w: Ptr, rows: number, cols: number, dRow: Ptr, dCol: Ptr, factor: number, dw: Ptr): void;
  match(
    a: Ptr,
    h: Ptr,
    mean: Ptr,
    half: number,
    n: number,
    cols: number,
    factor: number,
    da: Ptr,
  ): number;
  attention(
    q: Ptr,
    k: Ptr,
    v: Ptr,
    texts: number,
    length: number,
    heads: number,
    dim: number,
    scale: number,
    scores: Ptr,
    probs: Ptr,
    out: Ptr,
  ): void;
  attention_back(
    q: Ptr,
    k: Ptr,
    v: Ptr,
    probs: Ptr,
    texts: number,
    length: number,
    heads: number,
    dim: number,
    scale: number,
    dout: Ptr,
    dscores: Ptr,
    dq: Ptr,
    dk: Ptr,
    dv: Ptr,
  ): void;
  match_scores(scores: Ptr, target: Ptr, rows: number, length: number, factor: number, ds: Ptr): number;
}

/** Kernels and the arena they work on. */
export interface Training {
  readonly k: TrainKernels;
  readonly arena: Arena;
}

const compiled = new Map<string, Promise<WebAssembly.Module>>();

/** Kernels over a new memory. @param build the best of this host unless told */
export async function trainKernels(
  build: 'base' | 'relaxed' = hasRelaxedSimd() ? 'relaxed' : 'base',
): Promise<Training> {
  let module = compiled.get(build);
  if (!module) {
    module = compile(build);
    compiled.set(build, module);
  }
  const memory = new WebAssembly.Memory({ initial: 1 });
  const { exports } = instantiateSync(await module, { env: { memory } });
  return { k: exports as unknown as TrainKernels, arena: new Arena(memory, MAX_MEMORY_BYTES) };
}

async function compile(build: 'base' | 'relaxed'): Promise<WebAssembly.Module> {
  const texts = await import('./train.generated.ts');
  const bytes = Uint8Array.from(atob(texts[build]), (c) => c.charCodeAt(0));
  return await WebAssembly.compile(bytes);
}
