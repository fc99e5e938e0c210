/**
 * What travels with the package beside the bundle: its package.json and the models that are used where none is named.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TernspikeError } from '../errors.ts';

/** The model that generates where none is named: a student of stories260K, see models/README.md. */
const DEFAULT_MODEL = 'models/stories-spiking.gguf';
/** The same for commands that classify: a student of a BERT that tells good reviews from bad ones. */
export const DEFAULT_CLASSIFIER = 'models/sentiment-spiking.gguf';

interface Package {
  readonly folder: string;
  readonly version: string;
}

/** The nearest folder above this file that is the package; null where its package.json was taken away. */
function findPackage(): Package | null {
  let at = dirname(fileURLToPath(import.meta.url));
  for (let up = dirname(at); up !== at; at = up, up = dirname(at)) {
    try {
      const found = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8')) as { name?: string; version?: string };
      if (found.name === 'ternspike' && found.version !== undefined) return { folder: at, version: found.version };
    } catch {
      // no package.json here: look further up
    }
  }
  return null;
}

/** The version of the package this file belongs to, or `unknown`. */
export function version(): string {
  return findPackage()?.version ?? 'unknown';
}

/** Path of a model that comes with the package. @throws {TernspikeError} `OPTION` where it was taken away */
export function bundledModel(name: string = DEFAULT_MODEL): string {
  const path = join(findPackage()?.folder ?? '', name);
  if (existsSync(path)) return path;
  throw new TernspikeError(
    'OPTION',
    `no model is given, and ${name} is missing from the package; pass a GGUF file or its URL with -m`,
  );
}
