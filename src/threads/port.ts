/**
 * One more thread, whatever the host calls it: a worker of Node's API on Node, Deno and Bun, a module worker in browsers.
 * @module
 */

/** A thread that runs thread.ts. */
export interface Thread {
  post(message: unknown): void;
  /** Whether the process stays alive for this thread; only then is a message sure to be heard. */
  hold(alive: boolean): void;
  /** Ends it, whatever it does. Settles when it is gone, where the host says so; some never do. */
  stop(): Promise<unknown>;
}

/** Starts a thread. `hear` is given its messages, `gone` is told once why it ended without being asked to. */
export type StartThread = (hear: (message: unknown) => void, gone: (why: string) => void) => Thread;

/** What is used of Node's worker_threads. */
interface NodeWorker {
  postMessage(message: unknown): void;
  ref(): void;
  unref(): void;
  terminate(): Promise<unknown>;
  on(event: 'message' | 'error' | 'exit', listener: (value: unknown) => void): void;
}
interface NodeThreads {
  Worker: new (script: string | URL, options: object) => NodeWorker;
  parentPort: Port | null;
}

/** The owner's end of a thread, seen from the thread. */
export interface Port {
  postMessage(message: unknown): void;
  onmessage: ((event: { data: unknown }) => void) | null;
}

/** A module of the host by name; undefined in browsers. */
export function hostModule<T>(name: string): T | undefined {
  const host = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  return host.process?.getBuiltinModule?.(name) as T | undefined;
}

const nodeThreads = (): NodeThreads | undefined => hostModule<NodeThreads>('node:worker_threads');

/** This thread's way to its owner. */
export function ownerPort(): Port {
  return nodeThreads()?.parentPort ?? (globalThis as unknown as Port);
}

/** Ends this thread. */
export function leave(): void {
  const ends = [nodeThreads()?.parentPort, globalThis] as { close?: () => void }[]; // Deno's port has no close
  ends.find((end) => end?.close)?.close?.();
}

/**
 * Starts threads that run a script: the one in the bundle, or the file at `url`.
 * @param script of thread.ts @param url where a host forbids to run a script that is no file
 */
export function startThread(script: string, url?: string | URL): StartThread {
  const threads = nodeThreads();
  return (hear, gone) =>
    threads ? nodeThread(nodeWorker(threads, script, url), hear, gone) : webThread(webWorker(script, url), hear, gone);
}

function nodeWorker({ Worker }: NodeThreads, script: string, url?: string | URL): NodeWorker {
  if (url === undefined) return new Worker(script, { eval: true, execArgv: [] });
  const path = typeof url === 'string' && !/^(file|data|blob|https?):/i.test(url); // else it is a URL
  return new Worker(path ? url : new URL(url), { execArgv: [] });
}

/** Where the script is found as a blob; once it is there, it stays. */
let blobUrl: string | undefined;

function webWorker(script: string, url?: string | URL): Worker {
  if (url !== undefined) return new Worker(url, { type: 'module' });
  blobUrl ??= URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
  return new Worker(blobUrl);
}

/** A thread over a worker of Node's API. */
export function nodeThread(worker: NodeWorker, hear: (message: unknown) => void, gone: (why: string) => void): Thread {
  let asked = false;
  const end = (why: string): void => {
    if (!asked) gone(why);
    asked = true;
  };
  worker.on('message', hear);
  worker.on('error', (error) => end(String(error)));
  worker.on('exit', (code) => end(`it ended with code ${String(code)}`));
  return {
    post: (message) => worker.postMessage(message),
    hold: (alive) => (alive ? worker.ref() : worker.unref()),
    stop() {
      asked = true;
      return worker.terminate();
    },
  };
}

function webThread(worker: Worker, hear: (message: unknown) => void, gone: (why: string) => void): Thread {
  worker.onmessage = ({ data }): void => hear(data);
  worker.onmessageerror = (): void => gone('it was sent something that this host cannot send');
  worker.onerror = (event): void => {
    event.preventDefault();
    gone(
      event.message ||
        'its script could not be loaded; a content security policy has to allow worker-src blob:, or pass workerUrl',
    );
  };
  return {
    post: (message) => worker.postMessage(message),
    hold() {},
    async stop() {
      worker.terminate();
    },
  };
}
