/**
 * GGUF to GGUF in another type, a run of elements at a time: a model of any size is converted in a few megabytes.
 *
 * Matrices take the type that was asked for. Vectors (norms, biases) stay F32. Embedding and head of ternary models
 * take Q8_0, as in llama.cpp's conversions, unless told. A row that is no multiple of the type's block takes the next
 * type that fits: Q8_0, then F16.
 * @module
 */
import { type ByteSource, readFully } from '../bytes/source.ts';
import { elementsOf, TYPE_LAYOUTS, weightType } from '../container/ggml-types.ts';
import type { GgufContainer } from '../container/gguf.ts';
import { type ByteSink, type GgufEntry, type GgufTensor, writeGguf } from '../container/gguf-write.ts';
import { quote } from '../container/gguf-types.ts';
import { openContainer } from '../container/open.ts';
import type { TensorInfo } from '../container/tensor.ts';
import { MemoryError, ModelFileError, OptionError } from '../errors.ts';
import { Arena } from './arena.ts';
import { BlockCodec, type EncodedType, type Encoding } from './decode.ts';
import { instantiate } from './instantiate.ts';

/** Types that models can be converted to, as they are spelled on the command line. */
export type ConvertType = 'f32' | 'f16' | 'q8_0' | 'tq2_0' | 'tq1_0';

interface Target {
  readonly type: EncodedType;
  /** `general.file_type`, llama.cpp's number of the mixture. */
  readonly fileType: number;
  /** Of embedding and head, unless told. */
  readonly head: EncodedType;
}

const TARGETS: Readonly<Record<ConvertType, Target>> = {
  f32: { type: 'F32', fileType: 0, head: 'F32' },
  f16: { type: 'F16', fileType: 1, head: 'F16' },
  q8_0: { type: 'Q8_0', fileType: 7, head: 'Q8_0' },
  tq1_0: { type: 'TQ1_0', fileType: 36, head: 'Q8_0' },
  tq2_0: { type: 'TQ2_0', fileType: 37, head: 'Q8_0' },
};

/** Spellings of every type. */
export const CONVERT_TYPES: readonly ConvertType[] = ['f32', 'f16', 'q8_0', 'tq2_0', 'tq1_0'];

/** Tables with a row for each token. */
const HEAD_TENSORS: readonly string[] = ['token_embd.weight', 'output.weight'];

/** Elements at a time: a multiple of every block. */
const RUN = 1 << 18;
const PAGE = 65536;

export interface ConvertOptions {
  readonly type: ConvertType;
  /** Type of `token_embd.weight` and `output.weight`. */
  readonly head?: ConvertType;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number; readonly tensor: string }) => void;
}

/** What became of one tensor. Errors are absolute, over its elements. */
export interface ConvertedTensor {
  readonly name: string;
  readonly from: string;
  readonly to: EncodedType;
  readonly maxError: number;
  readonly rmsError: number;
  /** Its rows are no multiple of the block of the type that was asked for. */
  readonly fellBack: boolean;
}

export interface ConvertResult {
  readonly bytes: { readonly in: number; readonly out: number };
  readonly tensors: readonly ConvertedTensor[];
}

/**
 * Converts a GGUF file. A tensor that already has its type is copied bit for bit, after it was checked.
 * @param module a compiled kernels module
 * @throws {ModelFileError} `WEIGHT_NOT_FINITE`, `TERNARY_CODE` for a damaged file; `TENSOR_TYPE` for weights that the
 *   type cannot hold; `UNKNOWN_FORMAT` for a model that is no GGUF file; what the reader and the writer throw; the
 *   signal's reason. What was written by then is no model.
 * @example
 * const { tensors } = await convertModel(module, await openFile('in.gguf'), sink, { type: 'tq2_0' });
 */
export async function convertModel(
  module: WebAssembly.Module,
  source: ByteSource,
  sink: ByteSink,
  options: ConvertOptions,
): Promise<ConvertResult> {
  const { type, head, signal, onProgress } = options;
  for (const [name, value] of Object.entries({ type, head })) {
    if (value === undefined ? name === 'head' : Object.hasOwn(TARGETS, value)) continue;
    throw new OptionError('OPTION', `${name} is ${JSON.stringify(value)}, expected one of ${CONVERT_TYPES.join(', ')}`);
  }
  const container = await openContainer(source, { signal });
  if (container.format !== 'gguf') {
    throw new ModelFileError(
      'UNKNOWN_FORMAT',
      `${source.name} is a ${container.format} file; only GGUF files can be converted`,
    );
  }
  const plan = [...container.tensors.values()].map((info) => ({ info, ...targetOf(info, type, head) }));
  const tensors: GgufTensor[] = plan.map(({ info, to }) => ({ name: info.name, type: to, shape: info.shape }));
  const writer = await writeGguf(sink, { metadata: metadataOf(container, TARGETS[type]), tensors });

  const converter = new Converter(module, source, signal);
  const total = plan.reduce((sum, { info }) => sum + info.byteLength, 0);
  const converted: ConvertedTensor[] = [];
  let done = 0;
  for (const { info, to, fellBack } of plan) {
    const errors = await converter.convert(info, to, async (bytes, read) => {
      await writer.write(info.name, bytes);
      done += read;
      onProgress?.({ done, total, tensor: info.name });
    });
    converted.push({ name: info.name, from: info.type, to, ...errors, fellBack });
  }
  await writer.finish();
  return { bytes: { in: source.size, out: writer.bytesWritten }, tensors: converted };
}

/** The type a tensor takes, and whether it is another than was asked for. */
function targetOf(
  info: TensorInfo,
  type: ConvertType,
  head: ConvertType | undefined,
): { to: EncodedType; fellBack: boolean } {
  if (info.shape.length < 2) return { to: 'F32', fellBack: false };
  const target = TARGETS[type];
  const given = head === undefined ? target.head : TARGETS[head].type;
  const wanted = HEAD_TENSORS.includes(info.name) ? given : target.type;
  const cols = info.shape[info.shape.length - 1];
  const fits = (candidate: EncodedType): boolean => cols % TYPE_LAYOUTS[candidate].blockElements === 0;
  const to = fits(wanted) ? wanted : fits('Q8_0') ? 'Q8_0' : 'F16';
  return { to, fellBack: to !== wanted };
}

/** Everything that stood in the file, with its present type. */
function metadataOf(container: GgufContainer, { fileType }: Target): Map<string, GgufEntry> {
  const metadata = new Map<string, GgufEntry>();
  for (const [key, value] of container.metadata) {
    const type = container.metadataTypes.get(key);
    if (type !== undefined) metadata.set(key, { type, value });
  }
  metadata.set('general.file_type', { type: 'uint32', value: fileType });
  // 2 is the only version of today's blocks; readers may ask for it
  if (fileType > 1) metadata.set('general.quantization_version', { type: 'uint32', value: 2 });
  else metadata.delete('general.quantization_version');
  return metadata;
}

/** Takes what one run became, and the bytes of the source it came from. */
type Take = (bytes: Uint8Array, read: number) => Promise<void>;

/** Buffers of one conversion, in a memory of their own. */
class Converter {
  readonly #source: ByteSource;
  readonly #signal: AbortSignal | undefined;
  readonly #arena: Arena;
  readonly #codec: BlockCodec;
  readonly #in: number;
  readonly #weights: number;
  readonly #out: number;
  readonly #back: number;

  constructor(module: WebAssembly.Module, source: ByteSource, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#signal = signal;
    this.#arena = new Arena(newMemory(4 * 4 * RUN));
    this.#codec = new BlockCodec(instantiate(module, this.#arena.memory), this.#arena, RUN);
    this.#in = this.#arena.alloc(4 * RUN, 'stored weights');
    this.#weights = this.#arena.alloc(4 * RUN, 'weights');
    this.#out = this.#arena.alloc(4 * RUN, 'encoded weights');
    this.#back = this.#arena.alloc(4 * RUN, 'decoded weights');
  }

  async convert(info: TensorInfo, to: EncodedType, take: Take): Promise<{ maxError: number; rmsError: number }> {
    const elements = elementsOf(info.shape);
    const from: Encoding = {
      type: weightType(info),
      blockElements: info.blockElements,
      scale: await this.#tensorScale(info, elements),
    };
    const sums = { max: 0, squares: 0 };
    for (let at = 0; at < elements; at += RUN) {
      const n = Math.min(RUN, elements - at);
      const inBytes = runBytes(info, n);
      this.#signal?.throwIfAborted();
      const stored = this.#arena.u8(this.#in, inBytes);
      await readFully(
        this.#source,
        stored,
        info.offset + runBytes(info, at),
        `tensor ${quote(info.name)}`,
        this.#signal,
      );
      const bad = this.#codec.decode(from, this.#in, this.#weights, n);
      if (bad) refuseDamaged(info, at + bad.element, bad.kind);
      // the same type is copied: encoding again could move a value by a rounding
      if (to === info.type) await take(stored, inBytes);
      else await take(this.#encode(info, to, at, n, sums), inBytes);
    }
    return { maxError: sums.max, rmsError: elements === 0 ? 0 : Math.sqrt(sums.squares / elements) };
  }

  /** Encodes the weights of a run and adds up by how much they moved. */
  #encode(
    info: TensorInfo,
    to: EncodedType,
    at: number,
    n: number,
    sums: { max: number; squares: number },
  ): Uint8Array {
    const { blockElements, blockBytes } = TYPE_LAYOUTS[to];
    const bad = this.#codec.encode(to, this.#weights, this.#out, n);
    const lost = bad >= 0 ? bad : this.#codec.decode({ type: to, blockElements }, this.#out, this.#back, n)?.element;
    if (lost !== undefined) refuseRange(info, at + lost, to);
    const weights = this.#arena.f32(this.#weights, n);
    const back = this.#arena.f32(this.#back, n);
    for (let i = 0; i < n; i++) {
      const error = Math.abs(weights[i] - back[i]);
      if (error > sums.max) sums.max = error;
      sums.squares += error * error;
    }
    return this.#arena.u8(this.#out, (n / blockElements) * blockBytes);
  }

  /** The one scale of an I2_S tensor, which lies behind its codes. */
  async #tensorScale(info: TensorInfo, elements: number): Promise<number | undefined> {
    if (info.type !== 'I2_S' || elements === 0) return undefined;
    const bytes = new Uint8Array(4);
    await readFully(
      this.#source,
      bytes,
      info.offset + elements / 4,
      `the scale of tensor ${quote(info.name)}`,
      this.#signal,
    );
    const scale = new DataView(bytes.buffer).getFloat32(0, true);
    if (!Number.isFinite(scale)) refuseDamaged(info, 0, 'not-finite');
    return scale;
  }
}

/** Bytes that n elements of a stored tensor take. */
function runBytes(info: TensorInfo, n: number): number {
  if (info.type === 'I2_S') return n / 4;
  if (info.type === 'Q2_0') return (n / info.blockElements) * (2 + info.blockElements / 4);
  const { blockElements, blockBytes } = TYPE_LAYOUTS[weightType(info)];
  return (n / blockElements) * blockBytes;
}

/** Row and column of an element, for a message. */
function place(info: TensorInfo, element: number): string {
  const cols = info.shape[info.shape.length - 1] ?? 1;
  return `tensor ${quote(info.name)}, row ${Math.floor(element / cols)}, column ${element % cols}`;
}

function refuseDamaged(info: TensorInfo, element: number, kind: 'not-finite' | 'code'): never {
  const where = place(info, element);
  if (kind === 'not-finite') {
    throw new ModelFileError('WEIGHT_NOT_FINITE', `${where}: NaN or infinity; the file is damaged`);
  }
  throw new ModelFileError('TERNARY_CODE', `${where}: code 3 stands for no ternary weight; the file is damaged`);
}

function refuseRange(info: TensorInfo, element: number, to: EncodedType): never {
  throw new ModelFileError(
    'TENSOR_TYPE',
    `${place(info, element)}: the weights of this block need a scale over 65504, which ${to} cannot hold; use f32`,
  );
}

function newMemory(bytes: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) });
  } catch (cause) {
    throw new MemoryError('MEMORY', `the host refused a WebAssembly memory of ${bytes} bytes: ${String(cause)}`, {
      cause,
    });
  }
}
