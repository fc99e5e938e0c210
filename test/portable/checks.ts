/**
 * The checks that run on every runtime, against the bundle that users get.
 * @module
 */
import type { Check, Env, Model, OpenOptions } from './env.ts';
import { Skip } from './env.ts';
import { fnv1aText } from './hash.ts';

const MODEL = 'models/stories260K.gguf';
const ANSWERS = 'conformance/llama/stories260K.f32.json';
const PROMPT = 'Once upon a time';

/** Every file that the checks ask for; hosts without files are given these in advance. */
export const fixtures: string[] = [MODEL, ANSWERS];

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

/** Opens the model once for every build and number of threads of this runtime. */
async function everyWay(env: Env, run: (model: Model, way: string) => Promise<void>): Promise<void> {
  const bytes = await fixture(env, MODEL);
  for (const build of env.builds) {
    for (const threads of env.threads) {
      const model = await env.open(bytes, { build, threads });
      try {
        await run(model, `${build} build, ${threads} thread(s)`);
      } finally {
        await model.close();
      }
    }
  }
}

/** Opens the model in the simplest way. */
async function once(env: Env, run: (model: Model, bytes: Uint8Array) => Promise<void>): Promise<void> {
  const bytes = await fixture(env, MODEL);
  const model = await env.open(bytes, simple(env));
  try {
    await run(model, bytes);
  } finally {
    await model.close();
  }
}

const simple = (env: Env): OpenOptions => ({ build: env.builds.at(-1)!, threads: 1 });

/** That `work` rejects, and with the reason that was given to the signal. */
async function rejects(work: Promise<unknown>, reason: Error, what: string): Promise<void> {
  const outcome = await work.then(() => 'it succeeded', (error) => error);
  if (outcome !== reason) {
    throw new Error(`${what} should reject with the reason of its signal, but: ${String(outcome)}`);
  }
}

export const checks: Check[] = [
  {
    name: 'golden text: greedy stories are those of the reference, in every build and with any number of threads',
    async run(env) {
      const { cases } = JSON.parse(new TextDecoder().decode(await fixture(env, ANSWERS))) as {
        cases: { prompt: string; greedy: number[]; text: string }[];
      };
      await everyWay(env, async (model, way) => {
        for (const { prompt, greedy, text: expected } of cases) {
          equal(
            await text(model, prompt, { maxTokens: greedy.length, temperature: 0 }),
            expected,
            `${prompt} (${way})`,
          );
        }
      });
    },
  },
  {
    name: 'same seed, same text, in every build and with any number of threads; another seed, another text',
    async run(env, facts) {
      const seen = new Set<string>();
      await everyWay(env, async (model) => {
        const sampled = { maxTokens: 48, temperature: 0.8 };
        const first = await text(model, PROMPT, { ...sampled, seed: 7 });
        seen.add(first);
        seen.add(await text(model, PROMPT, { ...sampled, seed: 7 }));
        if (first === (await text(model, PROMPT, { ...sampled, seed: 8 }))) throw new Error('seeds 7 and 8 agree');
      });
      equal(seen.size, 1, 'different texts of one seed');
      facts.set('text of seed 7', fnv1aText([...seen].join()));
    },
  },
  {
    name: 'a Blob opens like the bytes in it',
    async run(env) {
      await once(env, async (model, bytes) => {
        const expected = await text(model, PROMPT, { maxTokens: 24, temperature: 0 });
        const blob = new Blob([bytes as Uint8Array<ArrayBuffer>]);
        const other = await env.open(blob, simple(env));
        try {
          equal(await text(other, PROMPT, { maxTokens: 24, temperature: 0 }), expected, 'text');
        } finally {
          await other.close();
        }
      });
    },
  },
  {
    name: 'an aborted open or generation rejects with the reason, and the model can be used again',
    async run(env) {
      const reason = new Error('enough');
      await once(env, async (model, bytes) => {
        await rejects(env.open(bytes, { ...simple(env), signal: AbortSignal.abort(reason) }), reason, 'open');
        const expected = await text(model, PROMPT, { maxTokens: 16, temperature: 0 });
        const controller = new AbortController();
        let pieces = 0;
        const cut = async (): Promise<void> => {
          const options = { maxTokens: 64, temperature: 0, signal: controller.signal };
          for await (const _ of model.generate(PROMPT, options)) if (++pieces === 3) controller.abort(reason);
        };
        await rejects(cut(), reason, 'generate');
        equal(pieces, 3, 'pieces before the end');
        equal(await text(model, PROMPT, { maxTokens: 16, temperature: 0 }), expected, 'text after the abort');
      });
    },
  },
];
