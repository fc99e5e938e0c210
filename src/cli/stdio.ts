/**
 * Writing to stdout and stderr until the last byte, or saying why not. A stream of the host is not enough for that: Node's for
 * files takes a short write, as on a disk that fills, for a whole one; Deno's does so everywhere.
 * @module
 */
import { fstatSync, writeSync } from 'node:fs';
import process from 'node:process';
import { isatty } from 'node:tty';
import { IoError } from '../errors.ts';

/** Milliseconds until a pipe that is full, and does not wait by itself, is tried again. */
const PATIENCE_MS = 5;

/** stdout or stderr of this process. */
export interface Stdio {
  /** Whether a user looks at it. */
  readonly terminal: boolean;
  /** Writes all; waits while the reader is slow. @throws {IoError} `IO` */
  write(text: string): Promise<void>;
  /** The same without a promise. */
  writeNow(text: string): void;
}

/** Nobody reads any more, as in `ternspike … | head`. */
export class ClosedPipe extends Error {
  override readonly name = 'ClosedPipe';
}

interface DenoFile {
  writeSync(bytes: Uint8Array): number;
}

interface DenoApi extends Record<'stdout' | 'stderr', DenoFile> {
  openSync(path: string, options: { readonly write: boolean }): DenoFile;
}

/**
 * One write of the system, which says how many bytes were taken. Deno's own streams, and its node:fs, have a buffer or a loop in
 * between: when a pipe does not wait, nobody knows how much of a text has gone. Its pipes are opened once more for that.
 */
function writer(fd: 1 | 2): (bytes: Uint8Array) => number {
  const { Deno: deno } = globalThis as { Deno?: DenoApi };
  if (!deno) return (bytes) => writeSync(fd, bytes);
  let file = deno[fd === 1 ? 'stdout' : 'stderr'];
  try {
    if (fstatSync(fd).isFIFO()) file = deno.openSync(`/dev/fd/${fd}`, { write: true });
  } catch {
    // a host without such names
  }
  return (bytes) => file.writeSync(bytes);
}

/** @param fd 1 for stdout, 2 for stderr */
export function stdio(fd: 1 | 2): Stdio {
  const [name, stream] = fd === 1 ? ['stdout', process.stdout] as const : ['stderr', process.stderr] as const;
  const terminal = isatty(fd);
  const once = writer(fd);
  const refused = (cause: unknown): Error => {
    const { code, message, name: errorName } = cause as NodeJS.ErrnoException;
    if (code === 'EPIPE' || code === 'EOF' || errorName === 'BrokenPipe') return new ClosedPipe(name, { cause });
    return new IoError('IO', `${name} cannot be written: ${message}`, { cause });
  };
  /** @returns how many bytes were taken; 0 where they have to be tried again later */
  const some = (bytes: Uint8Array): number => {
    let taken: number;
    try {
      taken = once(bytes);
    } catch (cause) {
      if (isPassing(cause as NodeJS.ErrnoException)) return 0;
      throw refused(cause);
    }
    if (taken > 0) return taken;
    throw new IoError('IO', `${name} cannot be written: it takes no more bytes`);
  };
  const writeNow = (text: string): void => {
    for (let rest: Uint8Array = new TextEncoder().encode(text); rest.length > 0;) {
      const taken = some(rest);
      if (taken === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PATIENCE_MS);
      rest = rest.subarray(taken);
    }
  };
  const write = async (text: string): Promise<void> => {
    for (let rest: Uint8Array = new TextEncoder().encode(text); rest.length > 0;) {
      const taken = some(rest);
      if (taken === 0) await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
      rest = rest.subarray(taken);
    }
  };
  const streamed = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      stream.write(text, (cause?: Error | null) => (cause ? reject(refused(cause)) : resolve()));
    });
  // a terminal wants its own encoding; and Node's pipes let interrupts in while their reader is slow
  if (terminal) {
    stream.on('error', () => {}); // the call that wrote it says so
    return { terminal, write: streamed, writeNow: (text) => void stream.write(text) };
  }
  if (isNode() && fd === 1 && isPipe(fd)) {
    stream.on('error', () => {});
    return { terminal, write: streamed, writeNow };
  }
  return { terminal, write, writeNow };
}

/** Whether a write is to be tried again: the pipe is full and does not wait, or a signal came. */
function isPassing({ code, name }: NodeJS.ErrnoException): boolean {
  return /^(EAGAIN|EWOULDBLOCK|EINTR)$/.test(code ?? '') || /^(WouldBlock|Interrupted)$/.test(name);
}

function isNode(): boolean {
  const { versions } = process as { versions: Readonly<Record<string, string | undefined>> };
  return !versions.deno && !versions.bun;
}

function isPipe(fd: number): boolean {
  try {
    const found = fstatSync(fd);
    return found.isFIFO() || found.isSocket();
  } catch {
    return true; // hosts that cannot tell have streams
  }
}
