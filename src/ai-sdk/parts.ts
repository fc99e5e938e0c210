/**
 * Chunks of an answer → parts of a stream of the AI SDK: blocks of text and of thinking, calls of tools, and how it ended.
 * @module
 */
import type {
  JSONObject,
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
  SharedV4ProviderMetadata,
} from '@ai-sdk/provider';
import type { FinishReason, GenerateChunk, GenerateUsage } from '../model/types.ts';

const FINISH: Readonly<Record<FinishReason, LanguageModelV4FinishReason['unified']>> = {
  stop: 'stop',
  length: 'length',
  toolCalls: 'tool-calls',
};

/**
 * Parts of an answer, without what begins a stream: every block is opened before its deltas and closed after them, one at a time, and
 * `finish` comes last.
 * @param raw whether chunks are handed out as they are, too
 */
export async function* answerParts(
  chunks: AsyncIterable<GenerateChunk>,
  raw: boolean = false,
): AsyncGenerator<LanguageModelV4StreamPart, void> {
  let open: { readonly kind: 'text' | 'reasoning'; readonly id: string } | null = null;
  let blocks = 0;
  const say = function* (kind: 'text' | 'reasoning', delta: string): Generator<LanguageModelV4StreamPart> {
    if (delta === '') return;
    if (open?.kind !== kind) {
      yield* close();
      open = { kind, id: String(blocks++) };
      yield { type: `${kind}-start`, id: open.id };
    }
    yield { type: `${kind}-delta`, id: open.id, delta };
  };
  const close = function* (): Generator<LanguageModelV4StreamPart> {
    if (open) yield { type: `${open.kind}-end`, id: open.id };
    open = null;
  };
  for await (const chunk of chunks) {
    if (raw) yield { type: 'raw', rawValue: chunk };
    yield* say('reasoning', chunk.reasoning ?? '');
    yield* say('text', chunk.text);
    for (const { id, name, arguments: input } of chunk.toolCalls ?? []) {
      yield* close();
      yield { type: 'tool-input-start', id, toolName: name };
      yield { type: 'tool-input-delta', id, delta: input };
      yield { type: 'tool-input-end', id };
      yield { type: 'tool-call', toolCallId: id, toolName: name, input };
    }
    if (chunk.finishReason === null) continue;
    yield* close();
    const { finishReason, usage } = chunk;
    yield {
      type: 'finish',
      finishReason: { unified: FINISH[finishReason], raw: finishReason },
      usage: usageOf(usage),
      ...(usage && { providerMetadata: metadataOf(usage) }),
    };
  }
}

/** The same parts, put together. */
export class Collected {
  readonly content: LanguageModelV4Content[] = [];
  finish: Extract<LanguageModelV4StreamPart, { type: 'finish' }> | undefined;

  add(part: LanguageModelV4StreamPart): void {
    if (part.type === 'text-start') this.content.push({ type: 'text', text: '' });
    else if (part.type === 'reasoning-start') this.content.push({ type: 'reasoning', text: '' });
    else if (part.type === 'text-delta' || part.type === 'reasoning-delta') {
      const last = this.content[this.content.length - 1] as { text: string };
      last.text += part.delta;
    } else if (part.type === 'tool-call') this.content.push(part);
    else if (part.type === 'finish') this.finish = part;
  }
}

function usageOf(usage: GenerateUsage | undefined): LanguageModelV4Usage {
  if (!usage) {
    const none = undefined;
    return {
      inputTokens: { total: none, noCache: none, cacheRead: none, cacheWrite: none },
      outputTokens: { total: none, text: none, reasoning: none },
    };
  }
  const { promptTokens, completionTokens, reasoningTokens = 0 } = usage;
  return {
    inputTokens: { total: promptTokens, noCache: promptTokens, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: completionTokens, text: completionTokens - reasoningTokens, reasoning: reasoningTokens },
    raw: { promptTokens, completionTokens, reasoningTokens },
  };
}

/** Times, and of models that spike what a token of the answer spiked and is estimated to take. */
function metadataOf({ prefillMs, decodeMs, spikes }: GenerateUsage): SharedV4ProviderMetadata {
  const ternspike: JSONObject = {
    timings: { prefillMs, decodeMs },
    ...(spikes && { spikes: plain({ tokens: spikes.tokens, ...spikes.overall }), energy: plain(spikes.energy) }),
  };
  return { ternspike };
}

const plain = (value: object): JSONObject => JSON.parse(JSON.stringify(value)) as JSONObject;
