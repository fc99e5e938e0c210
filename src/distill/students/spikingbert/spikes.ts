/**
 * The student in real time steps, by the engine's own forward pass over the weights of training: neurons fire as often as those of
 * the file that is written in the end.
 * @module
 */
import type { SpikingBert } from '../../../architectures/spikingbert/forward.ts';
import { SpikingBertRun } from '../../../architectures/spikingbert/run.ts';
import type { SpikingBertDescription } from '../../../architectures/spikingbert/description.ts';
import type { SpikingBertEncoder, SpikingBertWeights } from '../../../architectures/spikingbert/weights.ts';
import type { TensorInfo } from '../../../container/tensor.ts';
import { packedSize } from '../../../description/layout.ts';
import { vectorBytes } from '../../../description/plan.ts';
import { Arena, type Ptr } from '../../../wasm/arena.ts';
import { instantiate, type KernelModules } from '../../../wasm/instantiate.ts';
import type { Kernels } from '../../../wasm/kernels.ts';
import type { Matrix } from '../../../wasm/matrix.ts';
import type { Slot } from '../../slots.ts';
import type { SpikingStudent } from './config.ts';
import { NORM_EPS } from './graph.ts';
import { codesOf } from './quantise.ts';
import { CLASSIFIER, EMBEDDING_NORM, type Linear, linearName, LINEARS, linearShape, normName } from './tensors.ts';

/** Potential from which neurons fire, and half of it, from which they begin: rates of few steps are then rounded, not cut. */
export const THRESHOLD = 1;
export const INITIAL = 0.5;

/** The tables, as the engine reads them. */
export interface Tables {
  readonly words: Float32Array;
  readonly positions: Float32Array;
  readonly segments: Float32Array;
}

/** What one text comes to. */
export interface SpikedText {
  /** How often each neuron fired, by layers: (tokens, features). */
  readonly counts: readonly Uint16Array[];
  readonly logits: Float32Array;
}

/** A student in the memory of one thread. */
export class SpikeRunner {
  readonly #s: SpikingStudent;
  readonly #k: Kernels;
  readonly #arena: Arena;
  readonly #m: SpikingBert;
  /** What is filled anew with every state of the weights: its key, and how. */
  readonly #fills: ((floats: (key: string) => Float32Array) => void)[] = [];

  constructor(modules: KernelModules, student: SpikingStudent, tables: Tables) {
    this.#s = student;
    this.#arena = new Arena(new WebAssembly.Memory({ initial: 1 }));
    this.#k = instantiate(modules, this.#arena.memory);
    const table = (values: Float32Array): Matrix => {
      const matrix = this.#matrix('none', values.length / student.width, student.width);
      for (let row = 0; row < matrix.rows; row++) {
        const from = row * student.width;
        this.#arena.f32(matrix.data + row * matrix.units * 4, student.width).set(
          values.subarray(from, from + student.width),
        );
      }
      return matrix;
    };
    const norm = (name: string): readonly [Ptr, Ptr] => [this.#vector(`${name}.weight`), this.#vector(`${name}.bias`)];
    const [normWeight, normBias] = norm(EMBEDDING_NORM);
    const w: SpikingBertWeights = {
      words: table(tables.words),
      positions: table(tables.positions),
      segments: table(tables.segments),
      norm: normWeight,
      normBias,
      encoders: Array.from({ length: student.layers }, (_, layer) => this.#encoder(layer)),
      classifier: this.#linear(CLASSIFIER, 'none', student.classes, student.width),
      classifierBias: this.#vector(`${CLASSIFIER}.bias`),
    };
    this.#m = { k: this.#k, d: descriptionOf(student), w, arena: this.#arena };
  }

  /** Takes the weights as they are now. */
  load(slots: readonly Slot[], latent: Float32Array): void {
    const at = new Map(slots.map((slot) => [slot.key, slot]));
    const floats = (key: string): Float32Array => {
      const slot = at.get(key) as Slot;
      return latent.subarray(slot.at, slot.at + slot.size);
    };
    for (const fill of this.#fills) fill(floats);
  }

  /** Runs one text. */
  run(ids: ArrayLike<number>, types: ArrayLike<number>, steps: number): SpikedText {
    const run = new SpikingBertRun(this.#m, ids, types, { steps, threshold: THRESHOLD, leak: 1, initial: INITIAL });
    try {
      // without threads of its own it is done when this returns
      void run.advance(steps);
      const counts = Array.from({ length: 6 * this.#s.layers + 1 }, (_, j) => run.counts(j));
      return { counts, logits: run.logits() };
    } finally {
      run.free();
    }
  }

  #encoder(layer: number): SpikingBertEncoder {
    const { weights } = this.#s;
    const encoder: Record<string, Matrix | Ptr> = {};
    for (const name of LINEARS) {
      const full = linearName(layer, name);
      encoder[name] = this.#linear(full, weights, ...linearShape(this.#s, name as Linear));
      encoder[`${name}Bias`] = this.#vector(`${full}.bias`);
      if (name !== 'out' && name !== 'down') continue;
      const norm = normName(layer, name);
      encoder[`${name}Norm`] = this.#vector(`${norm}.weight`);
      encoder[`${name}NormBias`] = this.#vector(`${norm}.bias`);
    }
    return encoder as unknown as SpikingBertEncoder;
  }

  #vector(key: string): Ptr {
    const { width, hidden, classes } = this.#s;
    const at = this.#arena.alloc(vectorBytes(Math.max(width, hidden, classes)), key);
    this.#fills.push((floats) => {
      const values = floats(key);
      this.#arena.f32(at, values.length).set(values);
    });
    return at;
  }

  #linear(name: string, weights: SpikingStudent['weights'], rows: number, cols: number): Matrix {
    const matrix = this.#matrix(weights, rows, cols);
    const key = `${name}.weight`;
    const codes = weights === 'none' ? null : new Int8Array(rows * cols);
    this.#fills.push((floats) => {
      const latent = floats(key);
      if (!codes || weights === 'none') return this.#fillFloats(matrix, latent);
      codesOf(weights, latent, cols, codes);
      this.#arena.f32(matrix.scales, rows).set(floats(`${name}.scale`));
      this.#fillCodes(matrix, codes, weights === 'binary');
    });
    return matrix;
  }

  #fillFloats({ rows, cols, units, data }: Matrix, values: Float32Array): void {
    for (let r = 0; r < rows; r++) {
      this.#arena.f32(data + r * units * 4, cols).set(values.subarray(r * cols, (r + 1) * cols));
    }
  }

  #fillCodes({ rows, cols, units, data }: Matrix, codes: Int8Array, binary: boolean): void {
    const mark = this.#arena.mark();
    const from = this.#arena.alloc(rows * cols + 64, 'codes');
    const bytes = this.#arena.u8(from, rows * cols);
    for (let i = 0; i < bytes.length; i++) bytes[i] = binary ? Number(codes[i] > 0) : codes[i] + 1;
    for (let r = 0; r < rows; r += 4) {
      const count = Math.min(4, rows - r);
      const row = from + r * cols;
      if (binary) this.#k.pack_bit1(row, cols, count, cols, units / 2, data + r * units * 8);
      else this.#k.pack_trit2(row, cols, count, cols, units, data + r * units * 16);
    }
    this.#arena.release(mark);
  }

  #matrix(weights: SpikingStudent['weights'], rows: number, cols: number): Matrix {
    const type = weights === 'none' ? 'F32' : weights === 'binary' ? 'Q1_0' : 'TQ2_0';
    // as codes with a scale for every row are loaded
    const size = packedSize({ name: '', type, shape: [rows, cols], blockElements: 0 } as unknown as TensorInfo);
    const data = this.#arena.alloc(size.dataBytes, 'a matrix');
    const scales = size.scaleBytes > 0 ? this.#arena.alloc(size.scaleBytes, 'scales') : 0;
    return { ...size, name: '', data, scales, scaleKind: 0, exact: false, top: 127, threes: false };
  }
}

function descriptionOf(s: SpikingStudent): SpikingBertDescription {
  return {
    kind: 'spikingbert',
    architecture: 'spikingbert',
    name: '',
    layers: s.layers,
    width: s.width,
    hidden: s.hidden,
    heads: s.heads,
    headDim: s.width / s.heads,
    vocab: s.vocab,
    trainedContext: s.context,
    segments: s.segments,
    normEps: NORM_EPS,
    threshold: THRESHOLD,
    leak: 1,
    initial: INITIAL,
    steps: s.steps,
    classes: s.classes,
    labels: [],
    task: '',
    parameters: 0,
  };
}
