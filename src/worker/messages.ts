/**
 * What a page and the worker of its model say to each other. Everything here can be sent between threads.
 * @module
 */
import type { ByteSource } from '../bytes/source.ts';
import type { ModelSource } from '../bytes/resolve.ts';
import * as errors from '../errors.ts';
import type { ModelDescription } from '../description/description.ts';
import type { ClassifyOptions } from '../forward/classifier.ts';
import type { OnSpikes } from '../forward/spike-record.ts';
import type { OpenOptions, OpenProgress } from '../model/open.ts';
import type { GenerateOptions } from '../model/types.ts';
import type { SessionOptions } from '../session/session.ts';

/** A source that can be sent: not an open file, nor an object with functions. */
export type WorkerSource = Exclude<ModelSource, ByteSource | { stat(): unknown }>;

/** A source on its way. */
export type SentSource =
  | Exclude<WorkerSource, URL | Iterable<File>>
  | { readonly files: readonly { readonly name: string; readonly blob: Blob }[] };

/** Options that can be sent; `signal`, `onProgress` and `onNotice` stay with the caller. */
export type SentOptions = Omit<OpenOptions, 'signal' | 'onProgress' | 'onNotice' | 'fetch' | 'tokenizer'> & {
  readonly tokenizer?: Uint8Array;
};

/** What the worker is asked. `id` numbers the calls. */
export type Ask =
  | { readonly id: number; readonly call: 'open'; readonly source: SentSource; readonly options: SentOptions }
  | { readonly id: number; readonly call: 'session'; readonly options: SessionOptions }
  | { readonly id: number; readonly call: 'end session'; readonly session: number }
  | { readonly id: number; readonly call: 'stats' }
  | Heard & { readonly id: number; readonly call: Streamed; readonly input: unknown; readonly options: StreamOptions }
  | Heard & { readonly id: number; readonly call: Answered; readonly input: unknown; readonly options: object }
  /** The caller has taken a piece of a stream. */
  | { readonly id: number; readonly call: 'taken' }
  /** Ends a call: its signal was aborted, or nobody reads its stream any more. */
  | { readonly id: number; readonly call: 'abort' };

/** Options that are functions: they stay with the caller, and the worker sends what they are to be called with. */
export interface Hooks {
  readonly onPrefill?: GenerateOptions['onPrefill'];
  readonly onStep?: ClassifyOptions['onStep'];
  readonly onSpikes?: OnSpikes;
}

/** Which of them a call has. */
export interface Heard {
  readonly hooks?: readonly (keyof Hooks)[];
}

/** Which neurons fired, of all layers at once: `lengths` are the bytes of each. */
export interface SentSpikes {
  readonly at: number;
  readonly lengths: readonly number[];
  readonly bits: Uint8Array;
}

/** Calls that answer piece by piece. */
export type Streamed = 'generate' | 'chat';
/** Calls that answer once. */
export type Answered = 'classify' | 'embed' | 'encode' | 'decode';

/** Options of a stream; a session is named by its number. */
export type StreamOptions = Readonly<Record<string, unknown>> & { readonly session?: number };

/** What the worker says. */
export type Say =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly piece: unknown }
  | { readonly id: number; readonly progress: OpenProgress }
  | { readonly id: number; readonly hook: 'onPrefill' | 'onStep'; readonly given: unknown }
  | { readonly id: number; readonly spikes: SentSpikes }
  | { readonly id: number; readonly error: SentError }
  | { readonly notice: string };

/** What the worker says of a model that was opened. */
export interface Opened {
  readonly description: ModelDescription;
  /** Whether it has a chat template. */
  readonly chats: boolean;
}

/** Pieces of a stream that may be on their way: the worker computes ahead of the page so far. */
export const AHEAD = 32;

/** An error as it is sent: a clone of one loses its class and its code. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly code?: errors.ErrorCode;
  readonly mentions?: readonly string[];
  readonly option?: string;
  readonly status?: number;
  readonly cause?: SentError;
}

export function sentError(error: unknown): SentError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message, cause } = error;
  const { status } = error as Partial<errors.IoError>;
  const { option } = error as Partial<errors.OptionError>;
  const ours = error instanceof errors.TernspikeError;
  return {
    name,
    message: ours ? error.reason : message,
    ...(ours && { code: error.code, mentions: error.mentions }),
    ...(option !== undefined && { option }),
    ...(status !== undefined && { status }),
    ...(cause !== undefined && { cause: sentError(cause) }),
  };
}

/** The error that was sent, of its class again. */
export function receivedError({ name, message, code, status, cause: inner, ...details }: SentError): Error {
  const cause = inner && { cause: receivedError(inner) };
  if (code === undefined) return Object.assign(new Error(message, cause), { name });
  const classes = Object.values(errors) as (typeof errors.IoError)[];
  const Class = classes.find((each) => each.name === name) ?? errors.TernspikeError;
  return new Class(code, message, { ...details, ...cause, ...(status !== undefined && { status }) });
}
