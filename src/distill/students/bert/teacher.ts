/**
 * A dense BERT as a teacher: its weights as floats, in memory that threads share, and what it says of texts, state by state, by the
 * kernels of training. The engine runs the same model (`architectures/bert`); a test holds the two against each other.
 * @module
 */
import type { ByteSource } from '../../../bytes/source.ts';
import { openModelContainer } from '../../../architectures/index.ts';
import {
  BERT_MATRICES,
  BERT_NORMS,
  type BertDescription,
  describeBert,
} from '../../../architectures/bert/description.ts';
import { BERT } from '../../../architectures/bert/recognise.ts';
import type { Container } from '../../../container/tensor.ts';
import { Runs } from '../../../convert/runs.ts';
import { OptionError } from '../../../errors.ts';
import type { Ptr } from '../../../wasm/arena.ts';
import type { KernelModules } from '../../../wasm/instantiate.ts';
import type { Training } from '../../train-kernels.ts';
import { type Slot, slotsOf } from '../../slots.ts';

/** Rows that are added up for every token, in memory that threads can share. */
export interface TeacherTables {
  readonly words: Float32Array;
  readonly positions: Float32Array;
  readonly segments: Float32Array;
}

/** A teacher's numbers and weights. Plain data: threads get it as it is. */
export interface TeacherWeights extends TeacherTables {
  readonly d: BertDescription;
  /** All but the tables, by the names of llama.cpp. */
  readonly slots: readonly Slot[];
  readonly flat: Float32Array;
}

/** @throws {OptionError} `OPTION` for a model that is no BERT with a classifier; what reading it throws */
export async function readTeacher(
  modules: KernelModules,
  source: ByteSource,
  signal?: AbortSignal,
): Promise<TeacherWeights> {
  const teacher = await readBert(modules, source, signal);
  if (teacher.d.classes > 0) return teacher;
  throw new OptionError(
    'OPTION',
    `${source.name} has no classifier; the teacher of a task is a BertForSequenceClassification, as fine-tuning makes one`,
  );
}

/** A dense BERT with or without a classifier. @throws {OptionError} `OPTION` for another model; what reading it throws */
export async function readBert(
  modules: KernelModules,
  source: ByteSource,
  signal?: AbortSignal,
): Promise<TeacherWeights> {
  const container = await openModelContainer(source, { signal });
  try {
    if (container.metadata.get('general.architecture') !== BERT) {
      throw new OptionError('OPTION', `${source.name} is not a dense BERT; the teacher of a spiking BERT must be one`);
    }
    const d = describeBert(container);
    return await readWeights(modules, container.source ?? source, container, d, signal);
  } finally {
    await container.source?.close?.();
  }
}

const TABLES = ['token_embd.weight', 'position_embd.weight', 'token_types.weight'];

async function readWeights(
  modules: KernelModules,
  source: ByteSource,
  container: Container,
  d: BertDescription,
  signal: AbortSignal | undefined,
): Promise<TeacherWeights> {
  const runs = new Runs(modules, container, source, signal);
  const read = async (name: string, to: Float32Array): Promise<void> => {
    const info = container.tensors.get(name);
    if (!info) return;
    const shape = info.shape.length === 2 ? info.shape : [1, info.shape[0]];
    await runs.rows({ ...info, shape }, (weights, row) => to.set(weights, row * shape[1]));
  };
  const rest = [...container.tensors.values()].filter(({ name }) => !TABLES.includes(name));
  const slots = slotsOf(rest.map(({ name, shape }) => [name, [...shape]]));
  const flat = sharedFloats(slots.reduce((end, { at, size }) => Math.max(end, at + size), 0));
  for (const { key, at, size } of slots) await read(key, flat.subarray(at, at + size));
  const rows = [d.vocab, d.trainedContext, Math.max(2, d.segments)]; // a teacher without segments adds 0 for both
  const [words, positions, segments] = rows.map((n) => sharedFloats(n * d.width));
  for (const [i, table] of [words, positions, segments].entries()) await read(TABLES[i], table);
  return { d, slots, flat, words, positions, segments };
}

/** Zeros in memory that threads can share, where the runtime has such. */
export function sharedFloats(n: number): Float32Array {
  return typeof SharedArrayBuffer === 'undefined'
    ? new Float32Array(n)
    : new Float32Array(new SharedArrayBuffer(n * 4));
}

/** A tensor of the teacher, or null. */
export function teacherTensor({ slots, flat }: TeacherWeights, name: string): Float32Array | null {
  const slot = slots.find(({ key }) => key === name);
  return slot ? flat.subarray(slot.at, slot.at + slot.size) : null;
}

/** Where the states of a batch lie until the arena is released. Rows are tokens, (tokens, width) f32. */
export interface TeacherStates {
  /** The stream before the first layer and behind each. */
  readonly stream: readonly Ptr[];
  /** Of each layer: keys, values, the stream behind its attention. */
  readonly keys: readonly Ptr[];
  readonly values: readonly Ptr[];
  readonly attended: readonly Ptr[];
  /** Scores before the softmax, (texts, heads, length, length). */
  readonly scores: readonly Ptr[];
  /** (texts, classes) */
  readonly logits: Float32Array;
}

/** Texts of one length, one after the other. */
export interface TextBatch {
  readonly texts: number;
  readonly length: number;
  readonly ids: ArrayLike<number>;
  readonly types: ArrayLike<number>;
}

/** A teacher in the memory of one thread. */
export class DenseTeacher {
  readonly #w: TeacherWeights;
  readonly #t: Training;
  readonly #at = new Map<string, Ptr>();

  constructor(weights: TeacherWeights, training: Training) {
    this.#w = weights;
    this.#t = training;
    const { arena } = training;
    const base = arena.alloc(weights.flat.length * 4, 'the teacher');
    arena.f32(base, weights.flat.length).set(weights.flat);
    for (const { key, at } of weights.slots) this.#at.set(key, base + at * 4);
  }

  /** All states of a batch. @param from the teacher's id of each of the student's */
  forward(batch: TextBatch, from: Int32Array | null): TeacherStates {
    const { k, arena } = this.#t;
    const { d } = this.#w;
    const { texts, length } = batch;
    const n = texts * length;
    const { width, hidden, heads, headDim, normEps } = d;
    const rows = (cols: number): Ptr => arena.alloc(n * cols * 4, 'a state of the teacher');
    const scratch = arena.alloc(k.gemm_scratch(Math.max(width, hidden)), 'scratch');
    const inverse = arena.alloc(n * 4, 'scratch');
    const probs = arena.alloc(texts * heads * length * length * 4, 'scratch');
    const at = (name: string): Ptr => this.#at.get(name) ?? 0;
    const linear = (name: string, x: Ptr, m: number, to: number, cols: number, y: Ptr = rows(to)): Ptr => {
      k.gemm(x, cols, 1, at(`${name}.weight`), 1, cols, y, to, m, to, cols, 0, scratch);
      if (at(`${name}.bias`)) k.add_bias(y, at(`${name}.bias`), m, to);
      return y;
    };
    const norm = (x: Ptr, name: string): Ptr => {
      const y = rows(width);
      k.norm(x, at(`${name}.weight`), at(`${name}.bias`), 0, normEps, n, width, inverse, y);
      return y;
    };
    const u = rows(width);
    embed(this.#w, batch, from, arena.f32(u, n * width), width);
    let x = norm(u, 'token_embd_norm');
    const states = { stream: [x], keys: [], values: [], attended: [], scores: [] } as Record<
      'stream' | 'keys' | 'values' | 'attended' | 'scores',
      Ptr[]
    >;
    for (let l = 0; l < d.layers; l++) {
      const name = (matrix: keyof typeof BERT_MATRICES): string => `blk.${l}.${BERT_MATRICES[matrix]}`;
      const [q, key, value] = (['q', 'k', 'v'] as const).map((m) => linear(name(m), x, n, width, width));
      const scores = arena.alloc(texts * heads * length * length * 4, 'scores');
      const context = rows(width);
      k.attention(q, key, value, texts, length, heads, headDim, 1 / Math.sqrt(headDim), scores, probs, context);
      const out = linear(name('o'), context, n, width, width);
      k.add_scaled(out, x, 1, n * width);
      const attended = norm(out, `blk.${l}.${BERT_NORMS.attnNorm}`);
      const up = linear(name('up'), attended, n, hidden, width);
      const inner = rows(hidden);
      k.gelu(up, 0, 0, n, hidden, inner);
      const down = linear(name('down'), inner, n, width, hidden);
      k.add_scaled(down, attended, 1, n * width);
      x = norm(down, `blk.${l}.${BERT_NORMS.outputNorm}`);
      states.stream.push(x);
      states.keys.push(key);
      states.values.push(value);
      states.attended.push(attended);
      states.scores.push(scores);
    }
    return { ...states, logits: this.#logits(x, texts, length) };
  }

  /** Wc · tanh(Wp · x[CLS] + bp) + bc, or relu in place of tanh; without a pooler Wc · x[CLS] + bc. */
  #logits(x: Ptr, texts: number, length: number): Float32Array {
    const { arena } = this.#t;
    const { width, classes, headActivation } = this.#w.d;
    const bend = headActivation === 'relu' ? (x: number) => Math.max(x, 0) : Math.tanh;
    const tensor = (name: string): Float32Array | null => teacherTensor(this.#w, name);
    const [wp, bp, wc, bc] = ['cls.weight', 'cls.bias', 'cls.output.weight', 'cls.output.bias'].map(tensor);
    const logits = new Float32Array(texts * classes);
    for (let b = 0; b < texts; b++) {
      const first = arena.f32(x + b * length * width * 4, width);
      const pooled = wp ? Float32Array.from(first, (_, r) => bend(dot(wp, r, first) + (bp?.[r] ?? 0))) : first;
      for (let c = 0; c < classes; c++) {
        logits[b * classes + c] = dot(wc as Float32Array, c, pooled) + (bc?.[c] ?? 0);
      }
    }
    return logits;
  }
}

/** Row r of a matrix times x. */
export function dot(matrix: Float32Array, r: number, x: Float32Array): number {
  let sum = 0;
  for (let i = 0, at = r * x.length; i < x.length; i++) sum += matrix[at + i] * x[i];
  return sum;
}

/** Sums of the three tables, row by row. */
export function embed(
  { words, positions, segments }: TeacherTables,
  { length, ids, types }: TextBatch,
  from: Int32Array | null,
  out: Float32Array,
  width: number,
): void {
  for (let t = 0, to = 0; t < ids.length; t++) {
    const word = (from ? from[ids[t]] : ids[t]) * width;
    const position = (t % length) * width;
    const segment = types[t] * width;
    // rounded after each addition, as the engine rounds
    for (let i = 0; i < width; i++, to++) {
      out[to] = Math.fround(Math.fround(words[word + i] + positions[position + i]) + segments[segment + i]);
    }
  }
}
