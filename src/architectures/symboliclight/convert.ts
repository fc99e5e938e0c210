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
import type { GgufContainer } from '../../container/gguf.ts';
import { type ByteSink, type GgufEntry, type GgufTensor, writeGguf } from '../../container/gguf-write.ts';
import type { Container, TensorInfo } from '../../container/tensor.ts';
import { DescriptionError } from '../../errors.ts';
import { wrongValue } from '../../options.ts';
import type { SymbolicLightDescription } from './description.ts';
import { rowScaleName } from '../../description/layout.ts';
import { describeSymbolicLight, SYMBOLICLIGHT_KEYS, symbolicLightShapes } from './description.ts';
import { SYMBOLICLIGHT } from './recognise.ts';
import { checkTypes, refuseOptions, SPIKING_TYPES } from '../../convert/options.ts';
import { type Errors, Runs, type Take } from '../../convert/runs.ts';
import type { ConvertedTensor, ConvertOptions, ConvertResult, ConvertType, WrittenType } from '../../convert/types.ts';
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

/** One tensor of the new file. */
interface Planned {
  readonly info: TensorInfo;
  readonly shape: readonly number[];
  readonly to: WrittenType;
  readonly fellBack: boolean;
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
  const { scale = 'tensor', signal, onProgress } = options;
  refuseOptions(options, ['ternary', 'classifier']);
  checkTypes(options, SPIKING_TYPES);
  if (scale !== 'tensor' && scale !== 'row') {
    throw wrongValue('scale', scale, 'one of tensor, row');
  }
  const description = describeSymbolicLight(container);
  const plan = planned(container, description, options);
  const tensors = plan.flatMap(({ info, shape, to }): GgufTensor[] => {
    const scales = rowScaleName({ name: info.name, type: to });
    const matrix = { name: info.name, type: to, shape };
    return scales === null ? [matrix] : [matrix, { name: scales, type: 'F32', shape: [shape[0]] }];
  });
  const writer = await writeGguf(sink, { metadata: metadataOf(container, description, options), tensors });

  const runs = new Runs(modules, container, source, signal);
  const total = plan.reduce((sum, { info }) => sum + info.byteLength, 0);
  const converted: ConvertedTensor[] = [];
  let done = 0;
  for (const { info, to, fellBack } of plan) {
    const take = async (bytes: Uint8Array, read: number): Promise<void> => {
      await writer.write(info.name, bytes);
      done += read;
      onProgress?.({ done, total, tensor: info.name });
    };
    const scaleVector = rowScaleName({ name: info.name, type: to });
    let errors: Errors;
    if (to === info.type) {
      errors = await runs.convert(info, null, take);
      if (scaleVector !== null) await writer.write(scaleVector, bytesOf(await runs.rowScales(info)));
    } else if (to === 'I8') {
      const { scales, ...rest } = await toInt8(runs, info, take);
      await writer.write(scaleVector as string, bytesOf(scales));
      errors = rest;
    } else if (to === 'Q1_0' || ((to === 'TQ1_0' || to === 'TQ2_0') && !CODES.includes(info.type))) {
      errors = await toCodes(runs, info, to, scale === 'row' || isTable(info.name), take);
    } else {
      errors = await runs.convert(info, to, take);
    }
    converted.push({ name: info.name, from: info.type, to, ...errors, fellBack });
  }
  await writer.finish();
  return { bytes: { in: source.size, out: writer.bytesWritten }, tensors: converted };
}

/** Which type every tensor takes; buffers are not among them. */
function planned(
  container: Container,
  description: SymbolicLightDescription,
  { type, head, embedding }: ConvertOptions,
): Planned[] {
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
    return { info, shape, to: fits ? wanted : 'I8', fellBack: !fits };
  });
}

/** The numbers of the description under GGUF's names, over what a GGUF file had already. */
function metadataOf(
  container: Container,
  d: SymbolicLightDescription,
  { type, metadata: more = new Map() }: ConvertOptions,
): Map<string, GgufEntry> {
  const metadata = new Map<string, GgufEntry>();
  if (container.format === 'gguf') {
    const { metadataTypes } = container as GgufContainer;
    for (const [key, value] of container.metadata) {
      const valueType = metadataTypes.get(key);
      if (valueType !== undefined) metadata.set(key, { type: valueType, value });
    }
  }
  metadata.set('general.architecture', { type: 'string', value: SYMBOLICLIGHT });
  metadata.delete('general.file_type');
  if (type !== 'f32' && type !== 'f16') metadata.set('general.quantization_version', { type: 'uint32', value: 2 });
  const values: Record<keyof typeof SYMBOLICLIGHT_KEYS, number | boolean> = { ...d, theta: d.rope.theta };
  for (const [key, [, name]] of Object.entries(SYMBOLICLIGHT_KEYS)) {
    const value = values[key as keyof typeof SYMBOLICLIGHT_KEYS];
    const real = key === 'threshold' || key === 'leak' || key === 'theta';
    const valueType = typeof value === 'boolean' ? 'bool' : real ? 'float64' : 'uint32';
    metadata.set(`${SYMBOLICLIGHT}.${name}`, { type: valueType, value });
  }
  for (const [key, entry] of more) metadata.set(key, entry);
  const tokens = metadata.get('tokenizer.ggml.tokens')?.value;
  if (Array.isArray(tokens) && tokens.length > d.vocab) {
    throw new DescriptionError(
      'DESCRIPTION_MISMATCH',
      `the tokenizer has ${tokens.length} tokens, the embedding ${d.vocab} rows; they are not of one model`,
    );
  }
  return metadata;
}

async function toInt8(runs: Runs, info: TensorInfo, take: Take): Promise<Errors & { scales: Float32Array }> {
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
  return { ...sums.errors, scales };
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
