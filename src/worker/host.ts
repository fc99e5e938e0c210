/**
 * The worker's side: one model, opened and asked by messages.
 * @module
 */
import type { ModelSource } from '../bytes/resolve.ts';
import { SessionError, TernspikeError } from '../errors.ts';
import type { Model } from '../model/model.ts';
import { open } from '../model/open-builtin.ts';
import type { GenerateChunk } from '../model/types.ts';
import type { Session } from '../session/session.ts';
import { ownerPort } from '../threads/port.ts';
import { sending } from './hooks.ts';
import { AHEAD, type Ask, type Say, sentError, type SentSource } from './messages.ts';

/** A call that is under way. */
interface Running {
  readonly controller: AbortController;
  /** Pieces that were sent and not taken. */
  ahead: number;
  wake: () => void;
}

/** A source that has arrived. */
function received(source: SentSource): ModelSource {
  if (typeof source !== 'object' || !('files' in source)) return source;
  return source.files.map(({ name, blob }) => new File([blob], name));
}

/** Whether a model can be talked to. */
function hasTemplate(model: Model): boolean {
  try {
    return model.tokenizer.chatTemplate !== undefined;
  } catch {
    return false; // it has no vocabulary
  }
}

/** What is opened for a source that was sent; it may take a while, and say so. */
export type Resolve = (
  source: ModelSource,
  options: { readonly signal: AbortSignal; readonly onProgress: (loaded: number, total: number) => void },
) => ModelSource | Promise<ModelSource>;

/**
 * Answers what is asked, until the worker is ended. The whole of a worker's script.
 * @param resolve for workers that know more kinds of sources than `open`
 */
export function serveModel(resolve: Resolve = (source) => source): void {
  const port = ownerPort();
  const say = (message: Say): void => port.postMessage(message);
  const running = new Map<number, Running>();
  const sessions = new Map<number, Session>();
  let model: Model | null = null;

  const opened = (): Model => {
    if (model) return model;
    throw new SessionError('DISPOSED', 'no model is open in this worker');
  };
  const sessionOf = (id: number): Session => {
    const session = sessions.get(id);
    if (session) return session;
    throw new SessionError('DISPOSED', 'this session was disposed of');
  };

  const loading = (id: number) => (loaded: number, total: number): void =>
    say({ id, progress: { phase: 'header', loaded, total, fraction: total > 0 ? loaded / total : 0 } });

  async function stream(
    id: number,
    pieces: AsyncIterable<GenerateChunk>,
    call: Running,
    flush: () => void,
  ): Promise<void> {
    for await (const piece of pieces) {
      flush();
      say({ id, piece });
      call.ahead++;
      while (call.ahead >= AHEAD && !call.controller.signal.aborted) {
        await new Promise<void>((resolve) => void (call.wake = resolve));
      }
    }
  }

  async function answer(ask: Ask, call: Running): Promise<unknown> {
    const { signal } = call.controller;
    const { id } = ask;
    switch (ask.call) {
      case 'open':
        model = await open(await resolve(received(ask.source), { signal, onProgress: loading(id) }), {
          ...ask.options,
          signal,
          onProgress: (progress) => say({ id, progress }),
          onNotice: (notice) => say({ notice }),
        });
        return { description: model.describe(), chats: hasTemplate(model) };
      case 'session':
        sessions.set(id, opened().session(ask.options));
        return id;
      case 'end session':
        sessions.get(ask.session)?.dispose();
        sessions.delete(ask.session);
        return undefined;
      case 'stats':
        return opened().stats();
      case 'generate':
      case 'chat': {
        const { session, ...options } = ask.options;
        const { hooks, flush } = sending(id, ask.hooks, say);
        const more = { ...options, ...hooks, signal, ...(session !== undefined && { session: sessionOf(session) }) };
        const pieces = ask.call === 'chat'
          ? opened().chat(ask.input as Parameters<Model['chat']>[0], more)
          : opened().generate(ask.input as string, more);
        return await stream(id, pieces, call, flush);
      }
      case 'classify': {
        const { hooks, flush } = sending(id, ask.hooks, say);
        const answer = await opened().classify(ask.input as string, { ...ask.options, ...hooks, signal });
        flush();
        return answer;
      }
      case 'embed':
        return await opened().embed(ask.input as string, { ...ask.options, signal });
      case 'encode':
        return opened().tokenizer.encode(ask.input as string, ask.options);
      case 'decode':
        return opened().tokenizer.decode(ask.input as number[], ask.options);
      default:
        throw new TernspikeError('OPTION', `${ask.call} is not a call`);
    }
  }

  port.onmessage = async ({ data }): Promise<void> => {
    const ask = data as Ask;
    const { id } = ask;
    const known = running.get(id);
    if (ask.call === 'taken' || ask.call === 'abort') {
      if (known && ask.call === 'taken') known.ahead--;
      if (known && ask.call === 'abort') known.controller.abort();
      known?.wake();
      return;
    }
    const call: Running = { controller: new AbortController(), ahead: 0, wake() {} };
    running.set(id, call);
    try {
      say({ id, value: await answer(ask, call) });
    } catch (error) {
      say({ id, error: sentError(error) });
    } finally {
      running.delete(id);
    }
  };
}
