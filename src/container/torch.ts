/**
 * PyTorch checkpoints: a zip archive with a pickle, and a file for the bytes of every storage.
 *
 *     NAME/data.pkl     {'config': {…}, 'model': OrderedDict of name → tensor, …}
 *     NAME/data/0 …     storages, little-endian, stored as they are
 *
 * The pickle is read as data (see pickle.ts). The weights are not touched: a tensor is a place in a file of the
 * archive, and so a place in the archive. What is not a tensor becomes metadata under flat keys, such as `step` and
 * `config.vocab_size`.
 * @module
 */
import { type ByteSource, readFully } from '../bytes/source.ts';
import { type ErrorCode, ModelFileError } from '../errors.ts';
import {
  MAX_METADATA_ENTRIES,
  MAX_NAME_BYTES,
  MAX_PICKLE_BYTES,
  MAX_PICKLE_DEPTH,
  MAX_PICKLE_ITEMS,
  MAX_TENSORS,
} from '../limits.ts';
import {
  checkTensorName,
  countElements,
  DENSE_BYTES,
  denseTensor,
  type DenseType,
  tensorLabel,
} from './dense-types.ts';
import { quote } from './gguf-types.ts';
import { unpickle } from './pickle.ts';
import {
  PickleCall,
  type PickleDict,
  PickleGlobal,
  PickleReference,
  PickleTuple,
  type PickleValue,
} from './pickle-values.ts';
import type { Container, MetadataValue, TensorInfo } from './tensor.ts';
import { readZip, type ZipEntry } from './zip.ts';

/** A PyTorch checkpoint. Tensors that share a storage have the same offset. */
export interface TorchContainer extends Container {
  readonly format: 'torch';
}

/** Names under which programs save their state dict; otherwise the checkpoint is one. */
const STATE_KEYS: readonly string[] = ['model', 'model_state_dict', 'state_dict'];

const STORAGES: ReadonlyMap<string, DenseType> = new Map<string, DenseType>([
  ['torch.FloatStorage', 'F32'],
  ['torch.HalfStorage', 'F16'],
  ['torch.BFloat16Storage', 'BF16'],
  ['torch.DoubleStorage', 'F64'],
  ['torch.CharStorage', 'I8'],
  ['torch.ByteStorage', 'U8'],
  ['torch.ShortStorage', 'I16'],
  ['torch.IntStorage', 'I32'],
  ['torch.LongStorage', 'I64'],
  ['torch.BoolStorage', 'BOOL'],
]);

const TENSOR = 'torch._utils._rebuild_tensor_v2';
const PARAMETER = 'torch._utils._rebuild_parameter';
const SIZE = 'torch.Size';
/** Names of types, which configurations hold. */
const DTYPE = /^torch\.(?:float(?:16|32|64)|bfloat16|u?int8|int(?:16|32|64)|bool)$/;

/** Whether a checkpoint may name this. All of these are read as data: none is ever called. */
function isAllowed(name: string): boolean {
  return name === TENSOR || name === PARAMETER || name === SIZE || name === 'torch.device' || STORAGES.has(name) ||
    DTYPE.test(name);
}

/** Put before every name by wrappers for several devices and for compiled modules. */
const WRAPPERS = /^(?:(?:module|_orig_mod)\.)+/;

/**
 * Reads everything but the weights.
 * @throws {ModelFileError} `TORCH_SCRIPT` for an archive of code; `UNKNOWN_FORMAT` for a zip archive of anything else;
 *   `TORCH_STATE` when there are no tensors; `STORAGE_RANGE`, `TENSOR_LAYOUT`, `TENSOR_NAME`, `TENSOR_SHAPE` for a
 *   tensor that cannot be where it says; `BYTE_ORDER`; what the readers of zip archives and pickles throw
 * @throws {IoError} `TRUNCATED`; what the source throws
 * @example
 * const { metadata, tensors } = await readTorch(await openFile('checkpoint.pt'));
 * metadata.get('config.vocab_size');             // 57344
 */
export async function readTorch(source: ByteSource, options: { signal?: AbortSignal } = {}): Promise<TorchContainer> {
  const files = await readZip(source, options);
  const checkpoint = new Checkpoint(source, files);
  const root = await checkpoint.pickle(options.signal);
  const state = stateDict(root);
  const tensors = state === null ? new Map<string, TensorInfo>() : checkpoint.tensors(state);
  if (tensors.size === 0) {
    throw new ModelFileError(
      'TORCH_STATE',
      `${source.name}: no tensors are found, neither at the top nor under ${STATE_KEYS.join(', ')}; save a state dict`,
    );
  }
  return { format: 'torch', metadata: checkpoint.metadata(root), tensors, size: source.size };
}

/** The dictionary of tensors. */
function stateDict(root: PickleValue): PickleDict | null {
  if (!(root instanceof Map)) return null;
  for (const key of STATE_KEYS) {
    const value = root.get(key);
    if (value instanceof Map && [...value.values()].some(isTensor)) return value;
  }
  return root;
}

function isTensor(value: PickleValue): value is PickleCall {
  return value instanceof PickleCall && (value.callee === TENSOR || value.callee === PARAMETER);
}

class Checkpoint {
  readonly #source: ByteSource;
  readonly #files: ReadonlyMap<string, ZipEntry>;
  /** What every name in the archive begins with. */
  readonly #folder: string;

  /** @throws {ModelFileError} when the archive is no checkpoint */
  constructor(source: ByteSource, files: ReadonlyMap<string, ZipEntry>) {
    this.#source = source;
    this.#files = files;
    const pickles = [...files.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
    if (pickles.length !== 1) {
      const count = pickles.length === 0 ? 'no' : 'more than one';
      throw this.#error('UNKNOWN_FORMAT', `a zip archive with ${count} data.pkl: not a PyTorch checkpoint`);
    }
    this.#folder = pickles[0].slice(0, -'data.pkl'.length);
    if (
      files.has(`${this.#folder}constants.pkl`) ||
      [...files.keys()].some((name) => name.startsWith(`${this.#folder}code/`))
    ) {
      throw this.#error(
        'TORCH_SCRIPT',
        'a TorchScript archive, which is a program; save its weights: ' +
          'torch.save(torch.jit.load(PATH).state_dict(), OUT)',
      );
    }
  }

  /** The value of the pickle. */
  async pickle(signal: AbortSignal | undefined): Promise<PickleValue> {
    const order = this.#files.get(`${this.#folder}byteorder`);
    if (order !== undefined) {
      const text = new TextDecoder().decode(await this.#read(order, 16, 'BYTE_ORDER', signal)).trim();
      if (text !== 'little') {
        throw this.#error('BYTE_ORDER', `the byte order is ${quote(text)}, only little-endian checkpoints can be read`);
      }
    }
    const name = `${this.#folder}data.pkl`;
    const file = this.#files.get(name) as ZipEntry;
    const bytes = await this.#read(file, MAX_PICKLE_BYTES, 'PICKLE_LIMIT', signal);
    return unpickle(bytes, `${this.#source.name}: ${name}`, isAllowed);
  }

  /** The tensor table of a state dict. */
  tensors(state: PickleDict): Map<string, TensorInfo> {
    const tensors = new Map<string, TensorInfo>();
    for (const [key, value] of state) {
      if (!isTensor(value)) continue;
      if (typeof key !== 'string') {
        throw this.#error('TENSOR_NAME', `a tensor has the key ${String(key)}, expected a name`);
      }
      const name = key.replace(WRAPPERS, '');
      checkTensorName(this.#source.name, name);
      if (tensors.has(name)) {
        throw this.#error(
          'TENSOR_NAME',
          `${quote(key)} and another tensor are both ${quote(name)} without their prefixes`,
        );
      }
      if (tensors.size === MAX_TENSORS) throw this.#error('PICKLE_LIMIT', `there are more than ${MAX_TENSORS} tensors`);
      tensors.set(name, this.#tensor(name, value));
    }
    return tensors;
  }

  #tensor(name: string, call: PickleCall): TensorInfo {
    const label = tensorLabel(this.#source.name, name);
    const corrupt = (why: string): ModelFileError => new ModelFileError('PICKLE_CORRUPT', `${label} ${why}`);
    const refuse = (why: string): ModelFileError => new ModelFileError('STORAGE_RANGE', `${label} ${why}`);
    const inner = call.callee === PARAMETER ? call.args[0] : call;
    if (!(inner instanceof PickleCall && inner.callee === TENSOR)) throw corrupt('is a parameter without a tensor');
    const [reference, offset, size, stride, , , extra] = inner.args;
    const shape = integers(size);
    const strides = integers(stride);
    if (shape === null || strides === null || shape.length !== strides.length) {
      throw corrupt('has sizes and strides that are not two equally long tuples of numbers');
    }
    if (extra instanceof Map && extra.size > 0) {
      throw corrupt('is to be negated or conjugated when it is read: save a copy');
    }
    if (![offset, ...shape, ...strides].every((value) => Number.isSafeInteger(value) && Number(value) >= 0)) {
      throw refuse(`has offset ${String(offset)}, sizes ${shape.join(', ')} and strides ${strides.join(', ')}`);
    }
    const elements = countElements(this.#source.name, name, shape);
    const storage = this.#storage(label, reference);
    const first = Number(offset);
    const last = shape.reduce((at, dim, i) => at + (dim - 1) * strides[i], first);
    if (elements > 0 && !(last < storage.elements)) {
      throw refuse(`takes elements ${first}..${last + 1} of a storage that has ${storage.elements}`);
    }
    let expected = 1;
    for (let i = shape.length - 1; i >= 0 && elements > 0; i--) {
      if (shape[i] !== 1 && strides[i] !== expected) {
        throw new ModelFileError(
          'TENSOR_LAYOUT',
          `${label} of ${shape.join(' × ')} has strides ${
            strides.join(', ')
          }: it is transposed or a part of another; ` +
            'call .contiguous() on it before torch.save',
        );
      }
      expected *= shape[i];
    }
    return denseTensor(
      name,
      storage.type,
      shape,
      storage.offset + (elements > 0 ? first * DENSE_BYTES[storage.type] : 0),
    );
  }

  /** The file of a storage, held against what the pickle says of it. */
  #storage(label: string, reference: PickleValue): { type: DenseType; offset: number; elements: number } {
    const id = reference instanceof PickleReference && reference.id instanceof PickleTuple ? reference.id.items : [];
    const [kind, storageType, key, , count] = id;
    const type = storageType instanceof PickleGlobal ? STORAGES.get(storageType.name) : undefined;
    const sound = kind === 'storage' && type !== undefined && typeof key === 'string' && /^\d{1,9}$/.test(key) &&
      typeof count === 'number' && Number.isSafeInteger(count) && count >= 0;
    if (!sound) {
      throw new ModelFileError(
        'STORAGE_RANGE',
        `${label} has no storage of a known type, with digits for its name and a size`,
      );
    }
    const path = `${this.#folder}data/${key}`;
    const file = this.#files.get(path);
    if (file === undefined) {
      throw new ModelFileError('STORAGE_RANGE', `${label} is in ${quote(path)}, and the archive has no such file`);
    }
    const bytes = count * DENSE_BYTES[type];
    if (bytes !== file.byteLength) {
      throw new ModelFileError(
        'STORAGE_RANGE',
        `${label} is in a storage of ${count} × ${type}, which takes ${bytes} bytes; ${
          quote(path)
        } has ${file.byteLength}`,
      );
    }
    return { type, offset: file.offset, elements: count };
  }

  /**
   * Plain values under flat keys: numbers, strings, booleans and arrays of these. Null, tensors and arrays of anything
   * else are left out.
   */
  metadata(root: PickleValue): Map<string, MetadataValue> {
    const metadata = new Map<string, MetadataValue>();
    let visited = 0;
    const visit = (value: PickleValue, key: string, depth: number): void => {
      // shared values count as often as they are met, so that what is small in the file stays small here
      visited += 1 + (Array.isArray(value) ? value.length : value instanceof PickleTuple ? value.items.length : 0);
      if (visited > MAX_PICKLE_ITEMS || depth > MAX_PICKLE_DEPTH) {
        const about = depth > MAX_PICKLE_DEPTH
          ? 'a dictionary that contains itself, or is nested too deep'
          : 'too many values';
        throw this.#error(
          'PICKLE_LIMIT',
          `the checkpoint has ${about} (under ${quote(key)}); save a plain configuration`,
        );
      }
      if (value instanceof Map) {
        for (const [name, item] of value) {
          if (typeof name === 'string') visit(item, key === '' ? name : `${key}.${name}`, depth + 1);
        }
        return;
      }
      const plain = plainValue(value);
      if (plain === null) return;
      if (key.length > MAX_NAME_BYTES) {
        throw this.#error(
          'PICKLE_LIMIT',
          `the key ${quote(key)} has ${key.length} characters, at most ${MAX_NAME_BYTES} are read`,
        );
      }
      if (metadata.has(key)) throw this.#error('METADATA', `two values are both called ${quote(key)}`);
      if (metadata.size === MAX_METADATA_ENTRIES) {
        throw this.#error('PICKLE_LIMIT', `there are more than ${MAX_METADATA_ENTRIES} values that are no tensors`);
      }
      metadata.set(key, plain);
    };
    visit(root, '', 0);
    return metadata;
  }

  async #read(file: ZipEntry, atMost: number, code: ErrorCode, signal: AbortSignal | undefined): Promise<Uint8Array> {
    if (file.byteLength > atMost) {
      throw this.#error(code, `${quote(file.name)} has ${file.byteLength} bytes, at most ${atMost} are read`);
    }
    const bytes = new Uint8Array(file.byteLength);
    await readFully(this.#source, bytes, file.offset, file.name, signal);
    return bytes;
  }

  #error(code: ErrorCode, why: string): ModelFileError {
    return new ModelFileError(code, `${this.#source.name}: ${why}`);
  }
}

/** A tuple of numbers, or null. */
function integers(value: PickleValue): number[] | null {
  if (value instanceof PickleCall && value.callee === SIZE) return integers(value.args[0]);
  if (!(value instanceof PickleTuple)) return null;
  const items = value.items.filter((item) => typeof item === 'number' || typeof item === 'bigint');
  return items.length === value.items.length ? items.map(Number) : null;
}

/** A value that metadata can hold, or null. */
function plainValue(value: PickleValue): MetadataValue | null {
  if (value instanceof PickleGlobal) return value.name;
  if (value instanceof PickleTuple) return plainValue([...value.items]);
  if (!Array.isArray(value)) return typeof value === 'object' ? null : value;
  const items = value.filter((item) => item !== null && typeof item !== 'object');
  return items.length === value.length ? items : null;
}
