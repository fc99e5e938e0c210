/**
 * `generation_config.json` → the keys of GGUF files for how a model is sampled.
 * @module
 */
import type { Config } from './config.ts';
import type { Translation } from './table.ts';

/** Writes what the file states; transformers' own defaults are not the model's. @throws {DescriptionError} */
export function samplingMetadata(config: Config, set: Translation['setGlobal']): void {
  const number = (key: string, to: string, least: number, most: number): void => {
    if (config.has(key)) set(`general.sampling.${to}`, 'float32', Math.fround(config.number(key, least, most)));
  };
  if (config.has('do_sample') && !config.boolean('do_sample')) set('general.sampling.temp', 'float32', 0);
  else number('temperature', 'temp', 0, 100);
  if (config.has('top_k')) set('general.sampling.top_k', 'int32', config.integer('top_k', 0, 2 ** 31 - 1));
  number('top_p', 'top_p', 0, 1);
  number('min_p', 'min_p', 0, 1);
  number('repetition_penalty', 'penalty_repeat', 0.01, 100);
}
