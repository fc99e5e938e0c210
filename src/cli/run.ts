/**
 * `run`: generates text.
 * @module
 */
import { existsSync } from 'node:fs';
import type { Model } from '../model/model.ts';
import { checkSamplerOptions, type SamplerOptions } from '../sample/options.ts';
import { randomSeed } from '../sample/rng.ts';
import { type OptionTable, UsageError, type Values } from './args.ts';
import { type Command, command, type Context } from './command.ts';
import { readText, textArgument } from './files.ts';
import { FORMAT_OPTIONS, formatOption } from './format-options.ts';
import { generate } from './generation.ts';
import { CONTEXT_OPTIONS, load, MODEL_OPTIONS, modelPath, TYPE_OPTIONS } from './load.ts';
import { contextFor, type Prompt } from './prompt.ts';
import { samplerOptions, SAMPLING_OPTIONS } from './sampling-options.ts';
import { beginSessionFile, lookAtSession, openSession, type SessionFile } from './session-file.ts';
import { tokenizerOfFile } from './tokenizer-file.ts';
import { withModel } from './stored.ts';

/** Tokens that are generated unless told. */
const DEFAULT_TOKENS = 128;

const OPTIONS = {
  ...MODEL_OPTIONS,
  ...TYPE_OPTIONS,
  tokens: { kind: 'integer', short: 'n', least: 0, help: `tokens to generate at most; default ${DEFAULT_TOKENS}` },
  ...SAMPLING_OPTIONS,
  ...FORMAT_OPTIONS,
  ...CONTEXT_OPTIONS,
  overflow: {
    kind: 'choice',
    choices: ['refuse', 'slide'],
    help: 'when the context is full; default refuse',
  },
  'load-session': { kind: 'text', value: 'FILE', help: 'resume from a saved session' },
  'save-session': { kind: 'text', value: 'FILE', help: 'save the session for later' },
  tokenizer: { kind: 'text', value: 'FILE', help: "use this tokenizer instead of the model's" },
  chat: { kind: 'flag', help: "treat PROMPT as a user message, using the model's chat template" },
  system: { kind: 'text', help: 'system message; with --chat' },
  template: {
    kind: 'text',
    value: 'FILE',
    help: "chat template (Jinja) to use, or the name of one of the model's templates; with --chat",
  },
  ids: { kind: 'ids', value: '1,2,3', help: 'prompt as token ids, instead of PROMPT' },
  verbose: { kind: 'flag', help: 'print all statistics; for spiking models, the spikes of every block' },
  quiet: { kind: 'flag', short: 'q', help: 'print neither statistics nor warnings' },
} as const satisfies OptionTable;

type RunValues = Values<typeof OPTIONS>;

export const run: Command = command(
  {
    name: 'run',
    summary: 'Generate text from a prompt.',
    positionals: [{ name: 'PROMPT', optional: true }],
    options: OPTIONS,
    notes: [
      'If PROMPT is -, or if stdin is a pipe and PROMPT is missing, the prompt is read from stdin without its final newline. ' +
      'Text is streamed to stdout; statistics go to stderr. On a terminal, the prompt is printed before the text, and control ' +
      'characters are shown as ^[.',
      'A saved session contains the tokens read, not the sampling options or the seed: give these in each run. PROMPT continues ' +
      'the loaded session, without bos. -n 0 --save-session only reads the prompt. The file appears once it is complete.',
    ],
    examples: [
      'ternspike run "Once upon a time"',
      'ternspike run "Once upon a time" -n 160 --temp 0 --json',
      'echo "One day, Tom" | ternspike run --seed 1 --stop "The end"',
      'ternspike run "Is a cat an animal?" --choice yes --choice no',
      'ternspike run "Today is " --regex "[0-9]{4}-[0-9]{2}" --logprobs 3 --json',
      'ternspike run "Lily had a dog." -n 40 --save-session lily.session',
      'ternspike run "Then" --load-session lily.session --overflow slide',
      'ternspike run -m chat.gguf --chat "Why is the sky blue?" --system "Be brief."',
    ],
  },
  async ({ values, positionals }, context) => {
    if (values.verbose && values.quiet) throw new UsageError('give --verbose or --quiet, not both');
    const prompt = await promptOf(values, positionals[0], context.signal);
    const format = await formatOption(values, context.signal);
    const sampler: SamplerOptions = { ...samplerOptions(values), seed: values.seed ?? randomSeed() };
    checkSamplerOptions(sampler);
    const path = modelPath(values.model);
    const [from, to] = [values['load-session'], values['save-session']];
    const loaded = from === undefined ? undefined : await lookAtSession(from, context.signal);
    const inputs = [path, values.tokenizer].filter((name) => name !== undefined);
    const sink = to === undefined ? undefined : await beginSessionFile(to, inputs, context.signal);
    try {
      using model = await openFor(path, prompt, loaded, values, context);
      using session = loaded || sink ? await openSession(model, loaded, values.overflow, context.signal) : undefined;
      const { tokens: maxTokens = DEFAULT_TOKENS, overflow, stop, logprobs } = values;
      const statistics = values.quiet ? 'none' : values.verbose ? 'all' : 'short';
      const answer = { maxTokens, overflow, stop, format, logprobs };
      await generate(model, { path, prompt, sampler, ...answer, session, sink, statistics }, context);
    } finally {
      await sink?.discard();
    }
  },
);

async function promptOf(
  { ids, chat, system, template }: RunValues,
  given: string | undefined,
  signal: AbortSignal,
): Promise<Prompt> {
  if (system !== undefined && !chat) throw new UsageError('--system needs --chat');
  if (template !== undefined && !chat) throw new UsageError('--template needs --chat');
  if (ids) {
    if (given !== undefined || chat) throw new UsageError('give PROMPT or --ids, not both');
    if (ids.length === 0) throw new UsageError('--ids is empty');
    return { ids };
  }
  const text = await textArgument(given, 'PROMPT', signal);
  if (!chat) return { text };
  return {
    template: template !== undefined && existsSync(template) ? await readText(template, undefined, signal) : template,
    chat: [...(system === undefined ? [] : [{ role: 'system', content: system }]), { role: 'user', content: text }],
  };
}

/** Opens the model with a context that has room for session, prompt and answer, unless one was asked for. */
async function openFor(
  path: string,
  prompt: Prompt,
  loaded: SessionFile | undefined,
  values: RunValues,
  context: Context,
): Promise<Model> {
  const { signal } = context;
  const held = loaded?.positions ?? 0;
  const tokenizer = values.tokenizer === undefined ? undefined : await tokenizerOfFile(values.tokenizer, context);
  return await withModel(path, context, async (source) => {
    let contextLength = values.ctx;
    if (contextLength === undefined && values.overflow !== 'slide') {
      contextLength = await contextFor(source, prompt, held, values.tokens ?? DEFAULT_TOKENS, tokenizer, signal);
    } else if (contextLength === undefined && held > 0) {
      contextLength = await contextFor(source, { ids: [] }, held, 0, tokenizer, signal);
    }
    const { type, head, embedding, build, kv, activations, threads } = values;
    const types = { type, head, embedding };
    return await load(source, { ...types, build, kv, activations, threads, contextLength, tokenizer }, context);
  });
}
