/**
 * What the file of one class says: how a Hugging Face model is read as the GGUF file that holds the same model.
 * @module
 */
import type { GgufValueType } from '../gguf-types.ts';
import type { MetadataValue } from '../tensor.ts';
import type { Config } from './config.ts';

/** A tensor of the translated model. */
export interface Rename {
  readonly name: string;
  /** `plus one`: norms that store how far they are from 1. */
  readonly transform?: 'plus one';
  /** First rows of a matrix that are left out. */
  readonly skipRows?: number;
}

/** What the keys of a configuration become. */
export interface Translation {
  /** Sets `ARCHITECTURE.key`. */
  set(key: string, type: GgufValueType, value: MetadataValue): void;
  /** Sets a key that stands for itself. */
  setGlobal(key: string, type: GgufValueType, value: MetadataValue): void;
  /** Adds an F32 vector that no file holds. */
  vector(name: string, values: Float32Array): void;
}

/** One class of models. */
export interface HuggingFaceTable {
  /** Values of `architectures` in the configuration, and of `model_type` where that is missing. */
  readonly classes: readonly string[];
  readonly types: readonly string[];
  /** `general.architecture`. */
  readonly architecture: string;
  /** One of these tensors is in every such file. */
  readonly signs: readonly string[];
  /** Keys of the configuration → metadata. @throws {DescriptionError} */
  metadata(config: Config, to: Translation): void;
  /** The GGUF name of a tensor; null for one that says nothing new and is left out; undefined for an unknown one. */
  rename(name: string, config: Config): Rename | null | undefined;
}

/** Splits `PREFIX.N.REST` and names REST by a table: `blk.N.NAME`. */
export function renameLayer(
  name: string,
  prefix: string,
  suffixes: Readonly<Record<string, string>>,
): string | undefined {
  const parts = name.startsWith(prefix) ? /^(\d{1,4})\.(.+)$/.exec(name.slice(prefix.length)) : null;
  if (parts === null || !Object.hasOwn(suffixes, parts[2])) return undefined;
  return `blk.${Number(parts[1])}.${suffixes[parts[2]]}`;
}
