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
  Worker: new (url: URL, options: object) => NodeWorker;
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

/** Starts thread.js: that at `url`, or the one in the folder above this file, in the sources as in the bundles. */
export function startThread(url?: string | URL): StartThread {
  const threads = nodeThreads();
  return (hear, gone) => {
    const script = url === undefined ? undefined : new URL(url, here);
    return threads
      ? nodeThread(new threads.Worker(script ?? new URL('../thread.js', here), { execArgv: [] }), hear, gone)
      : webThread(webWorker(script), hear, gone);
  };
}

const here = import.meta.url;

function webWorker(script: URL | undefined): Worker {
  const at = script ?? new URL('../thread.js', here);
  if (at.origin !== location.origin) {
    // a page may start no script of another origin, such as a CDN, but one of its own may import it
    const text = `import ${JSON.stringify(at)}`;
    return new Worker(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })), { type: 'module' });
  }
  return script
    ? new Worker(script, { type: 'module' })
    : new Worker(new URL('../thread.js', import.meta.url), { type: 'module' }); // written out, as bundlers know it
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
  worker.onmessageerror = (): void => gone('it was sent what this host cannot send');
  worker.onerror = (event): void => {
    event.preventDefault();
    gone(event.message || 'it could not be loaded');
  };
  return {
    post: (message) => worker.postMessage(message),
    hold() {},
    async stop() {
      worker.terminate();
    },
  };
}
