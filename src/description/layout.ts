/**
 * How a stored matrix lies in wasm memory: which layout serves its type, and how many bytes it takes. Pure arithmetic;
 * the drawings of the layouts stand in assembly/ternary.ts and assembly/int8.ts.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import { columnLayout, type Layout, TYPE_LAYOUTS, weightType } from '../container/ggml-types.ts';
import type { Container, TensorInfo } from '../container/tensor.ts';
import { ModelFileError } from '../errors.ts';

export type { Layout } from '../container/ggml-types.ts';

/** Rows are padded to this, because kernels take four at a time. */
export const ROW_GROUP = 4;
/** Columns of packed codes are padded to this. */
const CODE_COLUMNS = 128;
/** Elements of a vector buffer are padded to this, with zeros. */
export const VECTOR_PAD: number = CODE_COLUMNS;

/** Sizes of one packed matrix. */
export interface PackedSize {
  readonly layout: Layout;
  readonly rows: number;
  readonly cols: number;
  /** Rows padded to a multiple of four. */
  readonly paddedRows: number;
  /** `trit2`, `bit1`: chunks of 64 columns; `i8`, `u4`, `u8`: blocks of 32; floats: elements of a row. */
  readonly units: number;
  /** Units that share one scale; all of a row where one serves it, 0 where there are none. */
  readonly unitsPerScale: number;
  /** Of `u4` and `u8`: groups, minima and zero, as assembly/grouped.ts takes them; else 0. */
  readonly grouping: number;
  readonly dataBytes: number;
  readonly scaleBytes: number;
}

/** Packed sizes of a matrix. @param info a tensor of two dimensions @throws {ModelFileError} `TENSOR_TYPE` */
export function packedSize(info: TensorInfo): PackedSize {
  const [rows, cols] = info.shape;
  const { rows: layout, grouping } = TYPE_LAYOUTS[weightType(info)];
  const paddedRows = alignUp(rows, ROW_GROUP);
  const base = { layout, rows, cols, paddedRows, grouping };
  if (layout === 'u4' || layout === 'u8') {
    const bits = layout === 'u4' ? 4 : 8;
    const units = cols / 32;
    const unitsPerScale = grouping & 1 ? 8 : 1;
    const blockScales = (8 + (grouping & 1) * 8 * bits) << ((grouping >> 1) & 1); // of four rows
    const scaleBytes = (paddedRows / 4) * (units / unitsPerScale) * blockScales;
    return { ...base, units, unitsPerScale, dataBytes: paddedRows * units * 4 * bits, scaleBytes };
  }
  if (layout === 'trit2' || layout === 'bit1') {
    const units = alignUp(cols, CODE_COLUMNS) / 64;
    // one f16 per block of columns, or one f32 per row
    const unitsPerScale = info.blockElements === 0 ? units : info.blockElements / 64;
    const scaleBytes = paddedRows * (info.blockElements === 0 ? 4 : (units / unitsPerScale) * 2);
    return { ...base, units, unitsPerScale, dataBytes: paddedRows * units * (layout === 'trit2' ? 16 : 8), scaleBytes };
  }
  if (layout === 'i8') {
    const units = Math.ceil(cols / 32);
    const dataBytes = paddedRows * units * 32;
    if (info.type === 'I8') return { ...base, units, unitsPerScale: units, dataBytes, scaleBytes: paddedRows * 4 };
    return { ...base, units, unitsPerScale: 1, dataBytes, scaleBytes: paddedRows * units * 2 };
  }
  const units = alignUp(cols, 8);
  return {
    ...base,
    units,
    unitsPerScale: 0,
    dataBytes: paddedRows * units * (layout === 'f32' ? 4 : 2),
    scaleBytes: 0,
  };
}

/**
 * The scale beside a matrix packed four rows to a byte: its one element, and whether codes are divided by it (`bitlinear`) or
 * multiplied (`autobitlinear`), as the checkpoint's quantisation says.
 * @throws {ModelFileError} `TENSOR_TYPE`
 */
export function packedScale(container: Container, { name }: TensorInfo): { info: TensorInfo; divides: boolean } {
  const info = container.tensors.get(`${name}_scale`);
  if (!info || info.shape.length > 1 || (info.shape[0] ?? 1) !== 1) {
    const found = info ? 'has several' : 'is missing';
    throw new ModelFileError(
      'TENSOR_TYPE',
      `tensor "${name}" is packed and needs one scale in "${name}_scale", which ${found}`,
    );
  }
  return { info, divides: container.metadata.get('config.quantization_config.linear_class') !== 'autobitlinear' };
}

/** Whether weights of this type are one of two or three codes times a scale. */
export function isCodes(type: TensorInfo['type']): boolean {
  const rows = Object.hasOwn(TYPE_LAYOUTS, type) ? TYPE_LAYOUTS[type as keyof typeof TYPE_LAYOUTS].rows : null;
  return rows === 'trit2' || rows === 'bit1';
}

/**
 * Packed sizes of a matrix whose rows have one f32 scale each, or are floats: codes become `trit2` or `bit1`, I8 `i8`, and
 * everything else, whose scales change along a row, `f32`.
 * @param info a tensor of two dimensions @throws {ModelFileError} `TENSOR_TYPE`
 */
export function rowScaledSize(info: TensorInfo): PackedSize {
  columnLayout(info); // refuses what takes no spikes
  const type = weightType(info);
  if (isCodes(type)) return packedSize({ ...info, blockElements: 0 });
  return packedSize({ ...info, type: type === 'I8' ? type : 'F32' });
}

/** The vector with one f32 scale per row that stands beside a matrix: its name with `.scale` in place of `.weight`. */
export function scaleName(matrix: string): string {
  return `${matrix.replace(/\.weight$/, '')}.scale`;
}

/** The name of the scales that an I8 matrix needs. Null for types that carry their scales themselves. */
export function rowScaleName({ name, type }: Pick<TensorInfo, 'name' | 'type'>): string | null {
  return type === 'I8' ? scaleName(name) : null;
}

/** The scales of an I8 matrix. @throws {ModelFileError} `TENSOR_TYPE` when the container has none that fit */
export function rowScales(container: Container, info: TensorInfo): TensorInfo | null {
  const name = rowScaleName(info);
  if (name === null) return null;
  const scales = container.tensors.get(name);
  if (scales?.type === 'F32' && scales.shape.length === 1 && scales.shape[0] === info.shape[0]) return scales;
  const found = scales ? `${scales.type} of ${scales.shape.join(' × ') || 'a scalar'}` : 'missing';
  throw new ModelFileError(
    'TENSOR_TYPE',
    `tensor "${info.name}" is I8 and needs F32 scales for ${info.shape[0]} rows in "${name}", which is ${found}`,
  );
}

/** Bytes of one vector quantised for the packed-code kernels; see assembly/quantize.ts. */
export function codeVectorBytes(cols: number): number {
  const chunks = alignUp(cols, CODE_COLUMNS) / 64;
  return alignUp(Math.ceil(chunks / 4) * 4 + chunks * 4, 64) + chunks * 128;
}

/** Bytes of one vector quantised for the int8 kernel. */
export function int8VectorBytes(cols: number): number {
  const blocks = Math.ceil(cols / 32);
  return alignUp(blocks * 4, 64) + blocks * 64;
}

/** Bytes of one vector quantised for the kernels of groups; see assembly/grouped.ts. */
export function groupedVectorBytes(cols: number): number {
  const units = Math.ceil(cols / 32);
  return alignUp(units * 8, 64) + units * 64;
}

/** Bytes of the scratch of `trit2_gemm_lookup`, `bit1_gemm_lookup` and `int8_gemm_tile`, of which the first two need it all. */
export const TILE_BYTES = 284160;

/** Bytes of the scratch of `attention_f32` and `attention_f16`, for eight queries over at most `keys` keys. */
export function attentionBytes(headDim: number, keys: number): number {
  return 1152 + 4 * (40 * headDim + 8 * alignUp(keys, 4));
}
