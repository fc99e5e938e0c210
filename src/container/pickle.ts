/**
 * Python pickles, read as data. A pickle is a program for a stack machine; this machine knows the instructions that
 * build values and no others. A class or function is a name from a list, and a call of it is noted and never made.
 *
 * Work and memory are bounded by the bytes of the pickle and by MAX_PICKLE_ITEMS; nothing recurses.
 * @module
 */
import { type ErrorCode, ModelFileError } from '../errors.ts';
import { MAX_PICKLE_DEPTH, MAX_PICKLE_ITEMS } from '../limits.ts';
import { quote } from './gguf-types.ts';
import { PickleCall, PickleGlobal, PickleReference, PickleTuple, type PickleValue } from './pickle-values.ts';

/** The instructions that are carried out: what `pickle.dump` writes in protocols 2 to 5, without those for classes. */
const OP = {
  MARK: 0x28,
  STOP: 0x2e,
  BINFLOAT: 0x47,
  BININT: 0x4a,
  BININT1: 0x4b,
  BININT2: 0x4d,
  NONE: 0x4e,
  BINPERSID: 0x51,
  REDUCE: 0x52,
  BINUNICODE: 0x58,
  EMPTY_LIST: 0x5d,
  APPEND: 0x61,
  BUILD: 0x62,
  GLOBAL: 0x63,
  EMPTY_DICT: 0x7d,
  APPENDS: 0x65,
  BINGET: 0x68,
  LONG_BINGET: 0x6a,
  BINPUT: 0x71,
  LONG_BINPUT: 0x72,
  SETITEM: 0x73,
  TUPLE: 0x74,
  EMPTY_TUPLE: 0x29,
  SETITEMS: 0x75,
  PROTO: 0x80,
  TUPLE1: 0x85,
  TUPLE2: 0x86,
  TUPLE3: 0x87,
  NEWTRUE: 0x88,
  NEWFALSE: 0x89,
  LONG1: 0x8a,
  LONG4: 0x8b,
  BINBYTES: 0x42,
  SHORT_BINBYTES: 0x43,
  SHORT_BINUNICODE: 0x8c,
  BINUNICODE8: 0x8d,
  BINBYTES8: 0x8e,
  EMPTY_SET: 0x8f,
  ADDITEMS: 0x90,
  FROZENSET: 0x91,
  STACK_GLOBAL: 0x93,
  MEMOIZE: 0x94,
  FRAME: 0x95,
  BYTEARRAY8: 0x96,
} as const;

/** What `torch.save` may be told to write; 2 unless told. */
const PROTOCOLS: readonly number[] = [2, 3, 4, 5];
/** Bytes of an integer; those of Python's magic numbers and seeds have under 700. */
const MAX_LONG_BYTES = 4096;
/** Longest line of a global. */
const MAX_LINE_BYTES = 200;
const ORDERED_DICT = 'collections.OrderedDict';
const STRICT: TextDecoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

/** A pickle that has been read. */
export interface Unpickled {
  readonly value: PickleValue;
  /** Everything that it refers to outside itself, in the order in which it does. */
  readonly references: readonly PickleReference[];
  /** Where it ends. */
  readonly end: number;
}

/**
 * The value of a pickle.
 * @param fileName what errors call it
 * @param isAllowed the globals that may occur, by full name; `collections.OrderedDict` always may
 * @throws {ModelFileError} `PICKLE_OPCODE`, `PICKLE_GLOBAL` for what is not on the lists; `PICKLE_CORRUPT` for what
 *   Python would not read either; `PICKLE_LIMIT`
 */
export function unpickle(bytes: Uint8Array, fileName: string, isAllowed: (name: string) => boolean): PickleValue {
  const { value, end } = new Unpickler(bytes, fileName, isAllowed).run();
  if (end !== bytes.length) {
    throw new ModelFileError('PICKLE_CORRUPT', `${fileName}: ${bytes.length - end} bytes follow the end of the pickle`);
  }
  return value;
}

/** The pickle that bytes begin with. @throws {ModelFileError} as `unpickle` */
export function unpickleNext(bytes: Uint8Array, fileName: string, isAllowed: (name: string) => boolean): Unpickled {
  return new Unpickler(bytes, fileName, isAllowed).run();
}

class Unpickler {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #fileName: string;
  readonly #isAllowed: (name: string) => boolean;
  readonly #stack: PickleValue[] = [];
  /** Heights of the stack where marks were set. */
  readonly #marks: number[] = [];
  /** Height below which the present frame may not take. */
  #floor = 0;
  readonly #memo = new Map<number, PickleValue>();
  readonly #references: PickleReference[] = [];
  #at = 0;
  /** Position of the present instruction. */
  #op = 0;
  #items = 0;

  constructor(bytes: Uint8Array, fileName: string, isAllowed: (name: string) => boolean) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#fileName = fileName;
    this.#isAllowed = isAllowed;
  }

  run(): Unpickled {
    if (this.#u8() !== OP.PROTO) this.#corrupt('it does not begin with its protocol');
    const protocol = this.#u8();
    if (!PROTOCOLS.includes(protocol)) {
      this.#refuse('PICKLE_OPCODE', `protocol ${protocol} is not read, only ${PROTOCOLS.join(', ')}`);
    }
    for (;;) {
      this.#op = this.#at;
      const op = this.#u8();
      if (op === OP.STOP) break;
      this.#step(op);
    }
    if (this.#marks.length > 0 || this.#stack.length !== 1) this.#corrupt('it does not end with exactly one value');
    return { value: this.#pop(), references: this.#references, end: this.#at };
  }

  #step(op: number): void {
    switch (op) {
      case OP.NONE:
        return this.#push(null);
      case OP.NEWTRUE:
        return this.#push(true);
      case OP.NEWFALSE:
        return this.#push(false);
      case OP.BININT:
        return this.#push(this.#view.getInt32(this.#take(4), true));
      case OP.BININT1:
        return this.#push(this.#u8());
      case OP.BININT2:
        return this.#push(this.#view.getUint16(this.#take(2), true));
      case OP.LONG1:
        return this.#push(this.#long(this.#u8()));
      case OP.LONG4:
        return this.#push(this.#long(this.#u32()));
      case OP.BINFLOAT:
        return this.#push(this.#view.getFloat64(this.#take(8), false));
      case OP.BINUNICODE:
        return this.#push(this.#text(this.#u32()));
      case OP.SHORT_BINUNICODE:
        return this.#push(this.#text(this.#u8()));
      case OP.BINUNICODE8:
        return this.#push(this.#text(this.#u64()));
      case OP.SHORT_BINBYTES:
        return this.#skipBytes(this.#u8());
      case OP.BINBYTES:
        return this.#skipBytes(this.#u32());
      case OP.BINBYTES8:
      case OP.BYTEARRAY8:
        return this.#skipBytes(this.#u64());
      case OP.EMPTY_TUPLE:
        return this.#push(new PickleTuple([]));
      case OP.TUPLE1:
      case OP.TUPLE2:
      case OP.TUPLE3:
        return this.#push(new PickleTuple(this.#popMany(op - OP.TUPLE1 + 1)));
      case OP.TUPLE:
        return this.#push(new PickleTuple(this.#popMark()));
      case OP.EMPTY_LIST:
      case OP.EMPTY_SET: // in the order in which it was written
        return this.#push([]);
      case OP.APPEND:
        return this.#append(this.#popMany(1));
      case OP.APPENDS:
      case OP.ADDITEMS:
        return this.#append(this.#popMark());
      case OP.FROZENSET:
        return this.#push(this.#popMark());
      case OP.EMPTY_DICT:
        return this.#push(new Map());
      case OP.SETITEM:
        return this.#setItems(this.#popMany(2));
      case OP.SETITEMS:
        return this.#setItems(this.#popMark());
      case OP.MARK:
        if (this.#marks.length === MAX_PICKLE_DEPTH) this.#limit(`more than ${MAX_PICKLE_DEPTH} marks are open`);
        this.#marks.push(this.#floor);
        this.#floor = this.#stack.length;
        return;
      case OP.BINPUT:
        return this.#put(this.#u8());
      case OP.LONG_BINPUT:
        return this.#put(this.#u32());
      case OP.BINGET:
        return this.#get(this.#u8());
      case OP.LONG_BINGET:
        return this.#get(this.#u32());
      case OP.MEMOIZE:
        return this.#put(this.#memo.size);
      case OP.FRAME: {
        // a hint for readers of streams: the instructions go on as if it were not there
        const length = this.#u64();
        if (length > this.#bytes.length - this.#at) this.#corrupt(`it ends within a frame of ${length} bytes`);
        return;
      }
      case OP.GLOBAL:
        return this.#global(`${this.#line()}.${this.#line()}`);
      case OP.STACK_GLOBAL: {
        const [module, name] = this.#popMany(2);
        if (typeof module !== 'string' || typeof name !== 'string') return this.#corrupt('a global needs two strings');
        return this.#global(`${module}.${name}`);
      }
      case OP.REDUCE:
        return this.#reduce();
      case OP.BUILD:
        // attributes of a dictionary, such as the versions of a state dict's modules
        this.#pop();
        if (!(this.#top() instanceof Map)) this.#corrupt('attributes are set on something that is not an OrderedDict');
        return;
      case OP.BINPERSID: {
        const reference = new PickleReference(this.#pop());
        this.#references.push(reference);
        return this.#push(reference);
      }
      default:
        this.#refuse(
          'PICKLE_OPCODE',
          `instruction 0x${op.toString(16).padStart(2, '0')} is not on the list of those that only build data; ` +
            'save a dictionary of tensors and plain values with torch.save',
        );
    }
  }

  /** A signed integer, little-endian. */
  #long(length: number): number | bigint {
    if (length > MAX_LONG_BYTES) this.#limit(`an integer has ${length} bytes, at most ${MAX_LONG_BYTES} are read`);
    const at = this.#take(length);
    if (length === 0) return 0;
    let hex = '';
    for (let i = length - 1; i >= 0; i--) hex += this.#bytes[at + i].toString(16).padStart(2, '0');
    const value = BigInt.asIntN(length * 8, BigInt(`0x${hex}`));
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  /** Bytes stand for themselves as a call that is not made: nothing that is read here is made of them. */
  #skipBytes(length: number): void {
    this.#take(length);
    this.#push(new PickleCall('bytes', []));
  }

  #text(length: number): string {
    const at = this.#take(length);
    try {
      return STRICT.decode(this.#bytes.subarray(at, at + length));
    } catch {
      return this.#corrupt('a string is not UTF-8');
    }
  }

  #global(name: string): void {
    if (name !== ORDERED_DICT && !this.#isAllowed(name)) {
      const advice = name.startsWith('__main__.')
        ? 'classes of configurations are not supported: save the configuration as a plain dict'
        : 'only tensors and plain values are read: save a state dict and a plain dict of its configuration';
      this.#refuse('PICKLE_GLOBAL', `${quote(name)} is asked for; ${advice}`);
    }
    this.#push(new PickleGlobal(name));
  }

  #line(): string {
    const from = this.#at;
    let text = '';
    for (let byte = this.#u8(); byte !== 0x0a; byte = this.#u8()) {
      if (this.#at - from > MAX_LINE_BYTES) this.#corrupt(`a name has more than ${MAX_LINE_BYTES} bytes`);
      text += String.fromCharCode(byte);
    }
    return text;
  }

  #reduce(): void {
    const [callee, args] = this.#popMany(2);
    if (!(callee instanceof PickleGlobal && args instanceof PickleTuple)) {
      return this.#corrupt('a call needs a global and a tuple');
    }
    if (callee.name !== ORDERED_DICT) return this.#push(new PickleCall(callee.name, args.items));
    if (args.items.length > 0) this.#corrupt('an OrderedDict is made with arguments');
    this.#push(new Map());
  }

  #append(values: PickleValue[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) return this.#corrupt('values are appended to something that is not a list');
    for (const value of values) list.push(value);
  }

  #setItems(pairs: PickleValue[]): void {
    const dict = this.#top();
    if (!(dict instanceof Map)) return this.#corrupt('items are set on something that is not a dictionary');
    if (pairs.length % 2 !== 0) this.#corrupt('the last key has no value');
    for (let i = 0; i < pairs.length; i += 2) {
      const key = pairs[i];
      if (typeof key === 'object' && key !== null) return this.#corrupt('a key is neither a string nor a number');
      if (dict.has(key)) this.#corrupt(`the key ${quote(String(key))} occurs twice`);
      dict.set(key, pairs[i + 1]);
    }
  }

  #put(index: number): void {
    if (this.#memo.size === MAX_PICKLE_ITEMS) this.#limit(`more than ${MAX_PICKLE_ITEMS} values are remembered`);
    this.#memo.set(index, this.#top());
  }

  #get(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) return this.#corrupt(`value ${index} was never stored`);
    this.#push(value);
  }

  #push(value: PickleValue): void {
    if (++this.#items > MAX_PICKLE_ITEMS) this.#limit(`it makes more than ${MAX_PICKLE_ITEMS} values`);
    this.#stack.push(value);
  }

  #top(): PickleValue {
    if (this.#stack.length <= this.#floor) this.#corrupt('a value is missing on the stack');
    return this.#stack[this.#stack.length - 1];
  }

  #pop(): PickleValue {
    return this.#popMany(1)[0];
  }

  #popMany(count: number): PickleValue[] {
    const from = this.#stack.length - count;
    if (from < this.#floor) this.#corrupt('a value is missing on the stack');
    return this.#stack.splice(from);
  }

  /** Everything above the last mark. */
  #popMark(): PickleValue[] {
    const below = this.#marks.pop();
    if (below === undefined) return this.#corrupt('a mark is missing on the stack');
    const values = this.#stack.splice(this.#floor);
    this.#floor = below;
    return values;
  }

  #u8(): number {
    return this.#bytes[this.#take(1)];
  }

  #u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  #u64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) this.#corrupt(`it ends at byte ${this.#bytes.length}, within an instruction`);
    this.#at = at + count;
    return at;
  }

  #corrupt(why: string): never {
    return this.#refuse('PICKLE_CORRUPT', why);
  }

  #limit(why: string): never {
    return this.#refuse('PICKLE_LIMIT', why);
  }

  #refuse(code: ErrorCode, why: string): never {
    throw new ModelFileError(code, `${this.#fileName}: the pickle cannot be read at byte ${this.#op}: ${why}`);
  }
}
