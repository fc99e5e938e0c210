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
  // the caller's arguments
  | 'OPTION';

/** Base class of every error thrown on purpose by ternspike. */
export class TernspikeError extends Error {
  /** Stable identifier of the refusal. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(`${code}: ${message}`, options);
    this.code = code;
    this.name = new.target.name;
  }
}

/** Bytes could not be read: disk, network, a short or changed file. */
export class IoError extends TernspikeError {
  override readonly name = 'IoError';
}

/** The container (GGUF and others) is malformed or beyond a stated limit. */
export class ModelFileError extends TernspikeError {
  override readonly name = 'ModelFileError';
}

/** The container is well formed, but what it describes is not a model that can run. */
export class DescriptionError extends TernspikeError {
  override readonly name = 'DescriptionError';
}

/** Memory: the plan does not fit, or the host refused it. */
export class MemoryError extends TernspikeError {
  override readonly name = 'MemoryError';
}

/** A call on a model or session that cannot be carried out in its present state. */
export class SessionError extends TernspikeError {
  override readonly name = 'SessionError';
}

/** Vocabulary, merges, normaliser or text that cannot be tokenised. */
export class TokenizerError extends TernspikeError {
  override readonly name = 'TokenizerError';
}

/** A chat template that does not parse, raises, or exceeds its budget. */
export class TemplateError extends TernspikeError {
  override readonly name = 'TemplateError';
}

/** A training that cannot begin, go on, or be taken up again. */
export class DistillError extends TernspikeError {
  override readonly name = 'DistillError';
}

/** A data set that cannot be evaluated on, a log of another run, or a gate or suite that makes no sense. */
export class DatasetError extends TernspikeError {
  override readonly name = 'DatasetError';
}

/** An option or argument of the wrong type or out of its range. */
export class OptionError extends TernspikeError {
  override readonly name = 'OptionError';
}
