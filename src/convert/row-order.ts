/**
 * Tensors whose rows are read in another order: a source beyond the end of the real one, from which a conversion reads them.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import { type ByteSource, readFully } from '../bytes/source.ts';
import type { Container, TensorInfo } from '../container/tensor.ts';

/** Reordered tensors begin at multiples of this. */
const ALIGNMENT = 64;

/** Rows of one block, in their new order: row r of a block is row `order[r]` of it before. */
export type RowOrder = readonly number[];

/** The order that turns pairs (i, i + n/2) of n rows into neighbours (2i, 2i + 1), as llama.cpp stores rotated heads. */
export function neighbours(n: number): RowOrder {
  return Array.from({ length: n }, (_, r) => (r >> 1) + (r & 1) * (n / 2));
}

/**
 * A container in which the rows of some tensors are in another order, and the source to read it from.
 * @param orders by name; the rows of a tensor are a whole number of blocks, and those of a packed one a whole number of them in
 *   each quarter
 */
export function reordered<T extends Container>(
  source: ByteSource,
  container: T,
  orders: ReadonlyMap<string, RowOrder>,
): { container: T; source: ByteSource } {
  const tensors = new Map(container.tensors);
  const moved: { from: TensorInfo; to: TensorInfo; order: RowOrder; rowBytes: number }[] = [];
  let end = source.size;
  for (const [name, order] of orders) {
    const from = container.tensors.get(name) as TensorInfo;
    const to = { ...from, offset: alignUp(end, ALIGNMENT) };
    const rows = from.type === 'U2_ROWS' ? from.shape[0] / 4 : from.shape[0];
    end = to.offset + to.byteLength;
    tensors.set(name, to);
    moved.push({ from, to, order, rowBytes: from.byteLength / rows });
  }
  return {
    container: { ...container, tensors },
    source: {
      name: source.name,
      size: end,
      async read(into, offset, signal) {
        if (offset < source.size) return await source.read(into, offset, signal);
        const tensor = moved.find(({ to }) => offset >= to.offset && offset < to.offset + to.byteLength);
        if (!tensor) return 0;
        const { from, to, order, rowBytes } = tensor;
        // one block of rows at a time: they are read as they are and put in order
        const blockBytes = order.length * rowBytes;
        const first = Math.floor((offset - to.offset) / blockBytes) * blockBytes;
        const block = new Uint8Array(blockBytes);
        await readFully(source, block, from.offset + first, `tensor "${from.name}"`, signal);
        const ordered = new Uint8Array(blockBytes);
        order.forEach((row, r) => ordered.set(block.subarray(row * rowBytes, (row + 1) * rowBytes), r * rowBytes));
        const skip = offset - to.offset - first;
        const n = Math.min(into.length, blockBytes - skip);
        into.set(ordered.subarray(skip, skip + n));
        return n;
      },
    },
  };
}
