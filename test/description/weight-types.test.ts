/** The table of weight types: what a row says is what rows, columns and refusals are made of. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { TYPE_LAYOUTS } from '../../src/container/ggml-types.ts';
import type { TensorInfo, TensorType } from '../../src/container/tensor.ts';
import { columnSize } from '../../src/description/columns.ts';
import { packedSize, rowScaledSize } from '../../src/description/layout.ts';
import { ModelFileError } from '../../src/errors.ts';

const test = suite('weight types');
const info = (type: TensorType): TensorInfo => ({
  name: 'blocks.0.w.weight',
  type,
  shape: [8, 512],
  blockElements: type === 'I2_S' || type === 'U2_ROWS' ? 0 : TYPE_LAYOUTS[type].blockElements,
  offset: 0,
  byteLength: 0,
});
const TYPES = Object.keys(TYPE_LAYOUTS) as TensorType[];
const NOT_FOR_SPIKES: readonly string[] = ['Q4_0', 'Q4_1', 'Q5_1', 'Q2_K', 'Q3_K', 'Q4_K', 'Q5_K', 'Q6_K', 'U2_ROWS'];

test('every type has rows, and numbers are used once', () => {
  for (const type of TYPES) assert.ok(packedSize(info(type)).dataBytes > 0, type);
  assert.is(new Set(TYPES.map((type) => TYPE_LAYOUTS[type].id)).size, TYPES.length);
});

test('types with groups or minima are refused as inputs of spikes, by tensor and type; others have columns', () => {
  for (const type of TYPES) {
    if (type === 'U2_ROWS') continue; // made of checkpoints whose inputs are no spikes
    for (const size of [columnSize, rowScaledSize]) {
      let refusal: unknown = null;
      try {
        assert.ok(size(info(type)).dataBytes > 0, type);
      } catch (error) {
        refusal = error;
      }
      assert.is(refusal !== null, NOT_FOR_SPIKES.includes(type), type);
      if (refusal === null) continue;
      assert.ok(refusal instanceof ModelFileError);
      assert.is(refusal.code, 'TENSOR_TYPE');
      assert.match(refusal.message, `"blocks.0.w.weight" is ${type}`);
    }
  }
});

test('4-bit types take about the bytes of the file', () => {
  for (const type of ['Q4_0', 'Q4_1', 'Q4_K'] as const) {
    const { dataBytes, scaleBytes } = packedSize(info(type));
    const { blockBytes, blockElements } = TYPE_LAYOUTS[type];
    const ratio = (dataBytes + scaleBytes) / ((8 * 512 * blockBytes) / blockElements);
    assert.ok(ratio >= 0.99 && ratio < 1.15, `${type}: ${ratio}`);
  }
});
test.run();
