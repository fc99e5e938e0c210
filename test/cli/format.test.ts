/** `run` with a format, and with how likely each token was. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { folder, json, refused, ternspike } from './cli.ts';

const running = suite('cli formats');
const files = folder();
running.after(() => files.remove());

running('an answer is JSON by a schema, a choice, or by a pattern', async () => {
  const schema = files.file('schema.json', new TextEncoder().encode('{"enum": ["Tom", "Lily"]}'));
  const run = (...args: string[]): Promise<{ text: string; finishReason: string }> =>
    json(['run', 'One day', '--seed', '1', ...args]);
  const [document, choice, pattern] = await Promise.all([
    run('--json-schema', schema),
    run('--choice', 'yes', '--choice', 'no'),
    run('--regex', '[0-9]{4}-[a-z]'),
  ]);
  assert.match(document.text, /^"(Tom|Lily)"$/);
  assert.match(choice.text, /^(yes|no)$/);
  assert.match(pattern.text, /^\d{4}-[a-z]$/);
  assert.equal([document, choice, pattern].map(({ finishReason }) => finishReason), ['stop', 'stop', 'stop']);
  const broken = files.file('broken.json', new TextEncoder().encode('{'));
  refused(await ternspike(['run', 'a', '--json-schema', broken]), 2, 'no JSON');
  refused(await ternspike(['run', 'a', '--regex', 'a', '--choice', 'b']), 2, 'give one of');
  refused(await ternspike(['run', 'a', '--regex', '(?=a)']), 1, 'FORMAT');
});

running('--logprobs says how likely each token was', async () => {
  const { ids, logprobs } = await json<
    { ids: number[]; logprobs: { id: number; logprob: number; topLogprobs: unknown[] }[] }
  >(
    ['run', 'One day', '-n', '3', '--logprobs', '2'],
  );
  assert.equal(logprobs.map(({ id }) => id), ids);
  assert.ok(logprobs.every(({ logprob, topLogprobs }) => logprob <= 0 && topLogprobs.length === 2));
  assert.not.match((await ternspike(['run', 'One day', '-n', '1', '--json'])).stdout, /logprobs/);
});

running.run();
