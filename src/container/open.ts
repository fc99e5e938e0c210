/**
 * Which container a source is, by its content alone: neither a file's name nor a failed parse ever leads to another
 * parser. Formats that cannot be read are named where they are recognised.
 * @module
 */
import { type ByteSource, readFully } from '../bytes/source.ts';
import { type ErrorCode, IoError, ModelFileError } from '../errors.ts';
import { checkOptions, SIGNAL } from '../options.ts';
import type { GgufContainer } from './gguf.ts';
import { readGguf, readShards } from './parts.ts';
import type { HuggingFaceContainer } from './huggingface/translate.ts';
import { readSafetensors, type SafetensorsContainer } from './safetensors.ts';
import type { TorchContainer } from './torch.ts';

/** Any container that can be read; `format` tells which. */
export type AnyContainer = GgufContainer | SafetensorsContainer | TorchContainer | HuggingFaceContainer;

/** What is looked at to tell formats apart. */
const SNIFF_BYTES = 64;

/** Says whether a file that begins with `head` (one character per byte) is of a format. */
type Sign = (head: string) => boolean;

const begins = (...magics: string[]): Sign => (head) => magics.some((magic) => head.startsWith(magic));

/** A header that begins behind eight bytes of length, which are not text. */
const isSafetensors: Sign = (head) => /^[ \t\r\n]*\{/.test(head.slice(8)) && /[^\t\n\r -~]/.test(head.slice(0, 8));

/** Formats that can be read. */
const READERS: ReadonlyArray<
  readonly [Sign, (source: ByteSource, options: { signal?: AbortSignal }) => Promise<AnyContainer>]
> = [
  [begins('GGUF'), readGguf],
  // a chunk of its own: most models are not checkpoints
  [begins('PK\x03\x04', 'PK\x05\x06'), async (...args) => (await import('./torch.ts')).readTorch(...args)],
  [
    begins('\x80\x02', '\x80\x03', '\x80\x04', '\x80\x05'),
    async (...args) => (await import('./torch.ts')).readLegacyTorch(...args),
  ],
  [isSafetensors, readSafetensors],
  [(head) => /^\s*\{\s*"(metadata|weight_map)"/.test(head), readShards],
];

/** What PyTorch wrote before version 0.2: a tar archive. */
const isOldTorch: Sign = begins('sys_info\0', 'pickle\0', 'tensors\0', 'storages\0');

/** Formats of models that are known and not read. */
const OTHERS: ReadonlyArray<readonly [Sign, ErrorCode, string]> = [
  [
    isOldTorch,
    'TORCH_LEGACY',
    'a PyTorch checkpoint from before version 0.2; save it again with a newer PyTorch: ' +
    'torch.save(torch.load(PATH, map_location="cpu"), OUT)',
  ],
  [begins('\x89HDF\r\n'), 'UNKNOWN_FORMAT', 'an HDF5 file; convert it to GGUF or safetensors'],
  [begins('lmgg', 'fmgg', 'tjgg', 'algg'), 'UNKNOWN_FORMAT', 'a GGML file, the format before GGUF; convert it to GGUF'],
];

/** Not models at all, though they often lie where a model should be. */
const MISTAKES: ReadonlyArray<readonly [Sign, string]> = [
  [begins('version https://git-lfs'), 'a Git LFS pointer: the model itself was not downloaded (git lfs pull)'],
  [
    (head) => /^\s*<(!doctype|html|\?xml)/i.test(head),
    'a web page: the server answered with an error or a log-in page',
  ],
  [(head) => /^\s*\{/.test(head), 'a JSON file, such as a configuration or a tokenizer, and no model'],
];

/**
 * Recognises the format and reads everything but the weights.
 * @throws {ModelFileError} `UNKNOWN_FORMAT` naming what was found and what can be read; `ST_SHARDS`, `TORCH_LEGACY`
 *   with what to do; what the parser throws
 * @throws {IoError} `TRUNCATED` for fewer bytes than any format has; what the source throws
 * @example
 * const container = await openContainer(await resolveSource('stories.gguf'));
 */
export async function openContainer(
  source: ByteSource,
  options: { signal?: AbortSignal } = {},
): Promise<AnyContainer> {
  checkOptions('openContainer', options, { signal: SIGNAL });
  if (source.size < 4) {
    throw new IoError(
      'TRUNCATED',
      `${source.name}: the magic number of the file needs 4 bytes at 0, the source has ${source.size} in all; ` +
        'is the download complete?',
    );
  }
  const head = new Uint8Array(Math.min(SNIFF_BYTES, source.size));
  await readFully(source, head, 0, 'the magic number of the file', options.signal);
  const text = String.fromCharCode(...head);
  const reader = READERS.find(([is]) => is(text));
  if (reader !== undefined) {
    const container = await reader[1](source, options);
    const odd = [...container.tensors.values()].some(({ type }) => type === 'F64' || type.startsWith('F8_'));
    if (container.format === 'gguf' || !odd) return container;
    const { asCommonFloats } = await import('./other-floats.ts');
    return asCommonFloats(container, container.source ?? source);
  }

  const other = OTHERS.find(([is]) => is(text));
  if (other !== undefined) throw new ModelFileError(other[1], `${source.name} is ${other[2]}`);
  const mistake = MISTAKES.find(([is]) => is(text));
  if (mistake !== undefined) throw new ModelFileError('UNKNOWN_FORMAT', `${source.name} is ${mistake[1]}`);
  const found = Array.from(head.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  throw new ModelFileError(
    'UNKNOWN_FORMAT',
    `${source.name} begins with bytes ${found}, which is no known format; ` +
      'GGUF, safetensors and PyTorch checkpoints (.pt, .bin) can be read',
  );
}
