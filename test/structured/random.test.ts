/** Random schemas on a model of random weights: it writes nonsense, so every document that it ends is proof of the masks alone. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { drawing, jsonModel, randomSchema } from './schemas.ts';

const test = suite('random schemas');

test('every document that ends is valid, and most of them end', async () => {
  using model = await jsonModel();
  const ajv = new Ajv2020({ strict: false, multipleOfPrecision: 9 });
  let ended = 0;
  const count = 300;
  for (let seed = 0; seed < count; seed++) {
    const schema = randomSchema(drawing(seed));
    const { text, finishReason } = await model.complete([1], {
      format: { schema },
      maxTokens: 200,
      seed,
      temperature: 2,
      topK: 0,
      minP: 0,
      topP: 1,
    });
    if (finishReason === 'length') continue;
    ended++;
    const about = `schema ${JSON.stringify(schema)} of seed ${seed}: ${text}`;
    let value: unknown;
    assert.not.throws(() => (value = JSON.parse(text)), about);
    assert.ok(ajv.validate(schema as object, value), `${about}: ${ajv.errorsText()}`);
  }
  assert.ok(ended > count * 0.9, `${ended} of ${count} ended`);
});

test.run();
