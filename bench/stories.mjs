#!/usr/bin/env node
// How stories end: many seeded generations with the sampling that `run` takes by default.
//   node bench/stories.mjs [FILE] [--stories 100] [--tokens 2000] [--within 400] [--show 0] [--options '{"topP":1}'] [--json]
// Prints how many stories end by themselves, how long they are, and for those that run on whether they repeat themselves:
// the share of different runs of 8 tokens among those of the last 256.
import { parseArgs } from 'node:util';
import { defaultModel } from '../dist/default-model.js';
import { open } from '../dist/index.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    stories: { type: 'string', default: '100' },
    tokens: { type: 'string', default: '2000' },
    within: { type: 'string', default: '400' },
    show: { type: 'string', default: '0' },
    options: { type: 'string', default: '{}' },
    json: { type: 'boolean', default: false },
  },
});
const [stories, tokens, within, show] = ['stories', 'tokens', 'within', 'show'].map((name) => Number(values[name]));

const PROMPTS = [
  'Once upon a time',
  'One day, a little girl named Lily',
  'Tom and his dog',
  'The sun was bright and',
  'There was a big tree',
  'A small bird',
  'Sara wanted to',
  'In a little house by the sea,',
  'The old man had',
  'Two friends went to the park.',
  'Mia was sad because',
];
/** Tokens of a run, and how many of the last are looked at. */
const RUN = 8;
const TAIL = 256;

/** 1 where no run of tokens comes twice, near 0 in a loop. */
function variety(ids) {
  const tail = ids.slice(-TAIL);
  const runs = Array.from({ length: tail.length - RUN + 1 }, (_, i) => tail.slice(i, i + RUN).join());
  return new Set(runs).size / runs.length;
}

await using model = await open(positionals[0] ?? defaultModel);
const told = [];
for (let n = 0; n < stories; n++) {
  const prompt = PROMPTS[n % PROMPTS.length];
  const ids = [];
  let text = prompt;
  let reason = '';
  const options = { ...JSON.parse(values.options), maxTokens: tokens, overflow: 'slide', seed: n + 1 };
  for await (const chunk of model.generate(prompt, options)) {
    if (chunk.id !== null) ids.push(chunk.id);
    text += chunk.text;
    reason = chunk.finishReason ?? reason;
  }
  told.push({ prompt, length: ids.length, ended: reason === 'stop', variety: variety(ids) });
  if (n < show) console.log(`${text}\n[${ids.length} tokens, ${reason}]\n`);
}

const lengths = told.map(({ length, ended }) => (ended ? length : Infinity)).sort((a, b) => a - b);
const at = (share) => lengths[Math.min(lengths.length - 1, Math.floor(share * lengths.length))];
const long = told.filter(({ length }) => length >= 2 * TAIL);
const result = {
  stories,
  ended: told.filter(({ ended }) => ended).length,
  endedWithin: lengths.filter((length) => length <= within).length,
  endedWithin50: lengths.filter((length) => length <= 50).length,
  quantiles: { '5%': at(0.05), '25%': at(0.25), '50%': at(0.5), '75%': at(0.75), '95%': at(0.95) },
  long: long.length,
  loops: long.filter((story) => story.variety < 0.5).length,
  longVariety: long.length === 0 ? null : long.reduce((sum, story) => sum + story.variety, 0) / long.length,
};
if (values.json) console.log(JSON.stringify(result));
else {
  console.log(
    `${result.endedWithin} of ${stories} stories end within ${within} tokens, ${result.ended} within ${tokens}`,
  );
  console.log(
    `${result.endedWithin50} within 50; ${Object.entries(result.quantiles).map(([q, n]) => `${q} ${n}`).join(', ')}`,
  );
  console.log(
    `${long.length} run beyond ${2 * TAIL}: ${result.loops} loop, variety ${result.longVariety?.toFixed(3) ?? '-'}`,
  );
}
