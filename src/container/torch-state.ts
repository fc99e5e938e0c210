/**
 * What a checkpoint holds, once its pickle has been read as data: the table of its tensors, and plain values as metadata. Where the bytes
 * of a storage lie is for the readers of its two formats to say.
 * @module
 */
import { type ErrorCode, ModelFileError } from '../errors.ts';
import { MAX_METADATA_ENTRIES, MAX_NAME_BYTES, MAX_PICKLE_DEPTH, MAX_PICKLE_ITEMS, MAX_TENSORS } from '../limits.ts';
import {
  checkTensorName,
  countElements,
  DENSE_BYTES,
  denseTensor,
  type DenseType,
  tensorLabel,
} from './dense-types.ts';
import { quote } from './gguf-types.ts';
import {
  PickleCall,
  type PickleDict,
  PickleGlobal,
  PickleReference,
  PickleTuple,
  type PickleValue,
} from './pickle-values.ts';
import type { MetadataValue, TensorInfo } from './tensor.ts';

/** Names under which programs save their state dict; otherwise the checkpoint is one. */
const STATE_KEYS: readonly string[] = ['model', 'model_state_dict', 'state_dict'];

/** What other storages are made of is said by their tensors. */
const UNTYPED: readonly string[] = ['torch.storage.UntypedStorage', 'torch.UntypedStorage'];

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
/** The same with the type of the elements, for types that have no storage of their own. */
const TYPED_TENSOR = 'torch._utils._rebuild_tensor_v3';
/** Names of types, which configurations hold, and tensors in storages without a type. */
const DTYPES: ReadonlyMap<string, DenseType> = new Map<string, DenseType>([
  ['torch.float64', 'F64'],
  ['torch.float32', 'F32'],
  ['torch.float16', 'F16'],
  ['torch.bfloat16', 'BF16'],
  ['torch.float8_e4m3fn', 'F8_E4M3'],
  ['torch.float8_e5m2', 'F8_E5M2'],
  ['torch.float8_e4m3fnuz', 'F8_E4M3FNUZ'],
  ['torch.float8_e5m2fnuz', 'F8_E5M2FNUZ'],
  ['torch.int8', 'I8'],
  ['torch.uint8', 'U8'],
  ['torch.int16', 'I16'],
  ['torch.uint16', 'U16'],
  ['torch.int32', 'I32'],
  ['torch.uint32', 'U32'],
  ['torch.int64', 'I64'],
  ['torch.uint64', 'U64'],
  ['torch.bool', 'BOOL'],
]);
/** Bytes in pickles of protocol 2 are text that is to be encoded. */
const ENCODE = '_codecs.encode';

/** Sets before protocol 4: calls with a list. */
const SETS: readonly string[] = ['builtins.set', 'builtins.frozenset', '__builtin__.set', '__builtin__.frozenset'];

/** Whether a checkpoint may name this. All of these are read as data: none is ever called. */
export function isAllowed(name: string): boolean {
  return [TENSOR, TYPED_TENSOR, PARAMETER, SIZE, 'torch.device', ENCODE, ...UNTYPED, ...SETS].includes(name) ||
    STORAGES.has(name) ||
    DTYPES.has(name);
}

/** Put before every name by wrappers for several devices and for compiled modules. */
const WRAPPERS = /^(?:(?:module|_orig_mod)\.)+/;

/** A storage as a pickle refers to it. */
export interface Storage {
  readonly key: string;
  /** Of its elements; those of an untyped storage are bytes, and tensors say what they take them for. */
  readonly type: DenseType | null;
  readonly elements: number;
  readonly bytes: number;
}

/** Where the bytes of a storage lie in the source; null where there is none of this name. */
export type Storages = (key: string) => { readonly offset: number; readonly byteLength: number } | null;

/** What a persistent id says, or null: `('storage', type, key, location, elements)`, in old files with a view that must be None. */
export function storageOf(id: PickleValue): Storage | null {
  const [kind, storageType, key, , count, view = null] = id instanceof PickleTuple ? id.items : [];
  const name = storageType instanceof PickleGlobal ? storageType.name : '';
  const type = UNTYPED.includes(name) ? null : STORAGES.get(name);
  const sound = kind === 'storage' && type !== undefined && typeof key === 'string' && /^\d{1,20}$/.test(key) &&
    typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 && view === null;
  return sound ? { key, type, elements: count, bytes: count * (type === null ? 1 : DENSE_BYTES[type]) } : null;
}

/** The tensors and the plain values of a checkpoint. @throws {ModelFileError} as `readTorch` */
export function readState(
  fileName: string,
  root: PickleValue,
  storages: Storages,
): { tensors: Map<string, TensorInfo>; metadata: Map<string, MetadataValue> } {
  const checkpoint = new Checkpoint(fileName, storages);
  const state = stateDict(root);
  const tensors = state === null ? new Map<string, TensorInfo>() : checkpoint.tensors(state);
  if (tensors.size === 0) {
    throw new ModelFileError(
      'TORCH_STATE',
      `${fileName}: no tensors are found, neither at the top nor under ${STATE_KEYS.join(', ')}; save a state dict`,
    );
  }
  return { tensors, metadata: checkpoint.metadata(root) };
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
  return value instanceof PickleCall && [TENSOR, TYPED_TENSOR, PARAMETER].includes(value.callee);
}

class Checkpoint {
  readonly #name: string;
  readonly #storages: Storages;

  constructor(fileName: string, storages: Storages) {
    this.#name = fileName;
    this.#storages = storages;
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
      checkTensorName(this.#name, name);
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
    const label = tensorLabel(this.#name, name);
    const corrupt = (why: string): ModelFileError => new ModelFileError('PICKLE_CORRUPT', `${label} ${why}`);
    const refuse = (why: string): ModelFileError => new ModelFileError('STORAGE_RANGE', `${label} ${why}`);
    const inner = call.callee === PARAMETER ? call.args[0] : call;
    if (!(inner instanceof PickleCall && (inner.callee === TENSOR || inner.callee === TYPED_TENSOR))) {
      throw corrupt('is a parameter without a tensor');
    }
    const typed = inner.callee === TYPED_TENSOR;
    const [reference, offset, size, stride, , , sixth, seventh] = inner.args;
    const dtype = typed && sixth instanceof PickleGlobal ? DTYPES.get(sixth.name) : undefined;
    const extra = typed ? seventh : sixth;
    if (typed && dtype === undefined) throw corrupt('has no known type of elements');
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
    const elements = countElements(this.#name, name, shape);
    const storage = this.#storage(label, reference, dtype);
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

  /** The storage of a tensor, held against what the pickle says of it. @param dtype of the tensor, where that says it */
  #storage(
    label: string,
    reference: PickleValue,
    dtype?: DenseType,
  ): { type: DenseType; offset: number; elements: number } {
    const refuse = (why: string): never => {
      throw new ModelFileError('STORAGE_RANGE', `${label} ${why}`);
    };
    const storage = reference instanceof PickleReference ? storageOf(reference.id) : null;
    const type = dtype ?? storage?.type;
    if (storage === null || !type) return refuse('has no storage of a known type, with digits for its name and a size');
    const place = this.#storages(storage.key);
    if (place === null) return refuse(`is in storage ${quote(storage.key)}, which the file does not contain`);
    if (storage.bytes !== place.byteLength) {
      refuse(
        `is in a storage of ${storage.elements} × ${storage.type ?? 'bytes'}, which takes ${storage.bytes} bytes; ` +
          `${quote(storage.key)} has ${place.byteLength}`,
      );
    }
    return { type, offset: place.offset, elements: Math.floor(storage.bytes / DENSE_BYTES[type]) };
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
      if (metadata.has(key)) throw this.#error('METADATA', `two values are called ${quote(key)}`);
      if (metadata.size === MAX_METADATA_ENTRIES) {
        throw this.#error('PICKLE_LIMIT', `there are more than ${MAX_METADATA_ENTRIES} values that are not tensors`);
      }
      metadata.set(key, plain);
    };
    visit(root, '', 0);
    return metadata;
  }

  #error(code: ErrorCode, why: string): ModelFileError {
    return new ModelFileError(code, `${this.#name}: ${why}`);
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
  if (value instanceof PickleCall && SETS.includes(value.callee)) return plainValue(value.args[0] ?? null);
  if (!Array.isArray(value)) return typeof value === 'object' ? null : value;
  const items = value.filter((item) => item !== null && typeof item !== 'object');
  return items.length === value.length ? items : null;
}
