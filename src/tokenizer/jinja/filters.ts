/**
 * The filters of jinja2 by their names, and how one is called.
 * @module
 */
import type { Budget } from './budget.ts';
import type { Access } from './format.ts';
import { LIST_FILTERS } from './list-filters.ts';
import { TEXT_FILTERS } from './text-filters.ts';
import { FILTER_NAMES } from './tests.ts';
import { bind, fail, type Named, type Value } from './values.ts';

/** What a filter needs besides its arguments. */
export interface Host {
  readonly budget: Budget;
  readonly access: Access;
  /** Runs another filter. @throws {TemplateFailure} for an unknown one, or arguments that do not fit */
  filter(name: string, value: Value, args: readonly Value[], named: Named): Value;
}

/** A filter gets the value and its arguments in the order of the parameters; those with `?` may be missing. */
export type Filter = (given: (Value | undefined)[], host: Host) => Value;

/** A filter that looks at its arguments itself. */
export type FreeFilter = (value: Value, args: readonly Value[], named: Named, host: Host) => Value;

/** By name: parameters after the value and the filter, or a filter that takes what it gets. */
export type Filters = Readonly<Record<string, readonly [string, Filter] | FreeFilter>>;

/** All filters. */
export const FILTERS: ReadonlyMap<string, readonly [string, Filter] | FreeFilter> = new Map([
  ...Object.entries(TEXT_FILTERS),
  ...Object.entries(LIST_FILTERS),
]);
for (const name of FILTERS.keys()) FILTER_NAMES.add(name);

/** What filters get of a rendering. */
export function hostOf(budget: Budget, access: Access): Host {
  const host: Host = {
    budget,
    access,
    filter(name, value, args, named) {
      budget.spend(1);
      const filter = FILTERS.get(name) ?? fail(`No filter named '${name}'.`);
      if (typeof filter === 'function') return filter(value, args, named, host);
      const [parameters, run] = filter;
      return run(bind(name, ['value', ...parameters.split(' ').filter(Boolean)], [value, ...args], named), host);
    },
  };
  return host;
}
