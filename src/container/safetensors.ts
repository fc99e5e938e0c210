/**
 * safetensors: eight bytes of length, a JSON header, then the tensors without a gap. The weights are not touched.
 *
 *     u64 length of the header
 *     {"__metadata__": {"format": "pt"}, "w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …}
 *     bytes of the tensors
 *
 * The header is read by a scanner of its own, as `JSON.parse` keeps the last of two entries of one name and rounds
 * integers. The tensors must tile the rest of the file exactly: no overlaps, no holes, nothing behind the last.
 * @module
 */
import { Reader } from '../bytes/reader.ts';
import type { ByteSource } from '../bytes/source.ts';
import { type ErrorCode, ModelFileError } from '../errors.ts';
import { MAX_DENSE_DIMS, MAX_KEY_BYTES, MAX_METADATA_ENTRIES, MAX_ST_HEADER_BYTES, MAX_TENSORS } from '../limits.ts';
import {
  checkTensorName,
  countElements,
  DENSE_BYTES,
  denseTensor,
  type DenseType,
  isDenseType,
  tensorLabel,
} from './dense-types.ts';
import { quote } from './gguf-types.ts';
import { JsonScanner } from './json-scanner.ts';
import type { Container, TensorInfo } from './tensor.ts';

/** A safetensors file. Its metadata are strings. */
export interface SafetensorsContainer extends Container {
  readonly format: 'safetensors';
}

/** A row of the table as it stands in the header. Offsets count from the end of the header. */
interface Entry {
  readonly name: string;
  readonly type: DenseType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

const LENGTH_BYTES = 8;

/**
 * Reads everything but the weights.
 * @throws {ModelFileError} `ST_HEADER_LENGTH`, `ST_HEADER` for a malformed header; `ST_COVERAGE` when the tensors do
 *   not tile the file; `TENSOR_NAME`, `TENSOR_TYPE`, `TENSOR_SHAPE`
 * @throws {IoError} `TRUNCATED` for a file of less than eight bytes; what the source throws
 * @example
 * const { metadata, tensors } = await readSafetensors(await openFile('model.safetensors'));
 */
export async function readSafetensors(
  source: ByteSource,
  options: { signal?: AbortSignal } = {},
): Promise<SafetensorsContainer> {
  const { name: fileName, size } = source;
  const refuse = (code: ErrorCode, text: string): ModelFileError => new ModelFileError(code, `${fileName}: ${text}`);
  const reader = new Reader(source, { windowBytes: LENGTH_BYTES, signal: options.signal });
  await reader.ensure(LENGTH_BYTES, 'the length of a safetensors header');
  const length = Number(reader.u64());
  const left = size - LENGTH_BYTES;
  if (!(length >= 2 && length <= Math.min(left, MAX_ST_HEADER_BYTES))) {
    throw refuse(
      'ST_HEADER_LENGTH',
      length > left && length <= MAX_ST_HEADER_BYTES
        ? `the header declares ${length} bytes, ${left} are left in the file; is the download complete?`
        : `the header declares ${length} bytes, expected 2 to ${MAX_ST_HEADER_BYTES}`,
    );
  }
  await reader.ensure(length, 'the header');
  const text = reader.utf8(length, true);
  if (text === null) throw refuse('ST_HEADER', 'the header is not UTF-8');

  const metadata = new Map<string, string>();
  const entries = new Map<string, Entry>();
  const json = new JsonScanner(text, (why) => refuse('ST_HEADER', `the header is malformed: ${why}`));
  json.object((name) => {
    if (name === '__metadata__') {
      readMetadata(json, metadata);
      return;
    }
    checkTensorName(fileName, name);
    if (entries.size === MAX_TENSORS) throw refuse('ST_HEADER', `there are more than ${MAX_TENSORS} tensors`);
    entries.set(name, readEntry(json, fileName, name));
  });
  json.end();
  const start = LENGTH_BYTES + length;
  checkTiling([...entries.values()], fileName, size - start);
  const tensors = new Map<string, TensorInfo>();
  for (const { name, type, shape, begin } of entries.values()) {
    tensors.set(name, denseTensor(name, type, shape, start + begin));
  }
  return { format: 'safetensors', metadata, tensors, size };
}

function readMetadata(json: JsonScanner, metadata: Map<string, string>): void {
  json.object((key) => {
    if (metadata.size === MAX_METADATA_ENTRIES) {
      json.refuse(`__metadata__ has more than ${MAX_METADATA_ENTRIES} entries`);
    }
    if (key.length > MAX_KEY_BYTES) json.refuse(`a key of __metadata__ has ${key.length} characters`);
    metadata.set(key, json.string());
  });
}

function readEntry(json: JsonScanner, fileName: string, name: string): Entry {
  let type: string | undefined;
  let shape: number[] | undefined;
  let range: number[] | undefined;
  json.object((key) => {
    if (key === 'dtype') type = json.string();
    else if (key === 'shape') shape = json.integers(MAX_DENSE_DIMS);
    else if (key === 'data_offsets') range = json.integers(2);
    else json.refuse(`tensor ${quote(name)} has an unknown field ${quote(key)}`);
  });
  if (type === undefined || shape === undefined || range === undefined) {
    return json.refuse(`tensor ${quote(name)} lacks one of dtype, shape and data_offsets`);
  }
  const label = tensorLabel(fileName, name);
  if (!isDenseType(type)) {
    const types = Object.keys(DENSE_BYTES).join(', ');
    throw new ModelFileError('TENSOR_TYPE', `${label} has dtype ${quote(type)}; supported are ${types}`);
  }
  const bytes = countElements(fileName, name, shape) * DENSE_BYTES[type];
  const [begin, end] = range;
  if (range.length !== 2 || end < begin) {
    throw new ModelFileError(
      'ST_COVERAGE',
      `${label} has data_offsets [${range.join(', ')}], expected a begin and an end`,
    );
  }
  if (end - begin !== bytes) {
    const what = `${shape.length === 0 ? 'one element' : shape.join(' × ')} of ${type}`;
    throw new ModelFileError(
      'TENSOR_SHAPE',
      `${label}: ${what} takes ${bytes} bytes, its data_offsets span ${end - begin}`,
    );
  }
  return { name, type, shape, begin, end };
}

/** Each tensor begins where the one before it ends, and the last ends with the file. */
function checkTiling(entries: Entry[], fileName: string, dataBytes: number): void {
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== at) {
      const why = begin < at ? 'it overlaps the one before' : 'it leaves a gap after the previous one';
      throw new ModelFileError(
        'ST_COVERAGE',
        `${tensorLabel(fileName, name)} begins at ${begin}, expected ${at}: ${why}`,
      );
    }
    at = end;
  }
  if (at !== dataBytes) {
    throw new ModelFileError(
      'ST_COVERAGE',
      `${fileName}: the tensors take ${at} bytes, ${dataBytes} follow the header; ` +
        (at > dataBytes ? 'is the download complete?' : 'something other than a tensor was added'),
    );
  }
}
