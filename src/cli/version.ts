/**
 * The version of the package this file belongs to.
 * @module
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The version in the nearest package.json of ours above this file; `unknown` where it was taken away. */
export function version(): string {
  let at = dirname(fileURLToPath(import.meta.url));
  for (let up = dirname(at); up !== at; at = up, up = dirname(at)) {
    try {
      const found = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8')) as { name?: string; version?: string };
      if (found.name === 'ternspike' && found.version !== undefined) return found.version;
    } catch {
      // no package.json here: look further up
    }
  }
  return 'unknown';
}
