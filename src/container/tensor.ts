/**
 * What a container yields, whatever its format: metadata and a table of tensors.
 * @module
 */

import type { ByteSource } from '../bytes/source.ts';

/** Name of an element type that weights can have, as ggml spells it. */
export type TensorType =
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'I8'
  | 'Q8_0'
  | 'TQ1_0'
  | 'TQ2_0'
  | 'Q2_0'
  | 'Q1_0'
  | 'I2_S'
  | 'Q4_0'
  | 'Q4_1'
  | 'Q5_0'
  | 'Q5_1'
  | 'Q2_K'
  | 'Q3_K'
  | 'Q4_K'
  | 'Q5_K'
  | 'Q6_K'
  | 'IQ4_NL'
  | 'U2_ROWS';

/** Name of a float type that is widened, or narrowed, to another when it is read. */
export type OtherFloat = 'F64' | 'F8_E4M3' | 'F8_E5M2' | 'F8_E4M3FNUZ' | 'F8_E5M2FNUZ';

/** Name of an element type of buffers, masks and packed codes, which are listed and never computed with as they are. */
export type RawType = 'U8' | 'I16' | 'I32' | 'I64' | 'U16' | 'U32' | 'U64' | 'BOOL' | OtherFloat;

/** Name of a type of GGUF files that has no kernels here; `TYPE_N` for a number without a name. Such tensors are listed, so that a file
 *  can be looked at and its vocabulary used, and refused where they would be loaded. */
export type UnreadType =
  | 'Q4_2'
  | 'Q4_3'
  | 'Q8_1'
  | 'Q8_K'
  | 'IQ2_XXS'
  | 'IQ2_XS'
  | 'IQ3_XXS'
  | 'IQ1_S'
  | 'IQ3_S'
  | 'IQ2_S'
  | 'IQ4_XS'
  | 'IQ1_M'
  | 'Q4_0_4_4'
  | 'Q4_0_4_8'
  | 'Q4_0_8_8'
  | 'IQ4_NL_4_4'
  | 'IQ4_NL_4_8'
  | 'IQ4_NL_8_8'
  | 'MXFP4'
  | 'NVFP4'
  | `TYPE_${number}`;

/** One stored tensor. */
export interface TensorInfo {
  readonly name: string;
  readonly type: TensorType | RawType | UnreadType;
  /** Row-major, outermost first: a matrix of `rows` outputs over `cols` inputs is `[rows, cols]`. A vector is `[n]`. */
  readonly shape: readonly number[];
  /** Elements that share one scale in the file: 256 for TQ1_0, TQ2_0 and the K-quants, 64 or 128 for Q2_0, 32 for Q8_0, 1 for floats,
   *  0 for I2_S and U2_ROWS (one scale for the whole tensor). */
  readonly blockElements: number;
  /** The type in the file, where `type` is what its elements are read as. */
  readonly stored?: OtherFloat;
  /** Position of the first byte in the source. */
  readonly offset: number;
  /** Bytes in the source. */
  readonly byteLength: number;
  /** For a tensor that is made of others when it is read: where the bytes are that it is made of. Weights are loaded in the
   *  order of the file. */
  readonly readFrom?: number;
}

/** A tensor of a type that weights can have. */
export interface WeightInfo extends TensorInfo {
  readonly type: TensorType;
}

/** A metadata value. Integers beyond 2^53 come as bigint. Arrays of numbers come as JavaScript arrays. */
export type MetadataValue = number | bigint | boolean | string | MetadataValue[];

/** A parsed container: everything but the weights themselves. */
export interface Container {
  readonly format: 'gguf' | 'safetensors' | 'torch' | 'huggingface';
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Bytes of the whole file, or of all of them. */
  readonly size: number;
  /** What the offsets of tensors count in, where that is not the source that was opened: a model of several files. */
  readonly source?: ByteSource;
}
