/**
 * Gradients of one batch on the calling thread: encoder on the host, blocks and losses compiled by jax-js.
 * @module
 */
import type { Array as Tensor } from '@jax-js/jax';
import { encode, encodeBack, type Encoded } from './encoder.ts';
import { type GraphInputs, type GraphResult, type GraphShape, studentGraph, type Tables } from './graph.ts';
import type { Jax } from './jax.ts';
import type { Slot } from '../../slots.ts';
import type { BatchReport, GradientEngine } from '../../student.ts';
import type { TrainingArrays } from '../../update.ts';
import type { Forward } from './kind.ts';
import { EMBEDDING, ENCODER_BIAS, ENCODER_WEIGHT } from './student.ts';
import type { Batch, LossWeights, StudentConfig } from './types.ts';
import { UNSEEN } from './ops.ts';

/** What a thread needs to know of a student. */
export interface GradientOptions {
  readonly config: StudentConfig;
  /** Whether activations are rounded to int8 as the engine rounds them. */
  readonly activations: boolean;
}

/** Losses for counting only. */
export const HARD_ONLY: LossWeights = { alpha: 0, temperature: 1, hidden: 0, hiddenPairs: [], rate: 0, targetRate: 0 };

type Compiled = (w: Record<string, Tensor>, inputs: GraphInputs, tables: Tables) => Tensor[];

export class Gradients implements GradientEngine<Batch, LossWeights, Forward> {
  readonly #jax: Jax;
  readonly #options: GradientOptions;
  readonly #tables = new Map<number, Tables>();
  readonly #compiled = new Map<string, Compiled & { dispose(): void }>();

  constructor(jax: Jax, options: GradientOptions) {
    this.#jax = jax;
    this.#options = options;
  }

  /**
   * Loss of a batch and its gradients, which overwrite `out`.
   * @param slots where weights lie in `weights`, and gradients in `out`
   * @param arrays whose rounded weights the forward pass uses
   */
  gradients(
    slots: readonly Slot[],
    { rounded: weights }: Pick<TrainingArrays, 'rounded'>,
    batch: Batch,
    losses: LossWeights,
    out: Float32Array,
  ): BatchReport {
    const { config } = this.#options;
    const { batch: b, length } = batch;
    const parts = partsOf(slots, weights);
    const encoded = this.#encode(parts, batch);
    const inner = slots.filter(({ key }) => !isEncoder(key));
    const compiled = this.#compile('gradients', { batch: b, length, activations: this.#options.activations }, losses);
    const results = compiled(
      Object.fromEntries(inner.map((slot) => [slot.key, this.#tensor(parts[slot.key], slot.shape)])),
      this.#inputs(batch, encoded.stream, encoded.spikes, losses),
      this.#tablesOf(length),
    );
    const values = results.map((result) => result.dataSync() as Float32Array);
    const [report, rates, sizes, dStream, dSpikes, ...grads] = values;
    out.fill(0);
    const keys = inner.map(({ key }) => key).sort();
    const at = new Map(slots.map((slot) => [slot.key, slot]));
    keys.forEach((key, n) => out.set(grads[n], at.get(key)!.at));
    const to = partsOf(slots, out);
    encodeBack(
      config,
      parts[EMBEDDING],
      parts[ENCODER_WEIGHT],
      batch.ids,
      b,
      length,
      length + 1,
      encoded,
      dStream,
      dSpikes,
      { embedding: to[EMBEDDING], weight: to[ENCODER_WEIGHT], bias: to[ENCODER_BIAS] },
    );
    const [loss, soft, hard, hidden] = report;
    return { loss, soft, hard, hidden, rates: [meanOf(encoded.spikes), ...rates], sizes: [...sizes] };
  }

  /** Forward pass alone. `batch.ids` hold the id behind every position; gradients of nothing. */
  forward(
    slots: readonly Slot[],
    { rounded: weights }: Pick<TrainingArrays, 'rounded'>,
    batch: Batch,
  ): Forward {
    const { batch: b, length } = batch;
    const parts = partsOf(slots, weights);
    const encoded = this.#encode(parts, batch);
    const inner = slots.filter(({ key }) => !isEncoder(key) && !key.startsWith('projection.'));
    const compiled = this.#compile('forward', { batch: b, length, activations: this.#options.activations }, HARD_ONLY);
    const results = compiled(
      Object.fromEntries(inner.map((slot) => [slot.key, this.#tensor(parts[slot.key], slot.shape)])),
      this.#inputs(batch, encoded.stream, encoded.spikes, HARD_ONLY),
      this.#tablesOf(length),
    );
    const values = results.map((result) => result.dataSync() as Float32Array);
    const [report, rates, sizes, logits, ...spikes] = values;
    const [loss, soft, hard, hidden] = report;
    return {
      report: { loss, soft, hard, hidden, rates: [meanOf(encoded.spikes), ...rates], sizes: [...sizes] },
      logits,
      spikes: [encoded.spikes, ...spikes],
    };
  }

  #encode(parts: Record<string, Float32Array>, { batch, length, ids }: Batch): Encoded {
    const [embedding, weight, bias] = [EMBEDDING, ENCODER_WEIGHT, ENCODER_BIAS].map((key) => parts[key]);
    return encode(this.#options.config, embedding, weight, bias, ids, batch, length, length + 1);
  }

  dispose(): void {
    for (const compiled of this.#compiled.values()) compiled.dispose();
    this.#compiled.clear();
    for (const tables of this.#tables.values()) this.#jax.tree.dispose(tables);
    this.#tables.clear();
  }

  #compile(what: 'gradients' | 'forward', shape: GraphShape, losses: LossWeights): Compiled {
    // weights themselves are inputs; which of them are 0 decides what is computed
    const { alpha, hidden, rate } = losses;
    const name = JSON.stringify([what, shape, { ...losses, alpha: alpha > 0, hidden: hidden > 0, rate: rate > 0 }]);
    const known = this.#compiled.get(name);
    if (known) return known;
    const { jit, valueAndGrad } = this.#jax;
    const run = (w: Record<string, Tensor>, inputs: GraphInputs, tables: Tables): GraphResult =>
      studentGraph(this.#jax, this.#options.config, shape, losses, w, inputs, tables);
    const compiled = what === 'forward'
      ? jit((w: Record<string, Tensor>, inputs: GraphInputs, tables: Tables): Tensor[] => {
        const { report, rates, sizes, logits, spikes, objective } = run(w, inputs, tables);
        objective.dispose();
        return [report, rates, sizes, logits, ...spikes];
      })
      : jit((w: Record<string, Tensor>, inputs: GraphInputs, tables: Tables): Tensor[] => {
        const { stream, spikes, ...fixed } = inputs;
        const f = (w: Record<string, Tensor>, stream: Tensor, spikes: Tensor): [Tensor, Tensor[]] => {
          const r = run(w, { stream, spikes, ...fixed }, tables);
          return [r.objective, [r.report, r.rates, r.sizes]];
        };
        const [[objective, aux], [dw, dStream, dSpikes]] = valueAndGrad(f, { argnums: [0, 1, 2], hasAux: true })(
          w,
          stream,
          spikes,
        ) as unknown as [[Tensor, Tensor[]], [Record<string, Tensor>, Tensor, Tensor]];
        objective.dispose();
        return [...aux, dStream, dSpikes, ...Object.keys(dw).sort().map((key) => dw[key])];
      });
    this.#compiled.set(name, compiled as unknown as Compiled & { dispose(): void });
    return compiled as unknown as Compiled;
  }

  #tensor(values: Float32Array, shape: readonly number[]): Tensor {
    const { np } = this.#jax;
    return np.array(values.slice()).reshape(shape.length === 0 ? [1] : [...shape]);
  }

  #inputs(batch: Batch, stream: Float32Array, spikes: Float32Array, losses: LossWeights): GraphInputs {
    const { np } = this.#jax;
    const { vocab, width } = this.#options.config;
    const rows = batch.batch * batch.length;
    const labels = new Float32Array(rows * vocab);
    for (let b = 0; b < batch.batch; b++) {
      for (let t = 0; t < batch.length; t++) {
        labels[(b * batch.length + t) * vocab + batch.ids[b * (batch.length + 1) + t + 1]] = 1;
      }
    }
    return {
      stream: this.#tensor(stream, [rows, width]),
      spikes: this.#tensor(spikes, [rows, width]),
      labels: this.#tensor(labels, [rows, vocab]),
      teacher: losses.alpha > 0
        ? this.#tensor(batch.teacherLogits!, [rows, vocab])
        : this.#tensor(new Float32Array(1), [1, 1]),
      hidden: losses.hidden > 0
        ? losses.hiddenPairs.map((_, n) =>
          this.#tensor(batch.teacherHidden![n], [rows, batch.teacherHidden![n].length / rows])
        )
        : [],
      weights: { alpha: np.array(losses.alpha), hidden: np.array(losses.hidden), rate: np.array(losses.rate) },
    };
  }

  #tablesOf(length: number): Tables {
    let tables = this.#tables.get(length);
    if (!tables) {
      tables = tablesOf(this.#jax, this.#options.config, length);
      this.#tables.set(length, tables);
    }
    return this.#jax.tree.ref(tables);
  }
}

function isEncoder(key: string): boolean {
  return key === EMBEDDING || key === ENCODER_WEIGHT || key === ENCODER_BIAS;
}

function partsOf(slots: readonly Slot[], flat: Float32Array): Record<string, Float32Array> {
  return Object.fromEntries(slots.map(({ key, at, size }) => [key, flat.subarray(at, at + size)]));
}

function meanOf(x: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i];
  return sum / x.length;
}

/** Rotary base of the released models. */
const THETA = 10000;

function tablesOf({ np }: Jax, { width, heads, window, anchors }: StudentConfig, length: number): Tables {
  const d = width / heads;
  const half = d / 2;
  const square = (of: (i: number, j: number) => number): Tensor =>
    np.array(Float32Array.from({ length: length * length }, (_, n) => of(Math.floor(n / length), n % length)))
      .reshape([length, length]);
  const angles = (of: (x: number) => number, sign: number): Tensor =>
    np.array(Float32Array.from({ length: length * d }, (_, n) => {
      const place = n % d;
      const angle = Math.floor(n / d) * Math.fround(THETA ** (-(place % half) / half));
      return of(angle) * (place < half ? sign : 1);
    })).reshape([length, d]);
  return {
    mask: square((i, j) => (j <= i && (j < anchors || i - j <= window) ? 0 : UNSEEN)),
    lags: square((i, j) => Math.max(0, i - j)),
    past: square((i, j) => (j <= i ? 1 : 0)),
    cos: angles(Math.cos, 1),
    sin: angles(Math.sin, -1),
  };
}
