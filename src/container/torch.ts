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
import { MAX_PICKLE_BYTES } from '../limits.ts';
import { quote } from './gguf-types.ts';
import { unpickle } from './pickle.ts';
import type { PickleValue } from './pickle-values.ts';
import type { Container } from './tensor.ts';
import { readLegacy } from './torch-legacy.ts';
import { isAllowed, readState } from './torch-state.ts';
import { readZip, type ZipEntry } from './zip.ts';

/** A PyTorch checkpoint. Tensors that share a storage have the same offset. */
export interface TorchContainer extends Container {
  readonly format: 'torch';
}

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
  const archive = new Archive(source, files);
  const root = await archive.pickle(options.signal);
  return { format: 'torch', ...readState(source.name, root, archive.storage), size: source.size };
}

/**
 * The same of a checkpoint of the format before version 1.6 (see torch-legacy.ts).
 * @throws {ModelFileError} `TORCH_LEGACY` for any other pickle; else as `readTorch`
 */
export async function readLegacyTorch(
  source: ByteSource,
  options: { signal?: AbortSignal } = {},
): Promise<TorchContainer> {
  const { root, storages } = await readLegacy(source, options.signal);
  return { format: 'torch', ...readState(source.name, root, storages), size: source.size };
}

class Archive {
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

  /** The file of a storage. */
  readonly storage = (key: string): ZipEntry | null => this.#files.get(`${this.#folder}data/${key}`) ?? null;

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
