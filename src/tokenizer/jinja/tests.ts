/**
 * The tests of jinja2: what may follow `is`.
 * @module
 */
import type { Budget } from './budget.ts';
import { contains, equal, ordered } from './compare.ts';
import { binary } from './numbers.ts';
import { str } from './print.ts';
import { isIterable, sizeOf } from './sequences.ts';
import {
  bind,
  Callable,
  Dict,
  fail,
  isNumber,
  isText,
  isThing,
  Markup,
  type Named,
  Namespace,
  Undefined,
  type Value,
  View,
} from './values.ts';

type Test = (value: Value, other: Value, budget: Budget) => boolean;

const remainder = (value: Value, by: Value, budget: Budget): Value => binary('%', value, by, budget);
const same: Test = (value, other) =>
  value === other || (value instanceof Undefined && other instanceof Undefined && value === other);

const one = (test: (value: Value, budget: Budget) => boolean): readonly [readonly string[], Test] => [
  [],
  (value, _, budget) => test(value, budget),
];
const two = (test: Test): readonly [readonly string[], Test] => [['other'], test];

const EQUAL = two(equal);
const UNEQUAL = two((value, other, budget) => !equal(value, other, budget));
const LESS = two((value, other, budget) => ordered('<', value, other, budget));
const MOST = two((value, other, budget) => ordered('<=', value, other, budget));
const GREATER = two((value, other, budget) => ordered('>', value, other, budget));
const LEAST = two((value, other, budget) => ordered('>=', value, other, budget));

/** By name: further parameters, and the test. */
export const TESTS: ReadonlyMap<string, readonly [readonly string[], Test]> = new Map([
  ['odd', one((value, budget) => equal(remainder(value, 2n, budget), 1n, budget))],
  ['even', one((value, budget) => equal(remainder(value, 2n, budget), 0n, budget))],
  ['divisibleby', two((value, by, budget) => equal(remainder(value, by, budget), 0n, budget))],
  ['defined', one((value) => !(value instanceof Undefined))],
  ['undefined', one((value) => value instanceof Undefined)],
  ['none', one((value) => value === null)],
  ['boolean', one((value) => typeof value === 'boolean')],
  ['true', one((value) => value === true)],
  ['false', one((value) => value === false)],
  ['integer', one((value) => typeof value === 'bigint')],
  ['float', one((value) => typeof value === 'number')],
  ['number', one(isNumber)],
  ['string', one(isText)],
  ['mapping', one((value) => value instanceof Dict)],
  [
    'sequence',
    one((value) =>
      !(value instanceof View) && !(value instanceof Namespace) && sizeOf(value) !== undefined && !isThing(value)
    ),
  ],
  ['iterable', one((value) => isIterable(value) || (isThing(value) && value.size !== undefined))],
  [
    'callable',
    one((value) =>
      value instanceof Callable || value instanceof Undefined || (isThing(value) && value.call !== undefined)
    ),
  ],
  [
    'lower',
    one((value, budget) => /\p{Cased}/u.test(str(value, budget)) && !/[\p{Uppercase}\p{Lt}]/u.test(str(value, budget))),
  ],
  [
    'upper',
    one((value, budget) => /\p{Cased}/u.test(str(value, budget)) && !/[\p{Lowercase}\p{Lt}]/u.test(str(value, budget))),
  ],
  ['escaped', one((value) => value instanceof Markup)],
  ['sameas', two(same)],
  ['in', two((value, container, budget) => contains(container, value, budget))],
  ['filter', one((value) => isText(value) && FILTER_NAMES.has(typeof value === 'string' ? value : value.text))],
  ['test', one((value) => isText(value) && TESTS.has(typeof value === 'string' ? value : value.text))],
  ['==', EQUAL],
  ['eq', EQUAL],
  ['equalto', EQUAL],
  ['!=', UNEQUAL],
  ['ne', UNEQUAL],
  ['<', LESS],
  ['lt', LESS],
  ['lessthan', LESS],
  ['<=', MOST],
  ['le', MOST],
  ['>', GREATER],
  ['gt', GREATER],
  ['greaterthan', GREATER],
  ['>=', LEAST],
  ['ge', LEAST],
]);

/** The names of the filters, which the filters fill in: they use tests themselves. */
export const FILTER_NAMES: Set<string> = new Set();

/** @throws {TemplateFailure} for an unknown test, or arguments that do not fit */
export function runTest(name: string, value: Value, args: readonly Value[], named: Named, budget: Budget): boolean {
  budget.spend(1);
  const [parameters, test] = TESTS.get(name) ?? fail(`No test named '${name}'.`);
  const [other] = bind(name, parameters, args, named);
  return test(value, other as Value, budget);
}
