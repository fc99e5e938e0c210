/**
 * The first weights of a student: every state h of the teacher is told as rates a = ½ + (h − μ) / 2R, with μ its mean and R = κ times
 * its spread, and what decodes and encodes is folded into weights, biases and norms. The student then computes the teacher, but for
 * rates that leave 0 … 1.
 *
 *   stream    μ of each feature, one R, as the residual has the weight 1     keys, values   μ and R of each feature
 *   the shift of keys cancels in the softmax; that of values passes, as the rows of attention sum to 1
 * @module
 */
import { DistillError } from '../../../errors.ts';
import { type Training, trainKernels } from '../../train-kernels.ts';
import { type SpikingStudent, taughtLayers } from './config.ts';
import type { Encoding } from './engine.ts';
import type { LabelledBatch } from '../bert/logit-loss.ts';
import { CLASSIFIER, EMBEDDING_NORM, type Linear, linearName, normName } from './tensors.ts';
import { DenseTeacher, teacherTensor, type TeacherWeights } from '../bert/teacher.ts';
import { BERT_MATRICES, BERT_NORMS } from '../../../architectures/bert/description.ts';
import type { Ptr } from '../../../wasm/arena.ts';

/** Mean of every feature, and its spread. */
interface Spread {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
}

/** Of the teacher, by layers; `stream` has one more. */
export interface TeacherSpread {
  readonly stream: readonly Spread[];
  readonly keys: readonly Spread[];
  readonly values: readonly Spread[];
  readonly attended: readonly Spread[];
}

/** Looks at the teacher's states over some batches, and hands out its logits. @param from the teacher's id of each of the student's */
export async function teacherSpread(
  teacher: TeacherWeights,
  from: Int32Array | null,
  batches: readonly LabelledBatch[],
  onBatch?: (done: number, logits: Float32Array) => void,
): Promise<TeacherSpread> {
  const training = await trainKernels();
  const dense = new DenseTeacher(teacher, training);
  const { layers, width } = teacher.d;
  const sums = (count: number): Sums[] => Array.from({ length: count }, () => new Sums(width));
  const all = { stream: sums(layers + 1), keys: sums(layers), values: sums(layers), attended: sums(layers) };
  for (const [i, batch] of batches.entries()) {
    const mark = training.arena.mark();
    const states = dense.forward(batch, from);
    for (const [name, list] of Object.entries(all)) {
      list.forEach((sum, l) => sum.add(training, states[name as keyof typeof all][l], batch.ids.length));
    }
    training.arena.release(mark);
    onBatch?.(i + 1, states.logits);
    await new Promise((resolve) => setTimeout(resolve));
  }
  const spreads = (list: readonly Sums[]): Spread[] => list.map((sum) => sum.spread());
  return {
    stream: spreads(all.stream),
    keys: spreads(all.keys),
    values: spreads(all.values),
    attended: spreads(all.attended),
  };
}

class Sums {
  #count = 0;
  readonly #sum: Float64Array;
  readonly #square: Float64Array;

  constructor(width: number) {
    this.#sum = new Float64Array(width);
    this.#square = new Float64Array(width);
  }

  add({ arena }: Training, at: Ptr, rows: number): void {
    const width = this.#sum.length;
    const values = arena.f32(at, rows * width);
    for (let i = 0, f = 0; i < values.length; i++, f = f + 1 === width ? 0 : f + 1) {
      this.#sum[f] += values[i];
      this.#square[f] += values[i] * values[i];
    }
    this.#count += rows;
  }

  spread(): Spread {
    const mean = this.#sum.map((sum) => sum / this.#count);
    const deviation = this.#square.map((square, f) => Math.sqrt(Math.max(square / this.#count - mean[f] ** 2, 0)));
    return { mean, deviation };
  }
}

/** How a stream is told: one radius for all features. */
function encodingOf({ mean, deviation }: Spread, range: number): Encoding {
  const square = deviation.reduce((sum, d) => sum + d * d, 0) / deviation.length;
  return { mean: Float32Array.from(mean), radius: Math.fround(range * Math.sqrt(square) || 1) };
}

/** Encodings of the stream before the first encoder and behind each. */
export function stagesOf({ layers, range }: SpikingStudent, spread: TeacherSpread): Encoding[] {
  const taught = taughtLayers(layers, spread.keys.length);
  return [-1, ...taught].map((layer) => encodingOf(spread.stream[layer + 1], range));
}

/** Real weights by the names of the student's tensors; the classifier is left at zero. */
export function transferred(
  student: SpikingStudent,
  teacher: TeacherWeights,
  spread: TeacherSpread,
): Map<string, Float32Array> {
  const { width, hidden, layers, range } = student;
  const stages = stagesOf(student, spread);
  const tensors = new Map<string, Float32Array>();
  const of = (name: string, rows: number): Float32Array => teacherTensor(teacher, name) ?? new Float32Array(rows);
  /** LN of the teacher → currents that are rates of `to`. */
  const norm = (from: string, name: string, { mean, radius }: Encoding): void => {
    const [gain, shift] = [of(`${from}.weight`, width), of(`${from}.bias`, width)];
    tensors.set(`${name}.weight`, gain.map((g) => g / (2 * radius)));
    tensors.set(`${name}.bias`, shift.map((b, i) => 0.5 + (b - mean[i]) / (2 * radius)));
  };
  /** What rate 0 stands for, feature by feature. */
  const floor = ({ mean, radius }: Encoding): Float32Array => mean.map((m) => m - radius);

  norm('token_embd_norm', EMBEDDING_NORM, stages[0]);
  taughtLayers(layers, teacher.d.layers).forEach((l, layer) => {
    const name = (matrix: keyof typeof BERT_MATRICES): string => `blk.${l}.${BERT_MATRICES[matrix]}`;
    const [input, output] = [stages[layer], stages[layer + 1]];
    const attended = encodingOf(spread.attended[l], range);
    const radii = ({ deviation }: Spread): Float64Array => {
      // a feature that never moves says nothing: any radius will do, but none divides by 0
      const least = 1e-3 * Math.max(...deviation) || 1;
      return deviation.map((d) => Math.max(range * d, least));
    };
    const [rk, rv] = [radii(spread.keys[l]), radii(spread.values[l])];
    /**
     * rows of  outScale · (W · (offset + inScale ⊙ a) + b − shift)
     */
    const linear = (
      matrix: keyof typeof BERT_MATRICES,
      to: Linear,
      rows: number,
      cols: number,
      fold: {
        readonly offset: (i: number) => number;
        readonly inScale: (i: number) => number;
        readonly shift?: (r: number) => number;
        readonly outScale: (r: number) => number;
      },
    ): void => {
      const weight = of(`${name(matrix)}.weight`, rows * cols);
      const bias = of(`${name(matrix)}.bias`, rows);
      const [w, b] = [new Float32Array(rows * cols), new Float32Array(rows)];
      for (let r = 0; r < rows; r++) {
        let sum = bias[r] - (fold.shift?.(r) ?? 0);
        for (let i = 0; i < cols; i++) {
          const value = weight[r * cols + i];
          sum += value * fold.offset(i);
          w[r * cols + i] = fold.outScale(r) * value * fold.inScale(i);
        }
        b[r] = fold.outScale(r) * sum;
      }
      tensors.set(`${linearName(layer, to)}.weight`, w);
      tensors.set(`${linearName(layer, to)}.bias`, b);
    };
    const [from, inner] = [floor(input), floor(attended)];
    const stream = { offset: (i: number) => from[i], inScale: () => 2 * input.radius };
    const { mean: mk } = spread.keys[l];
    const { mean: mv } = spread.values[l];
    linear('k', 'key', width, width, {
      ...stream,
      shift: (r) => mk[r] - rk[r],
      outScale: (r) => 1 / (2 * rk[r]),
    });
    linear('v', 'value', width, width, {
      ...stream,
      shift: (r) => mv[r] - rv[r],
      outScale: (r) => 1 / (2 * rv[r]),
    });
    linear('q', 'query', width, width, { ...stream, outScale: (r) => 2 * rk[r] });
    // residuals keep the weight 1: all else is told in units of their rates
    linear('o', 'out', width, width, {
      offset: (i) => mv[i] - rv[i],
      inScale: (i) => 2 * rv[i],
      shift: (r) => -from[r],
      outScale: () => 1 / (2 * input.radius),
    });
    norm(`blk.${l}.${BERT_NORMS.attnNorm}`, normName(layer, 'out'), attended);
    linear('up', 'up', hidden, width, {
      offset: (i) => inner[i],
      inScale: () => 2 * attended.radius,
      outScale: () => 1,
    });
    linear('down', 'down', width, hidden, {
      offset: () => 0,
      inScale: () => 1,
      shift: (r) => -inner[r],
      outScale: () => 1 / (2 * attended.radius),
    });
    norm(`blk.${l}.${BERT_NORMS.outputNorm}`, normName(layer, 'down'), output);
  });
  tensors.set(`${CLASSIFIER}.weight`, new Float32Array(student.classes * width));
  tensors.set(`${CLASSIFIER}.bias`, new Float32Array(student.classes));
  return tensors;
}

/** Share of the inputs' variance that is added to the diagonal: few texts must not be learnt by heart. */
const RIDGE = 0.3;

/**
 * The linear map that fits `targets` best by squares, with ridges: weights (outputs, inputs) and biases.
 * @param inputs (samples, width) @param targets (samples, outputs)
 * @throws {DistillError} `DISTILL` for inputs that are no numbers
 */
export function ridge(
  inputs: Float32Array,
  targets: Float32Array,
  width: number,
): { readonly weight: Float32Array; readonly bias: Float32Array } {
  const samples = inputs.length / width;
  const outputs = targets.length / samples;
  const meansOf = (values: Float32Array, cols: number): Float64Array => {
    const means = new Float64Array(cols);
    for (let i = 0; i < values.length; i++) means[i % cols] += values[i] / samples;
    return means;
  };
  const [mx, my] = [meansOf(inputs, width), meansOf(targets, outputs)];
  const gram = new Float64Array(width * width);
  const right = new Float64Array(width * outputs);
  const x = new Float64Array(width);
  for (let n = 0; n < samples; n++) {
    for (let i = 0; i < width; i++) x[i] = inputs[n * width + i] - mx[i];
    for (let i = 0; i < width; i++) {
      for (let j = 0; j <= i; j++) gram[i * width + j] += x[i] * x[j];
      for (let o = 0; o < outputs; o++) right[i * outputs + o] += x[i] * (targets[n * outputs + o] - my[o]);
    }
  }
  let trace = 0;
  for (let i = 0; i < width; i++) trace += gram[i * width + i];
  const more = (RIDGE * trace) / width || 1;
  for (let i = 0; i < width; i++) gram[i * width + i] += more;
  cholesky(gram, width);
  const weight = new Float32Array(outputs * width);
  const bias = new Float32Array(outputs);
  for (let o = 0; o < outputs; o++) {
    const solved = solve(gram, width, Float64Array.from({ length: width }, (_, i) => right[i * outputs + o]));
    weight.set(solved, o * width);
    bias[o] = my[o] - solved.reduce((sum, w, i) => sum + w * mx[i], 0);
  }
  return { weight, bias };
}

/** The lower triangle becomes its root. */
function cholesky(a: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j];
      for (let p = 0; p < j; p++) sum -= a[i * n + p] * a[j * n + p];
      if (i !== j) a[i * n + j] = sum / a[j * n + j];
      else if (sum > 0) a[i * n + i] = Math.sqrt(sum);
      else throw new DistillError('DISTILL', 'the rates of the student are not finite; its teacher overflows');
    }
  }
}

function solve(root: Float64Array, n: number, y: Float64Array): Float64Array {
  for (let i = 0; i < n; i++) {
    for (let p = 0; p < i; p++) y[i] -= root[i * n + p] * y[p];
    y[i] /= root[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let p = i + 1; p < n; p++) y[i] -= root[p * n + i] * y[p];
    y[i] /= root[i * n + i];
  }
  return y;
}
