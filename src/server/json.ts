/**
 * Bodies of requests: read to a limit, and JSON that means one thing only.
 * @module
 */
import { MAX_REQUEST_DEPTH } from '../limits.ts';
import { ApiError } from './errors.ts';

/** Reads a body of at most `most` bytes. @throws {ApiError} 413 beyond it, 400 where it ends early */
export async function readBody(request: Request, most: number): Promise<Uint8Array> {
  const tooLarge = (): ApiError =>
    new ApiError(413, `the body has more than ${most} bytes`, { code: 'request_too_large' });
  const stated = request.headers.get('content-length');
  if (stated !== null && Number(stated) > most) throw tooLarge();
  const parts: Uint8Array[] = [];
  let bytes = 0;
  const reader = request.body?.getReader();
  try {
    for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
      bytes += next.value.length;
      if (bytes > most) throw tooLarge();
      parts.push(next.value);
    }
  } catch (cause) {
    void reader?.cancel().catch(() => {});
    if (cause instanceof ApiError) throw cause;
    throw new ApiError(400, 'the body ended early', { cause });
  }
  const body = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  return body;
}

/**
 * The object that a body is. Refused are also texts that parsers read in different ways: a key that stands twice, `__proto__`,
 * numbers beyond f64, halves of characters.
 * @throws {ApiError} 400
 */
export function parseBody(body: Uint8Array): Record<string, unknown> {
  let value: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
    value = JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof SyntaxError ? cause.message : 'it is not UTF-8';
    throw new ApiError(400, `the body is no JSON: ${why.slice(0, 200)}`, { code: 'invalid_json', cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused('the body is no object');
  const keys = checked(value);
  if (countKeys(text) !== keys) throw refused('a key stands twice in an object of the body');
  return value as Record<string, unknown>;
}

const refused = (why: string): ApiError => new ApiError(400, why, { code: 'invalid_json' });

/** Walks a value without recursion. @returns how many keys its objects have */
function checked(root: object): number {
  let keys = 0;
  const waiting: { readonly value: object; readonly depth: number }[] = [{ value: root, depth: 1 }];
  const look = (value: unknown, depth: number): void => {
    if (typeof value === 'string' && /\p{Surrogate}/u.test(value)) {
      throw refused('a text of the body holds half of a character (a lone surrogate)');
    }
    if (typeof value === 'number' && !Number.isFinite(value)) throw refused('a number of the body is out of range');
    if (typeof value === 'object' && value !== null) waiting.push({ value, depth });
  };
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { value, depth } = next;
    if (depth > MAX_REQUEST_DEPTH) throw refused(`the body is nested more than ${MAX_REQUEST_DEPTH} levels deep`);
    if (Array.isArray(value)) {
      for (const item of value as readonly unknown[]) look(item, depth + 1);
      continue;
    }
    for (const [key, inner] of Object.entries(value)) {
      keys++;
      if (key === '__proto__') throw refused('the body has a key __proto__');
      look(key, depth);
      look(inner, depth + 1);
    }
  }
  return keys;
}

/** Keys of all objects of a text that is JSON: each has the one colon outside of strings. */
function countKeys(text: string): number {
  let colons = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x3a) colons++;
    else if (code === 0x22) {
      for (at++; text.charCodeAt(at) !== 0x22; at++) if (text.charCodeAt(at) === 0x5c) at++;
    }
  }
  return colons;
}
