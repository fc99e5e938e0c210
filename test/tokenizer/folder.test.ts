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

test('special_tokens_map.json names special tokens where the configuration lists none', async () => {
  const map = { 'special_tokens_map.json': JSON.stringify({ bos_token: { content: 'a' }, eos_token: '<t>' }) };
  const older = await folderTokenizer(read({ 'tokenizer.json': TOKENIZER, ...map }));
  assert.is(older?.specials.bos, 0);
  assert.is(older?.specials.eos, 4);
  // as in transformers, a piece that is named so is special
  assert.is(older?.decode([0, 1]), 'b');
  const config = JSON.stringify({ eos_token: '<e>', added_tokens_decoder: {} });
  const newer = await folderTokenizer(read({ 'tokenizer.json': TOKENIZER, 'tokenizer_config.json': config, ...map }));
  assert.is(newer?.specials.eos, 3);
  assert.is(newer?.decode([0, 1]), 'a b');
});

test('add_bos_token and add_eos_token count where the tokenizer itself adds nothing', async () => {
  const ids = async (flags: object, post_processor: unknown = null): Promise<number[] | undefined> =>
    (await folderTokenizer(read({
      'tokenizer.json': JSON.stringify({ ...JSON.parse(TOKENIZER) as object, post_processor }),
      'tokenizer_config.json': JSON.stringify({ bos_token: '<e>', eos_token: '<t>', ...flags }),
    })))?.encode('ab', { special: true });
  assert.equal(await ids({}), [2]);
  assert.equal(await ids({ add_bos_token: true }), [3, 2]);
  assert.equal(await ids({ add_bos_token: true, add_eos_token: true }), [3, 2, 4]);
  const template = {
    type: 'TemplateProcessing',
    single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '<t>', type_id: 0 } }],
    pair: [],
    special_tokens: { '<t>': { id: '<t>', ids: [4], tokens: ['<t>'] } },
  };
  assert.equal(await ids({ add_bos_token: true, add_eos_token: false }, template), [2, 4]);
});

test('a vocab.txt goes by do_lower_case, strip_accents and tokenize_chinese_chars', async () => {
  const vocabulary = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'the', 'The', 'é', 'e', 'É', '中', 'the中'].join(
    '\n',
  );
  const ids = async (config: object, text: string): Promise<number[] | undefined> =>
    (await folderTokenizer(read({ 'vocab.txt': vocabulary, 'tokenizer_config.json': JSON.stringify(config) })))?.encode(
      text,
    );
  assert.equal(await ids({ do_lower_case: false }, 'The É'), [6, 9]);
  assert.equal(await ids({ do_lower_case: true }, 'The É'), [5, 8]);
  assert.equal(await ids({ do_lower_case: true, strip_accents: false }, 'The É'), [5, 7]);
  assert.equal(await ids({ do_lower_case: true }, 'the中'), [5, 10]);
  assert.equal(await ids({ do_lower_case: true, tokenize_chinese_chars: false }, 'the中'), [11]);
});

test('malformed configurations are refused by name', async () => {
  for (const name of ['tokenizer_config.json', 'generation_config.json']) {
    for (const bad of ['{', '[]', 'null', '7']) {
      await refuses(folderTokenizer(read({ 'tokenizer.json': TOKENIZER, [name]: bad })), 'TOKENIZER', name);
    }
  }
});

test.run();
