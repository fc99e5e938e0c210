/**
 * A line of a batch → what is asked for: a request in the format of OpenAI's batches, or a plain row.
 * @module
 */
import { shown } from '../options.ts';

/** What plain rows ask of the model. */
export const TASKS = ['generate', 'classify', 'embed', 'score'] as const;
export type Task = typeof TASKS[number];

/** The end points of a server that a row may name, and what each does. */
export const URLS = ['/v1/completions', '/v1/chat/completions', '/v1/embeddings', '/v1/classify'] as const;
export type Url = typeof URLS[number];

export type Fields = Readonly<Record<string, unknown>>;

/** A row that can be answered. */
export type Asked =
  | { readonly kind: 'request'; readonly customId: string; readonly url: Url; readonly body: Fields }
  | { readonly kind: 'plain'; readonly customId?: string; readonly row: Fields };

/** A row that is none, and why. */
export interface Unreadable {
  readonly kind: 'unreadable';
  readonly customId: string | null;
  readonly reason: string;
  /** Whether the answer is to be in OpenAI's form. */
  readonly request: boolean;
}

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether a line is a request: the first line that is not empty says it for the whole file. */
export function isRequest(line: string): boolean {
  const value = parsed(line);
  return isObject(value) && 'url' in value && 'body' in value;
}

/**
 * Reads a line. In a file of requests every line must be one; elsewhere an object is a row of its own, a JSON string its content,
 * and anything else a text as it is.
 * @param requests whether the file is one of requests
 */
export function readLine(line: string, requests: boolean): Asked | Unreadable {
  const value = parsed(line);
  const customId = isObject(value) && typeof value.custom_id === 'string' ? value.custom_id : null;
  const bad = (reason: string): Unreadable => ({
    kind: 'unreadable',
    customId,
    reason,
    request: requests || (isObject(value) && 'url' in value),
  });
  if (!isObject(value)) {
    if (requests) {
      return bad('it is no JSON object; expected {"custom_id": …, "method": "POST", "url": …, "body": {…}}');
    }
    if (typeof value === 'string') return { kind: 'plain', row: { prompt: value } };
    if (value === undefined && /^\s*\{/.test(line)) return bad('it begins like a JSON object and is none');
    return { kind: 'plain', row: { prompt: line } };
  }
  if (!requests && !('url' in value && 'body' in value)) {
    return { kind: 'plain', ...(customId !== null && { customId }), row: value };
  }
  const { method = 'POST', url, body } = value;
  if (customId === null || customId === '') return bad(`custom_id is ${shown(value.custom_id)}, expected a string`);
  if (method !== 'POST') return bad(`method is ${shown(method)}, expected "POST"`);
  if (!(URLS as readonly unknown[]).includes(url)) {
    return bad(`url is ${shown(url)}, expected one of ${URLS.join(', ')}`);
  }
  if (!isObject(body)) return bad(`body is ${shown(body)}, expected an object`);
  return { kind: 'request', customId, url: url as Url, body };
}

/** What a line says as JSON; undefined where it is none. */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}
