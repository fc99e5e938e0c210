/** Options of every call: names that are not known, values of the wrong kind, what is missing, and the nearest right name. */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluateGlue, glueClassifier, glueTask, openSource, readGlue } from '../../src/entries/eval.ts';
import { distill } from '../../src/entries/distill.ts';
import {
  type GenerateOptions,
  type Model,
  open,
  openContainer,
  openTokenizer,
  perplexity,
} from '../../src/entries/index.ts';
import { TernspikeError } from '../../src/errors.ts';
import { checkOptions, nearest, number, oneOf, whole } from '../../src/options.ts';
import { memorySource } from '../../src/bytes/memory.ts';
import { classifierFolder } from '../cli/classifier.ts';
import { folder, speakingModel } from '../cli/cli.ts';
import { refuses } from '../refusal.ts';

const options = suite('options');

const files = folder();
let model: Model;
let classifier: Model;
options.before(async () => {
  model = await open(speakingModel());
  classifier = await open(classifierFolder(join(files.path, 'classifier')));
});
options.after(() => {
  model.dispose();
  classifier.dispose();
  files.remove();
});

const any = <T>(value: unknown): T => value as T;
const all = async (generation: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of generation);
};

options('a name that is not known is refused, with the nearest one, by every call that takes options', async () => {
  const wrong = any<never>({ sginal: undefined });
  const calls: Readonly<Record<string, () => unknown>> = {
    open: () => open(speakingModel(), wrong),
    session: () => model.session(any({ overflwo: 'slide' })),
    generate: () => all(model.generate('a', wrong)),
    complete: () => model.complete('a', wrong),
    chat: () => all(model.chat([{ role: 'user', content: 'a' }], wrong)),
    chatIds: () => model.chatIds([{ role: 'user', content: 'a' }], wrong),
    logits: () => model.logits([1], wrong),
    classify: () => classifier.classify('a', wrong),
    classifyAll: () => all(classifier.classifyAll(['a'], wrong)),
    embed: () => model.embed('a', wrong),
    prefill: () => model.session().prefill([1], wrong),
    step: () => model.session().step(1, wrong),
    perplexity: () => perplexity(model, 'a', any({ contextLength: 8, sginal: 1 })),
    openContainer: () => openContainer(memorySource(speakingModel()), wrong),
    openTokenizer: () => openTokenizer('{}', 'a', any({ confg: '' })),
    encode: () => model.tokenizer.encode('a', any({ specials: true })),
    decode: () => model.tokenizer.decode([5], any({ specials: true })),
    stream: () => model.tokenizer.stream(any({ continue: true })),
    openSource: () => openSource(new Uint8Array(8), wrong),
    readGlue: () => all(readGlue(memorySource(new Uint8Array(8)), glueTask('sst2'), wrong)),
    evaluateGlue: () => evaluateGlue(() => ({ logits: [0, 1] }), [], any({ task: glueTask('sst2'), sginal: 1 })),
    glueClassifier: async () => await glueClassifier(classifier, glueTask('sst2'), wrong)('a', undefined),
    distill: () => distill(any({ teacher: 'a', texts: ['a'], out: 'b', dir: 'c', step: 3 })),
  };
  const near: Readonly<Record<string, string>> = {
    session: 'overflow',
    openTokenizer: 'config',
    encode: 'special',
    decode: 'special',
    stream: 'continues',
    distill: 'steps',
  };
  for (const [name, call] of Object.entries(calls)) {
    await refuses((async () => await call())(), 'OPTION', 'is not known', `did you mean ${near[name] ?? 'signal'}?`);
  }
});

options('the nearest name is found through case, hyphens, misspellings and other libraries', () => {
  const names = ['maxTokens', 'temperature', 'topK', 'topP', 'threads', 'contextLength', 'repeatPenalty', 'stop'];
  const pairs: readonly (readonly [string, string | undefined])[] = [
    ['max_tokens', 'maxTokens'],
    ['maxtokens', 'maxTokens'],
    ['max_new_tokens', 'maxTokens'],
    ['temprature', 'temperature'],
    ['temp', 'temperature'],
    ['top_k', 'topK'],
    ['thread', 'threads'],
    ['context-length', 'contextLength'],
    ['stops', 'stop'],
    ['colour', undefined],
    ['', undefined],
  ];
  for (const [given, expected] of pairs) assert.is(nearest(given, names), expected, given);
});

options('without a near name, all names are given; own and inherited properties are told apart', async () => {
  const check = (given: unknown): Promise<void> =>
    Promise.resolve().then(() => checkOptions('try', given, { one: whole(1), two: number(0) }));
  await check({ one: 1, two: undefined });
  await check(Object.create({ three: 3 }));
  await refuses(check({ colour: 1 }), 'OPTION', 'try: "colour" is not known; expected one, two');
  await refuses(check({ toString: 1 }), 'OPTION', '"toString" is not known');
  await refuses(check({ one: 0 }), 'OPTION', 'one is 0, expected a whole number from 1 on');
  for (const bad of [null, 5, 'one', []]) {
    await refuses(check(bad), 'OPTION', 'the options of try are', 'expected an object');
  }
  await refuses(
    (async () => await checkOptions('try', {}, { one: oneOf('a', 'b') }, ['one']))(),
    'OPTION',
    'try needs one: one of a, b',
  );
});

options('values of the wrong kind are refused with the value and what is expected', async () => {
  await refuses(open(speakingModel(), any({ threads: '2' })), 'OPTION', 'threads is "2"', 'whole number in 1 …');
  await refuses(open(speakingModel(), any({ kv: 16 })), 'OPTION', 'kv is 16, expected one of f16, f32');
  await refuses(open(speakingModel(), any({ signal: 1 })), 'OPTION', 'signal is 1, expected an AbortSignal');
  const bad = (given: unknown, ...words: string[]): Promise<unknown> =>
    refuses(model.complete('a', given as GenerateOptions), 'OPTION', ...words);
  await bad({ maxTokens: '5' }, 'maxTokens is "5"');
  await bad({ maxTokens: null }, 'maxTokens is null');
  await bad({ stop: 'x' }, 'stop is "x", expected an array');
  await bad({ temperature: -1 }, 'temperature is -1, expected a number in 0 … 100');
  await bad({ session: 1 }, 'session is 1');
  await bad({ joined: 'no' }, 'joined is "no", expected true or false');
  for (const prompt of [undefined, null, 7, {}]) {
    await refuses(model.complete(any(prompt)), 'OPTION', 'the prompt is', 'text or an array of ids');
  }
});

options('an error carries its reason, and names the options that it speaks of', async () => {
  const error = await refuses(open(speakingModel(), any({ threads: 0 })), 'OPTION');
  assert.is(error.message, `OPTION: ${error.reason}`);
  assert.equal(error.mentions, ['threads']);
  const full = await refuses(model.complete('hello', { maxTokens: 1e6 }), 'CONTEXT_OVERFLOW', 'contextLength');
  assert.equal(full.mentions, ['contextLength', 'overflow']);
  assert.equal(new TernspikeError('IO', 'why').reason, 'why');
});

options.run();
