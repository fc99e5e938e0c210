/**
 * One comparison from what a command line or a suite says of it: sides opened, data read, journal kept.
 * @module
 */
import { availableParallelism, cpus, loadavg } from 'node:os';
import {
  compare,
  type CompareProgress,
  type CompareResult,
  type JournalRun,
  type MalformedLine,
  type Prices,
  readGlue,
} from '../entries/eval.ts';
import { DEFAULT_ROUNDS, DEFAULT_WINDOW, type TaskOptions, type TextOptions } from '../eval/compare/compare.ts';
import type { Context } from './command.ts';
import type { CompareData } from './compare-data.ts';
import { readText, withSource } from './files.ts';
import { surveyText } from './fingerprint.ts';
import { openJournal } from './journal-file.ts';
import { peakRssBytes, runtime } from './load.ts';
import { clock } from './output.ts';
import { version } from './package-folder.ts';
import { energyMeter } from './rapl.ts';
import { isServer, type NamedSide, openSide } from './side.ts';

/** What is compared, and how. */
export interface Comparison {
  readonly a: NamedSide;
  readonly b: NamedSide;
  readonly data: CompareData;
  readonly contextLength?: number;
  readonly chunks?: number;
  /** Only the first bytes of the text. */
  readonly bytes?: number;
  readonly limit?: number;
  readonly rounds?: number;
  readonly prompts?: number | readonly string[];
  readonly tokens?: number;
  readonly seed?: number;
  readonly confidence?: number;
  readonly prices?: Prices;
}

export interface RunOptions {
  /** Where finished parts are kept, and whether what is there is continued. */
  readonly journal?: { readonly path: string; readonly resume: boolean };
  readonly onProgress?: (progress: CompareProgress) => void | Promise<void>;
}

/** Data lines that are named; the others are counted. */
const NAMED = 10;

/** Runs a comparison. @throws what `compare` and the journal throw */
export async function runComparison(
  comparison: Comparison,
  { journal: kept, onProgress }: RunOptions,
  context: Context,
): Promise<CompareResult> {
  const { a, b, data, bytes, seed, confidence, prices } = comparison;
  const { rounds = DEFAULT_ROUNDS, contextLength = DEFAULT_WINDOW } = comparison;
  const { signal, out } = context;
  const survey = await withSource(data.path, signal, (source) => surveyText(source, signal));
  const text = data.kind === 'text' ? await readText(data.path, bytes, signal) : '';
  const sessions = data.kind === 'text' ? contextLength : undefined;
  using left = await openSide(a, sessions, context);
  using right = await openSide(b, sessions, context);
  const run: JournalRun = {
    a: sideKey(a, left.side),
    b: sideKey(b, right.side),
    data: survey.sum,
    ...(data.kind === 'text'
      ? { bytes, contextLength, tokens: comparison.tokens }
      : { task: data.task.name, split: data.split }),
    prompts: data.kind === 'text' ? JSON.stringify(comparison.prompts) : undefined,
  };
  const journal = kept && await openJournal(kept.path, run, { resume: kept.resume, signal });
  if (journal && journal.resumed > 0) out.note(`${kept.path}: ${journal.resumed} finished parts are taken over`);
  const options = {
    onProgress,
    journal,
    signal,
    timed: rounds,
    seed,
    confidence,
    prices,
    data: {
      name: data.kind === 'text' ? data.path : `${data.task.title} ${data.split}`,
      digest: survey.sum + (bytes === undefined ? '' : `-${bytes}`),
    },
    meter: energyMeter(),
    peakRss: peakRssBytes,
    engine: version(),
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: availableParallelism(),
      loadAverage: loadavg(),
      runtime: runtime(),
    },
  };
  try {
    if (data.kind === 'text') {
      const { chunks, prompts, tokens } = comparison;
      return await compare(
        left.side,
        right.side,
        {
          ...options,
          text,
          contextLength,
          chunks,
          prompts,
          tokens,
        } satisfies TextOptions,
      );
    }
    const malformed: MalformedLine[] = [];
    const result = await withSource(data.path, signal, (source) =>
      compare(
        left.side,
        right.side,
        {
          ...options,
          task: data.task,
          samples: readGlue(source, data.task, { signal, onMalformed: (line) => void malformed.push(line) }),
          limit: comparison.limit,
          total: Math.max(1, survey.lines - (data.task.columns.count === undefined ? 1 : 0)),
        } satisfies TaskOptions,
      ));
    for (const { line, reason } of malformed.slice(0, NAMED)) {
      out.note(`${data.path}: line ${line} ${reason}; left out`);
    }
    if (malformed.length > NAMED) {
      out.note(`${data.path}: ${malformed.length - NAMED} more malformed lines are left out`);
    }
    return result;
  } finally {
    await journal?.close();
  }
}

/** What the figures of a side depend on. */
function sideKey({ path, options }: NamedSide, side: object): string {
  const { digest } = side as { digest?: string };
  const { threads: _, name: __, ...rest } = options; // results do not depend on either
  return `${isServer(path) ? path : digest} ${JSON.stringify(rest)}`;
}

/** A line that shows how far a run is, and how long the rest of its present phase will take. */
export function progressText(now: () => number = () => performance.now()): (progress: CompareProgress) => string {
  let [phase, begin, first] = ['', 0, 0];
  return ({ phase: current, done, total, note }) => {
    if (phase !== current) [phase, begin, first] = [current, now(), done - 1];
    const each = (now() - begin) / Math.max(1, done - first);
    const left = done < total && done - first > 1 ? `, ${clock((each * (total - done)) / 1000)} left` : '';
    return `${NAMES[current]} ${done} of ${total}${note === '' ? '' : `: ${note}`}${left}`;
  };
}

const NAMES = { account: 'counting', score: 'scoring', samples: 'writing', speed: 'timing' } as const;
