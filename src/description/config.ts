/**
 * The `config.json` that lies beside checkpoints, as metadata: `hidden_size` becomes `config.hidden_size`.
 * @module
 */
import type { Container, MetadataValue } from '../container/tensor.ts';
import { DescriptionError } from '../errors.ts';
import { MAX_CONFIG_BYTES, MAX_METADATA_ENTRIES } from '../limits.ts';

/** A configuration: the text or the bytes of a `config.json`, or what it says. */
export type ModelConfig = string | Uint8Array | Readonly<Record<string, unknown>>;

/** The container with the entries of a configuration, over its own. @throws {DescriptionError} `DESCRIPTION` */
export function withConfig<T extends Container>(container: T, config: ModelConfig): T {
  const metadata = new Map(container.metadata);
  const visit = (value: unknown, key: string, depth: number): void => {
    if (metadata.size > MAX_METADATA_ENTRIES) refuse(`has more than ${MAX_METADATA_ENTRIES} entries`);
    const plain = (x: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof x);
    if (plain(value) || (Array.isArray(value) && value.every(plain))) metadata.set(key, value as MetadataValue);
    // labels stand one level down; nothing of interest lies deeper
    else if (typeof value === 'object' && value !== null && !Array.isArray(value) && depth < 2) {
      for (const [name, item] of Object.entries(value)) visit(item, `${key}.${name}`, depth + 1);
    }
  };
  visit(parseConfig(config), 'config', 0);
  return { ...container, metadata };
}

/** What a configuration says. @throws {DescriptionError} `DESCRIPTION` */
export function parseConfig(config: ModelConfig): Readonly<Record<string, unknown>> {
  let value: unknown = config;
  if (typeof config === 'string' || config instanceof Uint8Array) {
    if (config.length > MAX_CONFIG_BYTES) refuse(`has ${config.length} bytes, at most ${MAX_CONFIG_BYTES} are read`);
    try {
      value = JSON.parse(
        typeof config === 'string' ? config : new TextDecoder('utf-8', { fatal: true }).decode(config),
      );
    } catch (cause) {
      refuse(`is not JSON: ${String(cause)}`);
    }
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  return refuse('is not a JSON object');
}

function refuse(why: string): never {
  throw new DescriptionError('DESCRIPTION', `the configuration of the model ${why}; expected a config.json`);
}
