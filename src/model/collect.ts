/**
 * Streams, collected.
 * @module
 */
import type { ToolCall } from '../chat/types.ts';
import type { Answer, Completion, FinishReason, GenerateChunk, GenerateUsage, ScoredToken } from './types.ts';

/** What was said so far. */
interface Growing {
  text: string;
  reasoning: string;
  readonly ids: number[];
  readonly toolCalls: ToolCall[];
  readonly logprobs: ScoredToken[];
  end?: { readonly finishReason: FinishReason; readonly usage: GenerateUsage };
}

/** Everything that `count` generations said, by their index. The ids of an echoed prompt are not among `ids`, its text is in `text`. */
export async function collect(chunks: AsyncIterable<GenerateChunk>, count: number): Promise<Answer[]> {
  const all = Array.from({ length: count }, (): Growing => ({
    text: '',
    reasoning: '',
    ids: [],
    toolCalls: [],
    logprobs: [],
  }));
  let scored = false;
  for await (const { index = 0, text, id, prompt, logprob, topLogprobs, ...chunk } of chunks) {
    const one = all[index];
    one.text += text;
    one.reasoning += chunk.reasoning ?? '';
    one.toolCalls.push(...(chunk.toolCalls ?? []));
    if (id !== null && !prompt) one.ids.push(id);
    if (id !== null && topLogprobs) {
      scored = true;
      one.logprobs.push({ id, logprob: logprob ?? null, topLogprobs });
    }
    if (chunk.finishReason && chunk.usage) one.end = { finishReason: chunk.finishReason, usage: chunk.usage };
  }
  return all.map(({ end, logprobs, ...rest }) => {
    // the last chunk of a generation that was not broken off has both
    return { ...rest, ...end!, ...(scored && { logprobs }) };
  });
}

/** The same of generations that are no chats. */
export async function completionsOf(chunks: AsyncIterable<GenerateChunk>, count: number): Promise<Completion[]> {
  const all = await collect(chunks, count);
  return all.map(({ reasoning: _none, toolCalls: _no, ...completion }) => completion);
}
