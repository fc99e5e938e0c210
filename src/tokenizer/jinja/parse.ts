/**
 * A template → its syntax tree: the tags of jinja2, those that transformers adds (`break`, `continue`, `generation`), and no others.
 * @module
 */
import { tokenize } from './lexer.ts';
import type { Block, Body, Expression, If, Name, Program, Statement, Target } from './nodes.ts';
import { ExpressionParser } from './parser.ts';
import { analyse } from './scopes.ts';

/** Tags that name other templates. */
const FOREIGN: readonly string[] = ['extends', 'include', 'import', 'from'];

/** @throws {TemplateFailure} for a syntax error, with its line @throws {TemplateError} `TEMPLATE_DEPTH` */
export function parseTemplate(template: string): Program {
  return new TemplateParser(tokenize(template)).program();
}

class TemplateParser extends ExpressionParser {
  readonly #blocks: Map<string, Block> = new Map();
  /** Loops around the tag that is read, 0 within macros. */
  #loops = 0;

  program(): Program {
    const body = this.#statements();
    return { body, blocks: this.#blocks, frame: analyse(body, this.#blocks) };
  }

  /** Statements to one of `ends`, which is the current token then; without any, to the end of the template. */
  #statements(...ends: readonly string[]): Statement[] {
    const body: Statement[] = [];
    for (;;) {
      const { line } = this.token;
      if (this.is('data')) body.push({ kind: 'output', line, parts: [{ kind: 'data', text: this.next().value }] });
      else if (this.is('variable_begin')) {
        this.next();
        body.push({ kind: 'output', line, parts: [this.tuple()] });
        this.expect('variable_end');
      } else if (this.is('block_begin')) {
        this.next();
        if (ends.length > 0 && this.word(...ends)) return body;
        body.push(this.deeper(() => this.#statement()));
        this.expect('block_end');
      } else if (this.is('eof')) {
        if (ends.length > 0) this.refuse(`unexpected end of template; looking for ${ends.join(' or ')}`);
        return body;
      } else this.refuse(`unexpected ${this.token.value || this.token.kind}`);
    }
  }

  /** The body of a tag, to one of `ends`. */
  #body(...ends: readonly string[]): Statement[] {
    this.skip('operator', ':');
    this.expect('block_end');
    return this.#statements(...ends);
  }

  /** A body that nothing but `end` ends. */
  #whole(end: string): Statement[] {
    const body = this.#body(end);
    this.next();
    return body;
  }

  /** A body that runs on its own: it cannot leave a loop around it. */
  #separate(end: string): Statement[] {
    const loops = this.#loops;
    this.#loops = 0;
    const body = this.#whole(end);
    this.#loops = loops;
    return body;
  }

  #statement(): Statement {
    if (!this.is('name')) this.refuse('tag name expected');
    const { value: tag, line } = this.next();
    switch (tag) {
      case 'for':
        return this.#for(line);
      case 'if':
        return this.#if(line);
      case 'set':
        return this.#set(line);
      case 'macro': {
        const { name } = this.nameTarget();
        return { kind: 'macro', line, name, ...this.#signature(), body: this.#separate('endmacro') };
      }
      case 'call': {
        const signature = this.operator('(') ? this.#signature() : { parameters: [], defaults: [] };
        return { kind: 'callblock', line, call: this.call(), ...signature, body: this.#separate('endcall') };
      }
      case 'filter': {
        const filter = this.filters(undefined, true);
        if (filter === undefined) return this.refuse('a filter is expected');
        return { kind: 'filterblock', line, filter, body: this.#whole('endfilter') };
      }
      case 'with':
        return this.#with(line);
      case 'generation':
        return { kind: 'scope', line, body: this.#separate('endgeneration') };
      case 'autoescape': {
        const autoescape = this.expression();
        return { kind: 'scope', line, autoescape, body: this.#whole('endautoescape') };
      }
      case 'print': {
        const parts: Expression[] = [];
        while (!this.is('block_end')) {
          if (parts.length > 0) this.expect('operator', ',');
          parts.push(this.expression());
        }
        return { kind: 'output', line, parts };
      }
      case 'block':
        return this.#block(line);
      case 'break':
      case 'continue':
        if (this.#loops === 0) this.refuse(`${tag} outside of a loop`, line);
        return { kind: tag, line };
      default:
        if (FOREIGN.includes(tag)) return this.#foreign(tag, line);
        return this.refuse(`unknown tag ${tag}`, line);
    }
  }

  #for(line: number): Statement {
    const target = this.target(false, ['in']);
    this.expect('name', 'in');
    const over = this.tuple({ conditional: false, ends: ['recursive'] });
    const test = this.skip('name', 'if') ? this.expression() : undefined;
    const recursive = this.skip('name', 'recursive');
    this.#loops++;
    const body = this.#body('endfor', 'else');
    this.#loops--;
    const otherwise = this.next().value === 'else' ? this.#whole('endfor') : [];
    return { kind: 'for', line, target, over, body, otherwise, test, recursive };
  }

  #if(line: number): If {
    const branches: { test: Expression; body: Statement[] }[] = [];
    let otherwise: Statement[] = [];
    for (let end = 'elif'; end === 'elif';) {
      const test = this.tuple({ conditional: false });
      branches.push({ test, body: this.#body('elif', 'else', 'endif') });
      end = this.next().value;
      if (end === 'else') otherwise = this.#whole('endif');
    }
    return { kind: 'if', line, branches, otherwise };
  }

  #set(line: number): Statement {
    const target = this.target(true);
    if (this.skip('operator', '=')) return { kind: 'set', line, value: this.tuple(), target };
    return { kind: 'setblock', line, target, filter: this.filters(undefined), body: this.#whole('endset') };
  }

  #with(line: number): Statement {
    const targets: Target[] = [];
    const values: Expression[] = [];
    while (!this.is('block_end')) {
      if (targets.length > 0) this.expect('operator', ',');
      const target = this.target(false);
      const asParameter = (node: Expression): void => {
        if (node.kind === 'name') node.use = 'parameter';
        if (node.kind === 'tuple') node.items.forEach(asParameter);
      };
      asParameter(target);
      targets.push(target);
      this.expect('operator', '=');
      values.push(this.expression());
    }
    return { kind: 'with', line, values, targets, body: this.#whole('endwith') };
  }

  #block(line: number): Statement {
    const name = this.expect('name').value;
    const scoped = this.skip('name', 'scoped');
    const required = this.skip('name', 'required');
    const body = this.#separate('endblock');
    this.skip('name', name);
    if (this.#blocks.has(name)) this.refuse(`block ${name} defined twice`, line);
    const block: Block = { kind: 'block', line, name, scoped, required, body };
    this.#blocks.set(name, block);
    return block;
  }

  #signature(): Pick<Body, 'parameters' | 'defaults'> {
    const parameters: Name[] = [];
    const defaults: Expression[] = [];
    this.expect('operator', '(');
    while (!this.operator(')')) {
      if (parameters.length > 0) this.expect('operator', ',');
      parameters.push(this.nameTarget('parameter'));
      if (this.skip('operator', '=')) defaults.push(this.expression());
      else if (defaults.length > 0) this.refuse('non-default argument follows default argument');
    }
    this.expect('operator', ')');
    return { parameters, defaults };
  }

  /** Tags that name other templates are read, so that one which never runs does no harm. */
  #foreign(tag: string, line: number): Statement {
    const stores: Name[] = [];
    this.expression();
    if (tag === 'import') {
      this.expect('name', 'as');
      stores.push(this.nameTarget());
    }
    while (tag === 'from' && !this.is('block_end') && !this.is('eof')) {
      const { value, kind } = this.next();
      if (kind === 'name' && value !== 'import' && value !== 'as') {
        if (this.skip('name', 'as')) stores.push(this.nameTarget());
        else stores.push({ kind: 'name', name: value, use: 'store' });
      }
    }
    while (!this.is('block_end') && !this.is('eof')) this.next();
    return { kind: 'foreign', line, tag, stores };
  }
}
