/**
 * What stands on top of the first tokens of texts: pooler and classifier, both optional.
 *
 *   pooled = tanh(Wp · x[CLS] + bp), of DistilBERT max(…, 0)        logits = Wc · pooled + bc, without a pooler Wc · x[CLS] + bc
 * @module
 */
import { PREFILL_BATCH } from '../../description/plan.ts';
import { matmul, quantize, strideOf } from '../../forward/matmul.ts';
import { SOLO } from '../../threads/context.ts';
import type { Ptr } from '../../wasm/arena.ts';
import type { Matrix } from '../../wasm/weights.ts';
import type { Bert } from './forward.ts';
import type { BertBuffers } from './state.ts';

/** Fills `pooled` and `logits` of n texts from `cls`, on this thread alone. */
export function runHead(m: Bert, b: BertBuffers, n: number): void {
  const { k, d, w, memory } = m;
  const stride = strideOf(d.width) * 4;
  if (w.pooler) {
    linear(m, b, w.pooler, w.poolerBias, b.cls, b.pooled, n);
    for (let t = 0; t < n; t++) {
      const row = b.pooled + t * stride;
      const values = new Float32Array(memory.buffer, row, d.width);
      if (d.headActivation === 'tanh') {
        // tanh x = 2 · sigmoid(2x) − 1
        k.scale_f32(row, 2, d.width);
        k.math_sigmoid_f32(row, row, d.width);
        for (let i = 0; i < d.width; i++) values[i] = 2 * values[i] - 1;
      } else for (let i = 0; i < d.width; i++) values[i] = Math.max(values[i], 0);
    }
  }
  if (w.classifier) linear(m, b, w.classifier, w.classifierBias, w.pooler ? b.pooled : b.cls, b.logits, n);
}

function linear({ k }: Bert, b: BertBuffers, matrix: Matrix, bias: Ptr, x: Ptr, y: Ptr, texts: number): void {
  const [own] = b.threads;
  const [input, output] = [strideOf(matrix.cols) * 4, strideOf(matrix.rows) * 4];
  for (let from = 0; from < texts; from += PREFILL_BATCH) {
    const n = Math.min(PREFILL_BATCH, texts - from);
    quantize(k, own, x + from * input, n, [matrix]);
    matmul(k, matrix, x + from * input, own, y + from * output, n, SOLO);
    for (let t = from; bias !== 0 && t < from + n; t++) k.add_f32(y + t * output, bias, matrix.rows);
  }
}
