/**
 * Gradients of one batch on one thread: the teacher's states, the student's pass and its way back.
 * @module
 */
import { builtinModule } from '../../../wasm/builtin.ts';
import type { Ptr } from '../../../wasm/arena.ts';
import { flatLength, placesOf, type Slot } from '../../slots.ts';
import type { BatchReport, GradientEngine } from '../../student.ts';
import { type Training, trainKernels } from '../../train-kernels.ts';
import type { TrainingArrays } from '../../update.ts';
import { type SpikingStudent, taughtLayers } from './config.ts';
import { featuresOf, type Pass, RateGraph } from './graph.ts';
import { type LabelledBatch, logitLoss } from '../bert/logit-loss.ts';
import type { SpikingLosses } from './losses.ts';
import { roundRows, roundRowsBack } from './quantise.ts';
import { SpikeRunner, type Tables } from './spikes.ts';
import { CLASSIFIER, scaleSlot, spikingSlots } from './tensors.ts';
import { DenseTeacher, dot, embed, type TeacherStates, type TeacherWeights } from '../bert/teacher.ts';

/** How the teacher's stream is told as rates: a = ½ + (h − mean) / 2 radius. */
export interface Encoding {
  readonly mean: Float32Array;
  readonly radius: number;
}

/** What a thread needs to know. */
export interface SpikingOptions {
  readonly student: SpikingStudent;
  readonly teacher: TeacherWeights;
  readonly tables: Tables;
  /** The teacher's id of each of the student's; null where they are the same. */
  readonly from: Int32Array | null;
  /** Of the stream before the first encoder and behind each. */
  readonly stages: readonly Encoding[];
  /** Build of the training kernels; the best of the host unless told. */
  readonly build?: 'base' | 'relaxed';
}

/** What is looked at in a forward pass alone. */
export interface Look {
  /** 0: rates; else time steps. */
  readonly steps: number;
  /** Whether counts of spikes are told; of rates, whether those of the first tokens are. */
  readonly neurons?: boolean;
  /** Whether the variance of spikes is counted, in a pass of rates. */
  readonly noise?: boolean;
}

/** A forward pass alone. */
export interface Looked {
  /** (texts, classes) */
  readonly logits: Float32Array;
  /** Share of the neurons of each layer that fire in a step. */
  readonly firing: readonly number[];
  /** Of each text, with `neurons` and time steps. */
  readonly counts?: readonly (readonly Uint16Array[])[];
  /** Rates of the last layer at the first tokens, (texts, width), with `neurons` and without steps. */
  readonly first?: Float32Array;
  /** With `noise`: by how much the variance of spikes lowers what each encoder's two norms put out. */
  readonly gains?: readonly number[];
}

export class SpikingEngine implements GradientEngine<LabelledBatch & { readonly look?: Look }, SpikingLosses, Looked> {
  readonly #o: SpikingOptions;
  readonly #t: Training;
  readonly #graph: RateGraph;
  readonly #teacher: DenseTeacher;
  readonly #runner: SpikeRunner;
  readonly #weights: Ptr;
  readonly #gradients: Ptr;

  static async start(options: SpikingOptions): Promise<SpikingEngine> {
    return new SpikingEngine(
      options,
      await trainKernels(options.build),
      new SpikeRunner((await builtinModule()).module, options.student, options.tables),
    );
  }

  private constructor(options: SpikingOptions, training: Training, runner: SpikeRunner) {
    this.#o = options;
    this.#t = training;
    this.#graph = new RateGraph(training, options.student);
    this.#teacher = new DenseTeacher(options.teacher, training);
    this.#runner = runner;
    const bytes = flatLength(spikingSlots(options.student)) * 4;
    this.#weights = training.arena.alloc(bytes, 'weights');
    this.#gradients = training.arena.alloc(bytes, 'gradients');
  }

  gradients(
    slots: readonly Slot[],
    { latent }: Pick<TrainingArrays, 'latent'>,
    batch: LabelledBatch,
    losses: SpikingLosses,
    out: Float32Array,
  ): BatchReport {
    const { k, arena } = this.#t;
    const { student, stages, from } = this.#o;
    const { width, layers, range } = student;
    const mark = arena.mark();
    try {
      this.#load(slots, latent);
      const teacher = this.#teacher.forward(batch, from);
      let given: Float32Array[] | null = null;
      if (losses.kind === 'spikes') {
        this.#runner.load(slots, latent);
        given = this.#spiked(batch, losses.timeSteps);
      }
      const weights = placesOf(slots, this.#weights);
      const noise = losses.kind !== 'rates';
      const options = { noise, spread: losses.kind === 'noise', seed: batch.seed, given };
      const pass = this.#graph.forward(weights, batch, this.#embed(batch), options);
      const { n } = pass;
      const firing = this.#firing(pass);
      const drates = pass.rates.map((_, j) => arena.alloc(n * featuresOf(student, j) * 4, 'a gradient'));

      let hidden = 0;
      const taught = [-1, ...taughtLayers(layers, this.#o.teacher.d.layers)];
      const scale = (4 * range ** 2) / (stages.length * n * width);
      stages.forEach(({ mean, radius }, stage) => {
        const at = arena.alloc(width * 4, 'a mean');
        arena.f32(at, width).set(mean);
        const factor = 2 * scale * losses.hidden;
        const state = teacher.stream[taught[stage] + 1];
        const j = 6 * stage;
        hidden += scale * k.match(pass.rates[j], state, at, 1 / (2 * radius), n, width, factor, drates[j]);
      });
      const { dscores, attention } = this.#scores(pass, teacher, losses);
      let rate = 0;
      if (losses.rate > 0) {
        firing.forEach((share, j) => {
          const over = share - losses.targetRate;
          const count = n * featuresOf(student, j);
          rate += over * over / firing.length;
          const pull = (2 * losses.rate * over) / (firing.length * count);
          const grad = arena.f32(drates[j], count);
          for (let i = 0; i < count; i++) grad[i] += pull;
        });
      }

      arena.f32(this.#gradients, flatLength(slots)).fill(0);
      const grads = placesOf(slots, this.#gradients);
      const { soft, hard, size } = this.#classify(
        weights,
        grads,
        pass,
        teacher.logits,
        batch,
        losses,
        drates[6 * layers],
      );
      this.#graph.backward(weights, grads, pass, drates, dscores);
      this.#store(slots, latent, out);
      const loss = losses.soft * soft + losses.hard * hard + losses.hidden * hidden + losses.attention * attention +
        losses.rate * rate;
      const report = { loss, soft, hard, hidden, rates: firing, sizes: [...firing, size] };
      return losses.attention > 0 ? { ...report, attention } : report;
    } finally {
      arena.release(mark);
    }
  }

  forward(
    slots: readonly Slot[],
    { latent }: Pick<TrainingArrays, 'latent'>,
    batch: LabelledBatch & { readonly look?: Look },
  ): Looked {
    const { look = { steps: 0 } } = batch;
    const { student } = this.#o;
    if (look.steps > 0) {
      this.#runner.load(slots, latent);
      return this.#lookAtSpikes(batch, look);
    }
    const { arena } = this.#t;
    const mark = arena.mark();
    try {
      this.#load(slots, latent);
      const weights = placesOf(slots, this.#weights);
      const options = { noise: look.noise === true, spread: false, seed: 0, given: null };
      const pass = this.#graph.forward(weights, batch, this.#embed(batch), options);
      const logits = Float32Array.from({ length: batch.texts * student.classes }, (_, i) => {
        const text = Math.floor(i / student.classes);
        return this.#logit(weights, pass, text, i % student.classes);
      });
      const first = new Float32Array(batch.texts * student.width);
      for (let b = 0; b < batch.texts; b++) first.set(this.#first(pass, b), b * student.width);
      return {
        logits,
        firing: this.#firing(pass),
        ...(look.neurons && { first }),
        ...(look.noise && { gains: this.#gains(pass) }),
      };
    } finally {
      arena.release(mark);
    }
  }

  dispose(): void {}

  /** Weights as the file will hold them → wasm memory. */
  #load(slots: readonly Slot[], latent: Float32Array): void {
    const to = this.#t.arena.f32(this.#weights, flatLength(slots));
    const { weights } = this.#o.student;
    for (const slot of slots) {
      const { at, size, shape } = slot;
      const own = latent.subarray(at, at + size);
      const scale = weights === 'none' ? null : scaleSlot(slots, slot);
      if (weights === 'none' || !scale) to.set(own, at);
      else {
        const scales = latent.subarray(scale.at, scale.at + scale.size);
        roundRows(weights, own, scales, shape[1], to.subarray(at, at + size));
      }
    }
  }

  /** Gradients of weights → those of latent ones and scales. */
  #store(slots: readonly Slot[], latent: Float32Array, out: Float32Array): void {
    out.set(this.#t.arena.f32(this.#gradients, flatLength(slots)));
    const { weights } = this.#o.student;
    if (weights === 'none') return;
    for (const slot of slots) {
      const scale = scaleSlot(slots, slot);
      if (!scale) continue;
      const part = (flat: Float32Array, { at, size }: Slot): Float32Array => flat.subarray(at, at + size);
      roundRowsBack(weights, part(latent, slot), part(latent, scale), slot.shape[1], part(out, slot), part(out, scale));
    }
  }

  /** Sums of the student's tables for all tokens. */
  #embed(batch: LabelledBatch): Ptr {
    const { width } = this.#o.student;
    const sums = this.#t.arena.alloc(batch.ids.length * width * 4, 'embeddings');
    embed(this.#o.tables, batch, null, this.#t.arena.f32(sums, batch.ids.length * width), width);
    return sums;
  }

  /** Rates over time steps of all layers, texts one after the other. */
  #spiked({ texts, length, ids, types }: LabelledBatch, steps: number): Float32Array[] {
    const { student } = this.#o;
    const rates = Array.from(
      { length: 6 * student.layers + 1 },
      (_, j) => new Float32Array(texts * length * featuresOf(student, j)),
    );
    for (let b = 0; b < texts; b++) {
      const [from, to] = [b * length, (b + 1) * length];
      const { counts } = this.#runner.run(ids.subarray(from, to), types.subarray(from, to), steps);
      counts.forEach((layer, j) => {
        const at = b * layer.length;
        for (let i = 0; i < layer.length; i++) rates[j][at + i] = layer[i] / steps;
      });
    }
    return rates;
  }

  #lookAtSpikes({ texts, length, ids, types }: LabelledBatch, { steps, neurons }: Look): Looked {
    const { student } = this.#o;
    const logits = new Float32Array(texts * student.classes);
    const fired = new Array<number>(6 * student.layers + 1).fill(0);
    const all: (readonly Uint16Array[])[] = [];
    for (let b = 0; b < texts; b++) {
      const [from, to] = [b * length, (b + 1) * length];
      const text = this.#runner.run(ids.subarray(from, to), types.subarray(from, to), steps);
      logits.set(text.logits, b * student.classes);
      text.counts.forEach((layer, j) => (fired[j] += layer.reduce((sum, count) => sum + count, 0)));
      if (neurons) all.push(text.counts);
    }
    const firing = fired.map((count, j) => count / (texts * length * featuresOf(student, j) * steps));
    return { logits, firing, ...(neurons && { counts: all }) };
  }

  #firing({ rates, n }: Pass): number[] {
    const { student } = this.#o;
    return rates.map((rate, j) => {
      const count = n * featuresOf(student, j);
      return this.#t.k.total(rate, count) / count;
    });
  }

  /** How much smaller currents of each norm become when spikes add their variance; by the mean of standard deviations. */
  #gains({ encoders, n }: Pass): number[] {
    const { arena } = this.#t;
    return encoders.flatMap(({ out, down }) =>
      [out, down].map(({ inverse, noise }) => {
        const [inv, more] = [arena.f32(inverse, n), arena.f32(noise, n)];
        let [noisy, clean] = [0, 0];
        for (let t = 0; t < n; t++) {
          const both = 1 / inv[t] ** 2;
          noisy += Math.sqrt(both);
          clean += Math.sqrt(Math.max(both - more[t], 0));
        }
        return clean > 0 ? noisy / clean : 1;
      })
    );
  }

  #scores(
    pass: Pass,
    teacher: TeacherStates,
    { attention }: SpikingLosses,
  ): { readonly dscores: readonly Ptr[]; readonly attention: number } {
    const { k, arena } = this.#t;
    const { layers, heads } = this.#o.student;
    const { texts, length } = pass.batch;
    if (attention === 0) return { dscores: pass.encoders.map(() => 0), attention: 0 };
    const cells = texts * heads * length * length;
    const taught = taughtLayers(layers, this.#o.teacher.d.layers);
    const share = 1 / (layers * cells);
    let loss = 0;
    const dscores = pass.encoders.map(({ scores }, layer) => {
      const to = arena.alloc(cells * 4, 'scores');
      const factor = 2 * attention * share;
      loss += share * k.match_scores(scores, teacher.scores[taught[layer]], cells / length, length, factor, to);
      return to;
    });
    return { dscores, attention: loss };
  }

  /** Rates of the last layer at the first token of text b. */
  #first({ rates, batch }: Pass, b: number): Float32Array {
    const { width } = this.#o.student;
    return this.#t.arena.f32(rates[rates.length - 1] + b * batch.length * width * 4, width);
  }

  #logit(weights: (key: string) => Ptr, pass: Pass, b: number, c: number): number {
    const { arena } = this.#t;
    const { width, classes } = this.#o.student;
    const matrix = arena.f32(weights(`${CLASSIFIER}.weight`), classes * width);
    return dot(matrix, c, this.#first(pass, b)) + arena.f32(weights(`${CLASSIFIER}.bias`), classes)[c];
  }

  /** Loss of the logits; its gradients go to the classifier and to the last rates. */
  #classify(
    weights: (key: string) => Ptr,
    grads: (key: string) => Ptr,
    pass: Pass,
    told: Float32Array,
    { texts, length, labels }: LabelledBatch,
    losses: SpikingLosses,
    drates: Ptr,
  ): { soft: number; hard: number; size: number } {
    const { arena } = this.#t;
    const { width, classes } = this.#o.student;
    const matrix = arena.f32(weights(`${CLASSIFIER}.weight`), classes * width);
    const dmatrix = arena.f32(grads(`${CLASSIFIER}.weight`), classes * width);
    const dbias = arena.f32(grads(`${CLASSIFIER}.bias`), classes);
    let [soft, hard, size] = [0, 0, 0];
    for (let b = 0; b < texts; b++) {
      const logits = Array.from({ length: classes }, (_, c) => this.#logit(weights, pass, b, c));
      const teacher = told.subarray(b * classes, (b + 1) * classes);
      const part = logitLoss(logits, teacher, labels[b], losses);
      soft += part.soft / texts;
      hard += part.hard / texts;
      size += logits.reduce((sum, z) => sum + z * z, 0) / texts;
      const first = this.#first(pass, b);
      const dfirst = arena.f32(drates + b * length * width * 4, width);
      for (let c = 0; c < classes; c++) {
        const g = part.gradient[c] / texts;
        dbias[c] += g;
        for (let i = 0; i < width; i++) {
          dmatrix[c * width + i] += g * first[i];
          dfirst[i] += g * matrix[c * width + i];
        }
      }
    }
    return { soft, hard, size };
  }
}
