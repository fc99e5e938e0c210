/**
 * What this machine and runtime can do at most, as two loops in WebAssembly: additions of vectors that lie in registers, and
 * reading memory. Kernels are held against them.
 * @module
 */

const V128 = 0x7b;
const I32 = 0x7f;
/** Vectors in registers, and additions of each per turn. */
const VECTORS = 6;
const TURNS = 4;
/** Bytes read per turn. */
const LINE = 64;

const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const constant = (n: number): number[] => [0x41, ...(n < 64 ? [n] : [(n & 127) | 128, n >> 7])];
const simd = (
  op: number,
  ...rest: number[]
): number[] => [0xfd, ...(op < 128 ? [op] : [(op & 127) | 128, op >> 7]), ...rest];
const ADD = simd(0x8e); // i16x8.add
const XOR = simd(0x51);
const load = (offset: number): number[] => simd(0x00, 4, offset);
const store = simd(0x0b, 4, 0);

/** Counts the local `at` up by `step` and goes back to the loop's start while it is below `end`. */
const next = (at: number, step: number, end: number): number[] => [
  ...get(at),
  ...constant(step),
  0x6a,
  0x22,
  at,
  ...get(end),
  0x49,
  0x0d,
  0,
];

const vector = (bytes: number[]): number[] => [bytes.length, ...bytes];
const long = (n: number): number[] => [(n & 127) | 128, n >> 7];
const section = (id: number, bytes: number[]): number[] => [id, ...long(bytes.length), ...bytes];
const code = (locals: number[], body: number[]): number[] => {
  const all = [...locals, ...body, 0x0b];
  return [...long(all.length), ...all];
};
const ascii = (text: string): number[] => vector([...text].map((c) => c.charCodeAt(0)));

/** add(n, at): n additions or exclusive ors. read(from, to): all bytes between. */
function moduleBytes(): Uint8Array {
  const each = (of: (v: number) => number[]): number[] => Array.from({ length: VECTORS }, (_, v) => of(v)).flat();
  const turn = (op: number[]): number[] => each((v) => [...get(3 + v), ...get(2), ...op, ...set(3 + v)]);
  const sum = each((v) => [...get(1), ...get(3 + v), ...store]);
  // locals: 0 n, 1 at, then 7 vectors, then the counter
  const counter = 3 + VECTORS;
  const add = [
    ...get(1),
    ...load(0),
    ...set(2),
    0x03,
    0x40,
    ...Array.from({ length: TURNS / 2 }, () => [...turn(ADD), ...turn(XOR)]).flat(),
    ...next(counter, TURNS * VECTORS, 0),
    0x0b,
    ...sum,
  ];
  const read = [
    0x03,
    0x40,
    ...[0, 16, 32, 48].flatMap((at, i) => [...get(2 + i), ...get(0), ...load(at), ...XOR, ...set(2 + i)]),
    ...next(0, LINE, 1),
    0x0b,
    ...[2, 3, 4, 5].flatMap((v) => [...constant(0), ...get(v), ...store]),
  ];
  return new Uint8Array([
    ...[0, 97, 115, 109, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 2, I32, I32, 0]),
    ...section(2, [1, ...ascii('env'), ...ascii('memory'), 2, 0, 1]),
    ...section(3, [2, 0, 0]),
    ...section(7, [2, ...ascii('add'), 0, 0, ...ascii('read'), 0, 1]),
    ...section(10, [
      2,
      ...code([2, 1 + VECTORS, V128, 1, I32], add),
      ...code([1, 4, V128], read),
    ]),
  ]);
}

export interface Calibration {
  add(n: number, at: number): void;
  read(from: number, to: number): void;
}

/** The two loops over a memory. `read` writes the first 16 bytes of it, `add` 16 bytes at `at`. */
export function calibration(memory: WebAssembly.Memory): Calibration {
  const module = new WebAssembly.Module(moduleBytes() as BufferSource);
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Calibration;
}
