/**
 * Files that are read whole: texts and tokenizers. Models are never among them.
 * @module
 */
import { stat } from 'node:fs/promises';
import process from 'node:process';
import { isatty } from 'node:tty';
import { resolveSource } from '../bytes/resolve.ts';
import { partPath } from '../bytes/sink.ts';
import { type ByteSource, readFully } from '../bytes/source.ts';
import { IoError, OptionError } from '../errors.ts';
import { MAX_TEXT_CHARS } from '../limits.ts';
import { UsageError } from './args.ts';

/** UTF-8 takes up to four bytes a character. */
const MAX_STDIN_BYTES = 4 * MAX_TEXT_CHARS;

/** Opens a path or URL for the time of `use`. */
export async function withSource<T>(
  path: string,
  signal: AbortSignal,
  use: (source: ByteSource) => Promise<T>,
): Promise<T> {
  // a URL on a command line is the user's own: hubs answer with a redirect to where the file lies
  const source = await resolveSource(path, { signal, allowRedirect: true });
  try {
    return await use(source);
  } finally {
    await source.close?.();
  }
}

/**
 * The first bytes of a file.
 * @throws {IoError} `IO` for more than `most` bytes
 */
export async function readBytes(source: ByteSource, most: number, signal: AbortSignal): Promise<Uint8Array> {
  if (source.size > most) throw new IoError('IO', `${source.name} has ${source.size} bytes, at most ${most} are read`);
  const bytes = new Uint8Array(source.size);
  await readFully(source, bytes, 0, 'the file', signal);
  return bytes;
}

/** The first `bytes` bytes of a file of text, without a character that is cut in two there. @throws {IoError} */
export function readText(path: string, bytes: number | undefined, signal: AbortSignal): Promise<string> {
  return withSource(path, signal, async (source) => {
    const size = Math.min(source.size, bytes ?? Infinity);
    const head = { ...source, size, name: source.name, read: source.read.bind(source) };
    return decodeText(await readBytes(head, MAX_STDIN_BYTES, signal), path, size < source.size);
  });
}

/**
 * Writing over what is being read would destroy it.
 * @param what the argument that names `to`
 * @throws {OptionError} `OPTION`
 */
export async function refuseSame(inputs: readonly string[], to: string, what: string): Promise<void> {
  const look = (path: string): Promise<{ dev: number; ino: number } | null> => stat(path).catch(() => null);
  const outputs = await Promise.all([to, partPath(to)].map(look));
  for (const from of inputs) {
    const input = await look(from);
    const same = outputs.some((output) => input && output && input.dev === output.dev && input.ino === output.ino);
    if (!same && from !== to) continue;
    throw new OptionError('OPTION', `${what} ${to} is the same file as ${from}; choose another name`);
  }
}

/**
 * A text from the command line; `-` stands for stdin, and so does no text at all where a pipe or a file is on stdin. The line
 * break at the end of what `echo` prints is no part of the text.
 * @param name of the argument
 * @throws {UsageError} where there is none; {IoError}
 */
export async function textArgument(given: string | undefined, name: string, signal: AbortSignal): Promise<string> {
  if (given !== undefined && given !== '-') return given;
  if (given === undefined && isatty(0)) throw new UsageError(`${name} is missing`);
  const text = (await readStdin(signal)).replace(/\r?\n$/, '');
  if (text !== '') return text;
  throw new UsageError(`${name} is missing, and stdin is empty`);
}

/** Everything on stdin. @throws {IoError} the signal's reason */
export async function readStdin(signal: AbortSignal): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const end = (): void => void process.stdin.destroy();
  signal.addEventListener('abort', end, { once: true });
  try {
    for await (const part of process.stdin as AsyncIterable<Uint8Array>) {
      size += part.length;
      if (size > MAX_STDIN_BYTES) {
        throw new IoError('IO', `stdin has more than ${MAX_STDIN_BYTES} bytes; give less text`);
      }
      parts.push(part);
    }
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof IoError) throw cause;
    throw new IoError('IO', `stdin cannot be read: ${String(cause)}`, { cause });
  } finally {
    signal.removeEventListener('abort', end);
  }
  signal.throwIfAborted();
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return decodeText(all, 'stdin', false);
}

/** @param cut the bytes may end within a character */
function decodeText(bytes: Uint8Array, name: string, cut: boolean): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: cut });
  } catch (cause) {
    throw new IoError('IO', `${name} is not UTF-8 text; convert it first`, { cause });
  }
}
