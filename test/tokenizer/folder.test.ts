/** Tokenizers of folders: which files count, what the configurations beside them add, and what is refused. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { folderTokenizer } from '../../src/tokenizer/folder.ts';
import { refuses } from '../refusal.ts';

const TOKENIZER = JSON.stringify({
  model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2, '<e>': 3, '<t>': 4 }, merges: ['a b'] },
  added_tokens: [{ id: 3, content: '<e>', special: true }, { id: 4, content: '<t>', special: true }],
});

type Files = Readonly<Record<string, string>>;

const read = (files: Files) => (name: string): Promise<Uint8Array | null> =>
  Promise.resolve(Object.hasOwn(files, name) ? new TextEncoder().encode(files[name]) : null);

const test = suite('tokenizer/folder');

test('a folder without a vocabulary has no tokenizer', async () => {
  assert.is(await folderTokenizer(read({ 'tokenizer_config.json': '{}' })), null);
});

test('the configurations add ends and a chat template', async () => {
  const tokenizer = await folderTokenizer(read({
    'tokenizer.json': TOKENIZER,
    'tokenizer_config.json': JSON.stringify({
      eos_token: '<e>',
      chat_template: [{ name: 'tools', template: 'T' }, { name: 'default', template: 'D' }],
    }),
    'generation_config.json': JSON.stringify({ eos_token_id: [3, 4, 99, -1, 'x'] }),
  }));
  assert.equal(tokenizer?.encode('ab'), [2]);
  assert.equal([...(tokenizer?.specials.stop ?? [])].sort(), [3, 4]);
  assert.is(tokenizer?.chatTemplate, 'D');
  const single = await folderTokenizer(read({
    'tokenizer.json': TOKENIZER,
    'tokenizer_config.json': JSON.stringify({ chat_template: 'A' }),
    'generation_config.json': JSON.stringify({ eos_token_id: 4 }),
    'chat_template.jinja': 'B',
  }));
  assert.is(single?.chatTemplate, 'B');
  assert.ok(single?.specials.stop.includes(4));
});

test('malformed configurations are refused by name', async () => {
  for (const name of ['tokenizer_config.json', 'generation_config.json']) {
    for (const bad of ['{', '[]', 'null', '7']) {
      await refuses(folderTokenizer(read({ 'tokenizer.json': TOKENIZER, [name]: bad })), 'TOKENIZER', name);
    }
  }
});

test.run();
