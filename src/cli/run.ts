/**
 * `run`: generates text.
 * @module
 */
import { OptionError } from '../errors.ts';
import type { FinishReason, Model } from '../model.ts';
import { checkSamplerOptions, type SamplerOptions } from '../sample/options.ts';
import { randomSeed } from '../sample/rng.ts';
import type { Overflow } from '../session/session.ts';
import { type OptionTable, UsageError, type Values } from './args.ts';
import { asUsage, type Command, command, type Context } from './command.ts';
import { withSource } from './files.ts';
import { CONTEXT_OPTIONS, load, memoryOf, MODEL_OPTIONS, modelPath, noteThreads } from './load.ts';
import type { SpikeReport } from '../eval/spikes.ts';
import { type Output, rounded } from './output.ts';
import { contextFor, type Prompt, promptIds } from './prompt.ts';
import { spikeLines } from './spikes.ts';
import { tokenizerOfFile } from './tokenizer-file.ts';

/** Tokens that are generated unless told. */
const DEFAULT_TOKENS = 128;

const OPTIONS = {
  ...MODEL_OPTIONS,
  tokens: { kind: 'integer', short: 'n', least: 0, help: `tokens to generate at most; default ${DEFAULT_TOKENS}` },
  temp: { kind: 'number', help: 'temperature; 0 takes the likeliest token; default 0.8' },
  'top-k': { kind: 'integer', help: 'only the N likeliest tokens; 0 = all; default 40' },
  'top-p': { kind: 'number', help: 'the likeliest tokens that sum to X; default 0.95' },
  'min-p': { kind: 'number', help: 'tokens at least X times as likely as the likeliest; default 0.05' },
  'repeat-penalty': { kind: 'number', help: 'penalty of recent tokens; 1 = none; default 1' },
  'repeat-last-n': { kind: 'integer', help: 'how many tokens are recent; -1 = all; default 64' },
  'frequency-penalty': { kind: 'number', help: 'penalty for every time a recent token came; default 0' },
  'presence-penalty': { kind: 'number', help: 'penalty of tokens that came at all; default 0' },
  'logit-bias': {
    kind: 'text',
    value: 'ID=BIAS',
    repeatable: true,
    help: 'added to the logit of a token; -inf bans it',
  },
  stop: { kind: 'text', repeatable: true, help: 'end before this text' },
  seed: { kind: 'integer', least: 0, help: 'start of the random draws; default random' },
  ...CONTEXT_OPTIONS,
  overflow: {
    kind: 'choice',
    choices: ['refuse', 'slide'],
    help: 'what happens when the context is full; default refuse',
  },
  tokenizer: { kind: 'text', value: 'FILE', help: "a tokenizer instead of the model's" },
  chat: { kind: 'flag', help: "take PROMPT as a user's message, by the model's chat template" },
  system: { kind: 'text', help: 'system message; with --chat' },
  ids: { kind: 'ids', value: '1,2,3', help: 'the prompt as ids, instead of PROMPT' },
} as const satisfies OptionTable;

/** How late an interrupt may be seen while a prompt is read; see `CallOptions`. */
const STRETCH_MS = 300;

type RunValues = Values<typeof OPTIONS>;

export const run: Command = command(
  {
    name: 'run',
    summary: 'Generates text from a prompt.',
    positionals: [{ name: 'PROMPT', optional: true }],
    options: OPTIONS,
    notes: ['The text is streamed to stdout; counts and speeds stand on stderr.'],
    examples: [
      'ternspike run -m stories260K.gguf "Once upon a time" -n 160 --temp 0',
      'ternspike run -m falcon3-1b.gguf --chat "Why is the sky blue?" --seed 1 --stop "</s>"',
      'ternspike run -m stories260K.gguf --ids 1,403,407,261,378 --json',
    ],
  },
  async ({ values, positionals }, context) => {
    const prompt = promptOf(values, positionals[0]);
    const sampler: SamplerOptions = { ...samplerOptions(values), seed: values.seed ?? randomSeed() };
    asUsage(() => checkSamplerOptions(sampler));
    noteThreads(values.threads, context.out);
    const path = modelPath(values.model);
    const model = await openFor(path, prompt, values, context);
    try {
      await generate(model, path, prompt, values, sampler, context);
    } finally {
      model.dispose();
    }
  },
);

function promptOf({ ids, chat, system }: RunValues, text: string | undefined): Prompt {
  if (system !== undefined && !chat) throw new UsageError('--system needs --chat');
  if (ids) {
    if (text !== undefined || chat) throw new UsageError('give PROMPT or --ids, not both');
    if (ids.length === 0) throw new UsageError('--ids is empty');
    return { ids };
  }
  if (text === undefined) throw new UsageError('PROMPT is missing');
  if (!chat) return { text };
  return {
    chat: [...(system === undefined ? [] : [{ role: 'system', content: system }]), { role: 'user', content: text }],
  };
}

function samplerOptions(values: RunValues): SamplerOptions {
  return {
    temperature: values.temp,
    topK: values['top-k'],
    topP: values['top-p'],
    minP: values['min-p'],
    repeatPenalty: values['repeat-penalty'],
    repeatLastN: values['repeat-last-n'],
    frequencyPenalty: values['frequency-penalty'],
    presencePenalty: values['presence-penalty'],
    logitBias: biasOf(values['logit-bias'] ?? []),
  };
}

function biasOf(entries: readonly string[]): Map<number, number> {
  return new Map(entries.map((entry) => {
    const [, id, bias] = /^(\d{1,10})=(\S+)$/.exec(entry) ?? [];
    const value = bias === '-inf' ? -Infinity : Number(bias);
    if (id === undefined || Number.isNaN(value)) {
      throw new UsageError(
        `--logit-bias is ${JSON.stringify(entry.slice(0, 60))}, expected ID=BIAS such as 13=-2.5 or 13=-inf`,
      );
    }
    return [Number(id), value];
  }));
}

/** Opens the model with a context that has room for prompt and answer, unless one was asked for. */
async function openFor(path: string, prompt: Prompt, values: RunValues, context: Context): Promise<Model> {
  const { signal } = context;
  const tokenizer = values.tokenizer === undefined ? undefined : await tokenizerOfFile(values.tokenizer, signal);
  return await withSource(path, signal, async (source) => {
    let contextLength = values.ctx;
    if (contextLength === undefined && values.overflow !== 'slide') {
      contextLength = await contextFor(source, prompt, values.tokens ?? DEFAULT_TOKENS, tokenizer, signal);
    }
    const { build, kv, activations } = values;
    return await load(source, { build, kv, activations, contextLength, tokenizer }, context);
  });
}

async function generate(
  model: Model,
  path: string,
  prompt: Prompt,
  values: RunValues,
  sampler: SamplerOptions,
  { out, signal }: Context,
): Promise<void> {
  const ids = prompt.ids ?? promptIds(prompt, model.tokenizer);
  const maxTokens = values.tokens ?? DEFAULT_TOKENS;
  const overflow: Overflow | undefined = values.overflow;
  const answer: number[] = [];
  let text = '';
  let spikes: SpikeReport | undefined;
  let finishReason: FinishReason | 'aborted' = 'aborted';
  const start = performance.now();
  let first = 0;
  let end = 0;
  try {
    const chunks = model.generate(ids, {
      stretchMs: STRETCH_MS,
      ...sampler,
      overflow,
      maxTokens,
      stop: values.stop,
      signal,
    });
    for await (const chunk of chunks) {
      if (first === 0) {
        first = performance.now();
        noteTrained(model, ids.length, maxTokens, out); // only now: a refusal stands alone
      }
      if (chunk.id !== null) answer.push(chunk.id);
      text += chunk.text;
      if (!out.json) await out.text(chunk.text);
      finishReason = chunk.finishReason ?? finishReason;
      spikes = chunk.usage?.spikes;
    }
  } catch (error) {
    if (!signal.aborted) {
      throw error instanceof OptionError ? new UsageError(error.message.replace(/^OPTION: /, '')) : error;
    }
  } finally {
    end = performance.now();
    if (!out.json && text !== '') await out.text('\n');
  }
  const prefillMs = (first || end) - start;
  const decodeMs = first ? end - first : 0;
  const { loadMs } = model.stats();
  const timings = {
    loadMs: rounded(loadMs),
    prefillMs: rounded(prefillMs),
    decodeMs: rounded(decodeMs),
    prefillTps: rounded(first ? perSecond(ids.length, prefillMs) : 0),
    // the first token falls out of the prompt's last position
    decodeTps: rounded(perSecond(answer.length - 1, decodeMs)),
  };
  if (out.json) {
    await out.result({
      text,
      ids: answer,
      promptTokens: ids.length,
      completionTokens: answer.length,
      finishReason,
      timings,
      memory: memoryOf(model),
      spikes: spikes ?? model.stats().spikes, // the latter where it was interrupted
      seed: sampler.seed,
      model: path,
    }, () => []);
    return;
  }
  const speed = (tps: number): string => `${tps.toPrecision(4)} tokens/s`;
  out.note(
    `prompt ${ids.length} tokens, ${speed(timings.prefillTps)}; ` +
      `answer ${answer.length} tokens, ${speed(timings.decodeTps)}; loaded in ${Math.round(loadMs)} ms`,
  );
  if (spikes) { for (const line of spikeLines(spikes)) out.note(line); }
}

/** Says that a context may become longer than what the model was trained for. */
function noteTrained(model: Model, prompt: number, tokens: number, out: Output): void {
  const { trainedContext } = model.describe();
  if (prompt + tokens <= trainedContext) return;
  out.note(
    `${prompt} tokens of prompt and ${tokens} to generate pass the ${trainedContext} positions ` +
      'that the model was trained for; text behind them may be worse',
  );
}

function perSecond(count: number, milliseconds: number): number {
  return count > 0 && milliseconds > 0 ? (count / milliseconds) * 1000 : 0;
}
