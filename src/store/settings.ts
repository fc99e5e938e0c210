/**
 * Where the hub and the store are: options first, then the environment variables of Python's `huggingface_hub`.
 * @module
 */
import { OptionError } from '../errors.ts';
import { ANY, CALL, checkOptions, FLAG, OBJECT, type Rules, SIGNAL, TEXT, whole } from '../options.ts';
import type { HubFetch } from './request.ts';
import type { ModelStore } from './store.ts';
import type { StoreProgress } from './progress.ts';

/** How models are found and stored. */
export interface StoreOptions {
  /** Where files are stored. Default: the folder of Python's `huggingface_hub` where the host has files, the private file system of the
   *  origin (OPFS) in browsers, else memory. */
  readonly store?: ModelStore;
  /** The folder of the default store; default: `HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub`. */
  readonly cacheFolder?: string;
  /** The hub's address; default: `HF_ENDPOINT`, else https://huggingface.co. */
  readonly endpoint?: string;
  /** Sent to the hub and to no other host; '' for none. Default: `HF_TOKEN`, else the file that `hf auth login` writes. */
  readonly token?: string;
  /** Use stored files only, without any request. Default: `HF_HUB_OFFLINE`. */
  readonly offline?: boolean;
  /** Ranges of a file that are downloaded at a time: 1 to 16, default 4. */
  readonly connections?: number;
  /** How often a request that fails in passing is repeated (network errors, 408, 429, 5xx): 0 to 10, default 5. A download that has
   *  progressed since begins to count anew. */
  readonly retries?: number;
  /** Milliseconds without an answer or a further byte after which a request counts as failed: 1 to 600,000, default 30,000. */
  readonly timeoutMs?: number;
  /** Used instead of the global `fetch`. */
  readonly fetch?: HubFetch;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: StoreProgress) => void;
  /** Called with what a user should know, such as that the hub could not be reached and stored files are used. */
  readonly onNotice?: (message: string) => void;
}

/** Which values are right. */
export const STORE_RULES: Rules<StoreOptions> = {
  store: OBJECT,
  cacheFolder: TEXT,
  endpoint: TEXT,
  token: TEXT,
  offline: FLAG,
  connections: whole(1, 16),
  retries: whole(0, 10),
  timeoutMs: whole(1, 600_000),
  fetch: CALL,
  signal: SIGNAL,
  onProgress: CALL,
  onNotice: ANY,
};

/** The variables of this process; none in a browser. */
export function environment(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Readonly<Record<string, string | undefined>> } };
  try {
    return process?.env?.[name] || undefined;
  } catch {
    return undefined; // Deno asks before it shows a variable, and may be refused
  }
}

const isTrue = (text: string | undefined): boolean => /^(1|on|yes|true)$/i.test(text ?? '');

/** A path that begins with `~`. */
function expanded(path: string): string {
  const home = environment('HOME') ?? environment('USERPROFILE') ?? '.';
  return path.replace(/^~(?=$|[\\/])/, () => home);
}

function homeFolder(): string {
  const { XDG, HOME } = { XDG: environment('XDG_CACHE_HOME'), HOME: environment('HF_HOME') };
  return expanded(HOME ?? `${XDG ?? '~/.cache'}/huggingface`);
}

/** The folder of the hub's cache on this machine. */
export function cacheFolder(options: StoreOptions): string {
  const given = options.cacheFolder ?? environment('HF_HUB_CACHE') ?? environment('HUGGINGFACE_HUB_CACHE');
  return given === undefined ? `${homeFolder()}/hub` : expanded(given);
}

/** The file that holds the token of a user who has logged in. */
export function tokenPath(): string {
  return expanded(environment('HF_TOKEN_PATH') ?? `${homeFolder()}/token`);
}

/** A token of the environment; undefined where it has none. */
export function environmentToken(): string | undefined {
  return environment('HF_TOKEN') ?? environment('HUGGING_FACE_HUB_TOKEN');
}

/** Whether the token of the environment is to be left unused unless it is asked for. */
export function withoutToken(): boolean {
  return isTrue(environment('HF_HUB_DISABLE_IMPLICIT_TOKEN'));
}

export function isOffline(options: StoreOptions): boolean {
  return options.offline ?? (isTrue(environment('HF_HUB_OFFLINE')) || isTrue(environment('TRANSFORMERS_OFFLINE')));
}

/** The hub's address, without a slash at its end. @throws {OptionError} `OPTION` */
export function endpointOf(options: StoreOptions): string {
  const text = options.endpoint ?? environment('HF_ENDPOINT') ?? 'https://huggingface.co';
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && /^https?:$/.test(url.protocol) && url.username === '' && url.search === '' && url.hash === '') {
    return url.href.replace(/\/+$/, '');
  }
  throw new OptionError('OPTION', `the endpoint ${JSON.stringify(text.slice(0, 100))} is not an http(s) URL of a hub`, {
    option: 'endpoint',
  });
}

export function checkStoreOptions(of: string, options: StoreOptions): void {
  checkOptions(of, options, STORE_RULES as Readonly<Record<string, Rules<StoreOptions>['signal']>>);
}
