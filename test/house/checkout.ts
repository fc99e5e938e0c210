/**
 * Where the checkout lies, for tests that read the project itself.
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of the root package.json. */
export function checkout(): string {
  let at = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(at, 'asconfig.json'))) {
    const up = dirname(at);
    if (up === at) throw new Error('no checkout above this test');
    at = up;
  }
  return at;
}

/** Every file below `folder` of the checkout: path with forward slashes, relative to `folder` → text. */
export function texts(folder: string, ending: string): Map<string, string> {
  const base = join(checkout(), folder);
  const files = readdirSync(base, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith(ending)).sort();
  return new Map(files.map((path) => [path.split(sep).join('/'), readFileSync(join(base, path), 'utf8')]));
}

/** One import of a module: what is named, and whether the compiler erases it. */
export interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

// A statement begins its line; an example in a doc comment begins with an asterisk and is not one.
const STATIC = /^[ \t]*(import|export)(\s+type\b(?!\s*,|\s+from\b))?[^;'"]*?\bfrom\s*['"]([^'"\n]+)['"]/gm;
const BARE = /^[ \t]*import\s*['"]([^'"\n]+)['"]/gm;
const DYNAMIC = /\bimport\(\s*['"]([^'"\n]+)['"]\s*\)/g;

/** Every import of a TypeScript source: statements, re-exports, dynamic imports and import types. */
export function imports(source: string): Import[] {
  const found: Import[] = [];
  for (const match of source.matchAll(STATIC)) found.push({ specifier: match[3]!, typeOnly: match[2] !== undefined });
  for (const match of source.matchAll(BARE)) found.push({ specifier: match[1]!, typeOnly: false });
  for (const match of source.matchAll(DYNAMIC)) found.push({ specifier: match[1]!, typeOnly: false });
  return found;
}
