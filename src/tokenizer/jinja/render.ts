/**
 * Statements → text.
 * @module
 */
import type { Budget } from './budget.ts';
import { Evaluator } from './evaluate.ts';
import { setField } from './globals.ts';
import { Loop } from './loop.ts';
import type { Block, Body, Expression, For, Frame, Macro, Program, SetBlock, Statement, Target } from './nodes.ts';
import { str } from './print.ts';
import { Context, Scope } from './scope.ts';
import { iterate } from './sequences.ts';
import {
  Callable,
  Dict,
  fail,
  isText,
  type Named,
  Namespace,
  present,
  type Thing,
  truth,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.ts';

/** How statements end: as usual, or by leaving the round or the loop around them. */
type End = 'break' | 'continue' | undefined;

const NO_NAMES: Frame = new Map();
/** A round of a loop makes a scope; an evaluation is 1. */
const ROUND_STEPS = 6;

/** Text that is written part by part. */
class Output {
  readonly #budget: Budget;
  readonly #parts: string[] = [];
  #chars = 0;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  add(text: string): void {
    this.#chars += text.length;
    this.#budget.chars(text.length);
    this.#budget.fits(this.#chars);
    this.#parts.push(text);
  }

  get text(): string {
    return this.#parts.join('');
  }
}

/** Renders a program once. */
export class Renderer extends Evaluator {
  /** The line that runs, for messages. */
  line = 1;

  render(program: Program, given: ReadonlyMap<string, Value>): string {
    const context = new Context(given);
    const scope = new Scope(program.frame, context, undefined, true);
    const self: Thing = {
      shown: '<TemplateReference None>',
      attribute: (name) => {
        const block = program.blocks.get(name);
        return block && new Callable(name, () => this.#captured((out) => this.#block(block, context, out)));
      },
    };
    if (program.frame.get('self') === 'parameter') scope.set('self', self);
    return this.#captured((out) => this.#run(program.body, scope, out));
  }

  /** The text that `write` makes. */
  #captured(write: (out: Output) => void): string {
    const out = new Output(this.budget);
    write(out);
    return out.text;
  }

  #run(body: readonly Statement[], scope: Scope, out: Output): End {
    for (const statement of body) {
      this.budget.enter();
      this.line = statement.line;
      const end = this.#statement(statement, scope, out);
      this.budget.leave();
      if (end !== undefined) return end;
    }
    return undefined;
  }

  #statement(node: Statement, scope: Scope, out: Output): End {
    switch (node.kind) {
      case 'output':
        for (const part of node.parts) {
          out.add(part.kind === 'data' ? part.text : str(this.evaluate(part, scope), this.budget));
        }
        return undefined;
      case 'set':
        this.#checkTarget(node.target, scope);
        this.#assign(node.target, this.evaluate(node.value, scope), scope);
        return undefined;
      case 'setblock':
        return this.#setBlock(node, scope);
      case 'if': {
        for (const { test, body } of node.branches) {
          if (truth(this.evaluate(test, scope))) return this.#run(body, scope, out);
        }
        return this.#run(node.otherwise, scope, out);
      }
      case 'for':
        if (node.recursive) {
          out.add(str(this.#recursive(node, scope, this.evaluate(node.over, scope), 0), this.budget));
          return undefined;
        }
        return this.#for(node, scope, this.evaluate(node.over, scope), out);
      case 'macro':
        scope.set(node.name, this.#macro(node, node.name, scope));
        return undefined;
      case 'callblock':
        out.add(written(this.call(node.call, scope, this.#macro(node, 'anonymous', scope))));
        return undefined;
      case 'filterblock': {
        const inner = this.#enter(node.frame, scope);
        const captured = new Output(this.budget);
        const end = this.#run(node.body, inner, captured);
        if (end === undefined) out.add(written(this.#filters(node.filter, captured.text, inner)));
        return end;
      }
      case 'with': {
        const values = node.values.map((value) => this.evaluate(value, scope));
        const inner = this.#enter(node.frame, scope);
        node.targets.forEach((target, i) => this.#assign(target, values[i], inner));
        return this.#run(node.body, inner, out);
      }
      case 'scope': {
        const inner = this.#enter(node.frame, scope);
        if (node.autoescape && truth(this.evaluate(node.autoescape, inner))) {
          fail('autoescape is not supported; chats are not HTML');
        }
        return this.#run(node.body, inner, out);
      }
      case 'block':
        if (node.required) fail(`Required block '${node.name}' not found`);
        this.#block(node, node.scoped ? derived(scope) : scope.context, out);
        return undefined;
      case 'break':
      case 'continue':
        return node.kind;
      case 'foreign':
        return fail(`${node.tag} needs other templates, and there are none`);
    }
  }

  #enter(frame: Frame | undefined, scope: Scope): Scope {
    return new Scope(frame ?? NO_NAMES, scope.context, scope);
  }

  #block(block: Block, context: Context, out: Output): void {
    const scope = new Scope(block.frame ?? NO_NAMES, context);
    this.#run(block.body, scope, out);
  }

  #setBlock(node: SetBlock, scope: Scope): End {
    const inner = this.#enter(node.frame, scope);
    const captured = new Output(this.budget);
    const end = this.#run(node.body, inner, captured);
    if (end !== undefined) return end;
    this.#checkTarget(node.target, scope);
    this.#assign(node.target, node.filter ? this.#filters(node.filter, captured.text, inner) : captured.text, scope);
    return undefined;
  }

  /** Filters over a text: the innermost gets it. */
  #filters(node: Expression, text: string, scope: Scope): Value {
    if (node.kind !== 'filter') return text;
    return this.filter(node, node.of ? this.#filters(node.of, text, scope) : text, scope);
  }

  /** Fields are set on namespaces only. */
  #checkTarget(target: Target, scope: Scope): void {
    if (target.kind === 'tuple') target.items.forEach((item) => this.#checkTarget(item as Target, scope));
    if (target.kind === 'reference' && !(scope.get(target.name) instanceof Namespace)) {
      fail('cannot assign attribute on non-namespace object');
    }
  }

  #assign(target: Target, value: Value, scope: Scope): void {
    if (target.kind === 'name') return scope.set(target.name, value);
    if (target.kind === 'reference') return setField(scope.get(target.name) as Namespace, target.attr, value);
    const values: Value[] = [];
    for (const item of iterate(value, this.budget)) {
      values.push(item);
      if (values.length > target.items.length) fail(`too many values to unpack (expected ${target.items.length})`);
    }
    if (values.length < target.items.length) {
      fail(`not enough values to unpack (expected ${target.items.length}, got ${values.length})`);
    }
    target.items.forEach((item, i) => this.#assign(item as Target, values[i], scope));
  }

  #recursive(node: For, scope: Scope, over: Value, depth: number): Value {
    this.budget.enter();
    const text = this.#captured((out) => this.#for(node, scope, over, out, depth));
    this.budget.leave();
    return text;
  }

  #for(node: For, scope: Scope, over: Value, out: Output, depth: number = 0): End {
    const again = node.recursive
      ? (inner: Value, deeper: number) => this.#recursive(node, scope, inner, deeper)
      : undefined;
    const items = iterate(over, this.budget);
    const loop = node.test
      ? new Loop(undefined, this.#passing(node, scope, items), this.budget, again, depth)
      : new Loop(over, items, this.budget, again, depth);
    let rounds = 0;
    for (let item = loop.next(); item !== undefined; item = loop.next()) {
      rounds++;
      this.budget.spend(ROUND_STEPS);
      const inner = this.#enter(node.frame, scope);
      inner.set('loop', loop);
      this.#assign(node.target, item, inner);
      if (this.#run(node.body, inner, out) === 'break') return undefined;
    }
    return rounds === 0 ? this.#run(node.otherwise, this.#enter(node.elseFrame, scope), out) : undefined;
  }

  *#passing(node: For, scope: Scope, items: Iterable<Value>): Generator<Value, void> {
    for (const item of items) {
      const inner = this.#enter(node.testFrame, scope);
      this.#assign(node.target, item, inner);
      if (truth(this.evaluate(node.test as Expression, inner))) yield item;
    }
  }

  #macro(
    node: Body & { readonly line: number; readonly kind: Macro['kind'] | 'callblock' },
    name: string,
    scope: Scope,
  ): Thing {
    const parameters = node.parameters.map((parameter) => parameter.name);
    const special = node.special ?? new Set<string>();
    const attributes: Readonly<Record<string, () => Value>> = {
      name: () => node.kind === 'macro' ? name : null,
      arguments: () => new Tuple(parameters),
      catch_kwargs: () => special.has('kwargs'),
      catch_varargs: () => special.has('varargs'),
      caller: () => special.has('caller') || special.has('explicit caller'),
      explicit_caller: () => parameters.includes('caller'),
    };
    return {
      shown: node.kind === 'macro' ? `<Macro '${name}'>` : '<Macro anonymous>',
      attribute: (wanted) => Object.hasOwn(attributes, wanted) ? attributes[wanted]() : undefined,
      call: (args, named) => this.#invoke(node, name, parameters, special, scope, args, named),
    };
  }

  #invoke(
    node: Body,
    name: string,
    parameters: readonly string[],
    special: ReadonlySet<string>,
    around: Scope,
    args: readonly Value[],
    named: Named,
  ): string {
    this.budget.enter();
    const left = new Map(named);
    const inner = this.#enter(node.frame, around);
    const values: (Value | undefined)[] = parameters.map((parameter, i) => {
      if (i < args.length) return args[i];
      const value = left.get(parameter);
      left.delete(parameter);
      return value;
    });
    if (special.has('caller')) {
      inner.set('caller', present(left.get('caller'), () => new Undefined('No caller defined')));
      left.delete('caller');
    }
    if (special.has('kwargs')) {
      const rest = new Dict();
      for (const [key, value] of left) rest.set(key, value);
      inner.set('kwargs', rest);
    } else if (left.size > 0) {
      const [first] = left.keys();
      fail(`macro '${name}' takes no keyword argument '${first}'`);
    }
    if (special.has('varargs')) inner.set('varargs', new Tuple(args.slice(parameters.length)));
    else if (args.length > parameters.length) {
      fail(`macro '${name}' takes not more than ${parameters.length} argument(s)`);
    }
    values.forEach((value, i) => value !== undefined && inner.set(parameters[i], value));
    const { line } = this;
    parameters.forEach((parameter, i) => {
      if (values[i] !== undefined) return;
      const usual = node.defaults[i - parameters.length + node.defaults.length];
      inner.set(
        parameter,
        usual ? this.evaluate(usual, inner) : new Undefined(`parameter '${parameter}' was not provided`),
      );
    });
    const text = this.#captured((out) => this.#run(node.body, inner, out));
    this.line = line;
    this.budget.leave();
    return text;
  }
}

/** What call and filter blocks give is written as it is, and has to be text. */
function written(value: Value): string {
  if (!isText(value)) return fail(`a block gives a value of type '${typeName(value)}', and must give text`);
  return typeof value === 'string' ? value : value.text;
}

/** A context with everything that a scoped block may see. */
function derived(scope: Scope): Context {
  const context = new Context(scope.context.given);
  for (const [name, value] of scope.visible()) context.set.set(name, value);
  return context;
}
