// Bundles the portable checks into build/portable/portable.js: one file without imports, which every runtime loads.
// The engine is not in it: each runtime gives it the shipped bundle of dist/.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { root } from './find.mjs';

/** Path of the bundle. */
export const portable = join(root, 'build', 'portable', 'portable.js');

/** Writes the bundle and returns its list of fixtures. */
export async function bundle() {
  await build({
    absWorkingDir: root,
    entryPoints: ['test/portable/main.ts'],
    outfile: portable,
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    logLevel: 'warning',
  });
  const { fixtures } = await import(pathToFileURL(portable).href);
  return fixtures;
}
