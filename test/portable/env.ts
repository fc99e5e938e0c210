/**
 * What a runtime gives to the portable checks. A driver fills this in; the checks know nothing else of where they run.
 * @module
 */

/** Which build of the kernels a model runs on. */
export type Build = 'base' | 'relaxed';

/** The part of the public API that the checks use. */
export interface Model {
  generate(
    prompt: string,
    options?: { maxTokens?: number; temperature?: number; seed?: number; signal?: AbortSignal },
  ): AsyncIterable<{ readonly text: string }>;
  close(): Promise<void> | void;
}

export interface OpenOptions {
  build: Build;
  threads: number;
  signal?: AbortSignal;
}

export interface Env {
  /** Name for logs: `chromium worker`, `workerd`, `deno`. */
  runtime: string;
  /** Opens a model with the shipped bundle of this runtime. */
  open(source: Uint8Array | Blob, options: OpenOptions): Promise<Model>;
  /** A file of the conformance material; null where it is not there. */
  fixture(path: string): Promise<Uint8Array | null>;
  /** The builds this runtime can run. */
  builds: readonly Build[];
  /** The numbers of threads to try: [1] where memory cannot be shared. */
  threads: readonly number[];
  /** An absent fixture is a failure, not a skip. */
  strict: boolean;
  log(line: string): void;
}

/** Thrown by a check that cannot be carried out here; the message says why. */
export class Skip extends Error {}

export interface Check {
  /** States the behaviour. */
  name: string;
  run(env: Env, facts: Map<string, string>): Promise<void>;
}
