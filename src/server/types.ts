/**
 * What the server is made of and what it reports.
 * @module
 */
import type { Model } from '../model/model.ts';

/** Models under the names that requests call them by; a promise for one that is still loading. */
export type ServedModels = Readonly<Record<string, Model | Promise<Model>>>;

/** How a server behaves. */
export interface ServerOptions {
  /** Requests that one model answers at the same time. Default: the sessions that it was opened for, `open(…, { parallel })`. */
  readonly parallel?: number;
  /** Requests of one model that may wait for a place; further ones are refused with 429. Default 32. */
  readonly queue?: number;
  /** Bytes of what finished sessions of one model have read, kept so that prompts that begin alike are read once. 0 keeps nothing.
   *  Default 256 MiB. */
  readonly cacheBytes?: number;
  /** Milliseconds that a request may take, waiting included. Default 600,000. */
  readonly timeoutMs?: number;
  /** Milliseconds that a reader of a stream may let it wait. Default 60,000. */
  readonly idleMs?: number;
  /** Milliseconds between comments in a stream in which nothing else happens. Default 15,000. */
  readonly pingMs?: number;
  /** Bytes of a request. Default 4 MiB. */
  readonly bodyBytes?: number;
  /** One of these has to come as `Authorization: Bearer KEY`; /health is open. Default: none is asked for. */
  readonly apiKeys?: readonly string[];
  /** Origins of pages that may call, such as `https://app.example`. Default: none but the server's own. */
  readonly origins?: readonly string[];
  /** Names that the server answers to, besides `localhost` and addresses; `any` where something before it checks that. */
  readonly hosts?: readonly string[] | 'any';
  /** What chat templates take for today. Default: the day of the request; a fixed one makes answers the same every day. */
  readonly date?: Date;
  /** Is told of every request when it is over. */
  readonly log?: (entry: LogEntry) => void;
}

/** What is told of a request. Never a prompt, an answer or a key. */
export interface LogEntry {
  /** ISO 8601. */
  readonly time: string;
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** Until the answer was over. */
  readonly ms: number;
  readonly model?: string;
  readonly promptTokens?: number;
  readonly cachedTokens?: number;
  readonly completionTokens?: number;
  readonly queueMs?: number;
  /** Until the first token was there, waiting included. */
  readonly firstTokenMs?: number;
  /** Code of a refusal. */
  readonly error?: string;
  /** Where the server itself failed. */
  readonly stack?: string;
}

/** One model's places. */
export interface ModelLoad {
  readonly running: number;
  readonly waiting: number;
  readonly slots: number;
  readonly cachedSessions: number;
  readonly cachedBytes: number;
}

/** A server without sockets: a `fetch` handler, for every runtime that has one. */
export interface App {
  readonly fetch: (request: Request) => Promise<Response>;
  /** Settles when every model is there; rejects with what the first that is not was refused with. */
  readonly ready: Promise<void>;
  /** What every model has to do, by name; those that are loading are left out. */
  load(): Record<string, ModelLoad>;
  /** Refuses new requests and waits for those under way; those that are not over after `graceMs` are broken off. */
  drain(graceMs: number): Promise<void>;
}
