/**
 * Runs every portable check, one after another, and returns what came of it as plain JSON.
 * @module
 */
import { checks, fixtures } from './checks.ts';
import type { Env } from './env.ts';
import { Skip } from './env.ts';
import { builds, features } from './features.ts';

export { builds, fixtures };

/** No check takes longer; the slowest takes seconds. */
const CHECK_SECONDS = 120;

export interface Result {
  name: string;
  ok: boolean;
  /** Why it failed. */
  error?: string;
  /** Why it could not be carried out; then `ok` is true. */
  skipped?: string;
}

export interface Report {
  runtime: string;
  results: Result[];
  /** Values that must be the same on every runtime. */
  facts: Record<string, string>;
  log: string[];
}

async function timed(work: Promise<void>, seconds: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not finished after ${seconds} s`)), seconds * 1000);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Never rejects: what a check throws is in its result. */
export async function main(env: Omit<Env, 'log'>): Promise<Report> {
  const log: string[] = [];
  const facts = new Map<string, string>();
  const results: Result[] = [];
  const given: Env = { ...env, log: (line) => void log.push(line) };
  for (const check of [features, ...checks]) {
    try {
      await timed(check.run(given, facts), CHECK_SECONDS * (env.emulated ?? 1));
      results.push({ name: check.name, ok: true });
    } catch (error) {
      if (error instanceof Skip) results.push({ name: check.name, ok: true, skipped: error.message });
      else results.push({ name: check.name, ok: false, error: describe(error) });
    }
  }
  return { runtime: env.runtime, results, facts: Object.fromEntries(facts), log };
}

// Only V8 repeats the message in the stack.
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const line = `${error.name}: ${error.message}`;
  return error.stack?.startsWith(line) ? error.stack : `${line}\n${error.stack ?? ''}`;
}
