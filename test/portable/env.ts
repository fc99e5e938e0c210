/**
 * What a runtime gives to the portable checks. A driver fills this in; the checks know nothing else of where they run.
 * @module
 */

import type { Build, Model, ModelSource, OpenOptions } from '../../src/entries/index.ts';

/** How a model is opened: one of the ways that must all give the same. */
export interface Way extends OpenOptions {
  readonly build: Build;
  readonly threads: number;
}

export interface Env {
  /** Name for logs: `chromium worker`, `workerd`, `deno`. */
  runtime: string;
  /** Opens a model with the shipped bundle of this runtime. */
  open(source: ModelSource, way: Way): Promise<Model>;
  /** A file of the conformance material; null where it is not there. */
  fixture(path: string): Promise<Uint8Array | null>;
  /** The model of the package, as this runtime gets at it. */
  defaultModel: ModelSource;
  /** The builds this runtime can run. */
  builds: readonly Build[];
  /** The numbers of threads to try: [1] where memory cannot be shared. */
  threads: readonly number[];
  /** An emulated processor: how many times as long a check may take; it has one thread. Absent elsewhere. */
  emulated?: number;
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
