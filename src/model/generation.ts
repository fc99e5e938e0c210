/**
 * One generation: a prompt is read, then one token after the other is drawn, read and said.
 * @module
 */
import { CALL_RULES, type CallOptions } from '../bytes/pace.ts';
import { OptionError } from '../errors.ts';
import { picked } from '../options.ts';
import { type SpikeReport, spikeReport } from '../forward/spike-report.ts';
import { type SpikeTrace, traceSince } from '../forward/spike-trace.ts';
import { samplerOptionsFor, statedSampling } from '../sample/defaults.ts';
import { scoreOf, type TokenScore } from '../sample/logprobs.ts';
import { checkMask } from '../sample/mask.ts';
import { SAMPLER_RULES, type SamplerOptions } from '../sample/options.ts';
import { Sampler } from '../sample/sampler.ts';
import type { Session } from '../session/session.ts';
import type { Format, FormatRun } from '../structured/types.ts';
import { StopMatcher } from '../tokenizer/stop.ts';
import type { TokenStream } from '../tokenizer/tokenizer.ts';
import type { Ptr } from '../wasm/arena.ts';
import { checkMaxTokens, endsWithText } from './prompt.ts';
import type { FinishReason, GenerateChunk, GenerateOptions, GenerateUsage, Generator, ModelParts } from './types.ts';

/** What ids say without a vocabulary. */
const SILENT: TokenStream = { push: () => '', flush: () => '' };
const NONE: ReadonlySet<number> = new Set();

/** What a generation is made of, besides the options of the caller. */
export interface GenerationParts {
  readonly parts: ModelParts & { readonly generator: Generator };
  /** The whole prompt. */
  readonly ids: readonly number[];
  readonly format: Format | null;
  /** Special tokens that say something to who reads the text, and what. */
  readonly spelled?: ReadonlyMap<number, string>;
  /** Which of `n` completions it is; −1 where there is one. */
  readonly index: number;
}

/** How likely each id of a prompt was; null where that is not known. */
export type PromptScores = (TokenScore | null)[];

/** What has been done for a generation before it begins. */
export interface HeadStart {
  /** Ids of the prompt that its session has read. */
  readonly read: number;
  readonly scores: PromptScores;
}

/** Options are checked and everything is made when it is constructed; `run` does the work. */
export class Generation {
  readonly #made: GenerationParts;
  readonly #options: GenerateOptions;
  readonly #sampler: Sampler;
  readonly #matcher: StopMatcher;
  readonly #stopIds: ReadonlySet<number>;
  readonly #run: FormatRun | null;
  /** What was said so far. */
  readonly #said: number[] = [];
  #id = -1;
  #score: TokenScore | null = null;

  /** @throws {OptionError} */
  constructor(made: GenerationParts, options: GenerateOptions) {
    const { architecture, container, description, tokenizer, generator: { decoder, sampler } } = made.parts;
    if (options.onSpikes && (!decoder.spikes || made.index >= 0)) {
      const why = decoder.spikes ? 'one completion' : `models that spike; this is a ${description.architecture} model`;
      throw new OptionError('OPTION', `onSpikes is for ${why}`, { option: 'onSpikes' });
    }
    this.#made = made;
    this.#options = options;
    this.#matcher = new StopMatcher(options.stop ?? []);
    const drawn = samplerOptionsFor(
      { ...architecture.sampling?.(description), ...statedSampling(container.metadata) },
      description.vocab,
      tokenizer?.vocabSize ?? 0,
      picked<SamplerOptions>(options, SAMPLER_RULES),
    );
    this.#sampler = new Sampler(drawn, decoder.vocab, sampler);
    this.#stopIds = new Set(tokenizer?.specials.stop);
    this.#run = made.format?.begin({ joined: options.joined || options.echo }) ?? null;
  }

  /** Reads what is left of the prompt, and generates. @throws {SessionError}; the signal's reason */
  async *run(session: Session, { read, scores }: HeadStart): AsyncGenerator<GenerateChunk, void> {
    const { parts: { tokenizer, generator }, ids } = this.#made;
    const { maxTokens, onPrefill, onSpikes, echo = false, logprobs } = this.#options;
    const call = picked<CallOptions>(this.#options, CALL_RULES);
    const limit = checkMaxTokens(maxTokens, session, ids.length - read);
    for (const id of ids) this.#sampler.accept(id);
    const joined = this.#options.joined ?? (this.#run === null && tokenizer !== null && endsWithText(tokenizer, ids));
    const stream = tokenizer?.stream({ continues: !echo && joined }) ?? SILENT;
    const leave = generator.decoder.join();
    try {
      const before = session.spikes;
      const start = performance.now();
      const scored = echo && logprobs !== undefined;
      if (limit > 0 || scored) {
        const onRead = onPrefill &&
          ((done: number, total: number): void => onPrefill({ read: read + done, total: read + total }));
        const left = ids.slice(read);
        const see = (logits: Ptr, i: number): void => {
          const next = read + i + 1;
          if (next < ids.length) scores[next] = this.scoreAt(logits, ids[next]);
          else if (limit > 0) this.#draw(logits);
        };
        await session.read(left, { ...call, onRead, seeSpikes: onSpikes }, scored ? 0 : left.length - 1, see);
      }
      let decodeStart = performance.now();
      const prefillMs = decodeStart - start;
      const seeSpikes = onSpikes &&
        ((layer: number, fired: Uint8Array): void => onSpikes(layer, fired, ids.length + this.#said.length - 1));
      if (echo) yield* this.#echoed(stream, scored ? scores : null);
      let finishReason: FinishReason = 'length';
      for (let first = true; this.#said.length < limit; first = false) {
        if (!first) await session.read([this.#id], { ...call, seeSpikes }, 0, (logits) => this.#draw(logits));
        if (this.#stopIds.has(this.#id)) {
          finishReason = 'stop';
          break;
        }
        this.#said.push(this.#id);
        const { text, stopped } = this.#matcher.push(this.#textOf(this.#id, stream));
        const given = performance.now();
        yield this.#chunk({ text, id: this.#id, finishReason: null, ...this.#score });
        decodeStart += performance.now() - given; // the reader's time is not the model's
        if (stopped || this.#run?.complete) {
          finishReason = 'stop';
          break;
        }
      }
      const rest = this.#matcher.push(stream.flush());
      if (rest.stopped) finishReason = 'stop';
      const now = session.spikes;
      const usage: GenerateUsage = {
        promptTokens: ids.length,
        completionTokens: this.#said.length,
        prefillMs,
        decodeMs: performance.now() - decodeStart,
        unread: this.#id < 0 ? null : this.#id,
        ...(now && { spikes: spikesOf(this.#made.parts, traceSince(now, before)) }),
      };
      yield this.#chunk({ text: rest.text + this.#matcher.finish(), id: null, finishReason, usage });
    } finally {
      leave();
    }
  }

  /** How likely `id` is after these logits. */
  scoreAt(logits: Ptr, id: number): TokenScore {
    const { decoder: { vocab }, sampler } = this.#made.parts.generator;
    return scoreOf(sampler, logits, vocab, this.#sampler.options.vocabLimit, id, this.#options.logprobs ?? 0);
  }

  #draw(logits: Ptr): void {
    const { mask: hook, minTokens = 0, logprobs } = this.#options;
    const { vocab } = this.#made.parts.generator.decoder;
    const context = { ids: this.#said, vocab, index: Math.max(0, this.#made.index) };
    const own = hook ? checkMask(hook(context), vocab) : null;
    const mask = both(own, this.#run?.mask() ?? null);
    const id = this.#sampler.sample(logits, mask, this.#said.length < minTokens ? this.#stopIds : NONE);
    this.#score = logprobs === undefined ? null : this.scoreAt(logits, id);
    this.#sampler.accept(id);
    this.#run?.accept(id);
    this.#id = id;
  }

  *#echoed(stream: TokenStream, scores: PromptScores | null): Iterable<GenerateChunk> {
    for (const [i, id] of this.#made.ids.entries()) {
      const score = scores && (scores[i] ?? { logprob: null, topLogprobs: [] });
      yield this.#chunk({ text: this.#textOf(id, stream), id, finishReason: null, prompt: true, ...score });
    }
  }

  #textOf(id: number, stream: TokenStream): string {
    const { parts: { tokenizer }, spelled } = this.#made;
    const text = id < (tokenizer?.vocabSize ?? 0) ? stream.push(id) : '';
    return text + (spelled?.get(id) ?? '');
  }

  #chunk(chunk: GenerateChunk): GenerateChunk {
    const { index } = this.#made;
    return index < 0 ? chunk : { ...chunk, index };
  }
}

/** What both allow. The second is read only, and may be the format's own. */
function both(one: Uint32Array | null, other: Uint32Array | null): Uint32Array | null {
  if (!one || !other) return one ?? other;
  return other.map((word, i) => word & one[i]);
}

/** The spikes of a trace, where layers of the model spike. */
export function spikesOf(parts: ModelParts, trace: SpikeTrace | undefined): SpikeReport | undefined {
  const layers = trace && parts.spikeLayers();
  return layers ? spikeReport(layers, trace) : undefined;
}
