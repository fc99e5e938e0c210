/**
 * The checks that run on every runtime, against the bundle that users get.
 * @module
 */
import type { Model, ModelSource } from '../../src/entries/index.ts';
import { randomModel } from '../../src/model/random.ts';
import type { Check, Env, Way } from './env.ts';
import { Skip } from './env.ts';
import { RECORDED } from './golden.ts';
import { fnv1aFloats, fnv1aText } from './hash.ts';

const MODEL = 'models/stories260K.gguf';
const ANSWERS = 'conformance/llama/stories260K.f32.json';
const PROMPT = 'Once upon a time';

/** Ids of the logits: within the vocabulary of the tiny shape, some of them twice. */
const IDS = [1, 7, 500, 23, 23, 401, 64, 0, 255, 256, 7, 311];
const TYPES = ['f32', 'f16', 'bf16', 'q8_0', 'tq1_0', 'tq2_0', 'q2_0', 'q1_0'];
/** Types of spiking models. */
const SPIKING: readonly string[] = ['f32', 'i8', 'q8_0', 'tq2_0', 'q1_0'];

/** Cases of the spiking BERT: ternary and binary weights. */
const SPIKING_BERTS = ['ternary-t16', 'binary-t8'];
const caseFile = (name: string, file: string): string => `conformance/spikingbert/${name}/${file}`;

/** Every file that the checks ask for; hosts without files are given these in advance. */
export const fixtures: string[] = [
  MODEL,
  ANSWERS,
  ...SPIKING_BERTS.flatMap((name) =>
    ['config.json', 'pytorch_model.bin', 'reference.json'].map((file) => caseFile(name, file))
  ),
];

/** What is used of `reference.json` of such a case. */
interface SpikingCase {
  readonly input_ids: number[];
  readonly token_type_ids: number[];
  readonly attention_mask: number[];
  readonly t_conv: number;
  readonly v_th: number;
  readonly leaky: number;
  readonly spike_counts: number[][][];
}

function equal<T>(actual: T, expected: T, what: string): void {
  if (actual !== expected) throw new Error(`${what}: ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`);
}

async function fixture(env: Env, path: string): Promise<Uint8Array> {
  const bytes = await env.fixture(path);
  if (bytes !== null) return bytes;
  if (env.strict) throw new Error(`${path} of the conformance material is missing, and may not be`);
  throw new Skip(`../shared/${path} is not here`);
}

async function text(model: Model, prompt: string, options: Parameters<Model['generate']>[1]): Promise<string> {
  let all = '';
  for await (const piece of model.generate(prompt, options)) all += piece.text;
  return all;
}

/** Every build and number of threads of this runtime. */
function ways(env: Env): Way[] {
  return env.builds.flatMap((build) => env.threads.map((threads) => ({ build, threads })));
}

const named = ({ build, threads }: Way): string => `${build} build, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
const simple = (env: Env): Way => ({ build: env.builds.at(-1)!, threads: 1 });

/** Lends a model, opened in one way, to `run`. */
async function lend(env: Env, source: ModelSource, way: Way, run: (model: Model) => Promise<void>): Promise<void> {
  const model = await env.open(source, way);
  try {
    equal(model.stats().threads, way.threads, 'threads');
    await run(model);
  } finally {
    model.dispose();
  }
}

/** All values of some vectors, one after another. */
function joined(rows: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(rows.reduce((sum, row) => sum + row.length, 0));
  rows.reduce((at, row) => (all.set(row, at), at + row.length), 0);
  return all;
}

/** That `work` rejects, and with the reason that was given to the signal. */
async function rejects(work: Promise<unknown>, reason: Error, what: string): Promise<void> {
  const outcome = await work.then(() => 'it succeeded', (error) => error);
  if (outcome !== reason) {
    throw new Error(`${what} should reject with the reason of its signal, but: ${String(outcome)}`);
  }
}

/** Holds a value against the recorded one, and against what this runtime gave before in another way. */
function golden(env: Env, facts: Map<string, string>, fact: string, hash: string, way: Way): void {
  const expected = RECORDED[fact];
  if (expected === undefined && env.strict) {
    throw new Error(`${fact}: nothing is recorded; node test/runtimes/golden.mjs records it`);
  }
  equal(hash, expected ?? facts.get(fact) ?? hash, `${fact} (${named(way)})`);
  facts.set(fact, hash);
}

export const checks: Check[] = [
  {
    name:
      'golden logits: random models of every type give the recorded bits, in every build and with any number of threads',
    async run(env, facts) {
      const models = [...TYPES.map((type) => ['tiny', type]), ...SPIKING.map((type) => ['symboliclight-tiny', type])];
      for (const [shape, type] of models) {
        const fact = `logits of a random ${type} model${shape === 'tiny' ? '' : ` of shape ${shape}`}`;
        for (const way of ways(env)) {
          await lend(env, await randomModel(shape, type), way, async (model) => {
            golden(env, facts, fact, fnv1aFloats(joined(await model.logits(IDS))), way);
          });
        }
      }
    },
  },
  {
    // case: N2
    name: 'golden text: greedy stories are those of the reference, in every build and with any number of threads',
    async run(env) {
      const { cases } = JSON.parse(new TextDecoder().decode(await fixture(env, ANSWERS))) as {
        cases: { prompt: string; greedy: number[]; text: string }[];
      };
      const bytes = await fixture(env, MODEL);
      for (const way of ways(env)) {
        await lend(env, bytes, way, async (model) => {
          for (const { prompt, greedy, text: expected } of cases) {
            const story = await text(model, prompt, { maxTokens: greedy.length, temperature: 0, joined: false });
            equal(story, expected, `${prompt} (${named(way)})`);
          }
        });
      }
    },
  },
  {
    name: 'same seed, same text, in every build and with any number of threads; another seed, another text',
    async run(env, facts) {
      const bytes = await fixture(env, MODEL);
      for (const way of ways(env)) {
        await lend(env, bytes, way, async (model) => {
          const sampled = (seed: number): Promise<string> =>
            text(model, PROMPT, { maxTokens: 48, temperature: 0.8, seed });
          const [first, again, other] = [await sampled(7), await sampled(7), await sampled(8)];
          equal(again, first, `seed 7, repeated (${named(way)})`);
          if (other === first) throw new Error(`seeds 7 and 8 agree (${named(way)}): ${first}`);
          golden(env, facts, 'text of seed 7', fnv1aText(first), way);
        });
      }
    },
  },
  {
    // case: N2
    name: 'golden spikes: a spiking BERT fires as the public definition, in every build and with any number of threads',
    async run(env, facts) {
      for (const name of SPIKING_BERTS) {
        const read = async (file: string): Promise<string> =>
          new TextDecoder().decode(await fixture(env, caseFile(name, file)));
        const bytes = await fixture(env, caseFile(name, 'pytorch_model.bin'));
        const config = JSON.parse(await read('config.json')) as Record<string, unknown>;
        const expected = JSON.parse(await read('reference.json')) as SpikingCase;
        const input = { ids: expected.input_ids, typeIds: expected.token_type_ids, mask: expected.attention_mask };
        const run = { steps: expected.t_conv, threshold: expected.v_th, leak: expected.leaky, counts: true };
        for (const way of ways(env)) {
          await lend(env, bytes, { ...way, config }, async (model) => {
            const { logits, spikeCounts } = await model.classify(input, run);
            const fired = spikeCounts?.map((counts) => Array.from(counts).join()).join(';');
            const wanted = expected.spike_counts.map((layer) => layer.flat().join()).join(';');
            if (fired !== wanted) throw new Error(`${name}: other neurons fired (${named(way)})`);
            golden(env, facts, `logits of ${name}`, fnv1aFloats(Float32Array.from(logits)), way);
          });
        }
      }
    },
  },
  {
    name: 'the model of the package tells the same story, in every build and with any number of threads',
    async run(env, facts) {
      for (const way of ways(env)) {
        await lend(env, env.defaultModel, way, async (model) => {
          const story = await text(model, PROMPT, { maxTokens: 64, temperature: 0 });
          if (!/[a-z]{3}/.test(story)) throw new Error(`no story: ${story}`);
          golden(env, facts, 'story of the model of the package', fnv1aText(story), way);
        });
      }
    },
  },
  {
    name: 'a Blob opens like the bytes in it',
    async run(env) {
      const bytes = await fixture(env, MODEL);
      const blob = new Blob([bytes as Uint8Array<ArrayBuffer>]);
      const stories: string[] = [];
      for (const source of [bytes, blob]) {
        await lend(env, source, simple(env), async (model) => {
          stories.push(await text(model, PROMPT, { maxTokens: 24, temperature: 0 }));
        });
      }
      equal(stories[1], stories[0], 'text');
    },
  },
  {
    name: 'an aborted open or generation rejects with the reason, and the model can be used again',
    async run(env) {
      const bytes = await fixture(env, MODEL);
      const reason = new Error('enough');
      const aborted = { ...simple(env), signal: AbortSignal.abort(reason) };
      await rejects(env.open(bytes, aborted), reason, 'open');
      await lend(env, bytes, simple(env), async (model) => {
        const expected = await text(model, PROMPT, { maxTokens: 16, temperature: 0 });
        const controller = new AbortController();
        const options = { maxTokens: 64, temperature: 0, signal: controller.signal };
        let pieces = 0;
        const cut = async (): Promise<void> => {
          for await (const _ of model.generate(PROMPT, options)) if (++pieces === 3) controller.abort(reason);
        };
        await rejects(cut(), reason, 'generate');
        equal(pieces, 3, 'pieces before the end');
        equal(await text(model, PROMPT, { maxTokens: 16, temperature: 0 }), expected, 'text after the abort');
      });
    },
  },
  {
    name: 'several threads where memory can be shared, else one and a notice; sessions side by side do not mix',
    async run(env) {
      const notices: string[] = [];
      if (env.emulated) throw new Skip('an emulator does not run several threads over one memory');
      const several = env.threads.length > 1;
      const way = { ...simple(env), threads: 3, onNotice: (text: string): void => void notices.push(text) };
      const model = await env.open(await randomModel('symboliclight-tiny', 'i8', 1), way);
      try {
        equal(model.stats().threads, several ? 3 : 1, 'threads');
        equal(notices.length, several ? 0 : 1, 'notices');
        const alone = fnv1aFloats(joined(await model.logits(IDS)));
        const sessions = [model.session(), model.session()];
        const rows = await Promise.all(sessions.map((session) => session.prefill(IDS)));
        // a new session's memory may have grown the shared one
        const all = await Promise.all([model.logits(IDS), model.logits(IDS.slice(0, 5)), model.logits(IDS)]);
        equal(fnv1aFloats(joined(all[0])), alone, 'first of three');
        equal(fnv1aFloats(joined(all[2])), alone, 'last of three');
        for (const row of rows) equal(fnv1aFloats(row), fnv1aFloats(all[0][IDS.length - 1]), 'sessions');
      } finally {
        model.dispose();
      }
    },
  },
];
