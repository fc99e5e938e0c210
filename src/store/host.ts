/**
 * What is used of the host's files, asked for at run time: a static import of `node:fs` would keep this folder from loading in a browser.
 * @module
 */
import { IoError } from '../errors.ts';

export interface Stat {
  readonly size: number;
  readonly ino: number;
  readonly mtimeMs: number;
  isFile(): boolean;
  isDirectory(): boolean;
}

/** An open file. */
export interface FileHandle {
  read(into: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  write(bytes: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesWritten: number }>;
  datasync(): Promise<void>;
  stat(): Promise<Stat>;
  close(): Promise<void>;
}

/** `node:fs/promises`. */
export interface Files {
  open(path: string, flags: string): Promise<FileHandle>;
  mkdir(path: string, options: { recursive: true }): Promise<unknown>;
  readFile(path: string, encoding: 'utf8'): Promise<string>;
  writeFile(path: string, text: string, options?: { flag: string }): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  rm(path: string, options: { force?: boolean; recursive?: boolean }): Promise<void>;
  rmdir(path: string): Promise<void>;
  stat(path: string): Promise<Stat>;
  readdir(path: string): Promise<string[]>;
  readlink(path: string): Promise<string>;
  symlink(target: string, path: string): Promise<void>;
  link(from: string, to: string): Promise<void>;
  copyFile(from: string, to: string): Promise<void>;
  utimes(path: string, accessed: Date, modified: Date): Promise<void>;
  statfs?(path: string): Promise<{ bavail: number; bsize: number }>;
}

/** What is used of the process. */
interface Host {
  readonly pid?: number;
  kill?(pid: number, signal: 0): unknown;
  getBuiltinModule?(name: string): unknown;
}

const host = (): Host => (globalThis as { process?: Host }).process ?? {};

/** The file API; null in browsers and on the edge. */
export function hostFiles(): Files | null {
  const api = host().getBuiltinModule?.('node:fs') as { promises?: Partial<Files> } | undefined;
  return typeof api?.promises?.open === 'function' && typeof api.promises.rename === 'function'
    ? api.promises as Files
    : null;
}

/** Number of this process. */
export const processId = (): number => host().pid ?? 0;

/** Whether a process of this machine is alive. */
export function isAlive(pid: number): boolean {
  try {
    host().kill?.(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM'; // it is somebody else's
  }
}

/** Code of a failure of the host: `ENOENT` and its like. */
export const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? '');

/** A failure of the disk, in words that help. @param what was tried */
export function diskError(what: string, cause: unknown): IoError {
  if (cause instanceof IoError) return cause;
  const code = codeOf(cause);
  if (/^(ENOSPC|EDQUOT|EFBIG)$/.test(code)) {
    return new IoError(
      'STORE_FULL',
      `${what} failed, the disk is full (${code}); make room, or set HF_HUB_CACHE to a folder on another disk; ` +
        'the next attempt resumes from what is stored',
      { cause },
    );
  }
  const how = /^(EROFS|EACCES|EPERM)$/.test(code)
    ? '; the folder cannot be written: set HF_HUB_CACHE to one that can'
    : '';
  return new IoError('IO', `${what} failed: ${String(cause)}${how}`, { cause });
}
