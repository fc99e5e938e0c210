/**
 * Variables at run time. What belongs to which scope is decided before (see `scopes.ts`); here a scope takes over values when it is
 * entered.
 * @module
 */
import type { Frame } from './nodes.ts';
import type { Value } from './values.ts';

/** What a template was given, and what it set at its top: blocks see nothing else. */
export class Context {
  readonly given: ReadonlyMap<string, Value>;
  readonly set: Map<string, Value> = new Map();

  constructor(given: ReadonlyMap<string, Value>) {
    this.given = given;
  }

  resolve(name: string): Value | undefined {
    return this.set.has(name) ? this.set.get(name) : this.given.get(name);
  }
}

/** A scope that has been entered. */
export class Scope {
  readonly context: Context;
  readonly parent?: Scope;
  readonly #top: boolean;
  readonly #values: Map<string, Value | undefined> = new Map();

  /** @param top whether this is the template's own */
  constructor(frame: Frame, context: Context, parent?: Scope, top: boolean = false) {
    this.context = context;
    this.parent = parent;
    this.#top = top;
    for (const [name, load] of frame) {
      const value = load === 'alias' ? parent?.get(name) : load === 'resolve' ? context.resolve(name) : undefined;
      this.#values.set(name, value);
    }
  }

  /** @returns undefined for a name that is not set */
  get(name: string): Value | undefined {
    if (this.#values.has(name)) return this.#values.get(name);
    return this.parent ? this.parent.get(name) : this.context.resolve(name);
  }

  /** Sets a name of this scope; at the top of a template blocks see it too. */
  set(name: string, value: Value): void {
    this.#values.set(name, value);
    if (this.#top) this.context.set.set(name, value);
  }

  /** All that is set here and around. */
  visible(): Map<string, Value> {
    const all = this.parent?.visible() ?? new Map<string, Value>(this.context.set);
    for (const [name, value] of this.#values) if (value !== undefined) all.set(name, value);
    return all;
  }
}
