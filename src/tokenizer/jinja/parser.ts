/**
 * Tokens → expressions, by the grammar of jinja2: what binds how, where parentheses may be left out, which words end an expression.
 * @module
 */
import { TemplateError } from '../../errors.ts';
import { MAX_TEMPLATE_DEPTH } from '../../limits.ts';
import type { Token, TokenKind } from './lexer.ts';
import type { Arguments, Call, Expression, Filter, Name, Target } from './nodes.ts';
import type { Operator } from './numbers.ts';
import { fail } from './values.ts';

const COMPARISONS = ['==', '!=', '<', '<=', '>', '>='];
const NONE: Arguments = { args: [], named: [] };

/** Reads expressions; `TemplateParser` reads the tags around them. */
export class ExpressionParser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  protected get token(): Token {
    return this.#tokens[this.#at];
  }

  protected get following(): Token {
    return this.#tokens[Math.min(this.#at + 1, this.#tokens.length - 1)];
  }

  protected next(): Token {
    const { token } = this;
    if (token.kind !== 'eof') this.#at++;
    return token;
  }

  protected is(kind: TokenKind, ...values: readonly string[]): boolean {
    return this.token.kind === kind && (values.length === 0 || values.includes(this.token.value));
  }

  protected word(...words: readonly string[]): boolean {
    return this.is('name', ...words);
  }

  protected operator(...operators: readonly string[]): boolean {
    return this.is('operator', ...operators);
  }

  protected skip(kind: TokenKind, value: string): boolean {
    if (!this.is(kind, value)) return false;
    this.next();
    return true;
  }

  protected expect(kind: TokenKind, value?: string): Token {
    if (value === undefined ? this.is(kind) : this.is(kind, value)) return this.next();
    return this.refuse(`expected ${value ?? kind}, got ${this.token.value || this.token.kind}`);
  }

  protected refuse(message: string, line: number = this.token.line): never {
    return fail(`line ${line}: ${message}`);
  }

  /** Reads one level deeper, so that no template makes the parser call itself without end. */
  protected deeper<T>(read: () => T): T {
    if (++this.#depth > MAX_TEMPLATE_DEPTH) {
      throw new TemplateError('TEMPLATE_DEPTH', `the template nests more than ${MAX_TEMPLATE_DEPTH} levels deep`);
    }
    const result = read();
    this.#depth--;
    return result;
  }

  protected expression(conditional: boolean = true): Expression {
    return this.deeper(() => conditional ? this.#choice() : this.#or());
  }

  /** Expressions with commas between, which make a tuple; one alone is itself. */
  protected tuple(
    { conditional = true, ends = [], parentheses = false, read = () => this.expression(conditional) }: {
      conditional?: boolean;
      ends?: readonly string[];
      parentheses?: boolean;
      read?: () => Expression;
    } = {},
  ): Expression {
    const items: Expression[] = [];
    let commas = false;
    for (;;) {
      if (items.length > 0) this.expect('operator', ',');
      if (
        this.is('variable_end') || this.is('block_end') || this.operator(')') || (ends.length > 0 && this.word(...ends))
      ) break;
      items.push(read());
      if (!this.operator(',')) break;
      commas = true;
    }
    if (commas) return { kind: 'tuple', items };
    if (items.length > 0) return items[0];
    if (!parentheses) this.refuse(`expected an expression, got ${this.token.value || this.token.kind}`);
    return { kind: 'tuple', items };
  }

  /** What `set`, `for` and `with` assign to. @param namespaces whether `ns.x` is allowed */
  protected target(namespaces: boolean, ends: readonly string[] = []): Target {
    const { line } = this.token;
    const read = (): Expression => this.#primary(namespaces);
    return this.#assignable(this.tuple({ ends, read }), line);
  }

  #assignable(node: Expression, line: number): Target {
    if (node.kind === 'tuple') return { kind: 'tuple', items: node.items.map((item) => this.#assignable(item, line)) };
    if (node.kind === 'reference') return node;
    if (node.kind !== 'name') return this.refuse(`can't assign to ${node.kind}`, line);
    node.use = 'store';
    return node;
  }

  /** A single name that is assigned. */
  protected nameTarget(use: Name['use'] = 'store'): Name {
    const { value } = this.expect('name');
    if (['true', 'false', 'none', 'True', 'False', 'None'].includes(value)) this.refuse(`can't assign to ${value}`);
    return { kind: 'name', name: value, use };
  }

  #choice(): Expression {
    let yes = this.#or();
    while (this.skip('name', 'if')) {
      const test = this.#or();
      const no = this.skip('name', 'else') ? this.deeper(() => this.#choice()) : undefined;
      yes = { kind: 'choice', test, yes, no };
    }
    return yes;
  }

  #or(): Expression {
    let left = this.#and();
    while (this.skip('name', 'or')) left = { kind: 'or', left, right: this.#and() };
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    while (this.skip('name', 'and')) left = { kind: 'and', left, right: this.#not() };
    return left;
  }

  #not(): Expression {
    if (!this.skip('name', 'not')) return this.#compare();
    return { kind: 'not', of: this.deeper(() => this.#not()) };
  }

  #compare(): Expression {
    const first = this.#sum();
    const rest: { operator: string; value: Expression }[] = [];
    for (;;) {
      if (this.operator(...COMPARISONS)) rest.push({ operator: this.next().value, value: this.#sum() });
      else if (this.skip('name', 'in')) rest.push({ operator: 'in', value: this.#sum() });
      else if (this.word('not') && this.following.kind === 'name' && this.following.value === 'in') {
        this.next();
        this.next();
        rest.push({ operator: 'not in', value: this.#sum() });
      } else break;
    }
    return rest.length === 0 ? first : { kind: 'compare', first, rest };
  }

  #binary(operators: readonly string[], read: () => Expression): Expression {
    let left = read();
    while (this.operator(...operators)) {
      left = { kind: 'binary', operator: this.next().value as Operator, left, right: read() };
    }
    return left;
  }

  #sum(): Expression {
    return this.#binary(['+', '-'], () => this.#concat());
  }

  #concat(): Expression {
    const parts = [this.#product()];
    while (this.skip('operator', '~')) parts.push(this.#product());
    return parts.length === 1 ? parts[0] : { kind: 'concat', parts };
  }

  #product(): Expression {
    return this.#binary(['*', '/', '//', '%'], () => this.#binary(['**'], () => this.#unary(true)));
  }

  #unary(filters: boolean): Expression {
    let node: Expression;
    if (this.operator('-', '+')) {
      const operator = this.next().value as '+' | '-';
      node = { kind: 'sign', operator, of: this.deeper(() => this.#unary(false)) };
    } else node = this.#primary(false);
    node = this.#postfix(node);
    return filters ? this.#filtered(node) : node;
  }

  #primary(namespaces: boolean): Expression {
    const token = this.token;
    if (token.kind === 'name') {
      this.next();
      if (['true', 'True', 'false', 'False'].includes(token.value)) {
        return { kind: 'constant', value: token.value === 'true' || token.value === 'True' };
      }
      if (token.value === 'none' || token.value === 'None') return { kind: 'constant', value: null };
      if (namespaces && this.skip('operator', '.')) {
        return { kind: 'reference', name: token.value, attr: this.expect('name').value };
      }
      return { kind: 'name', name: token.value, use: 'load' };
    }
    if (token.kind === 'string') {
      const parts: string[] = [];
      while (this.is('string')) parts.push(this.next().value);
      return { kind: 'constant', value: parts.join('') };
    }
    if (token.kind === 'integer') return { kind: 'constant', value: BigInt(this.next().value.replaceAll('_', '')) };
    if (token.kind === 'float') return { kind: 'constant', value: Number(this.next().value.replaceAll('_', '')) };
    if (this.skip('operator', '(')) {
      const node = this.tuple({ parentheses: true });
      this.expect('operator', ')');
      return node;
    }
    if (this.skip('operator', '[')) return { kind: 'list', items: this.#items(']', () => this.expression()) };
    if (this.skip('operator', '{')) {
      const pairs = this.#items('}', () => {
        const key = this.expression();
        this.expect('operator', ':');
        return { key, value: this.expression() };
      });
      return { kind: 'dict', pairs };
    }
    return this.refuse(`unexpected ${token.value || token.kind}`);
  }

  #items<T>(end: string, read: () => T): T[] {
    const items: T[] = [];
    while (!this.operator(end)) {
      if (items.length > 0) this.expect('operator', ',');
      if (this.operator(end)) break;
      items.push(read());
    }
    this.expect('operator', end);
    return items;
  }

  #postfix(start: Expression): Expression {
    let node = start;
    for (;;) {
      if (this.skip('operator', '.')) {
        const token = this.next();
        if (token.kind === 'name') node = { kind: 'attribute', of: node, name: token.value };
        else if (token.kind === 'integer') {
          node = { kind: 'item', of: node, key: { kind: 'constant', value: BigInt(token.value.replaceAll('_', '')) } };
        } else this.refuse('expected a name or number after the point', token.line);
      } else if (this.skip('operator', '[')) node = this.#subscript(node);
      else if (this.operator('(')) node = { kind: 'call', of: node, with: this.arguments() };
      else return node;
    }
  }

  #subscript(of: Expression): Expression {
    const bounds: (Expression | null)[] = [];
    const keys: Expression[] = [];
    while (!this.operator(']')) {
      if (keys.length > 0) this.expect('operator', ',');
      if (!this.operator(':')) keys.push(this.expression());
      if (!this.operator(':')) continue;
      if (keys.length > 1) this.refuse('slices of several dimensions are not supported');
      bounds.push(keys.pop() ?? null);
      while (this.skip('operator', ':')) {
        bounds.push(this.operator(':', ']', ',') ? null : this.expression());
        if (bounds.length > 3) this.refuse('a slice has at most three parts');
      }
      if (!this.operator(']')) this.refuse('slices of several dimensions are not supported');
    }
    this.expect('operator', ']');
    if (bounds.length > 0) return { kind: 'slice', of, bounds };
    return { kind: 'item', of, key: keys.length === 1 ? keys[0] : { kind: 'tuple', items: keys } };
  }

  #filtered(start: Expression): Expression {
    let node = start;
    for (;;) {
      if (this.operator('|')) node = this.filters(node) as Filter;
      else if (this.word('is')) node = this.#test(node);
      else if (this.operator('(')) node = { kind: 'call', of: node, with: this.arguments() };
      else return node;
    }
  }

  /** `|a|b(…)`. @param first whether the first filter comes without `|`, as in filter blocks */
  protected filters(of: Expression | undefined, first: boolean = false): Filter | undefined {
    let node = of;
    for (let bare = first; bare || this.operator('|'); bare = false) {
      if (!bare) this.next();
      const { line } = this.token;
      const name = this.#dotted();
      node = { kind: 'filter', of: node, name, with: this.operator('(') ? this.arguments() : NONE, line };
    }
    return node as Filter | undefined;
  }

  #dotted(): string {
    let name = this.expect('name').value;
    while (this.skip('operator', '.')) name += `.${this.expect('name').value}`;
    return name;
  }

  #test(of: Expression): Expression {
    const { line } = this.next();
    const negated = this.skip('name', 'not');
    const name = this.#dotted();
    let given = NONE;
    if (this.operator('(')) given = this.arguments();
    else if (
      this.is('name') || this.is('string') || this.is('integer') || this.is('float') || this.operator('[', '{')
    ) {
      if (this.word('is')) this.refuse('You cannot chain multiple tests with is');
      if (!this.word('else', 'or', 'and')) {
        given = { args: [this.#postfix(this.deeper(() => this.#primary(false)))], named: [] };
      }
    }
    const test: Expression = { kind: 'test', of, name, with: given, line };
    return negated ? { kind: 'not', of: test } : test;
  }

  protected arguments(): Arguments {
    const { line } = this.expect('operator', '(');
    const args: Expression[] = [];
    const named: { name: string; value: Expression }[] = [];
    let rest: Expression | undefined;
    let restNamed: Expression | undefined;
    const ensure = (valid: boolean): void => {
      if (!valid) this.refuse('invalid syntax for function call expression', line);
    };
    for (let comma = false; !this.operator(')'); comma = true) {
      if (comma) {
        this.expect('operator', ',');
        if (this.operator(')')) break;
      }
      if (this.skip('operator', '*')) {
        ensure(rest === undefined && restNamed === undefined);
        rest = this.expression();
      } else if (this.skip('operator', '**')) {
        ensure(restNamed === undefined);
        restNamed = this.expression();
      } else if (this.is('name') && this.following.kind === 'operator' && this.following.value === '=') {
        ensure(restNamed === undefined);
        const name = this.next().value;
        this.next();
        if (named.some((one) => one.name === name)) this.refuse(`keyword argument repeated: ${name}`, line);
        named.push({ name, value: this.expression() });
      } else {
        ensure(rest === undefined && restNamed === undefined && named.length === 0);
        args.push(this.expression());
      }
    }
    this.expect('operator', ')');
    return { args, named, rest, restNamed };
  }

  protected call(): Call {
    const { line } = this.token;
    const node = this.expression();
    return node.kind === 'call' ? node : this.refuse('expected call', line);
  }
}
