/**
 * Which scope each name of a template belongs to. jinja2 decides that before it runs anything: a scope has the names that are set in
 * it, from where it begins to where it ends, and takes over their values from around it when it is entered.
 * @module
 */
import { TemplateError } from '../../errors.ts';
import { FILTERS } from './filters.ts';
import type { Block, Expression, Frame, Name, Node, Program, Statement } from './nodes.ts';
import { TESTS } from './tests.ts';
import { fail } from './values.ts';

/** Operators, members and calls in one expression, each of which nests the others. Published templates have under 100. */
const MAX_CHAIN = 1000;

/** Sets the frames of all scopes, and refuses filters and tests that do not exist. @returns the frame of the template */
export function analyse(body: readonly Statement[], blocks: Program['blocks']): Frame {
  for (const statement of body) check(statement, false, 0);
  const root = new Symbols();
  if (undeclared(body, ['self']).has('self')) root.declare('self');
  const frame = settle(root, body);
  for (const block of blocks.values()) settleBlock(block);
  return frame;
}

function settleBlock(block: Block): void {
  const symbols = new Symbols();
  for (const name of undeclared(block.body, ['self', 'super'])) symbols.declare(name);
  block.frame = settle(symbols, block.body);
}

/** Visits the statements of a scope and then those of the scopes within it. */
function settle(symbols: Symbols, body: readonly Statement[]): Frame {
  for (const statement of body) visit(statement, symbols);
  within(body, symbols);
  return symbols.loads;
}

function within(body: readonly Statement[], around: Symbols): void {
  const inner = (): Symbols => new Symbols(around);
  for (const node of body) {
    switch (node.kind) {
      case 'if':
        for (const branch of node.branches) within(branch.body, around);
        within(node.otherwise, around);
        break;
      case 'for': {
        if (stores(node, 'loop')) fail(`line ${node.line}: Can't assign to special loop variable in for-loop target`);
        const [loop, test] = [inner(), inner()];
        loop.declare('loop');
        for (const symbols of [loop, test]) targets(node.target, symbols);
        node.frame = settle(loop, node.body);
        if (node.test) visit(node.test, test);
        node.testFrame = test.loads;
        node.elseFrame = settle(inner(), node.otherwise);
        break;
      }
      case 'macro':
      case 'callblock': {
        const symbols = inner();
        for (const parameter of node.parameters) symbols.declare(parameter.name);
        for (const value of node.defaults) visit(value, symbols);
        const special = undeclared(node.body, ['caller', 'kwargs', 'varargs']);
        const own = node.parameters.map(({ name }) => name);
        for (const name of own) if (name === 'kwargs' || name === 'varargs') special.delete(name);
        if (special.has('caller') && own.includes('caller')) {
          const place = own.length - own.indexOf('caller');
          if (place > node.defaults.length) {
            fail(`line ${node.line}: the special "caller" argument must be omitted or be given a default`);
          }
          special.delete('caller');
          node.special = new Set([...special, 'explicit caller']);
        } else node.special = special;
        for (const statement of node.body) visit(statement, symbols);
        for (const name of special) symbols.declare(name);
        within(node.body, symbols);
        node.frame = symbols.loads;
        break;
      }
      case 'setblock':
      case 'filterblock': {
        const symbols = inner();
        for (const statement of node.body) visit(statement, symbols);
        if (node.filter) visit(node.filter, symbols);
        within(node.body, symbols);
        node.frame = symbols.loads;
        break;
      }
      case 'with': {
        const symbols = inner();
        for (const target of node.targets) visit(target, symbols);
        node.frame = settle(symbols, node.body);
        break;
      }
      case 'scope': {
        const symbols = inner();
        if (node.autoescape) visit(node.autoescape, symbols);
        node.frame = settle(symbols, node.body);
        break;
      }
      default: // the others have no scope of their own
    }
  }
}

/** The names of one scope, as jinja2 tracks them. */
class Symbols {
  readonly parent?: Symbols;
  readonly loads: Map<string, 'parameter' | 'resolve' | 'alias' | 'undefined'>;
  readonly stored: Set<string>;

  constructor(parent?: Symbols, from?: Symbols) {
    this.parent = parent;
    this.loads = new Map(from?.loads);
    this.stored = new Set(from?.stored);
  }

  copy(): Symbols {
    return new Symbols(this.parent, this);
  }

  knows(name: string): boolean {
    return this.loads.has(name) || (this.parent?.knows(name) ?? false);
  }

  declare(name: string): void {
    this.stored.add(name);
    this.loads.set(name, 'parameter');
  }

  load(name: string): void {
    if (!this.knows(name)) this.loads.set(name, 'resolve');
  }

  store(name: string): void {
    this.stored.add(name);
    if (!this.loads.has(name)) this.loads.set(name, this.parent?.knows(name) ? 'alias' : 'undefined');
  }

  /** After an `if`: what only some branches set comes from around where they do not. */
  join(branches: readonly Symbols[]): void {
    const some = new Set(branches.flatMap((branch) => [...branch.stored]).filter((name) => !this.stored.has(name)));
    for (const branch of branches) {
      for (const [name, load] of branch.loads) this.loads.set(name, load);
      for (const name of branch.stored) this.stored.add(name);
    }
    for (const name of some) this.loads.set(name, this.parent?.knows(name) ? 'alias' : 'resolve');
  }
}

/** Names that a node of a scope loads and stores there; scopes within it are not looked into. */
function visit(node: Node, symbols: Symbols): void {
  switch (node.kind) {
    case 'name':
      if (node.use === 'load') symbols.load(node.name);
      else if (node.use === 'store') symbols.store(node.name);
      else symbols.declare(node.name);
      return;
    case 'reference':
      return symbols.load(node.name);
    case 'if': {
      visitBranches(node.branches, node.otherwise, symbols);
      return;
    }
    case 'macro':
      return symbols.store(node.name);
    case 'setblock':
      return visit(node.target, symbols);
    case 'for':
      return visit(node.over, symbols);
    case 'callblock':
      return visit(node.call, symbols);
    case 'filterblock':
      return visit(node.filter, symbols);
    case 'with':
      return node.values.forEach((value) => visit(value, symbols));
    case 'foreign':
      return node.stores.forEach(({ name }) => symbols.store(name));
    case 'scope':
    case 'block':
      return;
    default:
      for (const child of children(node)) visit(child, symbols);
  }
}

function visitBranches(
  [first, ...others]: readonly { readonly test: Expression; readonly body: readonly Statement[] }[],
  otherwise: readonly Statement[],
  symbols: Symbols,
): void {
  visit(first.test, symbols);
  const branches = [symbols.copy(), symbols.copy(), symbols.copy()];
  for (const statement of first.body) visit(statement, branches[0]);
  for (const other of others) visitBranches([other], [], branches[1]);
  for (const statement of otherwise) visit(statement, branches[2]);
  symbols.join(branches);
}

function targets(node: Expression, symbols: Symbols): void {
  if (node.kind === 'name') symbols.declare(node.name);
  else if (node.kind === 'tuple') node.items.forEach((item) => targets(item, symbols));
}

/** The nodes right below a node, in the order of its fields. */
function* children(of: object): Generator<Node, void> {
  for (const value of Object.values(of) as unknown[]) {
    if (typeof value !== 'object' || value === null || value instanceof Map || value instanceof Set) continue;
    if ('kind' in value) yield value as Node;
    else yield* children(value);
  }
}

/** Of some names those that are read below the nodes before they are set there. */
function undeclared(nodes: readonly Node[], names: readonly string[]): Set<string> {
  const wanted = new Set(names);
  const found = new Set<string>();
  const walk = (node: Node): void => {
    if (node.kind === 'block') return;
    if (node.kind === 'name') {
      if (node.use === 'load' && wanted.has(node.name)) found.add(node.name);
      else wanted.delete(node.name);
    }
    for (const child of children(node)) walk(child);
  };
  nodes.forEach(walk);
  return found;
}

function stores(node: Node, name: string): boolean {
  if (node.kind === 'name') return (node as Name).use === 'store' && node.name === name;
  for (const child of children(node)) if (stores(child, name)) return true;
  return false;
}

/** Refuses unknown filters and tests, but for those below an `if`, which fail where they run. */
function check(node: Node, soft: boolean, depth: number): void {
  if (depth > MAX_CHAIN) {
    throw new TemplateError('TEMPLATE_DEPTH', `the template nests more than ${MAX_CHAIN} operations in one another`);
  }
  if (node.kind === 'filter' || node.kind === 'test') {
    const known = node.kind === 'filter' ? FILTERS : TESTS;
    if (!soft && !known.has(node.name)) fail(`line ${node.line}: No ${node.kind} named '${node.name}'.`);
  }
  const scoped = node.kind === 'for' || node.kind === 'with' || node.kind === 'callblock';
  const own = node.kind === 'macro' || node.kind === 'filterblock' || node.kind === 'setblock' ||
    node.kind === 'scope' ||
    node.kind === 'block';
  const outer: readonly unknown[] = node.kind === 'for'
    ? [node.over]
    : node.kind === 'with'
    ? node.values
    : node.kind === 'callblock'
    ? [node.call]
    : [];
  for (const child of children(node)) {
    const softly = node.kind === 'if' || node.kind === 'choice' || (soft && !own && (!scoped || outer.includes(child)));
    check(child, softly, depth + 1);
  }
}
