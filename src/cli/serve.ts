/**
 * `serve`: an OpenAI-compatible server on a port of this machine.
 * @module
 */
import process from 'node:process';
import { MemoryError, type TernspikeError } from '../errors.ts';
import { MAX_MEMORY_BYTES, MAX_PARALLEL } from '../limits.ts';
import type { Model } from '../model/model.ts';
import type { App, LogEntry } from '../server/types.ts';
import { type OptionTable, UsageError, type Values } from './args.ts';
import { type Command, command, type Context } from './command.ts';
import { listen } from './listen.ts';
import { CONTEXT_OPTIONS, load, MODEL_OPTIONS, modelPath, TYPE_OPTIONS } from './load.ts';
import { bundledModel, DEFAULT_CLASSIFIER } from './package-folder.ts';
import { STORE_OPTIONS, withModel } from './stored.ts';

const DEFAULT_PORT = 8080;
/** Sessions side by side unless told, and fewer where memory is short. */
const DEFAULT_PARALLEL = 8;
const DEFAULT_GRACE_SECONDS = 30;

const OPTIONS = {
  model: {
    ...MODEL_OPTIONS.model,
    repeatable: true,
    value: 'NAME=FILE',
    help: 'a model and its name, by default that of its file; without -m the bundled story model, as default',
  },
  port: { kind: 'integer', short: 'p', least: 0, help: `port to listen on; 0 = any free one; default ${DEFAULT_PORT}` },
  host: { kind: 'text', value: 'ADDRESS', help: 'address to listen on; default 127.0.0.1, this machine alone' },
  'api-key': {
    kind: 'text',
    value: 'KEY',
    repeatable: true,
    help: 'a key that requests have to bring; also from TERNSPIKE_API_KEY, which no list of processes shows',
  },
  origin: { kind: 'text', value: 'URL', repeatable: true, help: 'origin of web pages that may call; default none' },
  'allow-host': {
    kind: 'text',
    value: 'NAME',
    repeatable: true,
    help: 'a name this server is reached by, besides localhost and addresses',
  },
  'i-know': { kind: 'flag', help: 'listen beyond this machine without a key' },
  parallel: {
    kind: 'integer',
    least: 1,
    help: `requests answered at a time, of each model; default ${DEFAULT_PARALLEL}, fewer where memory is short`,
  },
  queue: { kind: 'integer', least: 0, help: 'requests that may wait, of each model; default 32' },
  'cache-mb': { kind: 'integer', least: 0, help: 'MB of the prefix cache of each model; 0 = none; default 256' },
  timeout: { kind: 'integer', least: 1, value: 'S', help: 'seconds that a request may take; default 600' },
  grace: {
    kind: 'integer',
    least: 0,
    value: 'S',
    help: `seconds that answers may take to end at shutdown; default ${DEFAULT_GRACE_SECONDS}`,
  },
  ...CONTEXT_OPTIONS,
  build: MODEL_OPTIONS.build,
  activations: MODEL_OPTIONS.activations,
  threads: MODEL_OPTIONS.threads,
  ...TYPE_OPTIONS,
  ...STORE_OPTIONS,
  quiet: { kind: 'flag', short: 'q', help: 'no log' },
} as const satisfies OptionTable;

type ServeValues = Values<typeof OPTIONS>;

export const serve: Command = command(
  {
    name: 'serve',
    summary: 'Serve models over HTTP, as OpenAI does: chats, completions, embeddings, classes.',
    positionals: [],
    options: OPTIONS,
    notes: [
      'Prints the URL on stdout when every model is loaded; with --json as {"url": …}. The log on stderr has a JSON object for each ' +
      'request, and never a prompt, an answer or a key. Interrupts and SIGTERM end it when running answers are over.',
    ],
    examples: [
      'ternspike serve',
      'ternspike serve -m chat=chat.gguf -m stories=model.gguf --port 0 --parallel 4',
    ],
  },
  async ({ values }, context) => {
    const { out, signal } = context;
    const host = values.host ?? '127.0.0.1';
    const port = values.port ?? DEFAULT_PORT;
    if (port > 65_535) throw new UsageError(`--port is ${port}, expected a whole number in 0 … 65535`);
    const apiKeys = [...(values['api-key'] ?? []), ...(process.env.TERNSPIKE_API_KEY || '').split(',').filter(Boolean)];
    for (const key of apiKeys) {
      if (!/^[\w.~+/-]+=*$/.test(key)) throw new UsageError('a key may have letters, digits and . ~ + / _ - only');
    }
    const { createApp } = await import('../server/app.ts');
    const { isLoopback } = await import('../server/hosts.ts');
    if (!isLoopback(host) && apiKeys.length === 0) {
      if (!values['i-know']) {
        throw new UsageError(
          `--host ${host} lets other machines in: give --api-key KEY, or --i-know where anybody may ask`,
        );
      }
      out.note(`everybody who reaches ${host} may use this server: no key is asked for`);
    }
    const named = namedModels(values.model);
    const say = (entry: object): void => {
      if (!values.quiet) out.note(JSON.stringify(entry));
    };
    const ending = new AbortController();
    const stop = (): void => ending.abort();
    const opening = AbortSignal.any([signal, ending.signal]);
    // one after the other: memory is looked at for each when those before it are there
    let before: Promise<unknown> = Promise.resolve();
    const models = Object.fromEntries(named.map(([name, path]) => {
      const model = before.then(() => openServed(name, path, values, { ...context, signal: opening }, say));
      before = model;
      return [name, model];
    }));
    for (const model of Object.values(models)) model.catch(() => {}); // `ready` says so
    const app = createApp(models, {
      queue: values.queue,
      cacheBytes: values['cache-mb'] === undefined ? undefined : values['cache-mb'] * 1_000_000,
      timeoutMs: values.timeout === undefined ? undefined : values.timeout * 1000,
      apiKeys,
      origins: values.origin ?? [],
      hosts: [...(values['allow-host'] ?? []), host.toLowerCase()],
      log: (entry: LogEntry) => say(entry),
    });
    process.on('SIGTERM', stop);
    signal.addEventListener('abort', stop, { once: true });
    try {
      await using server = await listen(app, {
        host,
        port,
        hosts: [...(values['allow-host'] ?? []), host.toLowerCase()],
      });
      await app.ready;
      await out.result({ url: server.url }, () => [server.url]);
      await ended(ending.signal);
      say({ time: new Date().toISOString(), event: 'stopping' });
      server.stopListening();
      await app.drain(1000 * (values.grace ?? DEFAULT_GRACE_SECONDS));
    } catch (error) {
      if (!ending.signal.aborted) throw error; // told to end while it was loading
    } finally {
      process.off('SIGTERM', stop);
      stop(); // what is still loading ends
      await disposeAll(models, app);
    }
  },
);

async function disposeAll(models: Readonly<Record<string, Promise<Model>>>, app: App): Promise<void> {
  await app.drain(0);
  for (const model of Object.values(models)) await model.then((loaded) => loaded.dispose(), () => {});
}

const ended = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** Names and paths. @throws {UsageError} for a name that is given twice */
function namedModels(given: readonly string[] | undefined): [name: string, path: string][] {
  if (!given) {
    return [['default', modelPath(undefined)], ['sentiment', bundledModel(DEFAULT_CLASSIFIER)]];
  }
  const named = given.map((text): [string, string] => {
    const [, name, path] = /^([\w][\w.:-]*)=(.+)$/.exec(text) ?? [];
    if (path !== undefined) return [name, path];
    const file = text.split(/[/\\]/).filter(Boolean).at(-1) ?? '';
    const plain = file.replace(/\.(gguf|safetensors|pt|bin)$/i, '').replace(/[^\w.:-]/g, '-').replace(/^\W+/, '');
    return [plain === '' ? 'model' : plain, text];
  });
  for (const [i, [name]] of named.entries()) {
    if (named.findIndex(([other]) => other === name) < i) {
      throw new UsageError(`two models are named ${name}; give -m NAME=FILE`);
    }
  }
  return named;
}

/** Opens a model for so many sessions, or for as many as fit where none were asked for; says how many there are. */
async function openServed(
  name: string,
  path: string,
  values: ServeValues,
  context: Context,
  say: (entry: object) => void,
): Promise<Model> {
  const { build, activations, threads, kv, type, head, embedding } = values;
  const options = { build, activations, threads, kv, type, head, embedding, contextLength: values.ctx };
  for (let parallel = Math.min(values.parallel ?? DEFAULT_PARALLEL, MAX_PARALLEL);;) {
    try {
      const model = await withModel(path, context, (source) => load(source, { ...options, parallel }, context));
      const { sessions, stateBytes, totalBytes } = model.plan;
      say({
        time: new Date().toISOString(),
        event: 'loaded',
        model: name,
        parallel: sessions,
        // sessions that memory would hold
        wouldFit: sessions + Math.floor((MAX_MEMORY_BYTES - totalBytes) / Math.max(stateBytes, 1)),
        ...(model.generates && { context: model.contextLength }),
        stateBytes,
        totalBytes,
        loadMs: Math.round(model.stats().loadMs),
      });
      return model;
    } catch (error) {
      const full = error instanceof MemoryError && (error as TernspikeError).code === 'MEMORY_LIMIT';
      if (!full || values.parallel !== undefined || parallel === 1) throw error;
      parallel = Math.ceil(parallel / 2);
    }
  }
}
