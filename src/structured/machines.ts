/**
 * Automata of our own, beside those of the engine: choices, what a tokenizer leaves out at the beginning, calls of tools.
 * @module
 */
import { FormatError } from '../errors.ts';
import { MAX_ENUM_VALUES, MAX_FORMAT_CHARS } from '../limits.ts';
import type { Machine } from './engine.ts';

const encoder = new TextEncoder();
const DEAD = -1;

/** A node of a tree of texts. */
interface Node {
  readonly next: Map<number, number>;
  whole: boolean;
}

/** One of some texts. @throws {FormatError} */
export function choiceMachine(texts: readonly string[]): Machine<number> {
  const nodes: Node[] = [{ next: new Map(), whole: false }];
  let left = MAX_FORMAT_CHARS;
  if (texts.length === 0 || texts.length > MAX_ENUM_VALUES) {
    const code = texts.length === 0 ? 'FORMAT' : 'SCHEMA_LIMIT';
    throw new FormatError(code, `choice has ${texts.length} texts, expected 1 to ${MAX_ENUM_VALUES}`);
  }
  texts.forEach((text, i) => {
    if (typeof text !== 'string' || text === '') {
      throw new FormatError('FORMAT', `choice: text ${i} is empty or no text`);
    }
    left -= text.length;
    if (left < 0) throw new FormatError('SCHEMA_LIMIT', `choice has more than ${MAX_FORMAT_CHARS} characters`);
    let at = 0;
    for (const byte of encoder.encode(text)) {
      const { next } = nodes[at];
      const known = next.get(byte);
      at = known ?? nodes.push({ next: new Map(), whole: false }) - 1;
      if (known === undefined) next.set(byte, at);
    }
    nodes[at].whole = true;
  });
  return {
    initial: 0,
    transition: (state, byte) => nodes[state]?.next.get(byte) ?? DEAD,
    viable: (state) => state >= 0,
    accepting: (state) => nodes[state]?.whole ?? false,
    maskKey: (state) => String(state),
  };
}

/** Before a text has begun: nothing came, or the space that is left out. */
const NOTHING = Symbol('nothing');
const SPACE = Symbol('space');
const NEVER = Symbol('never');

/**
 * How a text of a machine begins.
 * @param strips after one space, or without: a tokenizer leaves the space out that its first piece begins with
 * @param document it does not begin with white space otherwise
 */
export function beginning(machine: Machine, strips: boolean, document: boolean): Machine {
  const inner = (state: unknown): unknown => state === NOTHING || state === SPACE ? machine.initial : state;
  return {
    initial: NOTHING,
    transition(state, byte) {
      if (state === NEVER) return NEVER;
      if (inner(state) === state) return machine.transition(state, byte);
      if (byte === 0x20 && strips && state === NOTHING) return SPACE;
      if (document && [9, 10, 13, 32].includes(byte)) return NEVER;
      return machine.transition(machine.initial, byte);
    },
    viable: (state) => state !== NEVER && machine.viable(inner(state)),
    accepting: (state) => machine.accepting(inner(state)),
    stringCapacity: (state) => inner(state) === state ? machine.stringCapacity?.(state) : undefined,
    maskKey: (state) => inner(state) === state ? machine.maskKey?.(state) : String(state === SPACE),
  };
}

/** A tool, as a call of it is written. */
export interface CallForm {
  /** The text before the arguments; none begins with another. */
  readonly head: string;
  readonly arguments: Machine;
  readonly tail: string;
}

/** Where a call is: in the heads that still fit, in the arguments of one, or in its tail. */
interface CallState {
  readonly forms: readonly number[];
  readonly at: number;
  readonly inner?: unknown;
}

/** A call of one of some tools. */
export function callMachine(forms: readonly CallForm[]): Machine<CallState> {
  const heads = forms.map(({ head }) => encoder.encode(head));
  const tails = forms.map(({ tail }) => encoder.encode(tail));
  const dead: CallState = { forms: [], at: 0 };
  const step = (state: CallState, byte: number): CallState => {
    const { forms: [i], at, inner } = state;
    if (i === undefined) return dead;
    const machine = forms[i].arguments;
    if (inner !== undefined && at === 0) {
      const next = machine.transition(inner, byte);
      if (machine.viable(next)) return { ...state, inner: next };
      if (!machine.accepting(inner)) return dead;
    }
    if (inner !== undefined) return tails[i][at] === byte ? { ...state, at: at + 1 } : dead;
    const fit = state.forms.filter((form) => heads[form][at] === byte);
    const whole = fit.find((form) => heads[form].length === at + 1);
    if (whole !== undefined) return { forms: [whole], at: 0, inner: forms[whole].arguments.initial };
    return { forms: fit, at: at + 1 };
  };
  const within = ({ forms: [i], at, inner }: CallState): Machine | undefined =>
    i !== undefined && inner !== undefined && at === 0 ? forms[i].arguments : undefined;
  return {
    initial: { forms: forms.map((_, i) => i), at: 0 },
    transition: step,
    viable: (state) => state.forms.length > 0,
    accepting: ({ forms: [i], at, inner }) =>
      i !== undefined && inner !== undefined && at === tails[i].length &&
      (at > 0 || forms[i].arguments.accepting(inner)),
    stringCapacity: (state) => within(state)?.stringCapacity?.(state.inner),
    maskKey(state) {
      const inner = state.inner === undefined ? '' : forms[state.forms[0]]?.arguments.maskKey?.(state.inner);
      return inner === undefined ? undefined : `${state.forms.join(',')} ${state.at} ${inner}`;
    },
  };
}
