/** Residual streams behind every layer: each is what a model of so many layers would end with. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SPIKING_SHAPES } from '../../src/architectures/symboliclight/random.ts';
import { open } from '../../src/entries/index.ts';
import { llamaFile } from '../llama-files.ts';
import { referenceLogits, relativeError } from '../reference-llama.ts';
import { refuses } from '../refusal.ts';
import { released } from '../released.ts';

const hidden = suite('residual streams');

const IDS = Array.from({ length: 45 }, (_, i) => (i * 7 + 1) % 40); // more than a batch
const file = llamaFile({ shape: { layers: 3 } });
const { shape, values } = file;

/** Logits that the head makes of a stream, in doubles. */
function headOf(stream: Float32Array): Float64Array {
  const norm = values.get('output_norm.weight')!;
  const head = values.get('output.weight')!;
  const mean = stream.reduce((sum, x) => sum + x * x, 0) / stream.length;
  const a = Float64Array.from(stream, (x, i) => (x / Math.sqrt(mean + shape.eps)) * norm[i]);
  return Float64Array.from(
    { length: shape.vocab },
    (_, row) => a.reduce((sum, x, i) => sum + x * head[row * a.length + i], 0),
  );
}

for (const threads of [1, 2]) {
  hidden(`the stream behind layer l is that of a model of l + 1 layers, ${threads} threads`, async () => {
    await using model = await open(file.bytes(), { kv: 'f32', contextLength: 64, threads });
    const seen = new Map<string, Float32Array>();
    const rows = await model.logits(IDS, {
      onHidden: (layer, i, stream) => {
        assert.not(seen.has(`${layer} ${i}`));
        seen.set(`${layer} ${i}`, stream.slice());
      },
    });
    assert.is(seen.size, 3 * IDS.length);
    for (let layer = 0; layer < 3; layer++) {
      const wanted = referenceLogits({ ...shape, layers: layer + 1 }, values, IDS);
      const found = IDS.map((_, i) => headOf(seen.get(`${layer} ${i}`)!));
      const error = relativeError(found, wanted);
      assert.ok(error < 1e-5, `layer ${layer}: ${error}`);
    }
    assert.equal(await model.logits(IDS), rows, 'looking changes nothing');
  });
}

hidden('models of another shape refuse', async () => {
  await using model = await open(released(SPIKING_SHAPES['symboliclight-tiny']).source);
  await refuses(model.logits([1], { onHidden: () => {} }), 'OPTION', 'onHidden', 'symboliclight');
});

hidden.run();
