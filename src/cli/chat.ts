/**
 * `chat`: a conversation.
 * @module
 */
import process from 'node:process';
import { existsSync } from 'node:fs';
import { isatty } from 'node:tty';
import { TernspikeError } from '../errors.ts';
import type { Model } from '../model/model.ts';
import type { GenerateOptions } from '../model/types.ts';
import { checkSamplerOptions } from '../sample/options.ts';
import { randomSeed } from '../sample/rng.ts';
import { type OptionTable, UsageError, type Values } from './args.ts';
import { BAN, readChat, saveChat } from './chat-file.ts';
import { type Lines, readMessages } from './chat-lines.ts';
import { settingLines, withSetting } from './chat-settings.ts';
import { type Command, command, type Context } from './command.ts';
import { Conversation, type Turn } from './conversation.ts';
import { readText } from './files.ts';
import { spoken } from './flags.ts';
import { CONTEXT_OPTIONS, load, memoryOf, MODEL_OPTIONS, modelPath, TYPE_OPTIONS } from './load.ts';
import { rounded } from './output.ts';
import { samplerOptions, SAMPLING_OPTIONS } from './sampling-options.ts';
import { spikeLines } from './spikes.ts';
import { withModel } from './stored.ts';
import { tokenizerOfFile } from './tokenizer-file.ts';

/** How late an interrupt may be seen while a message is read. */
const STRETCH_MS = 40;

const OPTIONS = {
  ...MODEL_OPTIONS,
  ...TYPE_OPTIONS,
  system: { kind: 'text', help: 'system message, where the template has one' },
  template: {
    kind: 'text',
    value: 'FILE',
    help: "a chat template instead of the model's, or the name of one of its own",
  },
  restore: { kind: 'text', value: 'FILE', help: 'go on from a conversation that /save wrote' },
  tokens: {
    kind: 'integer',
    short: 'n',
    least: 1,
    help: 'tokens of an answer at most; default as there is room, 512 at most',
  },
  ...SAMPLING_OPTIONS,
  ...CONTEXT_OPTIONS,
  tokenizer: { kind: 'text', value: 'FILE', help: "a tokenizer instead of the model's" },
  quiet: { kind: 'flag', short: 'q', help: 'no notes' },
} as const satisfies OptionTable;

/** Commands within a conversation. */
const HELP: Readonly<Record<string, string>> = {
  '/help': 'shows this',
  '/reset': 'begins a new conversation',
  '/system TEXT': 'sets the system message; without TEXT shows it',
  '/set NAME VALUE':
    'changes how tokens are drawn, as /set temperature 0.7; without NAME shows all; VALUE of default takes it back',
  '/save FILE': 'writes the conversation',
  '/restore FILE': 'goes on from one that was written',
  '/spikes': 'what the last answer spiked, where the model spikes',
  '/tokens': 'tokens of the last answer, and how full the context is',
  '/quit': 'ends; so do Ctrl-D, and Ctrl-C twice on an empty line',
};

export const chat: Command = command(
  {
    name: 'chat',
    summary: 'Talks with a model.',
    positionals: [],
    options: OPTIONS,
    ownInterrupts: true,
    notes: [
      'A model without a chat template, as the bundled one, goes on with your text. /help lists commands. A line that ends with \\ goes ' +
      'on in the next; """ begins and ends a text of several lines; // begins a message with a slash. Ctrl-C stops an answer, twice on an empty line it ends.',
      'Lines of a pipe are answered one by one, without prompts; --json prints the whole conversation when it ends. A seed is that of ' +
      'the first answer, the next takes the next number.',
    ],
    examples: [
      'ternspike chat',
      'ternspike chat -m chat.gguf --system "Be brief."',
      'echo "One day, Tom" | ternspike chat --seed 1',
    ],
  },
  async ({ values }, { out, offline }) => {
    const interrupts = new AbortController();
    let answering: AbortController | undefined;
    const terminal = isatty(0) && isatty(1) && !out.json;
    const note = (line: string): void => {
      if (!values.quiet) out.note(line);
    };
    const lines = readMessages({
      terminal,
      commands: Object.keys(HELP).map((line) => line.split(' ')[0]),
      hint: () => out.note('Ctrl-C again, or /quit, ends'),
      stop: () => {
        if (!answering || answering.signal.aborted) return false;
        answering.abort();
        return true;
      },
    });
    try {
      answering = interrupts; // an interrupt while it loads ends
      const context: Context = { out, offline, signal: interrupts.signal };
      using model = await openModel(values, context);
      answering = undefined;
      const talk = new Talk(model, values, { out, note }, await templateOf(values.template, interrupts.signal));
      using _ = talk;
      if (values.restore !== undefined) await talk.restore(values.restore);
      if (talk.plain) note('this model has no chat template: it goes on with your text');
      else if (terminal) note('/help lists commands');
      const code = await talk.run(lines, (controller) => void (answering = controller));
      return lines.interrupted ? INTERRUPTED : code;
    } catch (error) {
      if (!interrupts.signal.aborted) throw error;
      return INTERRUPTED;
    } finally {
      lines.close();
      process.stdin.unref?.();
    }
  },
);

/** Exit code of a process that was interrupted. */
const INTERRUPTED = 130;

type ChatValues = Values<typeof OPTIONS>;

async function openModel(values: ChatValues, context: Context): Promise<Model> {
  const { type, head, embedding, build, kv, activations, threads, ctx: contextLength } = values;
  checkSamplerOptions(samplerOptions(values));
  const tokenizer = values.tokenizer === undefined ? undefined : await tokenizerOfFile(values.tokenizer, context);
  const options = { type, head, embedding, build, kv, activations, threads, contextLength, tokenizer };
  return await withModel(modelPath(values.model), context, (source) => load(source, options, context));
}

async function templateOf(given: string | undefined, signal: AbortSignal): Promise<string | undefined> {
  return given !== undefined && existsSync(given) ? await readText(given, undefined, signal) : given;
}

interface Voice {
  readonly out: Context['out'];
  note(line: string): void;
}

/** The conversation, its settings and what was said of it. */
class Talk {
  readonly #model: Model;
  readonly #path: string;
  readonly #voice: Voice;
  readonly #conversation: Conversation;
  readonly #turns: Turn[] = [];
  #settings: GenerateOptions;
  #count = 0;
  #failed = false;

  constructor(model: Model, values: ChatValues, voice: Voice, template: string | undefined) {
    const { system, tokens: maxTokens, stop, seed = randomSeed() } = values;
    this.#model = model;
    this.#path = modelPath(values.model);
    this.#voice = voice;
    this.#settings = { ...samplerOptions(values), maxTokens, stop, seed };
    this.#conversation = new Conversation(model, { system, template });
    if (system !== undefined && this.plain) {
      this.dispose();
      throw new UsageError('--system needs a model with a chat template, or --template');
    }
  }

  get plain(): boolean {
    return this.#conversation.plain;
  }

  /** Answers lines until they end. @param answering is told what stops the answer that is under way @returns the exit code */
  async run(lines: Lines, answering: (controller?: AbortController) => void): Promise<number> {
    const { out } = this.#voice;
    for (let line = await lines.next(); line !== null; line = await lines.next()) {
      if (line.trim() === '') continue;
      if (/^\/(quit|exit|bye)\s*$/.test(line)) break;
      const controller = new AbortController();
      answering(controller);
      try {
        if (/^\/(?!\/)/.test(line)) await this.#command(line.trim(), controller.signal);
        else await this.#answer(line.replace(/^\/\//, '/'), controller.signal);
      } catch (error) {
        const said = spoken(error, OPTIONS);
        if (!(said instanceof TernspikeError || said instanceof UsageError)) throw said;
        this.#failed = true;
        out.note(`ternspike: ${said.message}`);
      } finally {
        answering();
      }
    }
    if (out.json) await out.result(this.#result(), () => []);
    // a user has seen what was refused; a program has the exit code
    return this.#failed && !lines.terminal ? 1 : 0;
  }

  async #answer(text: string, signal: AbortSignal): Promise<void> {
    const { out } = this.#voice;
    const { seed = 0 } = this.#settings;
    const options = {
      ...this.#settings,
      seed: (seed + this.#count) % Number.MAX_SAFE_INTEGER,
      signal,
      stretchMs: STRETCH_MS,
    };
    let said = false;
    const turn = await this.#conversation.say(text, options, async (piece) => {
      if (out.json) return;
      // a terminal has the text that is gone on with above the answer
      await out.text(said || this.plain ? piece : piece.replace(/^\s+/, ''));
      said ||= piece.trim() !== '';
    });
    this.#count++;
    this.#turns.push(turn);
    if (!out.json) await out.text('\n');
    if (turn.dropped > 0) this.#voice.note(`the context is full: the ${turn.dropped} oldest messages are left out`);
    if (turn.finishReason === 'aborted') this.#voice.note('stopped');
    if (turn.finishReason === 'length') this.#voice.note(`cut after ${turn.completionTokens} tokens`);
  }

  async #command(line: string, signal: AbortSignal): Promise<void> {
    const { out } = this.#voice;
    const [, name, rest] = /^(\S+)\s*(.*)$/s.exec(line) as RegExpExecArray;
    const file = (): string => {
      if (rest === '') throw new UsageError(`${name} takes the name of a file`);
      return rest;
    };
    switch (name) {
      case '/help':
        return Object.entries(HELP).forEach(([what, does]) => out.note(`${what.padEnd(18)}${does}`));
      case '/reset':
        this.#conversation.reset();
        return this.#voice.note('a new conversation');
      case '/system':
        if (rest === '') return out.note(this.#conversation.system ?? 'no system message');
        if (this.plain) {
          throw new UsageError('this model has no chat template, and none of its text is a system message');
        }
        this.#conversation.system = rest;
        return;
      case '/set':
        if (rest !== '') this.#settings = withSetting(this.#settings, rest);
        else settingLines(this.#settings).forEach((setting) => out.note(setting));
        return;
      case '/save':
        await saveChat(file(), {
          model: this.#model.digest,
          turns: this.#count,
          settings: storable(this.#settings),
          ...this.#conversation.save(),
        }, signal);
        return this.#voice.note(`saved: ${this.#conversation.messages.length} messages`);
      case '/restore':
        return await this.restore(file());
      case '/spikes': {
        const spikes = this.#turns.at(-1)?.usage?.spikes;
        const lines = spikes
          ? spikeLines(spikes)
          : [this.#turns.length === 0 ? 'nothing was said' : 'this model does not spike'];
        return lines.forEach((text) => out.note(text));
      }
      case '/tokens':
        return this.#tokenLines().forEach((text) => out.note(text));
      default:
        throw new UsageError(`${name} is no command; /help lists them, and // begins a message with a slash`);
    }
  }

  /** Goes on from a file. @throws {TernspikeError} for any other */
  async restore(path: string): Promise<void> {
    const { model, settings, turns, ...saved } = await readChat(path, new AbortController().signal);
    if (saved.ids?.some((id) => id >= this.#model.describe().vocab)) {
      throw new UsageError(`${path} is of another model`);
    }
    this.#conversation.restore(saved);
    this.#settings = settings;
    this.#count = turns;
    if (model !== this.#model.digest) this.#voice.note(`${path} was written with another model`);
    this.#voice.note(`restored: ${saved.messages.length} messages`);
  }

  #tokenLines(): string[] {
    const { held, context } = this.#conversation.positions;
    const last = this.#turns.at(-1);
    const full = `${held} of ${context} positions are read`;
    if (!last) return [full];
    const { promptTokens, cachedTokens, completionTokens, usage } = last;
    const tps = usage && usage.decodeMs > 0
      ? `, ${((1000 * completionTokens) / usage.decodeMs).toPrecision(4)} tokens/s`
      : '';
    return [
      `prompt ${promptTokens} tokens, ${cachedTokens} of them read before; answer ${completionTokens} tokens${tps}`,
      full,
    ];
  }

  #result(): object {
    const { messages, system, positions } = this.#conversation;
    const { loadMs, spikes } = this.#model.stats();
    return {
      messages: system === undefined ? messages : [{ role: 'system', content: system }, ...messages],
      turns: this.#turns.map(({ usage, ...turn }) => ({
        ...turn,
        ...(usage && { timings: { prefillMs: rounded(usage.prefillMs), decodeMs: rounded(usage.decodeMs) } }),
        ...(usage?.spikes && { spikes: usage.spikes }),
      })),
      mode: this.plain ? 'text' : 'chat',
      positions,
      seed: this.#settings.seed,
      spikes: spikes ?? null,
      loadMs: rounded(loadMs),
      memory: memoryOf(this.#model),
      model: this.#path,
    };
  }

  dispose(): void {
    this.#conversation.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Settings as JSON has them: what is not set is left out, a bias is an object, and a ban a word. */
function storable({ logitBias, ...settings }: GenerateOptions): object {
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  const bias = [...(logitBias instanceof Map ? logitBias : Object.entries(logitBias ?? {}))] as [unknown, number][];
  const words = bias.map(([id, value]) => [id, value === -Infinity ? BAN : value] as const);
  return { ...Object.fromEntries(given), ...(words.length > 0 && { logitBias: Object.fromEntries(words) }) };
}
