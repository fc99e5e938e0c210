/** Sampler options: defaults, every bound from both sides, and what the refusal says. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { OptionError } from '../../src/errors.ts';
import { MAX_CONTEXT, MAX_LOGIT_BIAS, MAX_VOCAB } from '../../src/limits.ts';
import { checkSamplerOptions, type SamplerOptions } from '../../src/sample/options.ts';

const options = suite('sampler options');

/** Refused with a message that names the option and the value. */
function refused(given: unknown, name: string, value: string): void {
  assert.throws(() => checkSamplerOptions(given as SamplerOptions, 100), (error: unknown) => {
    assert.instance(error, OptionError);
    const { code, message } = error as OptionError;
    assert.is(code, 'OPTION');
    assert.ok(message.includes(name) && message.includes(value), message);
    return true;
  });
}

options('the defaults are those of llama.cpp', () => {
  const { logitBias, ...numbers } = checkSamplerOptions();
  assert.equal(numbers, {
    temperature: 0.8,
    topK: 40,
    topP: 0.95,
    minP: 0.05,
    repeatPenalty: 1,
    repeatLastN: 64,
    frequencyPenalty: 0,
    presencePenalty: 0,
    adaptiveTemperature: 'off',
    temperatureFirst: false,
    vocabLimit: MAX_VOCAB,
    seed: undefined,
  });
  assert.is(logitBias.size, 0);
  assert.is(checkSamplerOptions({ temperature: undefined }).temperature, 0.8);
});

options('words and flags are taken as they are written, and nothing else', () => {
  for (const word of ['off', 'cool', 'warm'] as const) {
    assert.is(checkSamplerOptions({ adaptiveTemperature: word }).adaptiveTemperature, word);
  }
  for (const bad of ['hot', '', 1, true, null]) {
    refused({ adaptiveTemperature: bad }, 'adaptiveTemperature', String(bad));
  }
  assert.is(checkSamplerOptions({ temperatureFirst: true }).temperatureFirst, true);
  for (const bad of ['true', 1, null]) refused({ temperatureFirst: bad }, 'temperatureFirst', String(bad));
  for (const good of [1, 99, 100]) assert.is(checkSamplerOptions({ vocabLimit: good }, 100).vocabLimit, good);
  for (const bad of [0, 101, 1.5, NaN, '7', null]) refused({ vocabLimit: bad }, 'vocabLimit', String(bad));
});

options('every number is accepted on its bounds and refused beyond them', () => {
  const bounds: [keyof SamplerOptions, number, number, number, number][] = [
    ['temperature', 0, 100, -0.001, 100.001],
    ['topK', 0, 2 ** 31 - 1, -1, 2 ** 31],
    ['topP', 0, 1, -0.001, 1.001],
    ['minP', 0, 1, -0.001, 1.001],
    ['repeatPenalty', 0.01, 100, 0.009, 100.001],
    ['repeatLastN', -1, MAX_CONTEXT, -2, MAX_CONTEXT + 1],
    ['frequencyPenalty', -100, 100, -100.001, 100.001],
    ['presencePenalty', -100, 100, -100.001, 100.001],
    ['seed', 0, 2 ** 53 - 1, -1, 2 ** 53],
  ];
  for (const [name, least, most, under, over] of bounds) {
    assert.is(checkSamplerOptions({ [name]: least })[name], least);
    assert.is(checkSamplerOptions({ [name]: most })[name], most);
    for (const bad of [under, over, NaN, Infinity, -Infinity]) refused({ [name]: bad }, name, String(bad));
    for (const bad of ['1', true, {}, [], 1n]) refused({ [name]: bad }, name, String(bad));
  }
  for (const name of ['topK', 'repeatLastN', 'seed']) refused({ [name]: 1.5 }, name, '1.5');
});

options('logit bias comes as an object or a Map, and bans with -Infinity', () => {
  const expected = new Map([[0, 1.5], [7, -Infinity], [99, -10000]]);
  assert.equal(checkSamplerOptions({ logitBias: { 0: 1.5, 7: -Infinity, 99: -10000 } }, 100).logitBias, expected);
  assert.equal(checkSamplerOptions({ logitBias: expected }, 100).logitBias, expected);
});

options('logit bias of a token outside the vocabulary, or of a value out of range, is refused', () => {
  for (const id of ['100', '-1', '1.5', 'x', '', '1e1', ' 7']) refused({ logitBias: { [id]: 1 } }, 'token', id);
  for (const id of [100, -1, 1.5, NaN]) refused({ logitBias: new Map([[id, 1]]) }, 'token', String(id));
  for (const value of [NaN, Infinity, 10001, -10001, '1', null]) {
    refused({ logitBias: { 5: value } }, 'token 5', String(value));
  }
  for (const bad of [5, 'x', null]) refused({ logitBias: bad }, 'logitBias', String(bad));
});

options('logit bias has as many entries as the limit says, and not one more', () => {
  const entries = (n: number): Map<number, number> => new Map(Array.from({ length: n }, (_, i) => [i, 1]));
  assert.is(checkSamplerOptions({ logitBias: entries(MAX_LOGIT_BIAS) }).logitBias.size, MAX_LOGIT_BIAS);
  assert.throws(() => checkSamplerOptions({ logitBias: entries(MAX_LOGIT_BIAS + 1) }), /1025 entries, at most 1024/);
});

options("what is checked is a copy: later changes of the caller's object do not reach it", () => {
  const bias: Record<number, number> = { 3: 1 };
  const checked = checkSamplerOptions({ logitBias: bias }, 100);
  bias[3] = 2;
  assert.is(checked.logitBias.get(3), 1);
  assert.throws(() => Object.assign(checked, { topK: 1 }), TypeError);
  for (const bad of [null, 5, 'x']) refused(bad, 'sampler options', String(bad));
});

options.run();
