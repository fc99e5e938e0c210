/**
 * The budget of a chat template: what bounds the interpreter of `@huggingface/jinja`.
 *
 * Every evaluation costs a step, and more where the value is long or a loop runs over it. A value has a bounded length,
 * depth and printed size, so that no single built-in operation can multiply it beyond reason; the operations that could
 * (replace, split, join, indent, tojson) are called through guards or with constant arguments only.
 * @module
 */
import { TemplateError } from '../errors.ts';
import { MAX_TEMPLATE_DEPTH, MAX_TEMPLATE_LOOP, MAX_TEMPLATE_OUTPUT_CHARS, MAX_TEMPLATE_STEPS } from '../limits.ts';
import { type Environment, jinja, type NativeFunction, type Node, type Value } from './jinja.ts';

/** The fields of a node; the library does not export the classes of its syntax tree. */
type Fields = Record<string, unknown>;

/** An evaluation takes about half a microsecond, … */
const EVALUATION_STEPS = 4;
/** … a round of a loop, which makes a scope and a dozen variables, about fifteen. All steps together: some 0.1 s. */
const LOOP_STEPS = 128;
/** Characters, or items, that cost as much as a step. */
const UNITS_PER_STEP = 256;
/** Evaluations within evaluations; also ends recursion through macros. */
const MAX_NESTED = 400;
const SIGNAL_STEPS = 1024;
/** Names that mean the same throughout a template, whatever it sets. */
const CONSTANTS = ['true', 'false', 'none', 'True', 'False', 'None'];
const MAX_INDENT = 16;
const INDENT = 8;

/** Methods and filters that may multiply their operand, and the guards that stand for them in the tree. */
const GUARDED: ReadonlyMap<string, string> = new Map([
  ['replace', ' replace'],
  ['split', ' split'],
  ['join', ' join'],
]);
const METHODS = new Set([
  'upper',
  'lower',
  'strip',
  'lstrip',
  'rstrip',
  'title',
  'capitalize',
  'startswith',
  'endswith',
  'get',
  'items',
  'keys',
  'values',
  'dictsort',
]);

function budget(message: string): never {
  throw new TemplateError('TEMPLATE_BUDGET', `the chat template ${message}`);
}

/** Routes the operations that multiply through guards, and refuses what cannot be guarded. Changes the tree in place. */
export function checkProgram(program: Node): void {
  const open: unknown[] = [program];
  while (open.length > 0) {
    const node = open.pop();
    if (node instanceof Map) {
      for (const [key, value] of node) open.push(key, value);
      continue;
    }
    if (Array.isArray(node)) {
      for (const item of node) open.push(item);
      continue;
    }
    if (typeof node !== 'object' || node === null) continue;
    const fields = node as Fields;
    if (fields.type === 'FilterStatement') checkFilter(fields.filter as Fields, true);
    if (fields.type === 'FilterExpression') guardFilter(fields);
    if (fields.type === 'CallExpression') guardCall(fields);
    for (const child of Object.values(fields)) open.push(child);
  }
}

function guardCall(call: Fields): void {
  const callee = call.callee as Fields;
  if (callee.type !== 'MemberExpression') return;
  if (callee.computed === true) {
    throw new TemplateError('TEMPLATE', 'the chat template calls a member by a computed name');
  }
  const guard = GUARDED.get(String((callee.property as Fields).value));
  if (guard === undefined) return;
  call.args = [callee.object, ...(call.args as unknown[])];
  call.callee = { type: 'Identifier', value: guard };
}

function guardFilter(expression: Fields): void {
  const filter = expression.filter as Fields;
  const called = filter.type === 'CallExpression';
  const guard = called ? GUARDED.get(String((filter.callee as Fields).value)) : undefined;
  if (guard === undefined) {
    checkFilter(filter, false);
    return;
  }
  const { operand } = expression;
  delete expression.operand;
  delete expression.filter;
  Object.assign(expression, {
    type: 'CallExpression',
    callee: { type: 'Identifier', value: guard },
    args: [operand, ...(filter.args as unknown[])],
  });
}

function checkFilter(filter: Fields, statement: boolean): void {
  if (filter.type !== 'CallExpression') return;
  const name = String((filter.callee as Fields).value);
  if (statement && GUARDED.has(name)) {
    throw new TemplateError('TEMPLATE', `the chat template uses ${name} as a filter block, which is not supported`);
  }
  if (name !== 'indent' && name !== 'tojson') return;
  for (const argument of filter.args as Fields[]) {
    checkConstant(argument.type === 'KeywordArgumentExpression' ? (argument.value as Fields) : argument, name);
  }
}

/** Widths and separators are small constants in every published template. */
function checkConstant(argument: Fields, name: string): void {
  const { type, value } = argument;
  const small = (type === 'IntegerLiteral' && Number(value) <= (name === 'tojson' ? INDENT : MAX_INDENT)) ||
    (type === 'StringLiteral' && String(value).length <= INDENT) ||
    (type === 'Identifier' && CONSTANTS.includes(String(value)));
  if (small) return;
  const pair = (type === 'TupleLiteral' || type === 'ArrayLiteral') && (value as Fields[]).length <= 2;
  if (!pair) budget(`calls ${name} with an argument that is no small constant`);
  for (const item of value as Fields[]) checkConstant(item, name);
}

/** Printed size and printed lines of a value, with the widest indentation that is allowed. */
interface Weight {
  readonly chars: number;
  readonly lines: number;
  readonly depth: number;
}

const SCALAR: Weight = { chars: 1, lines: 0, depth: 0 };

/** An interpreter that counts. */
export interface BudgetInterpreter {
  /** Runs a checked program. */
  render(program: Node): string;
  /** Adds to the cost. @throws {TemplateError} `TEMPLATE_BUDGET` */
  charge(steps: number): void;
}

/** Opens an interpreter over an environment. */
export function openInterpreter(environment: Environment, signal?: AbortSignal): BudgetInterpreter {
  const constants = new Map(CONSTANTS.map((name) => [name, environment.variables.get(name)]));
  class Counting extends jinja.Interpreter implements BudgetInterpreter {
    readonly #weights: WeakMap<object, Weight> = new WeakMap();
    readonly #iterables: WeakSet<object> = new WeakSet();
    #steps = 0;
    #checked = 0;
    #nested = 0;

    render(program: Node): string {
      return String(this.run(program).value);
    }

    charge(steps: number): void {
      this.#steps += steps;
      if (this.#steps > MAX_TEMPLATE_STEPS) budget(`takes more than ${MAX_TEMPLATE_STEPS} steps`);
      if (this.#steps - this.#checked < SIGNAL_STEPS) return;
      this.#checked = this.#steps;
      signal?.throwIfAborted();
    }

    override evaluate(statement: Node | undefined, scope: Environment): Value {
      if (statement === undefined) return super.evaluate(statement, scope);
      this.charge(EVALUATION_STEPS);
      const fields = statement as unknown as Fields;
      if (statement.type === 'Identifier') return this.#weigh(this.#lookUp(String(fields.value), scope), statement);
      if (statement.type === 'For') {
        const iterable = fields.iterable as Fields;
        this.#iterables.add(iterable.type === 'SelectExpression' ? (iterable.lhs as object) : iterable);
      }
      this.#enter();
      // The library returns nothing at all for the first item of an empty list.
      const value = (super.evaluate(statement, scope) as Value | undefined) ?? super.evaluate(undefined, scope);
      this.#nested--;
      if (value.type === 'FunctionValue' && statement.type === 'MemberExpression') checkMethod(fields);
      return this.#weigh(value, statement);
    }

    #enter(): void {
      if (++this.#nested <= MAX_NESTED) return;
      throw new TemplateError(
        'TEMPLATE_DEPTH',
        `the chat template nests more than ${MAX_NESTED} evaluations deep; does a macro call itself?`,
      );
    }

    /** As the library does, but without an exception for each unknown name. */
    #lookUp(name: string, scope: Environment): Value {
      const constant = constants.get(name);
      if (constant !== undefined) return constant;
      for (let at: Environment | undefined = scope; at !== undefined; at = at.parent) {
        const value = at.variables.get(name);
        if (value !== undefined) return value;
      }
      return super.evaluate(undefined, scope);
    }

    /** Charges for a value's length, and refuses one that is too large. */
    #weigh(value: Value, node: Node): Value {
      const { chars, depth } = this.#weight(value);
      if (chars > MAX_TEMPLATE_OUTPUT_CHARS) {
        budget(`makes a value of ${chars} characters, at most ${MAX_TEMPLATE_OUTPUT_CHARS} are accepted`);
      }
      if (depth > MAX_TEMPLATE_DEPTH) {
        throw new TemplateError(
          'TEMPLATE_DEPTH',
          `the chat template nests values more than ${MAX_TEMPLATE_DEPTH} deep`,
        );
      }
      const { value: inner } = value;
      const length = typeof inner === 'string' || Array.isArray(inner)
        ? inner.length
        : inner instanceof Map
        ? inner.size
        : 0;
      if (typeof inner !== 'string' && length > MAX_TEMPLATE_LOOP) {
        budget(`makes a list of ${length} items, at most ${MAX_TEMPLATE_LOOP} are accepted`);
      }
      this.charge(this.#iterables.has(node) ? length * LOOP_STEPS : Math.floor(length / UNITS_PER_STEP));
      return value;
    }

    /** The size of a value as JSON. Only namespaces change once made, which is why they stay outside of other values. */
    #weight(value: Value): Weight {
      const { value: inner } = value;
      if (typeof inner === 'string') return { chars: inner.length, lines: 0, depth: 0 };
      if (typeof inner !== 'object' || inner === null || value.type === 'NamespaceValue') return SCALAR;
      const known = this.#weights.get(value);
      if (known !== undefined) return known;
      this.#enter();
      let [chars, lines, depth] = [4, 2, 0];
      const entries = inner instanceof Map ? inner : Array.isArray(inner) ? inner.entries() : [];
      for (const [key, item] of entries as Iterable<[unknown, Value]>) {
        if (item.type === 'NamespaceValue') {
          throw new TemplateError('TEMPLATE', 'the chat template puts a namespace into a list or object');
        }
        const weight = this.#weight(item);
        chars += 4 + (typeof key === 'string' ? key.length : 0) + weight.chars + INDENT * (weight.lines + 1);
        lines += 1 + weight.lines;
        depth = Math.max(depth, weight.depth);
      }
      this.#nested--;
      this.charge(Math.floor(lines / 16));
      const weight = { chars, lines, depth: depth + 1 };
      this.#weights.set(value, weight);
      return weight;
    }
  }
  return new Counting(environment);
}

function checkMethod(member: Fields): void {
  const name = String((member.property as Fields).value);
  if (member.computed === true || !METHODS.has(name)) {
    throw new TemplateError('TEMPLATE', 'the chat template takes a method without calling it by its name');
  }
}

/** Defines the guards, under names that no template can write. */
export function defineGuards(environment: Environment, interpreter: BudgetInterpreter): void {
  const define = (name: string, guard: NativeFunction): void => {
    (environment.set(name, () => null) as { value: unknown }).value = guard;
  };
  const text = (value: Value | undefined, what: string): string => {
    if (typeof value?.value !== 'string') {
      throw new TemplateError('TEMPLATE', `the chat template calls ${what} with a ${value?.type ?? 'missing value'}`);
    }
    return value.value;
  };
  const builtin = (operand: Value, name: string): NativeFunction => operand.builtins.get(name)?.value as NativeFunction;

  define(' replace', (args, scope) => {
    const [subject, from, to] = [text(args[0], 'replace'), text(args[1], 'replace'), text(args[2], 'replace')];
    const count = occurrences(subject, from);
    const size = subject.length + count * to.length;
    if (size > MAX_TEMPLATE_OUTPUT_CHARS) budget(`would make a text of ${size} characters by replace`);
    interpreter.charge(Math.floor((subject.length + size) / UNITS_PER_STEP) + Math.floor(count / 16));
    return builtin(args[0], 'replace')(args.slice(1), scope);
  });
  define(' split', (args, scope) => {
    const subject = text(args[0], 'split');
    const by = args[1]?.value;
    const parts = typeof by === 'string' && by !== '' ? occurrences(subject, by) : Math.ceil(subject.length / 2);
    if (parts > MAX_TEMPLATE_LOOP) {
      budget(`would split a text into ${parts} parts, at most ${MAX_TEMPLATE_LOOP} are accepted`);
    }
    interpreter.charge(parts);
    return builtin(args[0], 'split')(args.slice(1), scope);
  });
  define(' join', (args) => {
    const items = args[0]?.value;
    const separator = args[1] === undefined ? '' : text(args[1], 'join');
    const list = typeof items === 'string' ? Array.from(items) : Array.isArray(items) ? items.map(String) : null;
    if (list === null) throw new TemplateError('TEMPLATE', `the chat template calls join on a ${args[0]?.type}`);
    const size = list.reduce((sum, item) => sum + item.length + separator.length, 0);
    if (size > MAX_TEMPLATE_OUTPUT_CHARS) budget(`would make a text of ${size} characters by join`);
    interpreter.charge(Math.floor(size / UNITS_PER_STEP) + list.length);
    return new jinja.Environment().set('joined', list.join(separator));
  });
}

/** How often a text occurs in another, without overlap; the empty one between all characters. */
function occurrences(text: string, part: string): number {
  if (part === '') return text.length + 1;
  let count = 0;
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + part.length)) count++;
  return count;
}
