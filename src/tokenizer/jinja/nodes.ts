/**
 * The syntax tree of a template. The order of fields is the order in which names are looked at (see `scopes.ts`).
 * @module
 */
import type { Operator } from './numbers.ts';
import type { Value } from './values.ts';

/** Names of a scope, and where each comes from when the scope is entered. */
export type Frame = ReadonlyMap<string, 'parameter' | 'resolve' | 'alias' | 'undefined'>;

/** Arguments of a call, filter or test. */
export interface Arguments {
  readonly args: readonly Expression[];
  readonly named: readonly { readonly name: string; readonly value: Expression }[];
  readonly rest?: Expression;
  readonly restNamed?: Expression;
}

export interface Name {
  readonly kind: 'name';
  readonly name: string;
  /** Changed by the parser where a primary turns out to be a target. */
  use: 'load' | 'store' | 'parameter';
}

/** `ns.attr` as a target. */
export interface Reference {
  readonly kind: 'reference';
  readonly name: string;
  readonly attr: string;
}

export interface TupleNode {
  readonly kind: 'tuple';
  readonly items: readonly Expression[];
}

export type Target = Name | Reference | TupleNode;

export type Expression =
  | { readonly kind: 'data'; readonly text: string }
  | { readonly kind: 'constant'; readonly value: Value }
  | Name
  | Reference
  | TupleNode
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'dict'; readonly pairs: readonly { readonly key: Expression; readonly value: Expression }[] }
  | { readonly kind: 'slice'; readonly of: Expression; readonly bounds: readonly (Expression | null)[] }
  | { readonly kind: 'attribute'; readonly of: Expression; readonly name: string }
  | { readonly kind: 'item'; readonly of: Expression; readonly key: Expression }
  | Call
  | Filter
  | {
    readonly kind: 'test';
    readonly of: Expression;
    readonly name: string;
    readonly with: Arguments;
    readonly line: number;
  }
  | { readonly kind: 'not'; readonly of: Expression }
  | { readonly kind: 'sign'; readonly operator: '+' | '-'; readonly of: Expression }
  | { readonly kind: 'binary'; readonly operator: Operator; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | {
    readonly kind: 'compare';
    readonly first: Expression;
    readonly rest: readonly { readonly operator: string; readonly value: Expression }[];
  }
  | { readonly kind: 'concat'; readonly parts: readonly Expression[] }
  | { readonly kind: 'choice'; readonly test: Expression; readonly yes: Expression; readonly no?: Expression };

export interface Call {
  readonly kind: 'call';
  readonly of: Expression;
  readonly with: Arguments;
}

/** `of` is missing in filter blocks, where the text of the block is filtered. */
export interface Filter {
  readonly kind: 'filter';
  readonly of?: Expression;
  readonly name: string;
  readonly with: Arguments;
  readonly line: number;
}

/** Parameters of a macro or of a call block, and its body. */
export interface Body {
  readonly parameters: readonly Name[];
  /** Of the last parameters. */
  readonly defaults: readonly Expression[];
  readonly body: readonly Statement[];
  frame?: Frame;
  /** The special names that the body reads. */
  special?: ReadonlySet<string>;
}

export interface For {
  readonly kind: 'for';
  readonly line: number;
  readonly target: Target;
  readonly over: Expression;
  readonly body: readonly Statement[];
  readonly otherwise: readonly Statement[];
  readonly test?: Expression;
  readonly recursive: boolean;
  frame?: Frame;
  testFrame?: Frame;
  elseFrame?: Frame;
}

export interface Macro extends Body {
  readonly kind: 'macro';
  readonly line: number;
  readonly name: string;
}

export interface CallBlock extends Body {
  readonly kind: 'callblock';
  readonly line: number;
  readonly call: Call;
}

export interface Block {
  readonly kind: 'block';
  readonly line: number;
  readonly name: string;
  readonly scoped: boolean;
  readonly required: boolean;
  readonly body: readonly Statement[];
  frame?: Frame;
}

export interface If {
  readonly kind: 'if';
  readonly line: number;
  readonly branches: readonly { readonly test: Expression; readonly body: readonly Statement[] }[];
  readonly otherwise: readonly Statement[];
}

export type Statement =
  | { readonly kind: 'output'; readonly line: number; readonly parts: readonly Expression[] }
  | { readonly kind: 'set'; readonly line: number; readonly value: Expression; readonly target: Target }
  | SetBlock
  | For
  | If
  | Macro
  | CallBlock
  | FilterBlock
  | With
  | Scope
  | Block
  | { readonly kind: 'break' | 'continue'; readonly line: number }
  /** A tag that needs other templates: refused where it runs. */
  | { readonly kind: 'foreign'; readonly line: number; readonly tag: string; readonly stores: readonly Name[] };

export interface SetBlock {
  readonly kind: 'setblock';
  readonly line: number;
  readonly target: Target;
  readonly filter?: Filter;
  readonly body: readonly Statement[];
  frame?: Frame;
}

export interface FilterBlock {
  readonly kind: 'filterblock';
  readonly line: number;
  readonly filter: Filter;
  readonly body: readonly Statement[];
  frame?: Frame;
}

export interface With {
  readonly kind: 'with';
  readonly line: number;
  readonly values: readonly Expression[];
  readonly targets: readonly Target[];
  readonly body: readonly Statement[];
  frame?: Frame;
}

/** A block with names of its own: `generation`, `autoescape`. */
export interface Scope {
  readonly kind: 'scope';
  readonly line: number;
  /** Must be false: nothing is escaped here. */
  readonly autoescape?: Expression;
  readonly body: readonly Statement[];
  frame?: Frame;
}

export type Node = Expression | Statement;

export interface Program {
  readonly body: readonly Statement[];
  readonly blocks: ReadonlyMap<string, Block>;
  readonly frame: Frame;
}
