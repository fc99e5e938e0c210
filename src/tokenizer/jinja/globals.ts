/**
 * The functions that every template may call; nothing of the host is among them.
 * @module
 */
import { TemplateError } from '../../errors.ts';
import { MAX_TEMPLATE_LOOP } from '../../limits.ts';
import { fromKeys } from './access.ts';
import type { Budget } from './budget.ts';
import { formatDate } from './date.ts';
import { makeDict } from './list-filters.ts';
import { integer } from './numbers.ts';
import { str } from './print.ts';
import { bind, Callable, fail, isText, Namespace, present, Range, type Thing, Tuple, type Value } from './values.ts';

/** By their names. @param date what `strftime_now` says */
export function globals(date: Date, budget: Budget): Map<string, Value> {
  const functions: Callable[] = [
    new Callable('range', (args) => range(args)),
    new Callable('namespace', (args, named) => {
      const namespace = new Namespace();
      for (const [name, value] of makeDict(args, named, budget).entries()) {
        setField(namespace, str(name, budget), value);
      }
      return namespace;
    }),
    new Callable('raise_exception', (args, named) => {
      const [message] = bind('raise_exception', ['message'], args, named);
      throw new TemplateError('TEMPLATE', `the chat template refuses: ${str(message as Value, budget).slice(0, 1000)}`);
    }),
    new Callable('strftime_now', (args, named) => {
      const [format] = bind('strftime_now', ['format'], args, named);
      if (!isText(format as Value)) return fail('strftime_now needs a text');
      const text = str(format as Value, budget);
      budget.chars(text.length * 32);
      const shown = formatDate(date, text);
      budget.chars(shown.length);
      return shown;
    }),
    new Callable('lipsum', () => fail('lipsum is refused: the same chat must give the same text')),
    new Callable('cycler', (args) => cycler(args)),
    new Callable('joiner', (args, named) => joiner(present(bind('joiner', ['sep?'], args, named)[0], () => ', '))),
  ];
  const dict: Thing = {
    shown: '<dict>',
    attribute: (name) =>
      name !== 'fromkeys' ? undefined : new Callable(name, (args, named) => {
        const [keys, value] = bind(name, ['keys', 'value?'], args, named);
        return fromKeys(keys as Value, value ?? null, budget);
      }),
    call: (args, named) => makeDict(args, named, budget),
  };
  return new Map<string, Value>([...functions.map((one): [string, Value] => [one.name, one]), ['dict', dict]]);
}

/** Sets a field of a namespace. @throws {TemplateFailure} for a name that begins with an underscore, as transformers does */
export function setField(namespace: Namespace, name: string, value: Value): void {
  if (name.startsWith('_')) {
    fail(`chat templates cannot store underscore-prefixed attributes on a namespace, but got '${name}'`);
  }
  namespace.fields.set(name, value);
}

function range(args: readonly Value[]): Range {
  if (args.length < 1 || args.length > 3) fail(`range expected 1 to 3 arguments, got ${args.length}`);
  const [start, stop, step] = args.map((arg) => BigInt(integer(arg, 'range')));
  const made = args.length === 1
    ? new Range(0n, start, 1n)
    : new Range(start, stop, step === undefined ? 1n : notZero(step));
  if (made.length > MAX_TEMPLATE_LOOP) {
    throw new TemplateError(
      'TEMPLATE_BUDGET',
      `the chat template makes a range of ${made.length} items, at most ${MAX_TEMPLATE_LOOP} are accepted`,
    );
  }
  return made;
}

const notZero = (step: bigint): bigint => step === 0n ? fail('range() arg 3 must not be zero') : step;

function cycler(items: readonly Value[]): Thing {
  if (items.length === 0) fail('at least one item has to be provided');
  let at = 0;
  return {
    shown: '<Cycler>',
    attribute(name) {
      if (name === 'current') return items[at];
      if (name === 'items') return new Tuple(items);
      if (name === 'pos') return BigInt(at);
      if (name === 'reset') {
        return new Callable(name, () => {
          at = 0;
          return null;
        });
      }
      return name !== 'next' ? undefined : new Callable(name, () => {
        const item = items[at];
        at = (at + 1) % items.length;
        return item;
      });
    },
  };
}

function joiner(separator: Value): Thing {
  let used = false;
  return {
    shown: '<Joiner>',
    attribute: (name) => name === 'sep' ? separator : name === 'used' ? used : undefined,
    call: () => {
      const result = used ? separator : '';
      used = true;
      return result;
    },
  };
}
