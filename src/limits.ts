/**
 * Every bound of the engine, with its reason. Nothing is allocated, looped over or recursed into from a number
 * in a file before it has been compared with one of these and with the bytes that are left.
 * @module
 */

/** wasm32 addresses 4 GiB; the last 64 KiB page is left unused so that no end pointer wraps to 0. */
export const MAX_MEMORY_BYTES: number = 65535 * 65536;

/** Bytes of a download that are kept after they were read: parsers go back a little, and a tensor's scales come after it. */
export const HTTP_WINDOW_BYTES: number = 8 << 20;
/** A file of a server without ranges is kept whole up to this size, as going back in it means to download it again. */
export const MAX_HELD_DOWNLOAD_BYTES: number = 64 << 20;
/** Downloads of a larger one after the first: checkpoints are read at their end, then from the beginning. */
export const MAX_RESTARTS: number = 2;
/** A file whose length the server does not say is kept whole, and a server may send for ever. */
export const MAX_UNSIZED_BYTES: number = 1 << 30;
/** The longest wait that a server may ask for (`Retry-After`); who is to wait longer is told so. */
export const MAX_RETRY_AFTER_SECONDS: number = 60;

/** Characters of the name of a model on a hub, and of a path in a repository. */
export const MAX_HUB_NAME_CHARS: number = 1024;
/** Redirects of one request. A hub sends to its storage in one step, a mirror in two. */
export const MAX_REDIRECTS: number = 5;
/** One answer of a hub's API: 10 000 files take about 3 MB. */
export const MAX_HUB_JSON_BYTES: number = 16 << 20;
/** Pages of a list of files; a hub puts 1000 on each. */
export const MAX_HUB_PAGES: number = 100;
/** Files of one commit of a repository. Those of models have under 1000. */
export const MAX_HUB_FILES: number = 100_000;
/** One file of a hub, whose own bound is 500 GB. */
export const MAX_DOWNLOAD_BYTES: number = 1e12;
/** A download that is slower over the whole time-out counts as failed: a server that sends a byte now and then never ends. */
export const MIN_DOWNLOAD_BYTES_PER_SECOND: number = 256;
/** Files of one commit in a store. */
export const MAX_STORED_FILES: number = 100_000;

/** Metadata and tensor table of a GGUF file. Real headers with a 256 k vocabulary take about 12 MB. */
export const MAX_HEADER_BYTES: number = 50_000_000;
/** One GGUF string. Vocabulary pieces are under 1 KB and chat templates under 100 KB; ggml itself allows 1 GiB. */
export const MAX_STRING_BYTES: number = 10_000_000;
/** One metadata key; the bound of the GGUF specification. */
export const MAX_KEY_BYTES: number = 65_535;
/** One tensor name; the specification says 64, files in the wild exceed it slightly. */
export const MAX_NAME_BYTES: number = 256;
/** Metadata entries. Real files have fewer than 100. */
export const MAX_METADATA_ENTRIES: number = 10_000;
/** Tensors in one file. A 1024-layer model with 20 tensors a layer stays far below. */
export const MAX_TENSORS: number = 100_000;
/** Elements of one metadata array; also bounded by the bytes that are left. */
export const MAX_ARRAY_ELEMENTS: number = 10_000_000;
/** Dimensions of a tensor; the bound of ggml. */
export const MAX_DIMS: number = 4;
/** One dimension of a tensor. */
export const MAX_DIM: number = 2 ** 32;
/** `general.alignment`: a power of two up to this. Larger values only serve to overflow a rounding. */
export const MAX_ALIGNMENT: number = 1 << 20;

/** Files of one model. Published ones have under 200. */
export const MAX_PARTS: number = 1000;
/** The index of a model in several safetensors files: about 100 bytes for each tensor. */
export const MAX_INDEX_BYTES: number = 25_000_000;

/** Header of a safetensors file. The format allows 100 MB; that of a model with 10 000 tensors takes about 1 MB. */
export const MAX_ST_HEADER_BYTES: number = 25_000_000;
/** Dimensions of a tensor of a safetensors file or a PyTorch checkpoint. */
export const MAX_DENSE_DIMS: number = 8;
/** The pickle of a PyTorch checkpoint; about 250 bytes for each tensor. */
export const MAX_PICKLE_BYTES: number = 25_000_000;
/** Values that a pickle may make, entries of its memo, and values visited when it is read. */
export const MAX_PICKLE_ITEMS: number = 1_000_000;
/** Marks that may be open in a pickle at a time, and dictionaries that may lie in one another. */
export const MAX_PICKLE_DEPTH: number = 1000;
/** Files in a zip archive, and bytes of its directory. */
export const MAX_ZIP_ENTRIES: number = 100_000;
export const MAX_ZIP_DIRECTORY_BYTES: number = 25_000_000;

/** Layers of a model. The deepest published ones have about 200. */
export const MAX_LAYERS: number = 1024;
/** Width of a residual stream, feed-forward or head; keeps every integer sum of a row exact. */
export const MAX_WIDTH: number = 1 << 17;
/** Attention heads. */
export const MAX_HEADS: number = 1024;
/** Sessions that a model is opened for; a server on one machine has far fewer slots. */
export const MAX_PARALLEL: number = 1024;
/** Positions in a context. */
export const MAX_CONTEXT: number = 1 << 20;

/** Tokens that a session without a context limit may read: rotary angles are exact to there. */
export const MAX_POSITIONS: number = 2 ** 29 - 1;

/** Time steps of a spiking classifier. The public code runs 100; the first layer's counts are exact far beyond this. */
export const MAX_STEPS: number = 10_000;
/** Outputs of a classifier. */
export const MAX_CLASSES: number = 65_536;
/** Bytes of a `config.json`. Real ones have a few thousand. */
export const MAX_CONFIG_BYTES: number = 1 << 20;

/** Threads of one model. More than any machine of its users has; keeps the plan bounded. */
export const MAX_THREADS: number = 256;

/** Tokens of a vocabulary. */
export const MAX_VOCAB: number = 1 << 20;
/** Bytes of one piece. */
export const MAX_PIECE_BYTES: number = 1024;
/** Characters of all pieces together; bounds every index built over them. A 256 k vocabulary has about 2 million. */
export const MAX_VOCAB_CHARS: number = 8 << 20;
/** Merges of a byte-level BPE. */
export const MAX_MERGES: number = 1 << 21;
/** Bytes of one tokenizer file (tokenizer.json of a 256 k vocabulary takes about 35 MB). */
export const MAX_TOKENIZER_BYTES: number = 64 << 20;
/** Characters of text accepted by one call of `encode`. */
export const MAX_TEXT_CHARS: number = 4 << 20;

/** Steps of a normaliser, pre-tokenizer, decoder or post-processor of a tokenizer.json. Real ones have under 30. */
export const MAX_PIPELINE_STEPS: number = 64;
/** Characters of one pattern of a tokenizer.json. The longest published one, with a list of letters, has about 3000. */
export const MAX_PATTERN_CHARS: number = 16_384;
/** Instructions of one pattern, with its counted repetitions written out. */
export const MAX_PATTERN_SIZE: number = 100_000;
/** Steps of all patterns on one text: this many, about a fifth of a second, and so many for each character. Published ones take
 *  under 60 for each. */
export const MAX_PATTERN_STEPS: number = 1 << 24;
export const MAX_PATTERN_STEPS_PER_CHAR: number = 256;
/** A text may grow so many times by normalising, and by this many characters. Rules that grow it further are hostile. */
export const MAX_NORMAL_GROWTH: number = 32;

/** Characters of a chat template. */
export const MAX_TEMPLATE_CHARS: number = 256 << 10;
/** Interpreter steps of one rendering; an evaluation takes 1, a round of a loop 6, and 128 characters 1. About 0.1 s. */
export const MAX_TEMPLATE_STEPS: number = 1_000_000;
/** Characters that one rendering may produce. */
export const MAX_TEMPLATE_OUTPUT_CHARS: number = 4 << 20;
/** Items that one loop or `range` of a template may have. */
export const MAX_TEMPLATE_LOOP: number = 100_000;
/** Nesting of blocks, calls and parentheses in a template. */
export const MAX_TEMPLATE_DEPTH: number = 64;
/** Messages of a chat. */
export const MAX_MESSAGES: number = 1024;

/** Stop strings of one call, and characters of each. */
export const MAX_STOP_STRINGS: number = 16;
export const MAX_STOP_CHARS: number = 256;
/** Entries of a logit bias. */
export const MAX_LOGIT_BIAS: number = 1024;
/** Likeliest tokens that are listed beside each token; OpenAI's bound. */
export const MAX_LOGPROBS: number = 20;
/** Levels of a JSON Schema, and of the values in it; those that people write have under 20. */
export const MAX_SCHEMA_DEPTH: number = 64;
/** Schemas in a JSON Schema, `$ref` written out where that fits, and values in its enums. The largest of tools have some hundred. */
export const MAX_SCHEMA_NODES: number = 10_000;
/** Values of one enum, or texts of one choice: each step of an answer looks at all that are left. */
export const MAX_ENUM_VALUES: number = 4096;
/** Characters of one pattern or text of a format. */
export const MAX_FORMAT_CHARS: number = 65_536;
/** Steps of the preparation of a format, and of each token that it is held to. A token in a vocabulary of 256 k takes at most about a
 *  million where any text may follow; this many last about a second. */
export const MAX_FORMAT_STEPS: number = 8_000_000;
/** Milliseconds of the same, for steps that are long. Only a hostile schema comes near. */
export const MAX_FORMAT_MS: number = 10_000;
/** Tokens of white space that may follow one another in a JSON document: a model that has lost its way says nothing else. */
export const MAX_FORMAT_SPACES: number = 4;
/** Completions of one prompt; OpenAI's bound. Each has a session of its own, which the memory has to hold. */
export const MAX_COMPLETIONS: number = 128;

/** One line of a data set or of the log of an evaluation. The longest of GLUE, pairs with their parses, have about 20 kB. */
export const MAX_DATA_LINE_BYTES: number = 1 << 20;
/** One answer of a server that models are compared with. A window of 4096 tokens with five alternatives each takes about 1 MB. */
export const MAX_REMOTE_BYTES: number = 64 << 20;
/** One result, baseline or suite. Results keep what both sides said of every sample: QQP's 40 000 take about 3 MB. */
export const MAX_RESULT_BYTES: number = 64 << 20;
/** One line of the journal of a comparison: the figures of a window, about 60 bytes for each of its tokens. */
export const MAX_JOURNAL_LINE_BYTES: number = 64 << 20;
/** Comparisons of one suite. */
export const MAX_COMPARISONS: number = 1000;
/** One line of a batch, or of its answers. A request with a long document, or an answer of 2048 vectors, takes some megabytes. */
export const MAX_BATCH_LINE_BYTES: number = 64 << 20;

/** Bytes of one request to the server: a prompt of a million tokens is about as long. */
export const MAX_REQUEST_BYTES: number = 4 << 20;
/** Objects and lists within one another in a request; schemas of tools are the deepest. */
export const MAX_REQUEST_DEPTH: number = 64;
/** Answers that one request may ask for: prompts times `n`. OpenAI's bound of `n`. */
export const MAX_ANSWERS: number = 128;
/** Texts of one request for vectors or classes; OpenAI's bound. */
export const MAX_INPUTS: number = 2048;
