/**
 * The generation of `run`: the stream, its figures, and the session that it leaves.
 * @module
 */
import type { FileSink } from '../bytes/sink.ts';
import { SessionError } from '../errors.ts';
import type { SpikeReport } from '../forward/spike-report.ts';
import type { FinishReason, Model, ScoredToken } from '../model/model.ts';
import type { SamplerOptions } from '../sample/options.ts';
import type { Overflow, Session } from '../session/session.ts';
import type { FormatOption } from '../structured/types.ts';
import type { Context } from './command.ts';
import { memoryOf } from './load.ts';
import { clock, type Output, rounded } from './output.ts';
import { type Prompt, promptIds } from './prompt.ts';
import { saveSession } from './session-file.ts';
import { spikeLines, spikeSummary } from './spikes.ts';

/** How late an interrupt may be seen while a prompt is read; see `CallOptions`. */
const STRETCH_MS = 500;

/** What is to be generated, and where it is kept. */
export interface Task {
  /** Of the model. */
  readonly path: string;
  readonly prompt: Prompt;
  readonly sampler: SamplerOptions;
  readonly maxTokens: number;
  readonly overflow?: Overflow;
  readonly stop?: readonly string[];
  readonly format?: FormatOption;
  /** How likely each token was, and so many others: into the JSON. */
  readonly logprobs?: number;
  /** Continued, or to be kept; else a session of the generation alone serves. */
  readonly session?: Session;
  readonly sink?: FileSink;
  /** Those of speed and spikes on stderr: in three lines at most, all, or none. */
  readonly statistics: 'short' | 'all' | 'none';
}

/** Generates to stdout, and keeps the session where that was asked for. @throws what `Model.generate` throws */
export async function generate(model: Model, task: Task, { out, signal }: Context): Promise<void> {
  const { path, prompt, sampler, maxTokens, overflow, stop, format, logprobs, session, sink, statistics } = task;
  const held = session?.position ?? 0;
  const ids = prompt.ids ?? promptIds(prompt, model.tokenizer, held);
  const keeps = session !== undefined && sink !== undefined;
  if (keeps) checkRoom(session, ids.length, maxTokens);
  const answer: number[] = [];
  const scores: ScoredToken[] = [];
  // a user reads text after the prompt; in a pipe it is what was generated, and nothing else
  const before = out.terminal && !out.json ? prompt.text ?? '' : '';
  let text = '';
  let read = false;
  let unread: number | null = null;
  let spikes: SpikeReport | undefined;
  let finishReason: FinishReason | 'aborted' = 'aborted';
  const start = performance.now();
  let first = 0;
  let end = 0;
  let warned = statistics === 'none';
  const begun = (): void => {
    if (!warned) noteTrained(model, held + ids.length, maxTokens, out); // only now: a refusal stands alone
    warned = true;
  };
  const onRead = prefillProgress(ids.length, out, begun);
  try {
    const chunks = model.generate(ids, {
      stretchMs: STRETCH_MS,
      ...sampler,
      overflow,
      session,
      maxTokens,
      stop,
      signal,
      format,
      logprobs,
      joined: before !== '' && !format,
      onPrefill: ({ read }) => onRead(read),
    });
    // a generation of no tokens reads nothing
    if (keeps && maxTokens === 0) {
      await session.read(ids, { signal, stretchMs: STRETCH_MS, onRead }, ids.length, () => {});
    }
    for await (const chunk of chunks) {
      if (first === 0) {
        first = performance.now();
        read = true;
        out.progress('');
        if (maxTokens > 0) await out.text(before);
      }
      if (chunk.id !== null) answer.push(chunk.id);
      if (chunk.id !== null && chunk.topLogprobs) {
        scores.push({ id: chunk.id, logprob: chunk.logprob ?? null, topLogprobs: chunk.topLogprobs });
      }
      unread = chunk.usage ? chunk.usage.unread : chunk.id;
      text += chunk.text;
      if (!out.json) await out.text(chunk.text);
      finishReason = chunk.finishReason ?? finishReason;
      if (maxTokens > 0) spikes = chunk.usage?.spikes;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    end = performance.now();
    out.progress('');
    if (!out.json && (text !== '' || (first > 0 && before !== ''))) await out.text('\n');
  }
  if (signal.aborted) out.note(`interrupted after ${answer.length} tokens`);
  const saved = keeps ? await save(session, sink, { unread, read }, out) : null;
  const prefillMs = (first || end) - start;
  const decodeMs = first ? end - first : 0;
  const { loadMs, threads } = model.stats();
  const timings = {
    loadMs: rounded(loadMs),
    prefillMs: rounded(prefillMs),
    decodeMs: rounded(decodeMs),
    firstTokenMs: first ? rounded(loadMs + prefillMs) : undefined,
    prefillTps: rounded(first ? perSecond(ids.length, prefillMs) : 0),
    // the first token falls out of the prompt's last position
    decodeTps: rounded(perSecond(answer.length - 1, decodeMs)),
  };
  if (out.json) {
    await out.result({
      text,
      ids: answer,
      logprobs: logprobs === undefined ? undefined : scores,
      promptTokens: ids.length,
      completionTokens: answer.length,
      finishReason,
      timings,
      threads,
      memory: memoryOf(model),
      spikes: spikes ?? model.stats().spikes, // the latter where it was interrupted, or only read
      session: session && { loaded: held, saved },
      seed: sampler.seed,
      model: path,
    }, () => []);
    return;
  }
  if (statistics === 'none') return;
  const speed = (tps: number): string => `${tps.toPrecision(4)} tokens/s`;
  out.note(
    `prompt ${ids.length} tokens, ${speed(timings.prefillTps)}; ` +
      `answer ${answer.length} tokens, ${speed(timings.decodeTps)}; loaded in ${Math.round(loadMs)} ms` +
      (first ? `, first token after ${Math.round(loadMs + prefillMs)} ms` : '') +
      (threads > 1 ? `; ${threads} threads` : ''),
  );
  if (spikes) { for (const line of statistics === 'all' ? spikeLines(spikes) : [spikeSummary(spikes)]) out.note(line); }
  if (saved !== null) out.note(`session saved: ${saved} positions`);
}

/** Milliseconds between two lines of progress, and before the first: most prompts are read by then. */
const PROGRESS_MS = 100;

/** Shows how far the reading of a long prompt is, and how long it will take. @param begun called before the first line */
function prefillProgress(total: number, out: Output, begun: () => void): (read: number) => void {
  const start = performance.now();
  let shown = start;
  return (read) => {
    begun();
    const now = performance.now();
    if (now - shown < PROGRESS_MS || read === total) return;
    shown = now;
    const left = (((now - start) / read) * (total - read)) / 1000;
    out.progress(`reading the prompt: ${Math.floor((100 * read) / total)} % of ${total} tokens, ${clock(left)} left`);
  };
}

/** What is kept has read the last id too, which a generation leaves unread. @throws {SessionError} */
function checkRoom(session: Session, prompt: number, tokens: number): void {
  const { position, contextLength, overflow } = session;
  if (overflow === 'slide' || position + prompt + tokens <= contextLength) return;
  throw new SessionError(
    'CONTEXT_OVERFLOW',
    `${position + prompt} tokens of prompt and ${tokens} to generate and save do not fit into a context of ` +
      `${contextLength}; give a larger --ctx, or --overflow slide`,
  );
}

/**
 * Keeps the session, the last id read as well; returns its positions, or null where the prompt was not read to its end.
 * @param at the last id, and whether the prompt was read
 */
async function save(
  session: Session,
  sink: FileSink,
  { unread, read }: { readonly unread: number | null; readonly read: boolean },
  out: Output,
): Promise<number | null> {
  if (!read) {
    out.note('the prompt was not read completely; no session is saved');
    return null;
  }
  if (unread !== null) await session.read([unread], {}, 1, () => {});
  await saveSession(session, sink);
  return session.position;
}

/** Says that a context may become longer than what the model was trained for. */
function noteTrained(model: Model, prompt: number, tokens: number, out: Output): void {
  const { trainedContext } = model.describe();
  if (prompt + tokens <= trainedContext) return;
  out.note(
    `${prompt} tokens of prompt and ${tokens} to generate exceed the ${trainedContext} positions ` +
      'that the model was trained for; text beyond them may be worse',
  );
}

function perSecond(count: number, milliseconds: number): number {
  return count > 0 && milliseconds > 0 ? (count / milliseconds) * 1000 : 0;
}
