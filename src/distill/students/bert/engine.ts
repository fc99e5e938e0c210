/**
 * Gradients of one batch of labelled texts on one thread.
 * @module
 */
import type { Ptr } from '../../../wasm/arena.ts';
import { type Places, placesOf, type Slot } from '../../slots.ts';
import type { BatchReport, GradientEngine } from '../../student.ts';
import { type Training, trainKernels } from '../../train-kernels.ts';
import type { TrainingArrays } from '../../update.ts';
import type { LabelledBatch } from './logit-loss.ts';
import { embed, type TeacherTables } from './teacher.ts';
import { CLASSIFIER, type DenseBert, denseSlots, innerSlots, POOLER, TABLES } from './config.ts';
import { DenseGraph, type DensePass } from './graph.ts';
import { headBackward, headForward, type HeadOptions, type HeadTensors } from './head.ts';

/** What a thread needs to know. */
export interface DenseOptions {
  readonly model: DenseBert;
  /** The tables where they do not learn. */
  readonly tables: TeacherTables | null;
  /** Build of the training kernels; the best of the host unless told. */
  readonly build?: 'base' | 'relaxed';
}

/** Seeds of the heads lie apart from those of the layers. */
const HEAD_SITES = 1 << 20;

/** Logits of a batch, (texts, classes). */
export interface DenseLooked {
  readonly logits: Float32Array;
}

export class DenseEngine implements GradientEngine<LabelledBatch, object, DenseLooked> {
  readonly #o: DenseOptions;
  readonly #t: Training;
  readonly #graph: DenseGraph;
  readonly #inner: ReturnType<typeof innerSlots>;
  readonly #weights: Ptr;
  readonly #gradients: Ptr;

  static async start(options: DenseOptions): Promise<DenseEngine> {
    return new DenseEngine(options, await trainKernels(options.build));
  }

  private constructor(options: DenseOptions, training: Training) {
    this.#o = options;
    this.#t = training;
    this.#graph = new DenseGraph(training, options.model);
    this.#inner = innerSlots(denseSlots(options.model));
    this.#weights = training.arena.alloc(this.#inner.size * 4, 'weights');
    this.#gradients = training.arena.alloc(this.#inner.size * 4, 'gradients');
  }

  gradients(
    slots: readonly Slot[],
    { latent }: Pick<TrainingArrays, 'latent'>,
    batch: LabelledBatch,
    _losses: object,
    out: Float32Array,
  ): BatchReport {
    const { arena } = this.#t;
    const { model } = this.#o;
    const { width, dropout } = model;
    const { texts, length, labels, seed } = batch;
    const mark = arena.mark();
    try {
      const { weights, pass } = this.#forward(slots, latent, batch, dropout);
      const { from, size, slots: inner } = this.#inner;
      arena.f32(this.#gradients, size).fill(0);
      const to = placesOf(inner, this.#gradients);
      const dlast = arena.alloc(texts * length * width * 4, 'a gradient');
      const [w, grads] = [this.#head(weights), this.#head(to)];
      let [hard, squares] = [0, 0];
      for (let b = 0; b < texts; b++) {
        const options: HeadOptions = { activation: model.headActivation, dropout, seed };
        const first = this.#first(pass.last, batch, b);
        const said = headForward(w, first, options, HEAD_SITES + b);
        const dfirst = this.#first(dlast, batch, b);
        hard += headBackward(w, grads, first, said, labels[b], 1 / texts, options, HEAD_SITES + b, dfirst) / texts;
        squares += said.logits.reduce((sum, z) => sum + z * z, 0) / texts;
      }
      this.#graph.backward(weights, to, pass, dlast);
      out.fill(0);
      out.set(arena.f32(this.#gradients, size), from);
      if (model.trainTables) this.#tablesBack(slots, batch, arena.f32(dlast, texts * length * width), out);
      return { loss: hard, soft: 0, hard, hidden: 0, rates: [], sizes: [squares] };
    } finally {
      arena.release(mark);
    }
  }

  forward(slots: readonly Slot[], { latent }: Pick<TrainingArrays, 'latent'>, batch: LabelledBatch): DenseLooked {
    const { arena } = this.#t;
    const { classes, headActivation: activation } = this.#o.model;
    const mark = arena.mark();
    try {
      const { weights, pass } = this.#forward(slots, latent, batch, 0);
      const w = this.#head(weights);
      const logits = new Float32Array(batch.texts * classes);
      for (let b = 0; b < batch.texts; b++) {
        const said = headForward(w, this.#first(pass.last, batch, b), { activation, dropout: 0, seed: 0 }, 0);
        logits.set(said.logits, b * classes);
      }
      return { logits };
    } finally {
      arena.release(mark);
    }
  }

  dispose(): void {}

  #forward(
    slots: readonly Slot[],
    latent: Float32Array,
    batch: LabelledBatch,
    dropout: number,
  ): { readonly weights: Places; readonly pass: DensePass } {
    const { arena } = this.#t;
    const { width } = this.#o.model;
    const { from, size, slots: inner } = this.#inner;
    arena.f32(this.#weights, size).set(latent.subarray(from, from + size));
    const sums = arena.alloc(batch.ids.length * width * 4, 'embeddings');
    embed(this.#tables(slots, latent), batch, null, arena.f32(sums, batch.ids.length * width), width);
    const weights = placesOf(inner, this.#weights);
    return { weights, pass: this.#graph.forward(weights, batch, sums, { dropout, seed: batch.seed }) };
  }

  #tables(slots: readonly Slot[], flat: Float32Array): TeacherTables {
    if (this.#o.tables) return this.#o.tables;
    const [words, positions, segments] = TABLES.map((name) => {
      const { at, size } = slots.find(({ key }) => key === name) as Slot;
      return flat.subarray(at, at + size);
    });
    return { words, positions, segments };
  }

  /** Every token's gradient goes to its rows of the three tables. */
  #tablesBack(
    slots: readonly Slot[],
    { ids, types, length }: LabelledBatch,
    sums: Float32Array,
    out: Float32Array,
  ): void {
    const { width } = this.#o.model;
    const { words, positions, segments } = this.#tables(slots, out);
    const add = (table: Float32Array, row: number, from: number): void => {
      for (let i = 0, at = row * width; i < width; i++, at++) table[at] += sums[from + i];
    };
    for (let t = 0; t < ids.length; t++) {
      add(words, ids[t], t * width);
      add(positions, t % length, t * width);
      add(segments, types[t], t * width);
    }
  }

  #head(at: Places): HeadTensors {
    const { width, classes } = this.#o.model;
    const view = (name: string, size: number): Float32Array => this.#t.arena.f32(at(name), size);
    return {
      pooler: view(`${POOLER}.weight`, width * width),
      poolerBias: view(`${POOLER}.bias`, width),
      classifier: view(`${CLASSIFIER}.weight`, classes * width),
      classifierBias: view(`${CLASSIFIER}.bias`, classes),
    };
  }

  /** The first token of text b in a stream. */
  #first(stream: Ptr, { length }: LabelledBatch, b: number): Float32Array {
    const { width } = this.#o.model;
    return this.#t.arena.f32(stream + b * length * width * 4, width);
  }
}
