#!/usr/bin/env node
// What a format costs: milliseconds of a mask for each token at a vocabulary of 128 k, beside the step of a model of a known shape; and, as
// proof, random schemas on a model of random weights, whose documents are all validated.
//   npm run bench:structured -- [--shape tinyllama] [--type tq2_0] [--layers 22] [--vocab 128000] [--tokens 200] [--schemas 0] [--json]
import { parseArgs } from 'node:util';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { open } from '../build/src/entries/index.js';
import { structured } from '../build/src/entries/structured.js';
import { randomModel } from '../build/src/model/random.js';
import { drawing, jsonModel, randomSchema } from '../build/test/structured/schemas.js';
import { described, machine, median, table } from './report.mjs';

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: 'tinyllama' },
    type: { type: 'string', default: 'tq2_0' },
    layers: { type: 'string', default: '22' },
    vocab: { type: 'string', default: '128000' },
    tokens: { type: 'string', default: '200' },
    schemas: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
  },
});
const [size, tokens, schemas] = [values.vocab, values.tokens, values.schemas].map(Number);

/** A vocabulary of words as BPEs have them: bytes, then pieces of one to twelve letters, half of them after a space, some with signs. */
function vocabulary() {
  const draw = drawing(1);
  const letters = 'etaoinshrdlucmfwypvbgkqjxz';
  const pieces = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  const known = new Set();
  while (pieces.length < size) {
    let text = draw(2) ? ' ' : '';
    for (let n = 1 + draw(6) + draw(6); n > 0; n--) text += letters[Math.min(draw(26), draw(26))];
    if (draw(80) === 0) text = ['"', '":', '", "', '{"', '": "', '\n  '][draw(6)] + text;
    if (draw(20) === 0) text = String(draw(100000));
    if (known.has(text)) continue;
    known.add(text);
    pieces.push(new TextEncoder().encode(text));
  }
  return {
    vocabSize: size + 1,
    specials: { eos: size, stop: [size] },
    pieceBytes: (id) => pieces[id] ?? new Uint8Array(0),
    stream: () => ({ push: () => ' ' }),
  };
}

const PERSON = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    age: { type: 'integer', minimum: 0 },
    tags: { type: 'array', items: { type: 'string' } },
    pet: {
      anyOf: [{ type: 'object', properties: { kind: { enum: ['cat', 'dog'] } }, required: ['kind'] }, { type: 'null' }],
    },
  },
  required: ['name', 'age', 'tags', 'pet'],
  additionalProperties: false,
};
const FORMATS = {
  'a person (schema)': { schema: PERSON },
  'any object': { json: true },
  'a date (regex)': { regex: '\\d{4}-\\d{2}-\\d{2}( [a-z]+)*' },
};

const tokenizer = vocabulary();
const start = performance.now();
structured(tokenizer, { json: true }).begin();
const prepared = performance.now() - start;
const model = await open(await randomModel(values.shape, values.type, Number(values.layers)), {
  threads: 1,
  contextLength: 128,
});
const steps = [];
const session = model.session();
for (let i = 0; i < 40; i++) {
  const before = performance.now();
  await session.step(i + 1);
  if (i > 4) steps.push(performance.now() - before);
}
const step = median(steps);
const rows = [];
for (const [name, option] of Object.entries(FORMATS)) {
  const format = structured(tokenizer, option);
  for (const when of ['first answer', 'later answers']) {
    const times = [];
    for (let answer = 0; answer < (when === 'first answer' ? 1 : 5); answer++) {
      const draw = drawing(answer + (when === 'first answer' ? 0 : 10));
      const run = format.begin();
      const timed = (work) => {
        const before = performance.now();
        work();
        times.push(performance.now() - before);
      };
      timed(() => run.mask());
      for (let n = 0; n < tokens && !run.complete; n++) {
        const mask = run.mask();
        let id = draw(size);
        while (!(mask[id >>> 5] & (1 << (id & 31)))) id = (id + 1) % size;
        timed(() => {
          run.accept(id);
          run.mask();
        });
      }
    }
    times.sort((a, b) => a - b);
    const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
    rows.push({
      name,
      when,
      median: median(times),
      mean,
      p99: times[Math.floor(times.length * 0.99)],
      share: mean / step,
    });
  }
}

/** Random schemas, whose documents are validated. */
async function proof() {
  const small = await jsonModel();
  const ajv = new Ajv2020({ strict: false, multipleOfPrecision: 9 });
  const counts = { valid: 0, brokenOff: 0, refused: 0, invalid: 0 };
  for (let seed = 0; seed < schemas; seed++) {
    const schema = randomSchema(drawing(seed + 1000));
    try {
      const { text, finishReason } = await small.complete([1], {
        format: { schema },
        maxTokens: 200,
        seed,
        temperature: 2,
        topK: 0,
        minP: 0,
        topP: 1,
      });
      if (finishReason === 'length') counts.brokenOff++;
      else if (ajv.validate(schema, JSON.parse(text))) counts.valid++;
      else {
        counts.invalid++;
        console.error(JSON.stringify(schema), text);
      }
    } catch (error) {
      counts.refused++;
      console.error(JSON.stringify(schema), error.message);
    }
  }
  return counts;
}

const proven = schemas > 0 ? await proof() : undefined;
if (values.json) console.log(JSON.stringify({ machine: machine(), vocab: size, prepared, step, rows, proven }));
else {
  console.log(
    `${described(machine())}\nvocabulary of ${size}, prepared in ${
      Math.round(prepared)
    } ms; a token of ${values.shape} ${values.type}: about ${step.toFixed(1)} ms`,
  );
  console.log(
    table(
      ['format', 'when', 'median ms', 'mean ms', 'p99 ms', 'of a token'],
      rows.map((
        row,
      ) => [
        row.name,
        row.when,
        row.median.toFixed(3),
        row.mean.toFixed(3),
        row.p99.toFixed(3),
        `${(100 * row.share).toFixed(1)} %`,
      ]),
    ),
  );
  if (proven) console.log(proven);
}
