/**
 * Types of metadata values in GGUF: their numbers in the file and their names here.
 * @module
 */

/** One value: not an array. */
export type GgufScalarType =
  | 'uint8'
  | 'int8'
  | 'uint16'
  | 'int16'
  | 'uint32'
  | 'int32'
  | 'float32'
  | 'bool'
  | 'string'
  | 'uint64'
  | 'int64'
  | 'float64';

/** A value or an array of values. Arrays of arrays are not used by any model and are refused. */
export type GgufValueType = GgufScalarType | `${GgufScalarType}[]`;

/** `GGUF`, read as a little-endian number. */
export const GGUF_MAGIC = 0x46554747;
/** Where data begins and tensors stand, unless the file says otherwise. */
export const DEFAULT_ALIGNMENT = 32;
/** Number of the type that announces an array. */
export const ARRAY_ID = 9;

/** Number in the file, and bytes; a string takes at least its length. */
export const VALUE_TYPES: Readonly<Record<GgufScalarType, { readonly id: number; readonly bytes: number }>> = {
  uint8: { id: 0, bytes: 1 },
  int8: { id: 1, bytes: 1 },
  uint16: { id: 2, bytes: 2 },
  int16: { id: 3, bytes: 2 },
  uint32: { id: 4, bytes: 4 },
  int32: { id: 5, bytes: 4 },
  float32: { id: 6, bytes: 4 },
  bool: { id: 7, bytes: 1 },
  string: { id: 8, bytes: 8 },
  uint64: { id: 10, bytes: 8 },
  int64: { id: 11, bytes: 8 },
  float64: { id: 12, bytes: 8 },
};

const BY_ID: ReadonlyMap<number, GgufScalarType> = new Map(
  (Object.keys(VALUE_TYPES) as GgufScalarType[]).map((type) => [VALUE_TYPES[type].id, type]),
);

/** The type with this number, or undefined; also undefined for an array. */
export function scalarOfId(id: number): GgufScalarType | undefined {
  return BY_ID.get(id);
}

/** Text from a file, made fit for an error message. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
