/** Scores of a Unigram as Hugging Face's tokenizers read them, measured with version 0.23. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { asRead } from '../../src/tokenizer/json/unigram.ts';

const test = suite('scores of a Unigram');

test('some are off by the last bit, as in the original; others are as written', () => {
  for (
    const [written, read] of [
      [-7.2208337268559175, -7.220833726855917],
      [-7.2366796562328535, -7.236679656232853],
      [-7.2485804692390055, -7.248580469239005],
      [-7.2872582949735705, -7.287258294973571],
      [-7.3066520434068645, -7.306652043406864],
      [-10, -10],
      [0, 0],
      [-2.5, -2.5],
      [1e-7, 1e-7],
      [3e22, 3e22],
    ]
  ) {
    assert.is(asRead(written), read);
  }
});

test.run();
