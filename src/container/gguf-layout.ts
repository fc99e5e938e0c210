/**
 * Where the tensors of a GGUF file lie. As llama.cpp does, every tensor is required to begin where the one before it,
 * padded to the alignment, ends: no holes, no overlaps, and nothing beyond the end of the file.
 *
 * Q2_0 has two forms under one number. Which one a file uses follows from this rule: the form is the same for all its
 * tensors, and only one makes their places agree. (Where both do, which takes tensors of under 2048 elements, the form
 * that ends with the file is taken, and groups of 64 if both do.)
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import { ModelFileError } from '../errors.ts';
import { layoutBytes, OLD_Q2_0, TYPE_LAYOUTS, type TypeLayout } from './ggml-types.ts';
import { quote } from './gguf-types.ts';
import type { TensorInfo, TensorType } from './tensor.ts';

/** A row of the tensor table. */
export interface TensorEntry {
  readonly name: string;
  readonly type: TensorInfo['type'];
  /** Row-major, outermost first. */
  readonly shape: readonly number[];
  readonly elements: number;
  /** Counted from the start of the data. */
  readonly offset: number | bigint;
}

/** The file around the tensors. */
export interface DataSection {
  readonly fileName: string;
  readonly fileBytes: number;
  /** First byte of the data. */
  readonly start: number;
  readonly alignment: number;
}

/**
 * Checks the place of every tensor.
 * @param entries in the order of the file, with distinct names
 * @throws {ModelFileError} `TENSOR_BLOCK` for rows that are no whole number of blocks; `TENSOR_OUT_OF_FILE`;
 *   `TENSOR_LAYOUT` for an unaligned tensor, an overlap or a hole
 */
export function placeTensors(entries: readonly TensorEntry[], data: DataSection): Map<string, TensorInfo> {
  const today = walk(entries, data, TYPE_LAYOUTS.Q2_0);
  const ambiguous = entries.some(({ type }) => type === 'Q2_0');
  if (ambiguous && (today instanceof ModelFileError || !today.endsWithFile)) {
    const older = walk(entries, data, OLD_Q2_0);
    const fits = !(older instanceof ModelFileError);
    if (fits && (older.endsWithFile || today instanceof ModelFileError)) return older.tensors;
  }
  if (today instanceof ModelFileError) throw today;
  return today.tensors;
}

/** The places under one form of Q2_0, or what contradicts it. */
function walk(
  entries: readonly TensorEntry[],
  { fileName, fileBytes, start, alignment }: DataSection,
  q2: TypeLayout,
): { tensors: Map<string, TensorInfo>; endsWithFile: boolean } | ModelFileError {
  const tensors = new Map<string, TensorInfo>();
  let expected = 0;
  let end = start;
  for (const [i, { name, type, shape, elements, offset }] of entries.entries()) {
    const refuse = (code: 'TENSOR_BLOCK' | 'TENSOR_LAYOUT' | 'TENSOR_OUT_OF_FILE', why: string): ModelFileError =>
      new ModelFileError(code, `${fileName}: tensor ${quote(name)} ${why}`);
    const layout = type === 'Q2_0' ? q2 : Object.hasOwn(TYPE_LAYOUTS, type) ? TYPE_LAYOUTS[type as TensorType] : null;
    const row = shape.at(-1) ?? 1;
    if (layout !== null && row % layout.blockElements !== 0) {
      return refuse('TENSOR_BLOCK', `of type ${type} has rows of ${row}, not a multiple of ${layout.blockElements}`);
    }
    const at = start + Number(offset);
    // how much a type without kernels takes is not known: it ends where the next tensor begins
    const rest = (i + 1 < entries.length ? start + Number(entries[i + 1].offset) : fileBytes) - at;
    const byteLength = layout === null ? Math.max(0, rest) : layoutBytes(elements, layout);
    if (byteLength === 0 && elements > 0) {
      return refuse('TENSOR_LAYOUT', 'has elements but no bytes: the next one overlaps it');
    }
    if (byteLength > 0 && !(at + byteLength <= fileBytes)) {
      return refuse(
        'TENSOR_OUT_OF_FILE',
        `takes ${byteLength} bytes from ${at} and ends at ${at + byteLength}, the file has ${fileBytes} bytes; ` +
          'is the download complete?',
      );
    }
    if (Number(offset) !== expected) {
      const why = Number(offset) % alignment !== 0
        ? `is not aligned to ${alignment}`
        : Number(offset) < expected
        ? 'overlaps the previous one'
        : 'leaves a gap after the previous one';
      return refuse('TENSOR_LAYOUT', `has offset ${offset}, expected ${expected}: it ${why}`);
    }
    const blockElements = type === 'I2_S' ? 0 : layout?.blockElements ?? 1;
    tensors.set(name, Object.freeze({ name, type, shape, blockElements, offset: at, byteLength }));
    end = at + byteLength;
    expected = alignUp(Number(offset) + byteLength, alignment);
  }
  return { tensors, endsWithFile: fileBytes === end || fileBytes === start + expected };
}
