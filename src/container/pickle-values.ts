/**
 * What a pickle holds, once it has been read as data.
 *
 *     dict, OrderedDict → Map      list → array      tuple → PickleTuple      torch.float32 → PickleGlobal
 *     f(a, b) → PickleCall         persistent id → PickleReference            ints → number, bigint beyond 2^53
 *
 * Values may be shared and may contain themselves, as in Python.
 * @module
 */

/** A class, function or constant by its full name. */
export class PickleGlobal {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** A sequence that cannot grow. */
export class PickleTuple {
  readonly items: readonly PickleValue[];
  constructor(items: readonly PickleValue[]) {
    this.items = items;
  }
}

/** A call that the pickle asks for, which is not made. */
export class PickleCall {
  readonly callee: string;
  readonly args: readonly PickleValue[];
  constructor(callee: string, args: readonly PickleValue[]) {
    this.callee = callee;
    this.args = args;
  }
}

/** Something that is kept outside the pickle, by its persistent id. */
export class PickleReference {
  readonly id: PickleValue;
  constructor(id: PickleValue) {
    this.id = id;
  }
}

export type PickleKey = null | boolean | number | bigint | string;
/** A dictionary. */
export type PickleDict = Map<PickleKey, PickleValue>;
export type PickleValue =
  | PickleKey
  | PickleValue[]
  | PickleDict
  | PickleTuple
  | PickleGlobal
  | PickleCall
  | PickleReference;
