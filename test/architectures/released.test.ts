/** The public SymbolicLight checkpoints by their layout: entries, shapes and parameters of both, without their weights. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openContainer } from '../../src/container/open.ts';
import { SPIKING_SHAPES } from '../../src/architectures/symboliclight/random.ts';
import { open } from '../../src/entries/index.ts';
import { describe } from '../describe.ts';
import { countingSource } from '../faults.ts';
import { released } from '../released.ts';

const layout = suite('released layout');

for (
  const { name, entries, parameters, bytes } of [
    { name: '0.8b', entries: 337, parameters: 873_668_135, bytes: 3.49e9 },
    { name: '194m', entries: 174, parameters: 194_016_924, bytes: 0.776e9 },
  ]
) {
  layout(
    `the ${name} has ${entries} entries and ${parameters} parameters, and is recognised by its header`,
    async () => {
      const checkpoint = released(SPIKING_SHAPES[`symboliclight-${name}`]);
      assert.is(checkpoint.entries, entries);
      assert.ok(checkpoint.source.size > bytes);
      const source = countingSource(checkpoint.source);
      const container = await openContainer(source);
      assert.is(container.format, 'torch');
      assert.is(container.tensors.size, entries);
      const d = describe(container);
      assert.ok(d.kind === 'symboliclight');
      assert.is(d.variant, name);
      assert.is(d.parameters, parameters);
      assert.ok(source.counts.bytes < 1_000_000, `${source.counts.bytes} bytes were read`);
    },
  );
}

for (
  const { prefix, key } of [{ prefix: '', key: 'model' }, { prefix: 'module._orig_mod.', key: 'model_state_dict' }]
) {
  layout(`a random checkpoint with names ${prefix}… under ${key} generates`, async () => {
    const { source } = released(SPIKING_SHAPES['symboliclight-tiny'], prefix, key);
    using model = await open(source);
    const ids: number[] = [];
    for await (const { id } of model.generate([1, 2, 3], { maxTokens: 80, temperature: 0 })) {
      if (id !== null) ids.push(id);
    }
    assert.is(ids.length, 80);
    assert.ok((model.stats().spikes?.overall.firingRate ?? 0) > 0);
  });
}

layout.run();
