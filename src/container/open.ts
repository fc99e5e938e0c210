/**
 * Which container a source is, by its content alone: neither a file's name nor a failed parse ever leads to another
 * parser. Formats that cannot be read are named where they are recognised.
 * @module
 */
import { type ByteSource, readFully } from '../bytes/source.ts';
import { IoError, ModelFileError } from '../errors.ts';
import { type GgufContainer, readGguf } from './gguf.ts';

/** What is looked at to tell formats apart. */
const SNIFF_BYTES = 64;

/** Says whether a file that begins with `head` (one character per byte) is of a format. */
type Sign = (head: string) => boolean;

const begins = (...magics: string[]): Sign => (head) => magics.some((magic) => head.startsWith(magic));

/** Formats of models that are known and not read. */
const OTHERS: ReadonlyArray<readonly [Sign, string]> = [
  [begins('PK\x03\x04', 'PK\x05\x06'), 'a zip archive, such as a PyTorch checkpoint (.pt, .bin)'],
  [begins('\x80\x02', '\x80\x03', '\x80\x04', '\x80\x05'), 'a Python pickle, such as an old PyTorch checkpoint'],
  [begins('\x89HDF\r\n'), 'an HDF5 file'],
  [begins('lmgg', 'fmgg', 'tjgg', 'algg'), 'a GGML file, the format before GGUF'],
  [(head) => head[8] === '{' && head.slice(4, 8) === '\0\0\0\0', 'a safetensors file'],
];

/** Not models at all, though they often lie where a model should be. */
const MISTAKES: ReadonlyArray<readonly [Sign, string]> = [
  [begins('version https://git-lfs'), 'a Git LFS pointer: the model itself was not downloaded (git lfs pull)'],
  [
    (head) => /^\s*<(!doctype|html|\?xml)/i.test(head),
    'a web page: the server answered with an error or a log-in page',
  ],
];

/**
 * Recognises the format and reads everything but the weights.
 * @throws {ModelFileError} `UNKNOWN_FORMAT` naming what was found and what can be read; what the parser throws
 * @throws {IoError} `TRUNCATED` for fewer bytes than any format has; what the source throws
 * @example
 * const container = await openContainer(await resolveSource('stories.gguf'));
 */
export async function openContainer(
  source: ByteSource,
  options: { signal?: AbortSignal } = {},
): Promise<GgufContainer> {
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
  if (text.startsWith('GGUF')) return readGguf(source, options);

  const mistake = MISTAKES.find(([is]) => is(text));
  if (mistake !== undefined) throw new ModelFileError('UNKNOWN_FORMAT', `${source.name} is ${mistake[1]}`);
  const other = OTHERS.find(([is]) => is(text));
  if (other !== undefined) {
    throw new ModelFileError(
      'UNKNOWN_FORMAT',
      `${source.name} is ${other[1]}; this format is recognised but cannot be read yet: convert it to GGUF`,
    );
  }
  const found = Array.from(head.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  throw new ModelFileError(
    'UNKNOWN_FORMAT',
    `${source.name} begins with bytes ${found}, which is no known format; GGUF files ("GGUF") can be read`,
  );
}
