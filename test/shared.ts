/**
 * Where the conformance material lies: `../shared` beside the checkout, or TERNSPIKE_SHARED. It does not exist on a
 * user's machine; what needs it is skipped there with a line that says so. With CI=true a missing file is a failure.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'uvu';

const here = dirname(fileURLToPath(import.meta.url));

function root(): string | null {
  if (process.env.TERNSPIKE_SHARED) return process.env.TERNSPIKE_SHARED;
  for (let at = here, up = dirname(at); up !== at; at = up, up = dirname(at)) {
    if (existsSync(join(at, 'package.json')) && existsSync(join(at, 'asconfig.json'))) {
      const beside = join(up, 'shared');
      return existsSync(join(beside, 'conformance')) ? beside : null;
    }
  }
  return null;
}

/** Absolute path of a file of the conformance material, or null where it is not there. */
export function shared(path: string): string | null {
  const base = root();
  const full = base === null ? null : join(base, path);
  return full !== null && existsSync(full) ? full : null;
}

/** Adds a test that needs `path` of the conformance material; skipped, and said so, where that is absent (a failure in CI). */
export function sharedTest(test: Test, name: string, path: string, run: (file: string) => void | Promise<void>): void {
  const file = shared(path);
  if (file !== null) return test(name, () => run(file));
  if (process.env.CI) {
    return test(name, () => {
      throw new Error(`${path} of the conformance material is missing, and CI may not skip it`);
    });
  }
  test.skip(`${name} (skipped: ../shared/${path} is not here)`, () => {});
  console.log(`  skipped: ${name} (needs ../shared/${path})`);
}

/** Parsed JSON of an absolute path. */
export function json<T>(file: string): T {
  return JSON.parse(readFileSync(file, 'utf8')) as T;
}
