/**
 * The sides of `compare`: what `A`, `B` and their options name, opened.
 * @module
 */
import process from 'node:process';
import type { ClassifyOptions } from '../forward/classifier.ts';
import { GGUF_TYPES, type GgufType } from '../convert/options.ts';
import type { LocalSide, RemoteSide } from '../entries/eval.ts';
import type { Model } from '../model/model.ts';
import { ACTIVATION_TYPES } from '../wasm/load-options.ts';
import { UsageError } from './args.ts';
import { classifyOptions } from './classify-options.ts';
import type { Context } from './command.ts';
import { modelSum, sampleFile } from './fingerprint.ts';
import { load, type LoadOptions } from './load.ts';
import { bundledModel } from './package-folder.ts';
import { tokenizerOfFile } from './tokenizer-file.ts';
import { withModel } from './stored.ts';

type Kind = 'integer' | 'number' | 'flag' | 'text' | readonly string[];

/** Options of a side: `key=value`, or a key alone for a flag. */
const KEYS: Readonly<Record<string, Kind>> = {
  kv: ['f16', 'f32'],
  activations: ACTIVATION_TYPES,
  build: ['base', 'relaxed'],
  type: GGUF_TYPES,
  head: GGUF_TYPES,
  embedding: GGUF_TYPES,
  threads: 'integer',
  steps: 'integer',
  'exit-every': 'integer',
  'max-length': 'integer',
  'v-th': 'number',
  leak: 'number',
  'early-exit': 'number',
  rate: 'flag',
  tokenizer: 'text',
  name: 'text',
  model: 'text',
  'key-env': 'text',
};

/** What the help says of them. */
export const SIDE_KEYS: string = Object.keys(KEYS).join(', ');

/** The options of a side, by their names. */
export type SideOptions = Readonly<Record<string, string | number | boolean>>;

/** A side as the command line names it. */
export interface NamedSide {
  /** A path, a URL of a file, the address of a server, or `default` for the bundled model. */
  readonly path: string;
  readonly options: SideOptions;
}

/** `kv=f32,rate` → options. @param what whose they are @throws {UsageError} */
export function sideOptions(text: string | undefined, what: string): SideOptions {
  if (text === undefined) return {};
  return checkSideOptions(
    Object.fromEntries(
      text.split(',').filter((part) => part !== '').map((part): [string, unknown] => {
        const at = part.indexOf('=');
        const [key, value] = at < 0 ? [part, true] : [part.slice(0, at), part.slice(at + 1)];
        const kind = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
        const numeric = (kind === 'integer' || kind === 'number') && value !== true && String(value).trim() !== '';
        return [key, numeric ? Number(value) : value];
      }),
    ),
    what,
  );
}

/** Options from a command line or a suite. @throws {UsageError} for a key or value that does not exist */
export function checkSideOptions(options: Readonly<Record<string, unknown>>, what: string): SideOptions {
  for (const [key, value] of Object.entries(options)) {
    const kind = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    const shown = JSON.stringify(value)?.slice(0, 60);
    if (kind === undefined) {
      throw new UsageError(`${what} has no option ${JSON.stringify(key.slice(0, 60))}; there are ${SIDE_KEYS}`);
    }
    const good = kind === 'flag'
      ? typeof value === 'boolean'
      : kind === 'text'
      ? typeof value === 'string' && value !== ''
      : kind === 'number'
      ? Number.isFinite(value)
      : kind === 'integer'
      ? Number.isSafeInteger(value) && Number(value) >= 1
      : kind.includes(String(value));
    if (good) continue;
    const expected = typeof kind === 'string'
      ? { flag: 'no value', text: 'a text', number: 'a number', integer: 'a whole number from 1 on' }[kind]
      : `one of ${kind.join(', ')}`;
    throw new UsageError(`${what}: ${key} is ${shown}, expected ${expected}`);
  }
  return options as SideOptions;
}

/** Whether a side is the address of a server rather than of a file. */
export const isServer = (path: string): boolean => /^https?:\/\/[^?#]*\/v1\/?$/.test(path);

/** A side that has been opened; dispose of it. */
export interface OpenedSide extends Disposable {
  readonly side: LocalSide | RemoteSide;
  readonly model: Model | null;
}

/** Opens a side. @param contextLength of its sessions, for models that generate @throws what `open` throws */
export async function openSide(
  { path, options }: NamedSide,
  contextLength: number | undefined,
  context: Context,
): Promise<OpenedSide> {
  const { name, model: asked, 'key-env': variable, ...own } = options;
  if (isServer(path)) {
    const [extra] = Object.keys(own);
    if (extra !== undefined) throw new UsageError(`${path} is a server, which has no option ${extra}`);
    const key = variable === undefined ? undefined : process.env[String(variable)];
    if (variable !== undefined && !key) throw new UsageError(`key-env: the environment has no ${String(variable)}`);
    const side = { url: path, name: text(name), model: text(asked), ...(key && { key }) };
    return { side, model: null, [Symbol.dispose]: () => {} };
  }
  if (asked !== undefined || variable !== undefined) {
    throw new UsageError(`${path} is a file; model and key-env are for servers`);
  }
  const file = path === 'default' ? bundledModel() : path;
  const { signal } = context;
  const tokenizer = own.tokenizer === undefined ? undefined : await tokenizerOfFile(String(own.tokenizer), context);
  const classify = classifyOptions(own as Parameters<typeof classifyOptions>[0]);
  const { kv, activations, build, threads } = own as LoadOptions;
  const { type, head, embedding } = own as { type?: GgufType; head?: GgufType; embedding?: GgufType };
  const found = await withModel(file, context, async (source) => ({
    bytes: source.size,
    digest: await sampleFile(source, signal),
    model: await load(
      source,
      { kv, activations, build, threads, type, head, embedding, tokenizer, contextLength },
      context,
    ),
  }));
  const { model } = found;
  return {
    model,
    side: {
      model,
      name: text(name) ?? file.replace(/\/+$/, '').replace(/^.*\//, ''),
      digest: `${found.digest}-${modelSum(model)}`,
      fileBytes: found.bytes,
      options: own as Record<string, string | number | boolean>,
      classify: classify as ClassifyOptions,
    },
    [Symbol.dispose]: () => model.dispose(),
  };
}

const text = (value: unknown): string | undefined => (value === undefined ? undefined : String(value));
