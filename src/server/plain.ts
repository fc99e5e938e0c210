/**
 * Endpoints that do not generate: models, health, tokens, templates.
 * @module
 */
import { MAX_TEXT_CHARS } from '../limits.ts';
import { FLAG, OBJECT, shown, TEXT } from '../options.ts';
import type { Call } from './call.ts';
import { ApiError, badField } from './errors.ts';
import { field, readFields } from './fields.ts';
import { readMessages } from './messages.ts';
import type { Served } from './served.ts';
import { readTools } from './tools.ts';

const ANYTHING = { expected: '', holds: (): boolean => true };

/** A model as `/v1/models` lists it; `meta` as llama-server has it. */
function modelCard(served: Served): object {
  const { name, created, model, generates } = served;
  const { architecture, vocab, width, trainedContext } = model.describe();
  return {
    id: name,
    object: 'model',
    created,
    owned_by: 'ternspike',
    meta: {
      architecture,
      n_vocab: vocab,
      n_embd: width,
      n_ctx_train: trainedContext,
      ...(generates && { n_ctx: served.contextLength }),
      size: model.stats().weightsBytes,
    },
  };
}

export const listModels = (call: Call): Response =>
  call.json({ object: 'list', data: call.models.list().map(modelCard) });

export const oneModel = (call: Call, name: string): Response => call.json(modelCard(call.model(name)));

/** Open to everybody: says no more than whether the server can be asked. */
export function health(call: Call): Response {
  const { loaded, failed } = call.models;
  if (loaded) return call.json({ status: 'ok' });
  throw new ApiError(503, failed ? 'a model could not be loaded' : 'loading model', {
    type: 'unavailable_error',
    code: failed ? 'failed' : 'loading',
    ...(!failed && { retryAfter: 2 }),
  });
}

/** What the models are and what they have to do. */
export function props(call: Call): Response {
  const models = call.models.list().map((served) => {
    const { model, generates, fingerprint } = served;
    const { build, threads, loadMs, weightsBytes, stateBytes, memoryBytes } = model.stats();
    const { running, waiting, slots, cachedSessions, cachedBytes } = served.load();
    return {
      ...modelCard(served),
      fingerprint,
      generates,
      total_slots: slots,
      running,
      waiting,
      cached_sessions: cachedSessions,
      cached_bytes: cachedBytes,
      build,
      threads,
      load_ms: Math.round(loadMs),
      weights_bytes: weightsBytes,
      state_bytes: stateBytes,
      memory_bytes: memoryBytes,
      chat_template: hasTokenizer(served) ? model.tokenizer.chatTemplate ?? null : null,
    };
  });
  return call.json({ total_slots: models.reduce((sum, { total_slots }) => sum + total_slots, 0), models });
}

function hasTokenizer({ model }: Served): boolean {
  try {
    return model.tokenizer !== null;
  } catch {
    return false;
  }
}

export async function tokenize(call: Call): Promise<Response> {
  const { fields, ignored } = readFields<
    { model?: string; content?: string; add_special?: boolean; parse_special?: boolean; with_pieces?: boolean }
  >(await call.body(), {
    model: field(TEXT),
    content: field(TEXT),
    add_special: field(FLAG),
    parse_special: field(FLAG),
    with_pieces: field(FLAG),
  });
  call.ignore(ignored);
  const { content, with_pieces: pieces, add_special: special = false } = fields;
  if (content === undefined) throw badField('content', 'content is missing, expected a text');
  if (content.length > MAX_TEXT_CHARS) {
    throw badField('content', `content has ${content.length} characters, at most ${MAX_TEXT_CHARS} are accepted`);
  }
  const { tokenizer } = call.model(fields.model).model;
  const ids = tokenizer.encode(content, { special: special || fields.parse_special });
  if (!pieces) return call.json({ tokens: ids });
  return call.json({
    tokens: ids.map((id) => {
      const bytes = tokenizer.pieceBytes(id);
      try {
        return { id, piece: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
      } catch {
        return { id, piece: Array.from(bytes) }; // no whole characters
      }
    }),
  });
}

export async function detokenize(call: Call): Promise<Response> {
  const { fields, ignored } = readFields<{ model?: string; tokens?: unknown }>(await call.body(), {
    model: field(TEXT),
    tokens: field(ANYTHING),
  });
  call.ignore(ignored);
  const { tokens } = fields;
  if (!Array.isArray(tokens) || !tokens.every((id) => Number.isSafeInteger(id) && id >= 0)) {
    throw badField('tokens', `tokens is ${shown(tokens)}, expected a list of ids`);
  }
  return call.json({ content: call.model(fields.model).model.tokenizer.decode(tokens as number[]) });
}

export async function applyTemplate(call: Call): Promise<Response> {
  const { fields, ignored } = readFields<
    { model?: string; messages?: unknown; tools?: unknown; chat_template_kwargs?: Readonly<Record<string, unknown>> }
  >(await call.body(), {
    model: field(TEXT),
    messages: field(ANYTHING),
    tools: field(ANYTHING),
    chat_template_kwargs: field(OBJECT),
  });
  call.ignore(ignored);
  const messages = readMessages(fields.messages);
  const tools = readTools(fields.tools);
  const { tokenizer } = call.model(fields.model).model;
  const { chatText } = await import('../model/chat.ts');
  const prompt = chatText(tokenizer, messages, {
    ...(tools.length > 0 && { tools }),
    variables: fields.chat_template_kwargs,
    signal: call.signal,
  });
  return call.json({ prompt });
}
