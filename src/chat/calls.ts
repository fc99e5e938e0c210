/**
 * Calls of tools, read from what a model wrote.
 * @module
 */
import type { ToolStyle } from './types.ts';

/** A call without its number. */
export interface RawCall {
  readonly name: string;
  /** JSON text of an object. */
  readonly arguments: string;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The calls in the text between the tags of a style; null where it holds none, or anything else besides. */
export function callsOf(text: string, style: ToolStyle): RawCall[] | null {
  const inner = text.trim();
  if (inner.startsWith('<function=')) return functionCall(inner);
  if (style === 'mistral' && !inner.startsWith('[') && !inner.startsWith('{')) return namedCalls(inner);
  // several of Llama 3 are set apart by semicolons
  const texts = style === 'llama3' ? values(inner) : [inner];
  const found = texts?.map(parsed);
  if (!found || found.length === 0 || found.includes(undefined)) return null;
  const calls = found.flatMap((value) => (Array.isArray(value) ? value : [value])).map(callOf);
  return calls.length === 0 || calls.includes(null) ? null : calls as RawCall[];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `{"name": …, "arguments" or "parameters": …}`, also as `{"function": {…}}` or as `{"type": "function", "function": "name", …}`. */
function callOf(value: unknown): RawCall | null {
  if (!isRecord(value)) return null;
  if (isRecord(value.function)) return callOf(value.function);
  const name = value.name ?? value.function;
  const given = value.arguments ?? value.parameters ?? {};
  if (typeof name !== 'string' || name === '') return null;
  if (typeof given === 'string') return isRecord(parsed(given)) ? { name, arguments: given } : null;
  return isRecord(given) ? { name, arguments: JSON.stringify(given) } : null;
}

/** `<function=name>{…}`, or with `<parameter=key>value</parameter>` in it; values that are JSON are taken as such. */
function functionCall(text: string): RawCall[] | null {
  const [, name, body] = /^<function=([^>\s]+)>([\s\S]*)$/.exec(text) ?? [];
  if (name === undefined) return null;
  const inner = body.replace(/<\/function>\s*$/, '').trim();
  if (inner.startsWith('{')) return isRecord(parsed(inner)) ? [{ name, arguments: inner }] : null;
  const given: [string, unknown][] = [];
  const rest = inner.replace(/<parameter=([^>\s]+)>\n?([\s\S]*?)\n?<\/parameter>/g, (_, key: string, value: string) => {
    const read = parsed(value);
    given.push([key, read === undefined ? value : read]);
    return '';
  });
  return rest.trim() === '' ? [{ name, arguments: JSON.stringify(Object.fromEntries(given)) }] : null;
}

/** `name[ARGS]{…}` or `name[CALL_ID]id[ARGS]{…}`; `name{…}` of older models. */
function namedCalls(text: string): RawCall[] | null {
  const calls: RawCall[] = [];
  let rest = text;
  while (rest.trim() !== '') {
    const head = /^\s*(?:\[TOOL_CALLS\])?\s*([\w.-]+)\s*(?:\[CALL_ID\][\w-]*)?\s*(?:\[ARGS\])?\s*(?=\{)/.exec(rest);
    if (!head) return null;
    const body = rest.slice(head[0].length);
    const length = jsonEnd(body);
    const given = length < 0 ? undefined : body.slice(0, length);
    if (given === undefined || !isRecord(parsed(given))) return null;
    calls.push({ name: head[1], arguments: given });
    rest = body.slice(length);
  }
  return calls.length > 0 ? calls : null;
}

/**
 * Characters of a call that no tag closes, or −1 while it is not whole: one value of JSON. Of Mistral's calls by name each is one.
 * White space before it counts.
 */
export function scanJson(text: string, style: ToolStyle): number {
  const begin = text.search(/[^\s]/);
  if (begin < 0) return -1;
  let from = begin;
  if (style === 'mistral' && !'[{'.includes(text[begin])) {
    const brace = text.indexOf('{', begin);
    if (brace < 0) return /^[\w.\-\s[\]]{0,200}$/.test(text) ? -1 : text.length;
    from = brace;
  }
  if (!'[{'.includes(text[from])) return text.length; // no call: text, all of it
  const length = jsonEnd(text.slice(from));
  if (length < 0) return -1;
  return from + length;
}

/** Where the list or object ends that a text begins with; −1 where it does not. */
function jsonEnd(text: string): number {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const letter = text[i];
    if (quoted) {
      if (letter === '\\') i++;
      else if (letter === '"') quoted = false;
    } else if (letter === '"') quoted = true;
    else if (letter === '{' || letter === '[') depth++;
    else if ((letter === '}' || letter === ']') && --depth === 0) return i + 1;
  }
  return -1;
}

/** Values of JSON that semicolons set apart. */
function values(text: string): string[] | null {
  const all: string[] = [];
  let rest = text;
  while (rest.trim() !== '') {
    rest = rest.replace(/^\s*;?\s*/, '');
    const length = jsonEnd(rest);
    if (length < 0 || !'[{'.includes(rest[0])) return null;
    all.push(rest.slice(0, length));
    rest = rest.slice(length);
  }
  return all;
}
