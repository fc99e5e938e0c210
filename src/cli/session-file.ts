/**
 * Sessions as files: what `run` reads before its prompt, and what it leaves behind.
 * @module
 */
import { stat } from 'node:fs/promises';
import { createFile, type FileSink } from '../bytes/sink.ts';
import { readFully } from '../bytes/source.ts';
import { OptionError, SessionError } from '../errors.ts';
import type { Model } from '../model/model.ts';
import type { Overflow, Session } from '../session/session.ts';
import { HEADER_BYTES, snapshotPositions } from '../session/snapshot.ts';
import { readBytes, refuseSame, withSource } from './files.ts';

/** What is known of a session file before a model is there to read it. */
export interface SessionFile {
  readonly path: string;
  readonly bytes: number;
  /** As the file states; no more than its bytes. */
  readonly positions: number;
}

/** Looks at the head of a session file. @throws {SessionError} `SNAPSHOT` for any other file; {IoError} */
export function lookAtSession(path: string, signal: AbortSignal): Promise<SessionFile> {
  return withSource(path, signal, async (source) => {
    const head = new Uint8Array(Math.min(HEADER_BYTES, source.size));
    await readFully(source, head, 0, 'the head', signal);
    try {
      // a position takes a byte at least, where the length of a context depends on it
      const positions = Math.min(snapshotPositions(head), source.size);
      return { path, bytes: source.size, positions };
    } catch (cause) {
      throw cause instanceof SessionError ? new SessionError(cause.code, `${path}: ${plain(cause)}`, { cause }) : cause;
    }
  });
}

/** A session of this model that goes on from the file, or begins where there is none. @throws {SessionError} {IoError} */
export async function openSession(
  model: Model,
  file: SessionFile | undefined,
  overflow: Overflow | undefined,
  signal: AbortSignal,
): Promise<Session> {
  if (!file) return model.session({ overflow });
  const { path, bytes, positions } = file;
  const session = model.session({ overflow });
  try {
    const most = model.stats().stateBytes + HEADER_BYTES;
    if (positions > session.contextLength) {
      throw new SessionError(
        'CONTEXT_OVERFLOW',
        `it has ${positions} positions, the context only ${session.contextLength}; give a larger --ctx`,
      );
    }
    // what no session of this model could hold is not read
    if (bytes > most) {
      throw new SessionError('SNAPSHOT_MODEL', `it has ${bytes} bytes, a session of this model at most ${most}`);
    }
    session.restore(await withSource(path, signal, (source) => readBytes(source, most, signal)));
    return session;
  } catch (cause) {
    session.dispose();
    throw cause instanceof SessionError ? new SessionError(cause.code, `${path}: ${plain(cause)}`, { cause }) : cause;
  }
}

/**
 * Begins a session file, so that what cannot be written is known before the work is done.
 * @param inputs files that it must not be written over
 * @throws {OptionError} `OPTION` for one of `inputs`, and for a file that is there and no session; {IoError}
 */
export async function beginSessionFile(
  path: string,
  inputs: readonly string[],
  signal: AbortSignal,
): Promise<FileSink> {
  await refuseSame(inputs, path, '--save-session');
  if (await stat(path).catch(() => null)) {
    try {
      await lookAtSession(path, signal);
    } catch (cause) {
      throw new OptionError(
        'OPTION',
        `--save-session ${path}: this file exists and is not a session; choose another name`,
        {
          cause,
        },
      );
    }
  }
  return await createFile(path);
}

/** Writes what the session has read. The file appears when it is whole. @throws {IoError} {MemoryError} */
export async function saveSession(session: Session, sink: FileSink): Promise<void> {
  await sink.write(session.snapshot());
  await sink.commit();
}

/** A message without its code. */
function plain(error: SessionError): string {
  return error.message.slice(error.code.length + 2);
}
