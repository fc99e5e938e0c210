/**
 * Where this code is: on a host with files, where a text is a path, or in a page, where it is a URL relative to the page.
 * @module
 */
import { OptionError } from '../errors.ts';

/** What is used of a Node `FileHandle` (`fs.promises.open`). */
export interface FileHandleLike {
  read(into: Uint8Array, intoOffset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  stat(): Promise<{ size: number; isFile?(): boolean }>;
  close?(): Promise<void>;
}

interface FileApi {
  promises: {
    open(path: string | URL, flags: string): Promise<FileHandleLike>;
    stat(path: string | URL): Promise<{ isDirectory(): boolean }>;
  };
}

/** Asked for by name at run time: a static import of `node:fs` would keep this file from loading in a browser. */
export function fileApi(): FileApi | null {
  const host = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  const api = host.process?.getBuiltinModule?.('node:fs') as Partial<FileApi> | undefined;
  return typeof api?.promises?.open === 'function' ? (api as FileApi) : null;
}

/** Whether this host has files. */
export function hasFiles(): boolean {
  return fileApi() !== null;
}

/** Whether a text is a path rather than a URL. */
export function isPath(text: string): boolean {
  return !/^(https?|blob|data|file):/i.test(text) && (hasFiles() || baseUrl() === undefined);
}

/** A text that means the same in a worker. @throws {OptionError} `OPTION` for a URL that is none */
export function absolute(source: string): string {
  return isPath(source) ? source : parseUrl(source).href;
}

/** What URLs are relative to in a page or in a worker of one; undefined elsewhere. */
function baseUrl(): string | undefined {
  const { document, location } = globalThis as { document?: { baseURI?: string }; location?: { href?: string } };
  const base = document?.baseURI ?? location?.href;
  // a worker that was made of a blob is nowhere, but has the origin of its page
  return base === undefined ? undefined : /^blob:(?!null)/.test(base) ? new URL(base).origin : base;
}

/** @throws {OptionError} `OPTION` for a URL that is none */
export function parseUrl(text: string): URL {
  try {
    return new URL(text, baseUrl());
  } catch (cause) {
    throw new OptionError('OPTION', `${text} is not a valid URL`, { cause });
  }
}
