/**
 * Folders of sentence-transformers: `modules.json` and the configuration of the pooling module → how vectors are pooled, and
 * whether they are scaled to length 1.
 * @module
 */
import { DescriptionError } from '../../errors.ts';
import { MAX_CONFIG_BYTES } from '../../limits.ts';
import { quote } from '../gguf-types.ts';
import { Config } from './config.ts';
import type { Translation } from './table.ts';

/** What a folder says of its vectors. */
export interface SentenceModules {
  /** The configuration of the pooling module; null without one. */
  readonly pooling: Config | null;
  readonly normalise: boolean;
}

/** Keys of a pooling configuration that are true for one of these; numbers are those of llama.cpp. */
const MODES: Readonly<Record<string, { readonly number?: number; readonly name?: string }>> = {
  pooling_mode_mean_tokens: { number: 1 },
  pooling_mode_cls_token: { number: 2 },
  pooling_mode_lasttoken: { number: 3 },
  pooling_mode_max_tokens: { name: 'max' },
};
/** Newer configurations have the mode as one word. */
const WORDS: Readonly<Record<string, string>> = {
  mean: 'pooling_mode_mean_tokens',
  cls: 'pooling_mode_cls_token',
  lasttoken: 'pooling_mode_lasttoken',
  max: 'pooling_mode_max_tokens',
};

/**
 * @param beside a file of the folder, null where there is none of this name
 * @returns null for a folder that is not of sentence-transformers
 * @throws {DescriptionError} `DESCRIPTION` for a malformed file, or a module that is not computed
 */
export async function sentenceModules(
  beside: (name: string, most: number) => Promise<Uint8Array | null>,
): Promise<SentenceModules | null> {
  const bytes = await beside('modules.json', MAX_CONFIG_BYTES);
  if (!bytes) return null;
  // an array, as an object's only value: `Config` reads objects
  const text = new TextDecoder().decode(bytes);
  const modules = Config.parse(new TextEncoder().encode(`{"modules":${text}}`), 'modules.json').objects('modules', 16);
  let pooling: Config | null = null;
  let normalise = false;
  for (const module of modules) {
    const kind = module.string('type').replace(/^.*\./, '');
    if (kind === 'Normalize') normalise = true;
    else if (kind === 'Pooling') pooling = await poolingConfig(module.string('path'), beside);
    else if (kind !== 'Transformer') {
      module.refuse(
        `the model ends in a module ${quote(kind.slice(0, 40))}; Transformer, Pooling and Normalize are computed`,
      );
    }
  }
  return { pooling, normalise };
}

async function poolingConfig(
  path: string,
  beside: (name: string, most: number) => Promise<Uint8Array | null>,
): Promise<Config> {
  if (!/^\w[\w.-]{0,80}$/.test(path)) {
    throw new DescriptionError(
      'DESCRIPTION',
      `modules.json: path is ${quote(path.slice(0, 40))}, expected a folder's name`,
    );
  }
  const name = `${path}/config.json`;
  const bytes = await beside(name, MAX_CONFIG_BYTES);
  if (bytes) return Config.parse(bytes, name);
  throw new DescriptionError('DESCRIPTION', `modules.json names ${name}, which is not there`);
}

/** Writes what the modules say. @throws {DescriptionError} `DESCRIPTION` for a pooling that is not computed */
export function sentenceMetadata({ pooling, normalise }: SentenceModules, set: Translation): void {
  set.setGlobal('ternspike.normalise', 'bool', normalise);
  if (!pooling) return;
  const word = pooling.has('pooling_mode') ? pooling.string('pooling_mode') : undefined;
  const modes = word === undefined
    ? pooling.keys().filter((key) => key.startsWith('pooling_mode_') && pooling.boolean(key))
    : [Object.hasOwn(WORDS, word) ? WORDS[word] : word];
  const mode = modes.length === 1 && Object.hasOwn(MODES, modes[0]) ? MODES[modes[0]] : null;
  if (!mode) {
    return pooling.refuse(
      `vectors are pooled by ${
        modes.map((each) => quote(each.slice(0, 40))).join(' and ') || 'nothing'
      }; mean, cls, max or ` +
        'the last token is computed, one of them',
    );
  }
  if (mode.number !== undefined) set.set('pooling_type', 'uint32', mode.number);
  if (mode.name !== undefined) set.setGlobal('ternspike.pooling', 'string', mode.name);
}
