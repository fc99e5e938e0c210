/**
 * SymbolicLight models to GGUF: from a PyTorch checkpoint, safetensors or GGUF, tensor by tensor and a run of rows at a
 * time. Tensors keep their names, vectors become F32, buffers are left out. Formulas, with w a weight:
 *
 *   i8             s = max |w| / 127 per row,   w ≈ s · round(w / s), halves to even;   s stands in "NAME.scale"
 *   tq1_0, tq2_0   γ = mean |w| per tensor or row,   w ≈ γ · clamp(round(w / γ), −1, 1), halves to even
 *   q1_0           β = mean |w| per tensor or row,   w ≈ β where w ≥ mean w, −β elsewhere
 *
 * γ and β are rounded to f16 first, as they are stored. Embedding, head and prior have them per row always: a row is a token,
 * and tokens differ in size. A row that is no multiple of the type's block becomes I8. A tensor
 * that has its type already is copied; ternary and binary ones become ternary with the scales they have.
 * @module
 */
import type { ByteSource } from '../../bytes/source.ts';
import { TYPE_LAYOUTS } from '../../container/ggml-types.ts';
import type { ByteSink, GgufEntry } from '../../container/gguf-write.ts';
import type { Container, TensorInfo } from '../../container/tensor.ts';
import { wrongValue } from '../../options.ts';
import type { SymbolicLightDescription } from './description.ts';
import { rowScaleName } from '../../description/layout.ts';
import { describeSymbolicLight, SYMBOLICLIGHT_KEYS, symbolicLightShapes } from './description.ts';
import { SYMBOLICLIGHT } from './recognise.ts';
import { checkTypes, refuseOptions, SPIKING_TYPES } from '../../convert/options.ts';
import { type PlannedTensor, spikingMetadata, writeTensors, type WrittenTensor } from '../../convert/pipeline.ts';
import { type Errors, Runs, type Take } from '../../convert/runs.ts';
import type { ConvertOptions, ConvertResult, ConvertType, WrittenType } from '../../convert/types.ts';
import type { KernelModules } from '../../wasm/instantiate.ts';
import { bytesOf, ErrorSums, roundEven, signBlocks, tritBlocks } from '../../convert/quantise.ts';

interface Target {
  readonly type: WrittenType;
  /** Of output projection and prior, unless told. */
  readonly head: WrittenType;
  readonly embedding: WrittenType;
}

const TARGETS: Readonly<Record<string, Target>> = {
  f32: { type: 'F32', head: 'F32', embedding: 'F32' },
  f16: { type: 'F16', head: 'F16', embedding: 'F16' },
  i8: { type: 'I8', head: 'I8', embedding: 'F32' },
  q8_0: { type: 'Q8_0', head: 'Q8_0', embedding: 'Q8_0' },
  tq2_0: { type: 'TQ2_0', head: 'Q8_0', embedding: 'Q8_0' },
  tq1_0: { type: 'TQ1_0', head: 'Q8_0', embedding: 'Q8_0' },
  q1_0: { type: 'Q1_0', head: 'Q8_0', embedding: 'Q8_0' },
};

/** Types of one or two bits: they become ternary ones by blocks as they are, and are not cut at their mean again. */
const CODES: readonly string[] = ['TQ1_0', 'TQ2_0', 'Q2_0', 'Q1_0', 'I2_S'];

const EMBEDDING = 'spike_encoder.frontend.text_embedding.weight';

/** Whether a tensor is the embedding, or of the head. */
function isTable(name: string): boolean {
  return name === EMBEDDING || name.startsWith('output_head.');
}

/** Converts an opened SymbolicLight model. Options, whose types are known ones, refusals and the result are those of
 *  `convertModel`. */
export async function convertSymbolicLight(
  modules: KernelModules,
  source: ByteSource,
  container: Container,
  sink: ByteSink,
  options: ConvertOptions,
): Promise<ConvertResult> {
  const { scale = 'tensor', signal } = options;
  refuseOptions(options, ['ternary', 'classifier']);
  checkTypes(options, SPIKING_TYPES);
  if (scale !== 'tensor' && scale !== 'row') {
    throw wrongValue('scale', scale, 'one of tensor, row');
  }
  const description = describeSymbolicLight(container);
  const plan = planned(container, description, options);
  const runs = new Runs(modules, container, source, signal);
  const metadata = metadataOf(container, description, options);
  return writeTensors(sink, metadata, plan, source.size, options, async ({ info, to }, take) => {
    if (to === info.type) {
      const errors = await runs.convert(info, null, take);
      return to === 'I8' ? { errors, scales: await runs.rowScales(info) } : { errors };
    }
    if (to === 'I8') return await toInt8(runs, info, take);
    if (to === 'Q1_0' || ((to === 'TQ1_0' || to === 'TQ2_0') && !CODES.includes(info.type))) {
      return { errors: await toCodes(runs, info, to, scale === 'row' || isTable(info.name), take) };
    }
    return { errors: await runs.convert(info, to, take) };
  });
}

/** Which type every tensor takes; buffers are not among them. */
function planned(
  container: Container,
  description: SymbolicLightDescription,
  { type, head, embedding }: ConvertOptions,
): PlannedTensor[] {
  const target = TARGETS[type];
  const given = (option: ConvertType | undefined, absent: WrittenType): WrittenType =>
    option === undefined ? absent : TARGETS[option].type;
  return [...symbolicLightShapes(description)].map(([name, shape]) => {
    const info = container.tensors.get(name) as TensorInfo; // checked with the description
    // GGUF has no scalars everywhere: a vector of one element is read as one
    if (shape.length < 2) return { info, shape: shape.length === 0 ? [1] : shape, to: 'F32', fellBack: false };
    const wanted = name === EMBEDDING
      ? given(embedding, target.embedding)
      : isTable(name)
      ? given(head, target.head)
      : target.type;
    const fits = shape[1] % TYPE_LAYOUTS[wanted].blockElements === 0;
    const to = fits ? wanted : 'I8';
    return { info, shape, to, fellBack: !fits, scales: rowScaleName({ name, type: to }) };
  });
}

/** The numbers of the description under GGUF's names. */
function metadataOf(
  container: Container,
  d: SymbolicLightDescription,
  options: ConvertOptions,
): Map<string, GgufEntry> {
  const values: Record<keyof typeof SYMBOLICLIGHT_KEYS, number | boolean> = { ...d, theta: d.rope.theta };
  const numbers = Object.entries(SYMBOLICLIGHT_KEYS).map(([key, [, name]]): [string, GgufEntry] => {
    const value = values[key as keyof typeof SYMBOLICLIGHT_KEYS];
    const real = key === 'threshold' || key === 'leak' || key === 'theta';
    return [name, { type: typeof value === 'boolean' ? 'bool' : real ? 'float64' : 'uint32', value }];
  });
  // a padded embedding has more rows than there are tokens
  return spikingMetadata(container, SYMBOLICLIGHT, d.vocab, numbers, options, (tokens) => tokens <= d.vocab);
}

async function toInt8(runs: Runs, info: TensorInfo, take: Take): Promise<WrittenTensor> {
  const [rows, cols] = info.shape;
  const scales = new Float32Array(rows);
  const sums = new ErrorSums();
  await runs.rows(info, async (weights, first, read) => {
    const codes = new Int8Array(weights.length);
    for (let at = 0, row = first; at < weights.length; at += cols, row++) {
      let max = 0;
      for (let i = at; i < at + cols; i++) max = Math.max(max, Math.abs(weights[i]));
      scales[row] = max / 127;
      const scale = scales[row];
      for (let i = at; i < at + cols; i++) {
        if (scale > 0) codes[i] = Math.max(-127, Math.min(127, roundEven(weights[i] / scale)));
        sums.add(Math.abs(weights[i] - scale * codes[i]));
      }
    }
    await take(bytesOf(codes), read);
  });
  return { errors: sums.errors, scales };
}

/** What a tensor or a row is cut at, and its scale. */
interface Cut {
  readonly mean: number;
  readonly scale: number;
  readonly bits: number;
}

async function toCodes(
  runs: Runs,
  info: TensorInfo,
  to: 'TQ1_0' | 'TQ2_0' | 'Q1_0',
  perRow: boolean,
  take: Take,
): Promise<Errors> {
  const [rows, cols] = info.shape;
  const sums = new ErrorSums();
  const whole = perRow ? null : await cutOfTensor(runs, info, rows * cols);
  await runs.rows(info, async (weights, _, read) => {
    const codes = new Float32Array(weights.length);
    const scales: number[] = [];
    for (let at = 0; at < weights.length; at += cols) {
      const { mean, scale, bits } = whole ?? cutOf(runs, sumOf(weights, at, at + cols), cols);
      scales.push(bits);
      for (let i = at; i < at + cols; i++) {
        if (to === 'Q1_0') codes[i] = weights[i] >= mean ? 1 : -1;
        else if (scale > 0) codes[i] = Math.max(-1, Math.min(1, roundEven(weights[i] / scale)));
        sums.add(Math.abs(weights[i] - scale * codes[i]));
      }
    }
    await take(to === 'Q1_0' ? signBlocks(codes, cols, scales) : tritBlocks(runs, codes, cols, scales, to), read);
  });
  return sums.errors;
}

/** Σ w and Σ |w| of some weights. */
function sumOf(weights: Float32Array, from: number, to: number): { sum: number; size: number } {
  let sum = 0;
  let size = 0;
  for (let i = from; i < to; i++) {
    sum += weights[i];
    size += Math.abs(weights[i]);
  }
  return { sum, size };
}

function cutOf(runs: Runs, { sum, size }: { sum: number; size: number }, n: number): Cut {
  const { value, bits } = runs.half(size / n);
  return { mean: sum / n, scale: value, bits };
}

async function cutOfTensor(runs: Runs, info: TensorInfo, n: number): Promise<Cut> {
  const all = { sum: 0, size: 0 };
  await runs.rows(info, (weights) => {
    const { sum, size } = sumOf(weights, 0, weights.length);
    all.sum += sum;
    all.size += size;
  });
  return cutOf(runs, all, n);
}
