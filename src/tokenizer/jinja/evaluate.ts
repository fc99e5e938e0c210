/**
 * Expressions → values.
 * @module
 */
import type { Budget } from './budget.ts';
import { contains, equal, ordered } from './compare.ts';
import type { Host } from './filters.ts';
import type { Arguments, Call, Expression, Filter } from './nodes.ts';
import { binary, unary } from './numbers.ts';
import { str } from './print.ts';
import type { Scope } from './scope.ts';
import { iterate, slice } from './sequences.ts';
import { runTest } from './tests.ts';
import {
  Callable,
  Dict,
  fail,
  isText,
  isThing,
  type Named,
  present,
  truth,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.ts';

/** Evaluates the expressions of one rendering. */
export class Evaluator {
  protected readonly host: Host;
  protected readonly budget: Budget;

  constructor(host: Host) {
    this.host = host;
    this.budget = host.budget;
  }

  /** @throws {TemplateFailure} @throws {TemplateError} `TEMPLATE_BUDGET`, `TEMPLATE_DEPTH` */
  evaluate(node: Expression, scope: Scope): Value {
    this.budget.enter();
    const value = this.#value(node, scope);
    this.budget.leave();
    return value;
  }

  #value(node: Expression, scope: Scope): Value {
    const { budget } = this;
    const { access } = this.host;
    const of = (inner: Expression): Value => this.evaluate(inner, scope);
    switch (node.kind) {
      case 'data':
        return node.text;
      case 'constant':
        return node.value;
      case 'name':
        return present(scope.get(node.name), () => new Undefined(`'${node.name}' is undefined`));
      case 'list':
        budget.items(node.items.length);
        return node.items.map(of);
      case 'tuple':
        budget.items(node.items.length);
        return new Tuple(node.items.map(of));
      case 'dict': {
        budget.items(node.pairs.length);
        const dict = new Dict();
        for (const { key, value } of node.pairs) dict.set(of(key), of(value));
        return dict;
      }
      case 'attribute':
        return access.attribute(of(node.of), node.name);
      case 'item':
        return access.item(of(node.of), of(node.key));
      case 'slice': {
        const value = of(node.of);
        const [start = null, stop = null, step = null] = node.bounds.map((bound) => bound === null ? null : of(bound));
        return slice(value, start, stop, step, budget);
      }
      case 'call':
        return this.call(node, scope);
      case 'filter':
        return this.filter(node, of(node.of as Expression), scope);
      case 'test': {
        const value = of(node.of);
        const { args, named } = this.#arguments(node.with, scope);
        return runTest(node.name, value, args, named, budget);
      }
      case 'not':
        return !truth(of(node.of));
      case 'sign':
        return unary(node.operator, of(node.of));
      case 'binary':
        return binary(node.operator, of(node.left), of(node.right), budget);
      case 'and': {
        const left = of(node.left);
        return truth(left) ? of(node.right) : left;
      }
      case 'or': {
        const left = of(node.left);
        return truth(left) ? left : of(node.right);
      }
      case 'compare': {
        let left = of(node.first);
        for (const { operator, value } of node.rest) {
          const right = of(value);
          if (!this.#compare(operator, left, right)) return false;
          left = right;
        }
        return true;
      }
      case 'concat': {
        const parts = node.parts.map((part) => str(of(part), budget));
        budget.chars(parts.reduce((sum, part) => sum + part.length, 0));
        return parts.join('');
      }
      case 'choice':
        if (truth(of(node.test))) return of(node.yes);
        return node.no
          ? of(node.no)
          : new Undefined('the inline if-expression evaluated to false and no else section was defined.');
      case 'reference':
        return fail('a namespace field is not a value here');
    }
  }

  #compare(operator: string, left: Value, right: Value): boolean {
    switch (operator) {
      case '==':
        return equal(left, right, this.budget);
      case '!=':
        return !equal(left, right, this.budget);
      case 'in':
        return contains(right, left, this.budget);
      case 'not in':
        return !contains(right, left, this.budget);
      default:
        return ordered(operator as '<', left, right, this.budget);
    }
  }

  /** @param caller the body of a call block */
  protected call(node: Call, scope: Scope, caller?: Value): Value {
    const callee = this.evaluate(node.of, scope);
    const { args, named } = this.#arguments(node.with, scope);
    if (caller !== undefined && named.has('caller')) fail('got multiple values for the argument caller');
    return this.apply(callee, args, caller === undefined ? named : new Map([...named, ['caller', caller]]));
  }

  protected apply(callee: Value, args: readonly Value[], named: Named): Value {
    if (callee instanceof Undefined) return fail(callee.message);
    if (callee instanceof Callable) return callee.call(args, named);
    if (isThing(callee) && callee.call) return callee.call(args, named);
    return fail(`'${typeName(callee)}' object is not callable`);
  }

  protected filter(node: Filter, value: Value, scope: Scope): Value {
    const { args, named } = this.#arguments(node.with, scope);
    return this.host.filter(node.name, value, args, named);
  }

  #arguments(given: Arguments, scope: Scope): { args: Value[]; named: Named } {
    const args = given.args.map((arg) => this.evaluate(arg, scope));
    const named = new Map(given.named.map(({ name, value }): [string, Value] => [name, this.evaluate(value, scope)]));
    if (given.rest) {
      for (const item of iterate(this.evaluate(given.rest, scope), this.budget)) {
        this.budget.items(1);
        args.push(item);
      }
    }
    if (given.restNamed) {
      const more = this.evaluate(given.restNamed, scope);
      if (!(more instanceof Dict)) return fail('argument after ** must be a mapping');
      for (const [key, value] of more.entries()) {
        if (!isText(key)) return fail('keywords must be strings');
        const name = str(key, this.budget);
        if (named.has(name)) return fail(`got multiple values for keyword argument '${name}'`);
        named.set(name, value);
      }
    }
    return { args, named };
  }
}
