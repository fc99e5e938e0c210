/** Products of float matrices: the bits of each vector alone, whatever their number, by whichever kernel and on any thread. */
import { suite } from 'uvu';
import { TILE_BYTES } from '../../src/description/layout.ts';
import { allocateActivations, matmul, strideOf } from '../../src/forward/matmul.ts';
import { Arena } from '../../src/wasm/arena.ts';
import { builtinModule } from '../../src/wasm/builtin.ts';
import { instantiate } from '../../src/wasm/instantiate.ts';
import type { Matrix } from '../../src/wasm/weights.ts';
import { builds, normals, sameBits } from '../kernels/harness.ts';
import { bf16, f16, f16Bits } from '../reference.ts';
import { denseGemv } from '../reference-matrix.ts';

const test = suite('float products');
/** The last has too many columns for rows of it to be widened. */
const SHAPES = [[3, 5], [64, 64], [130, 384], [12, 1536], [8, TILE_BYTES / 16 + 8]];

for (const build of builds) {
  for (const layout of ['f32', 'f16', 'bf16'] as const) {
    test(`${layout}, ${build}: batches of 1 to 33 vectors on 1 to 3 threads`, async () => {
      const { module } = await builtinModule(build);
      for (const [rows, cols] of SHAPES) {
        const arena = new Arena(new WebAssembly.Memory({ initial: 1 }));
        const k = instantiate(module, arena.memory);
        const [units, paddedRows] = [Math.ceil(cols / 8) * 8, Math.ceil(rows / 4) * 4];
        const wide = normals(rows * cols, rows + cols);
        const bits = Uint16Array.from(
          wide,
          (value) => layout === 'f16' ? f16Bits(value) : new Uint32Array(Float32Array.of(value).buffer)[0] >>> 16,
        );
        const data = arena.alloc(paddedRows * units * 4, 'matrix');
        for (let r = 0; r < rows; r++) {
          if (layout === 'f32') arena.f32(data + r * units * 4, cols).set(wide.subarray(r * cols, (r + 1) * cols));
          else arena.u16(data + r * units * 2, cols).set(bits.subarray(r * cols, (r + 1) * cols));
        }
        const m = { layout, data, rows, cols, paddedRows, units, scales: 0 } as unknown as Matrix;
        const values = layout === 'f32' ? wide : Float32Array.from(bits, layout === 'f16' ? f16 : bf16);
        const [into, out] = [strideOf(cols), strideOf(rows)];
        const own = allocateActivations(arena, cols);
        const x = arena.alloc(33 * into * 4, 'x');
        const y = arena.alloc(33 * out * 4, 'y');
        const right = Array.from({ length: 33 }, (_, t) => {
          const vector = normals(cols, t, t === 3 ? 1e30 : 1);
          arena.f32(x + t * into * 4, cols).set(vector);
          return denseGemv(values, rows, cols, vector);
        });
        for (const n of cols > 2000 ? [1, 5] : [1, 2, 3, 4, 5, 31, 32, 33]) {
          for (const count of [1, 2, 3]) {
            arena.f32(y, 33 * out).fill(7);
            for (let index = 0; index < count; index++) {
              matmul(k, m, x, own, y, n, { index, count, barrier() {} });
            }
            for (let t = 0; t < n; t++) {
              sameBits(arena.f32(y + t * out * 4, rows), right[t], `${rows} × ${cols}, ${t} of ${n}, ${count} threads`);
            }
            if (n < 33) sameBits(arena.f32(y + n * out * 4, rows), new Float32Array(rows).fill(7), 'behind the batch');
          }
        }
      }
    });
  }
}

test.run();
