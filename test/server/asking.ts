/**
 * Asking a server without sockets: small models, requests, and answers as clients read them.
 * @module
 */
import * as assert from 'uvu/assert';
import { defaultModel } from '../../src/entries/default-model.ts';
import { type Model, open, type OpenOptions } from '../../src/entries/index.ts';
import { type App, createApp, type LogEntry, type ServerOptions } from '../../src/entries/server.ts';
import { speakingFile } from '../cli/cli.ts';

/** What an answer holds, as far as tests look at it. */
export interface Answer {
  readonly id: string;
  readonly object: string;
  readonly model: string;
  readonly system_fingerprint: string;
  readonly choices: readonly {
    readonly index: number;
    readonly text: string;
    readonly message: {
      readonly role: string;
      readonly content: string | null;
      readonly reasoning_content?: string;
      readonly tool_calls?: readonly { readonly id: string; readonly function: { name: string; arguments: string } }[];
    };
    readonly delta: { readonly role?: string; readonly content?: string; readonly reasoning_content?: string };
    readonly finish_reason: string | null;
    // deno-lint-ignore no-explicit-any -- two shapes, looked at field by field
    readonly logprobs: any;
  }[];
  readonly usage: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly total_tokens: number;
    readonly prompt_tokens_details: { readonly cached_tokens: number };
  };
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
  // deno-lint-ignore no-explicit-any -- answers of the smaller endpoints
  readonly [field: string]: any;
}

/** A server of one test. */
export interface Server {
  readonly app: App;
  readonly model: Model;
  readonly log: LogEntry[];
  ask(path: string, body?: unknown, init?: RequestInit): Promise<Response>;
  /** Asks, checks the status, and gives the JSON. */
  json(path: string, body?: unknown, status?: number): Promise<Answer>;
  /** Asks for a stream and gives its events, without the last, which is checked. */
  events(path: string, body: object): Promise<Answer[]>;
}

/** A chat of a conversation's usual shape, for models that know ten words. */
export const CHAT_TEMPLATE: string = '{% for m in messages %}{{ m.role[0] }}:{{ m.content }}\n{% endfor %}' +
  '{% if add_generation_prompt %}a:{% endif %}';

/** Random weights of the llama shape with a vocabulary and a template. */
export function chatModel(options: OpenOptions = {}): Promise<Model> {
  return open(speakingFile().bytes(), { threads: 1, contextLength: 256, parallel: 4, ...options });
}

/** The stories: spiking, recurrent, without a template. */
export function stories(options: OpenOptions = {}): Promise<Model> {
  return open(defaultModel, { threads: 1, parallel: 4, ...options });
}

/** Works with a server of one model, called `default`. */
export async function serving(
  model: Model | Promise<Model>,
  options: ServerOptions,
  use: (server: Server) => Promise<void>,
): Promise<void> {
  const opened = await model;
  const log: LogEntry[] = [];
  const app = createApp({ default: opened }, { log: (entry) => void log.push(entry), ...options });
  const ask = (path: string, body?: unknown, init: RequestInit = {}): Promise<Response> =>
    app.fetch(request(path, body, init));
  const json = async (path: string, body?: unknown, status: number = 200): Promise<Answer> => {
    const response = await ask(path, body);
    const said = await response.json() as Answer;
    assert.is(response.status, status, JSON.stringify(said));
    return said;
  };
  const events = async (path: string, body: object): Promise<Answer[]> => {
    const response = await ask(path, { ...body, stream: true });
    assert.is(response.status, 200);
    assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
    return readEvents(await response.text());
  };
  try {
    await use({ app, model: opened, log, ask, json, events });
  } finally {
    await app.drain(0);
    opened.dispose();
  }
}

/** A request to a server on loopback; with a body it is a POST of JSON. */
export function request(path: string, body?: unknown, init: RequestInit = {}): Request {
  if (body === undefined) return new Request(`http://localhost${path}`, init);
  return new Request(`http://localhost${path}`, {
    method: 'POST',
    body: typeof body === 'string' || body instanceof Uint8Array ? body as BodyInit : JSON.stringify(body),
    ...init,
    headers: { 'content-type': 'application/json', ...init.headers as Record<string, string> },
  });
}

/** The events of a stream that ended as OpenAI's do. */
export function readEvents(text: string): Answer[] {
  const blocks = text.split('\n\n').filter((block) => block !== '' && !block.startsWith(':'));
  assert.is(blocks.pop(), 'data: [DONE]');
  return blocks.map((block) => {
    assert.match(block, /^data: \{[^\n]*\}$/);
    return JSON.parse(block.slice('data: '.length)) as Answer;
  });
}

/** Settles after so many turns of the event loop at least. */
export const moment = (ms: number = 5): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
