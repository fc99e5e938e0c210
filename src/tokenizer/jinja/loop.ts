/**
 * `loop`: where a loop is, what comes before and after, and how it calls itself.
 * @module
 */
import type { Budget } from './budget.ts';
import { equal } from './compare.ts';
import { sizeOf } from './sequences.ts';
import { Callable, fail, present, type Thing, Tuple, Undefined, type Value } from './values.ts';

/** The state of one loop. Items are read as late as possible, one ahead where `last` or `nextitem` asks. */
export class Loop implements Thing {
  readonly #over: Value | undefined;
  readonly #budget: Budget;
  readonly #again?: (over: Value, depth: number) => Value;
  readonly #depth: number;
  #items: Iterator<Value, unknown>;
  #index = -1;
  #length?: number;
  #after?: Value;
  #current?: Value;
  #before?: Value;
  #changed?: Value;

  /** @param over what the items come from, where its length counts @param again renders the loop over something else */
  constructor(
    over: Value | undefined,
    items: Iterable<Value>,
    budget: Budget,
    again?: (over: Value, depth: number) => Value,
    depth: number = 0,
  ) {
    this.#over = over;
    this.#items = items[Symbol.iterator]();
    this.#budget = budget;
    this.#again = again;
    this.#depth = depth;
  }

  get shown(): string {
    return `<LoopContext ${this.#index + 1}/${this.#size()}>`;
  }

  /** The next item; undefined at the end. */
  next(): Value | undefined {
    const item = this.#peek();
    this.#after = undefined;
    if (item === undefined) return undefined;
    this.#index++;
    this.#before = this.#current;
    this.#current = item;
    return item;
  }

  #read(): Value | undefined {
    const { done, value } = this.#items.next();
    return done ? undefined : (value as Value);
  }

  #peek(): Value | undefined {
    if (this.#after === undefined) this.#after = this.#read();
    return this.#after;
  }

  #size(): number {
    if (this.#length !== undefined) return this.#length;
    const known = this.#over === undefined ? undefined : sizeOf(this.#over);
    if (known !== undefined) return this.#length = known;
    const rest: Value[] = [];
    for (let item = this.#read(); item !== undefined; item = this.#read()) {
      rest.push(item);
      if (rest.length % 1024 === 0) this.#budget.items(rest.length);
    }
    this.#items = rest[Symbol.iterator]();
    return this.#length = rest.length + this.#index + 1 + (this.#after === undefined ? 0 : 1);
  }

  size(): number {
    return this.#size();
  }

  call(args: readonly Value[]): Value {
    if (this.#again === undefined) return fail("The loop must have the 'recursive' marker to be called recursively.");
    if (args.length !== 1) return fail('loop() takes one argument');
    return this.#again(args[0], this.#depth + 1);
  }

  attribute(name: string): Value | undefined {
    switch (name) {
      case 'index':
        return BigInt(this.#index + 1);
      case 'index0':
        return BigInt(this.#index);
      case 'revindex':
        return BigInt(this.#size() - this.#index);
      case 'revindex0':
        return BigInt(this.#size() - this.#index - 1);
      case 'first':
        return this.#index === 0;
      case 'last':
        return this.#peek() === undefined;
      case 'length':
        return BigInt(this.#size());
      case 'depth':
        return BigInt(this.#depth + 1);
      case 'depth0':
        return BigInt(this.#depth);
      case 'previtem':
        return this.#index === 0 ? new Undefined('there is no previous item') : this.#before;
      case 'nextitem':
        return present(this.#peek(), () => new Undefined('there is no next item'));
      case 'cycle':
        return new Callable(
          name,
          (args) => args.length === 0 ? fail('no items for cycling given') : args[this.#index % args.length],
        );
      case 'changed':
        return new Callable(name, (args) => {
          const value = new Tuple(args);
          if (this.#changed !== undefined && equal(this.#changed, value, this.#budget)) return false;
          this.#changed = value;
          return true;
        });
      default:
        return undefined;
    }
  }
}
