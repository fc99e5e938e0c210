/**
 * The models of a server by their names. A request can name these, and nothing else.
 * @module
 */
import { OptionError } from '../errors.ts';
import type { Model } from '../model/model.ts';
import { ApiError } from './errors.ts';
import { Served } from './served.ts';
import type { ModelLoad, ServedModels } from './types.ts';

/** Names that travel in paths and labels unchanged. */
const NAME = /^[\w][\w.:/-]{0,127}$/;

/** Seconds until a client may look again whether a model is there. */
const LOADING_SECONDS = 2;

export class Models {
  /** Null while a model is loading. */
  readonly #all = new Map<string, Served | null>();
  /** Settles when all are there. */
  readonly ready: Promise<void>;
  #failed = false;

  /** @throws {OptionError} for no model, or a name that is none */
  constructor(models: ServedModels, settings: { parallel?: number; queue: number; cacheBytes: number }) {
    const entries = Object.entries(models);
    if (entries.length === 0) throw new OptionError('OPTION', 'no model is given; name at least one');
    for (const [name] of entries) {
      if (NAME.test(name) && !name.split('/').includes('..')) continue;
      throw new OptionError(
        'OPTION',
        `a model is named ${JSON.stringify(name.slice(0, 60))}; names have letters, digits and . : / - _, at most 128`,
      );
    }
    const add = (name: string, model: Model): void => void this.#all.set(name, new Served(name, model, settings));
    const loading = entries.map(([name, model]) => {
      this.#all.set(name, null);
      if (!(model instanceof Promise)) return add(name, model);
      return model.then((loaded) => add(name, loaded));
    });
    this.ready = Promise.all(loading).then(() => {});
    this.ready.catch(() => this.#failed = true);
  }

  /** Whether all are there. */
  get loaded(): boolean {
    return [...this.#all.values()].every((served) => served !== null);
  }

  /** Whether one could not be loaded. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Those that are there. */
  list(): Served[] {
    return [...this.#all.values()].filter((served) => served !== null);
  }

  /** @throws {ApiError} 404 for a name that is none of these; 503 while the model is loading */
  find(name: string | undefined): Served {
    const wanted = name ?? [...this.#all.keys()][0];
    const served = this.#all.get(wanted);
    if (served) return served;
    if (served === null) {
      throw new ApiError(503, 'the model is loading', {
        type: 'unavailable_error',
        code: 'loading',
        retryAfter: LOADING_SECONDS,
      });
    }
    throw new ApiError(404, `there is no model of this name; /v1/models lists those that there are`, {
      param: 'model',
      code: 'model_not_found',
    });
  }

  load(): Record<string, ModelLoad & { readonly stateBytes: number }> {
    return Object.fromEntries(this.list().map((served) => [served.name, served.load()]));
  }
}
