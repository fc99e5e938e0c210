/**
 * Tokenizers from what carries them: the metadata of a GGUF file, or a file of their own.
 * @module
 */
export { type Metadata, tokenizerFromMetadata } from './metadata.ts';
export { openTokenizer, type OpenTokenizerOptions } from './tokenizer-file.ts';
