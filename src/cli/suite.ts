/**
 * Suites of comparisons: run one by one, each finished part kept, so that nothing is computed twice after an interrupt or a kill.
 * @module
 */
import { mkdir, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import {
  type CompareResult,
  dashboardOf,
  gateLines,
  type GateResult,
  historyEntry,
  joined,
  judge,
  junitOf,
  markdownOf,
  readSuite as suiteOf,
  type Suite,
  type SuiteResult,
  textLines,
} from '../entries/eval.ts';
import { IoError, OptionError } from '../errors.ts';
import type { Context } from './command.ts';
import { findData } from './compare-data.ts';
import { type Comparison, progressText, runComparison } from './comparison.ts';
import { historyFile, noteDefects } from './history-file.ts';
import { startLive } from './live.ts';
import { announce, readJson, writeReport } from './result-files.ts';
import { checkSideOptions, isServer } from './side.ts';

/** A suite, and the folder that its paths begin in. */
export interface SuiteFile {
  readonly path: string;
  readonly suite: Suite;
}

/** Reads a suite. @throws {DatasetError} `SUITE`, `GATE`; {IoError} */
export async function readSuite(path: string, signal: AbortSignal): Promise<SuiteFile> {
  return { path, suite: suiteOf(await readJson(path, signal), path) };
}

/** Where a run keeps its state, and what it writes. */
export interface SuiteValues {
  /** A folder; default: the name of the suite with `.state`. */
  readonly log?: string;
  readonly resume: boolean;
  readonly history?: string;
  readonly html?: string;
  readonly markdown?: string;
  readonly junit?: string;
  readonly serve?: number;
}

/** Runs a suite; the exit code is that of its gates. */
export async function runSuite({ path, suite }: SuiteFile, values: SuiteValues, context: Context): Promise<number> {
  const { out, signal } = context;
  const { log: folder = `${path}.state`, resume } = values;
  const comparisons = await Promise.all(suite.comparisons.map((own) => comparisonOf(own, suite, dirname(path))));
  if (!resume && (await stat(folder).catch(() => null))) {
    throw new OptionError(
      'OPTION',
      `${folder} is there already: --resume continues the run, or choose another with --log`,
    );
  }
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new IoError('IO', `${folder} cannot be made: ${String(cause)}`, { cause });
  });
  const history = values.history === undefined ? undefined : await historyFile(values.history, signal);
  const live = values.serve === undefined ? undefined : await startLive(values.serve, out);
  const results: Record<string, CompareResult> = {};
  const gates: [string, GateResult][] = [];
  const start = performance.now();
  try {
    for (const [i, { name, gates: own }] of suite.comparisons.entries()) {
      const place = join(folder, `${String(i + 1).padStart(3, '0')}-${name.replace(/[^\w.-]+/g, '-').slice(0, 80)}`);
      const before = `${i + 1} of ${comparisons.length}, ${name}: `;
      const line = progressText();
      const kept = resume && (await stat(`${place}.json`).catch(() => null));
      const result = kept
        ? (await readJson(`${place}.json`, signal)) as CompareResult
        : await runComparison(comparisons[i], {
          journal: { path: `${place}.jsonl`, resume },
          onProgress: (progress) => {
            out.progress(before + line(progress));
            live?.progress(before + line(progress), progress);
          },
        }, context);
      if (!kept) {
        await writeReport(`${place}.json`, `${JSON.stringify(result)}\n`);
        await history?.append(historyEntry(result, new Date()));
      }
      results[name] = result;
      if (own) gates.push([name, judge(null, result, own)]);
      live?.show(await page(suite.name, results, gates, history?.entries, true));
    }
    const gate = gates.length > 0 ? joined(gates) : null;
    const defects = history ? noteDefects(history.entries, out) : [];
    const all = Object.values(results);
    if (values.html !== undefined) {
      await writeReport(values.html, await page(suite.name, results, gates, history?.entries, false));
    }
    if (values.markdown !== undefined) await writeReport(values.markdown, all.map(markdownOf).join('\n'));
    if (values.junit !== undefined && gate) await writeReport(values.junit, junitOf(gate, suite.name));
    const result: SuiteResult = { ternspike: 'suite', version: 1, name: suite.name, results, gate };
    await out.result({ ...result, ...(history && { defects }) }, () => [
      ...Object.entries(results).flatMap(([name, own]) => [`== ${name}`, ...textLines(own)]),
      ...(gate ? gateLines(gate) : []),
    ]);
    out.note(`${all.length} comparisons in ${Math.round((performance.now() - start) / 1000)} s; state in ${folder}`);
    if (gate) await announce(gate, all.map(markdownOf).join('\n'), context);
    return gate?.exitCode || (defects.length > 0 ? 3 : 0);
  } finally {
    if (signal.aborted) out.note(`interrupted: the same command with --resume continues from ${folder}`);
    await live?.close();
  }
}

function page(
  title: string,
  results: Readonly<Record<string, CompareResult>>,
  gates: readonly [string, GateResult][],
  entries: Parameters<typeof dashboardOf>[1]['entries'],
  live: boolean,
): Promise<string> {
  const gate = gates.length > 0 ? joined(gates) : undefined;
  return dashboardOf(Object.values(results), { title, entries, gate, live });
}

/** A comparison of a suite as the command line would have it. Its paths begin in the folder of the suite. */
async function comparisonOf(
  { a, b, data, ctx, chunks, rounds, prompts, tokens, name }: Suite['comparisons'][number],
  { prices, seed, confidence }: Suite,
  folder: string,
): Promise<Comparison> {
  const below = (path: string): string =>
    path === 'default' || isServer(path) || /^(https?|hf):/i.test(path) || isAbsolute(path) ? path : join(folder, path);
  const side = (model: typeof a, what: string): Comparison['a'] => {
    const options = checkSideOptions(model.options, `${name}, ${what}`);
    const { tokenizer } = options;
    return {
      path: below(model.path),
      options: tokenizer === undefined ? options : { ...options, tokenizer: below(String(tokenizer)) },
    };
  };
  const { text, task, folder: tasks = '.', split, bytes, limit } = data;
  return {
    a: side(a, 'a'),
    b: side(b, 'b'),
    data: text === undefined ? await findData(below(tasks), { task, split }) : { kind: 'text', path: below(text) },
    contextLength: ctx,
    chunks,
    rounds,
    prompts,
    tokens,
    bytes,
    limit,
    seed,
    confidence,
    prices,
  };
}
