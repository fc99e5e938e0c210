/**
 * Refusals as clients of OpenAI know them: a status and `{ error: { message, type, param, code } }`.
 * @module
 */
import { OptionError, TernspikeError } from '../errors.ts';

/** What is wrong with a request, as its sender sees it. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  /** Which kind: `invalid_request_error`, `authentication_error`, `server_error` … */
  readonly type: string;
  /** The field that is meant. */
  readonly param: string | null;
  readonly code: string | null;
  /** Seconds until another try makes sense. */
  readonly retryAfter: number | undefined;

  constructor(
    status: number,
    message: string,
    { type, param = null, code = null, retryAfter, cause }: ApiErrorDetails = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
    this.type = type ?? (status >= 500 ? 'server_error' : 'invalid_request_error');
    this.param = param;
    this.code = code;
    this.retryAfter = retryAfter;
  }

  /** The envelope. */
  body(): ErrorBody {
    const { message, type, param, code } = this;
    return { error: { message, type, param, code } };
  }
}

export interface ApiErrorDetails {
  readonly type?: string;
  readonly param?: string | null;
  readonly code?: string | null;
  readonly retryAfter?: number;
  readonly cause?: unknown;
}

export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

/** A field that has a wrong value. */
export const badField = (param: string, message: string, code: string | null = null): ApiError =>
  new ApiError(400, message, { param, code });

/** The request was given up by its sender; nobody reads the answer. 499 is nginx's number for it. */
export const clientGone = (): ApiError => new ApiError(499, 'the client went away', { code: 'client_closed_request' });

/** Options of the library by the names that requests have for them. */
export const FIELD_OF: Readonly<Record<string, string>> = {
  temperature: 'temperature',
  topK: 'top_k',
  topP: 'top_p',
  minP: 'min_p',
  repeatPenalty: 'repeat_penalty',
  repeatLastN: 'repeat_last_n',
  frequencyPenalty: 'frequency_penalty',
  presencePenalty: 'presence_penalty',
  logitBias: 'logit_bias',
  maxTokens: 'max_tokens',
  seed: 'seed',
  stop: 'stop',
  logprobs: 'logprobs',
  format: 'response_format',
  toolChoice: 'tool_choice',
  tools: 'tools',
  template: 'messages',
};

/** Refusals of the engine that a request brings about, and the fields that do. */
const OF_REQUESTS: Readonly<Record<string, string | null>> = {
  TOKEN: null,
  NO_CANDIDATE: 'logit_bias',
  TEMPLATE: 'messages',
  TEMPLATE_BUDGET: 'messages',
  TEMPLATE_DEPTH: 'messages',
  TEXT_TOO_LONG: null,
  TOKENIZER_MISSING: null,
  ARCHITECTURE: 'model',
  FORMAT: 'response_format',
  SCHEMA_LIMIT: 'response_format',
};

/** Any error as the sender of a request may see it: what is no fault of the request says nothing of this machine. */
export function apiError(error: unknown, field: string | null = null): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof DOMException && error.name === 'AbortError') return clientGone();
  if (error instanceof TernspikeError) {
    if (error.code === 'CONTEXT_OVERFLOW') {
      return new ApiError(400, error.reason, { param: field, code: 'context_length_exceeded', cause: error });
    }
    if (error instanceof OptionError) {
      const name = error.option ?? error.mentions[0];
      const known = name === undefined ? field : FIELD_OF[name] ?? name;
      return new ApiError(400, renamed(error.reason), { param: known, cause: error });
    }
    if (Object.hasOwn(OF_REQUESTS, error.code)) {
      const param = OF_REQUESTS[error.code] ?? field;
      return new ApiError(400, error.reason, { param, code: error.code.toLowerCase(), cause: error });
    }
    if (error.code === 'MEMORY' || error.code === 'MEMORY_LIMIT' || error.code === 'DISPOSED') {
      return new ApiError(503, 'the model has no room for this request now', { retryAfter: 1, cause: error });
    }
  }
  return new ApiError(500, 'the server failed; its log says more', { code: 'internal', cause: error });
}

/** The reason with the fields' names in the place of the options'. */
const renamed = (reason: string): string => reason.replace(/\b[a-z]+[A-Z]\w*\b/g, (name) => FIELD_OF[name] ?? name);
