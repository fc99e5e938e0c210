/**
 * Spiking BERTs to GGUF: from a PyTorch checkpoint, safetensors or GGUF, a run of rows at a time. Tensors keep the names of
 * the state dict; of what it lists under other names nothing is written. Vectors and the classifier become F32.
 *
 * Formulas, with w a weight of a tensor (or of a row: with `scale: 'row'`, and in the tables), rounding halves to even:
 *
 *   i8                       s = max |w| / 127 per row         w ≈ s · round(w / s)
 *   tq1_0, tq2_0  absmean    γ = mean |w|                      w ≈ γ · clamp(round(w / γ), −1, 1)    BitNet b1.58, arXiv 2402.17764
 *       `ternary: 'spikelm'` s = 4/3 · mean |w|                w ≈ s · round(clamp(w / s, −1, 1))    SpikeLM, arXiv 2406.03287
 *   q1_0                     β = mean |w|, e = mean w          w ≈ β where w ≥ e, −β elsewhere       BitNet, arXiv 2310.11453
 *
 * A matrix whose rows hold nothing but −a, 0 and a already, each row with an a of its own, is written as it is and not
 * rounded a second time: to q1_0 where no 0 is among them, to i8 too.
 *
 * Scales are f32, as training has them, and stand beside a matrix in "NAME.scale", one for each row; the blocks of codes
 * have the scale 1. Rows are filled up with zeros to whole blocks, so that every width has every type.
 * @module
 */
import { alignUp } from '../../bytes/align.ts';
import type { ByteSource } from '../../bytes/source.ts';
import { TYPE_LAYOUTS } from '../../container/ggml-types.ts';
import type { ByteSink, GgufEntry } from '../../container/gguf-write.ts';
import type { Container, TensorInfo } from '../../container/tensor.ts';
import { OptionError } from '../../errors.ts';
import { wrongValue } from '../../options.ts';
import type { SpikingBertDescription } from './description.ts';
import { isCodes, scaleName } from '../../description/layout.ts';
import { describeSpikingBert, SPIKINGBERT_KEYS, spikingBertShapes, withNumbers } from './description.ts';
import { SPIKING_TYPES } from '../../convert/options.ts';
import { SPIKINGBERT } from './recognise.ts';
import { type PlannedTensor, spikingMetadata, writeTensors, type WrittenTensor } from '../../convert/pipeline.ts';
import { Runs, type Take } from '../../convert/runs.ts';
import type { ConvertOptions, ConvertResult, ConvertType, WrittenType } from '../../convert/types.ts';
import type { EncodedType } from '../../convert/codec.ts';
import type { KernelModules } from '../../wasm/instantiate.ts';
import { bytesOf, ErrorSums, roundEven, signBlocks, tritBlocks } from '../../convert/quantise.ts';

const TYPES: Readonly<Record<string, WrittenType>> = {
  f32: 'F32',
  f16: 'F16',
  i8: 'I8',
  q8_0: 'Q8_0',
  tq2_0: 'TQ2_0',
  tq1_0: 'TQ1_0',
  q1_0: 'Q1_0',
};

/** Types that the tables of tokens and positions can have. */
const TABLE_TYPES: readonly ConvertType[] = ['f32', 'f16', 'i8', 'q8_0', 'tq2_0', 'tq1_0'];
const TABLES: readonly string[] = ['network_x.word_embeddings.weight', 'network_x.position_embeddings.weight'];

/** Numbers that are not counts. */
const REALS: readonly string[] = ['threshold', 'leak', 'initial'];

/** One tensor of the new file. The model has `cols` columns; stored rows are filled up with zeros. */
interface Planned extends PlannedTensor {
  readonly cols: number;
}

/** Converts an opened spiking BERT. Options, whose types are known ones, refusals and the result are those of `convertModel`. */
export async function convertSpikingBert(
  modules: KernelModules,
  source: ByteSource,
  original: Container,
  sink: ByteSink,
  options: ConvertOptions,
): Promise<ConvertResult> {
  const { signal } = options;
  checkOptions(options);
  const container = withNumbers(original, options.classifier ?? {});
  const description = describeSpikingBert(container);
  const plan = planned(container, description, options);
  const runs = new Runs(modules, container, source, signal);
  const metadata = metadataOf(container, description, options);
  return writeTensors(
    sink,
    metadata,
    plan,
    source.size,
    options,
    (planning, take) => write(runs, container, planning, options, take),
  );
}

/** @throws {OptionError} `OPTION` */
function checkOptions({ type, head, embedding, scale, ternary }: ConvertOptions): void {
  const one = (name: string, value: string | undefined, known: readonly string[]): void => {
    if (value === undefined || known.includes(value)) return;
    throw wrongValue(name, value, `one of ${known.join(', ')}`);
  };
  one('type', type, SPIKING_TYPES);
  one('embedding', embedding, TABLE_TYPES);
  one('scale', scale, ['tensor', 'row']);
  one('ternary', ternary, ['absmean', 'spikelm']);
  if (head === undefined) return;
  throw new OptionError('OPTION', 'head is for models that generate; the classifier of a spiking BERT stays f32', {
    mentions: ['head'],
  });
}

/** Which type every tensor takes. The tables of tokens and positions are the model's real input, and stay as they are unless told. */
function planned(container: Container, d: SpikingBertDescription, { type, embedding }: ConvertOptions): Planned[] {
  const table = TYPES[embedding ?? (type === 'f16' ? 'f16' : 'f32')];
  return [...spikingBertShapes(d)].map(([name, shape]) => {
    const info = container.tensors.get(name) as TensorInfo; // checked with the description
    const cols = shape.at(-1) as number;
    const linear = !name.startsWith('network_x.') && name !== 'classification.weight';
    const to = shape.length < 2 ? 'F32' : TABLES.includes(name) ? table : linear ? TYPES[type] : 'F32';
    const { blockElements } = TYPE_LAYOUTS[to];
    // what has its type already keeps its scales, where they stand
    const scaled = to === 'I8' || (isCodes(to) && (to !== info.type || container.tensors.has(scaleName(name))));
    const stored = shape.length < 2 ? shape : [shape[0], alignUp(cols, blockElements)];
    return { info, shape: stored, cols, to, fellBack: false, scales: scaled ? scaleName(name) : null };
  });
}

async function write(
  runs: Runs,
  container: Container,
  planning: Planned,
  options: ConvertOptions,
  take: Take,
): Promise<WrittenTensor> {
  const { info, shape, cols, to, scales } = planning;
  const beside = container.tensors.get(scaleName(info.name));
  const given = shape.length === 2 && beside ? await runs.rowScales({ ...info, type: 'I8' }) : null;
  if (shape.length < 2 || (to === info.type && shape.join() === info.shape.join())) {
    const errors = await runs.convert(info, shape.length < 2 ? 'F32' : null, take);
    return { errors, ...(scales && { scales: given as Float32Array }) };
  }
  /** Every row of weights as they are meant, the same array each time. */
  const rows: Rows = (visit) => {
    const row = new Float32Array(cols);
    const stored = info.shape[1];
    return runs.rows(info, async (run, first, read) => {
      const weights = run.slice(); // what is encoded meanwhile passes through the same memory
      const n = weights.length / stored;
      for (let r = 0; r < n; r++) {
        row.set(weights.subarray(r * stored, r * stored + cols));
        // I8 comes with its scales applied
        if (given && info.type !== 'I8') { for (let i = 0; i < cols; i++) row[i] *= given[first + r]; }
        await visit(row, first + r, read / n);
      }
    });
  };
  if (to === 'I8') return await toInt8(rows, shape[0], take);
  if (to === 'TQ1_0' || to === 'TQ2_0' || to === 'Q1_0') return await toCodes(runs, rows, planning, to, options, take);
  return await toFloats(runs, rows, planning, to, take);
}

type Rows = (visit: (row: Float32Array, index: number, read: number) => Promise<void> | void) => Promise<void>;

async function toFloats(
  runs: Runs,
  rows: Rows,
  { info, shape }: Planned,
  to: EncodedType,
  take: Take,
): Promise<WrittenTensor> {
  const sums = new ErrorSums();
  const values = new Float32Array(shape[1]);
  await rows(async (row, index, read) => {
    values.set(row); // zeros stay behind it
    await take(runs.encode(info, values, to, index * shape[1], sums), read);
  });
  return { errors: sums.errors };
}

async function toInt8(rows: Rows, count: number, take: Take): Promise<WrittenTensor> {
  const sums = new ErrorSums();
  const scales = new Float32Array(count);
  await rows(async (row, index, read) => {
    const a = onlyScale(row);
    scales[index] = a || row.reduce((max, w) => Math.max(max, Math.abs(w)), 0) / 127;
    const scale = scales[index];
    const codes = Int8Array.from(row, (w) => (scale > 0 ? Math.max(-127, Math.min(127, roundEven(w / scale))) : 0));
    row.forEach((w, i) => sums.add(Math.abs(w - scale * codes[i])));
    await take(bytesOf(codes), read);
  });
  return { errors: sums.errors, scales };
}

/** The one size of a row of −a, 0 and a; 0 for zeros, NaN for any other row. */
function onlyScale(row: Float32Array): number {
  let a = 0;
  for (const w of row) {
    const size = Math.abs(w);
    if (size === 0 || size === a) continue;
    if (a !== 0) return NaN;
    a = size;
  }
  return a;
}

async function toCodes(
  runs: Runs,
  rows: Rows,
  { info, shape, cols }: Planned,
  to: 'TQ1_0' | 'TQ2_0' | 'Q1_0',
  { scale, ternary = 'absmean' }: ConvertOptions,
  take: Take,
): Promise<WrittenTensor> {
  const [count, stored] = shape;
  const binary = to === 'Q1_0';
  const exact = new Float32Array(count);
  const means = new Float64Array(count);
  const sizes = new Float64Array(count);
  await rows((row, index) => {
    exact[index] = binary && row.includes(0) ? NaN : onlyScale(row);
    means[index] = row.reduce((sum, w) => sum + w, 0) / cols;
    sizes[index] = row.reduce((sum, w) => sum + Math.abs(w), 0) / cols;
  });
  if (scale !== 'row' && !TABLES.includes(info.name)) {
    // rows are equally long
    for (const values of [means, sizes]) values.fill(values.reduce((a, b) => a + b, 0) / count);
  }
  const asIs = !exact.some(Number.isNaN);
  const factor = ternary === 'spikelm' && !binary ? 4 / 3 : 1;
  const scales = asIs ? exact : Float32Array.from(sizes, (size) => factor * size);

  const sums = new ErrorSums();
  const codes = new Float32Array(stored);
  await rows(async (row, index, read) => {
    const s = scales[index];
    const cut = asIs ? 0 : means[index];
    row.forEach((w, i) => {
      if (binary) codes[i] = w >= cut ? 1 : -1;
      else codes[i] = s > 0 ? Math.max(-1, Math.min(1, roundEven(w / s))) : 0;
      sums.add(Math.abs(w - s * codes[i]));
    });
    await take(binary ? signBlocks(codes, stored, [F16_ONE]) : tritBlocks(runs, codes, stored, [F16_ONE], to), read);
  });
  return { errors: sums.errors, scales };
}

/** The numbers of the description under GGUF's names. */
function metadataOf(container: Container, d: SpikingBertDescription, options: ConvertOptions): Map<string, GgufEntry> {
  const said = Object.entries(SPIKINGBERT_KEYS).filter(([key, [, name]]) =>
    // files from before this number was known stay as they were
    key !== 'initial' || d.initial !== 0 || container.metadata.has(`${SPIKINGBERT}.${name}`)
  );
  const numbers = said.map(([key, [, name]]): [string, GgufEntry] => {
    const value = d[key as keyof typeof SPIKINGBERT_KEYS];
    if (typeof value === 'string') return [name, { type: 'string', value }];
    if (typeof value !== 'number') return [name, { type: 'string[]', value: [...value] }];
    return [name, { type: REALS.includes(key) ? 'float64' : 'uint32', value }];
  });
  numbers.push(['attention.layer_norm_epsilon', { type: 'float64', value: d.normEps }]);
  return spikingMetadata(container, SPIKINGBERT, d.vocab, numbers, options, (tokens) => tokens === d.vocab);
}

/** 1 as f16. */
const F16_ONE = 0x3c00;
