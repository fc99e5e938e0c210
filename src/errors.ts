/**
 * The errors of ternspike. Every refusal is one of these classes, never a trap and never a bare `Error`:
 * a stable `code` to test for, and a message that says what was wrong, where, the number found, the bound, and what to do.
 * @module
 */

/** Every code that an error of ours can carry. Codes are stable: a message may be reworded, a code may not. */
export type ErrorCode =
  // bytes: where bytes come from
  | 'IO'
  | 'TRUNCATED'
  | 'HTTP'
  | 'HTTP_RANGE'
  | 'CHANGED'
  | 'SOURCE'
  // store: models of a hub
  | 'HUB'
  | 'HUB_ACCESS'
  | 'HUB_MISSING'
  | 'CHECKSUM'
  | 'OFFLINE'
  | 'STORE_FULL'
  // container: the file around the tensors
  | 'UNKNOWN_FORMAT'
  | 'GGUF_VERSION'
  | 'GGUF_COUNT'
  | 'GGUF_STRING'
  | 'GGUF_KEY'
  | 'GGUF_ARRAY'
  | 'GGUF_TYPE'
  | 'GGUF_ALIGN'
  | 'GGUF_DIMS'
  | 'GGUF_HEADER'
  | 'GGUF_SHARDS'
  | 'GGUF_WRITE'
  | 'ST_HEADER_LENGTH'
  | 'ST_HEADER'
  | 'ST_COVERAGE'
  | 'ST_SHARDS'
  | 'ZIP_LAYOUT'
  | 'ZIP_METHOD'
  | 'PICKLE_OPCODE'
  | 'PICKLE_GLOBAL'
  | 'PICKLE_CORRUPT'
  | 'PICKLE_LIMIT'
  | 'STORAGE_RANGE'
  | 'BYTE_ORDER'
  | 'TORCH_STATE'
  | 'TORCH_LEGACY'
  | 'TORCH_SCRIPT'
  | 'TENSOR_NAME'
  | 'TENSOR_TYPE'
  | 'TENSOR_SHAPE'
  | 'TENSOR_BLOCK'
  | 'TENSOR_LAYOUT'
  | 'TENSOR_OUT_OF_FILE'
  // model: what the file describes
  | 'ARCHITECTURE'
  | 'METADATA'
  | 'DESCRIPTION'
  | 'DESCRIPTION_MISMATCH'
  | 'DESCRIPTION_TENSORS'
  | 'WEIGHT_NOT_FINITE'
  | 'TERNARY_CODE'
  // wasm: memory and kernels
  | 'MEMORY'
  | 'MEMORY_LIMIT'
  | 'WASM_UNSUPPORTED'
  | 'WASM_FORBIDDEN'
  | 'WASM_MODULE'
  // session: running a model
  | 'CONTEXT_OVERFLOW'
  | 'TOKEN'
  | 'NOT_FINITE'
  | 'BUSY'
  | 'WORKER_DIED'
  | 'DISPOSED'
  | 'NO_CANDIDATE'
  | 'SNAPSHOT'
  | 'SNAPSHOT_MODEL'
  // tokenizer and templates
  | 'TOKENIZER'
  | 'TOKENIZER_MISSING'
  | 'TEXT_TOO_LONG'
  | 'TEMPLATE'
  | 'TEMPLATE_BUDGET'
  | 'TEMPLATE_DEPTH'
  // formats that an answer is held to
  | 'FORMAT'
  | 'SCHEMA_LIMIT'
  // distill: training a student
  | 'CHECKPOINT'
  | 'DISTILL'
  | 'TRAINER'
  // evaluation: data sets and the logs of runs over them
  | 'DATASET'
  | 'DATASET_LABELS'
  | 'DATASET_LINE'
  | 'EVAL_LOG'
  | 'GATE'
  | 'SUITE'
  // batches: files of answers
  | 'BATCH'
  | 'BATCH_DIFFERS'
  // the caller's arguments
  | 'OPTION';

/** What an error carries besides its code and its reason. */
export interface ErrorDetails {
  readonly cause?: unknown;
  /** Names of options that the reason mentions, as the library spells them. */
  readonly mentions?: readonly string[];
}

/** Names a class whatever a bundler made of its name. On the prototype a name is in the first line of a stack. */
function named(of: { readonly prototype: Error }, name: string): void {
  Object.defineProperty(of, 'name', { value: name, configurable: true });
  Object.defineProperty(of.prototype, 'name', { value: name, configurable: true, writable: true });
}

/** Base class of every error thrown on purpose by ternspike. */
export class TernspikeError extends Error {
  /** Stable identifier of the refusal. */
  readonly code: ErrorCode;
  /** The message without its code. */
  readonly reason: string;
  /** Options of the library that the reason names, so that other surfaces can put their own names in their place. */
  readonly mentions: readonly string[];

  static {
    named(this, 'TernspikeError');
  }

  constructor(code: ErrorCode, reason: string, { cause, mentions = [] }: ErrorDetails = {}) {
    super(`${code}: ${reason}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.reason = reason;
    this.mentions = mentions;
  }
}

/** Bytes could not be read: disk, network, a short or changed file. */
export class IoError extends TernspikeError {
  static {
    named(this, 'IoError');
  }

  /** The status that a web server answered with, for errors that came of it. */
  declare readonly status?: number;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; status?: number } = {}) {
    super(code, message, 'cause' in options ? { cause: options.cause } : undefined);
    if (options.status !== undefined) this.status = options.status;
  }
}

/** The container (GGUF and others) is malformed or beyond a stated limit. */
export class ModelFileError extends TernspikeError {
  static {
    named(this, 'ModelFileError');
  }
}

/** The container is well formed, but what it describes is not a model that can run. */
export class DescriptionError extends TernspikeError {
  static {
    named(this, 'DescriptionError');
  }
}

/** Memory: the plan does not fit, or the host refused it. */
export class MemoryError extends TernspikeError {
  static {
    named(this, 'MemoryError');
  }
}

/** A call on a model or session that cannot be carried out in its present state. */
export class SessionError extends TernspikeError {
  static {
    named(this, 'SessionError');
  }
}

/** Vocabulary, merges, normaliser or text that cannot be tokenised. */
export class TokenizerError extends TernspikeError {
  static {
    named(this, 'TokenizerError');
  }
}

/** A chat template that does not parse, raises, or exceeds its budget. */
export class TemplateError extends TernspikeError {
  static {
    named(this, 'TemplateError');
  }
}

/** A format that an answer cannot be held to, or one that takes too much work. */
export class FormatError extends TernspikeError {
  static {
    named(this, 'FormatError');
  }
}

/** A training that cannot begin, go on, or be taken up again. */
export class DistillError extends TernspikeError {
  static {
    named(this, 'DistillError');
  }
}

/** A data set that cannot be evaluated on, a log of another run, or a gate or suite that makes no sense. */
export class DatasetError extends TernspikeError {
  static {
    named(this, 'DatasetError');
  }
}

/** An option or argument of the wrong type or out of its range. */
export class OptionError extends TernspikeError {
  static {
    named(this, 'OptionError');
  }

  /** The option whose name or value is refused, whatever the model; undefined for other refusals. */
  readonly option: string | undefined;

  constructor(code: 'OPTION', reason: string, details: ErrorDetails & { readonly option?: string } = {}) {
    super(code, reason, { ...details, mentions: details.mentions ?? (details.option ? [details.option] : []) });
    this.option = details.option;
  }
}
