/**
 * A/B: two models over the same text or task, and everything that can be said of them together.
 * @module
 */
import { DescriptionError, OptionError } from '../../errors.ts';
import { CALL, checkOptions, OBJECT, type Rules, SIGNAL, TEXT, whole } from '../../options.ts';
import type { ClassifyInput } from '../../forward/classifier.ts';
import type { ClassifySpikes } from '../../forward/classify-report.ts';
import { glueClassifier } from '../glue-classifier.ts';
import type { GlueSample } from '../glue-read.ts';
import type { GlueTask } from '../glue-tasks.ts';
import { pairedAnswers, type PairedRecord, pairedSamples } from './classifiers.ts';
import { type Account, classifierAccount, costOf, decoderAccount, type Prices } from './energy.ts';
import { localPair, pairedQuality, pairedWindows, sameVocabulary, type WindowScorer } from './generators.ts';
import { step, type Work } from './journal.ts';
import { comparePieces, localPieces } from './pieces.ts';
import { remotePair, remotePieces, remoteRunner, remoteWriter, sharesVocabulary } from './remote.ts';
import type {
  ClassifierComparison,
  CompareCommon,
  CompareResult,
  DataFacts,
  GeneratorComparison,
  Unavailable,
} from './result.ts';
import { RESULT_VERSION } from './result.ts';
import { compareSamples, localWriter, promptsOf } from './samples.ts';
import { energyPairs, memoryPairs, type Opened, openSide, type Side, spikePairs } from './sides.ts';
import { localRunner, measureRounds, type Meter, sampleRounds, speedOf, type SpeedResult } from './speed.ts';
import type { BootstrapOptions } from './statistics.ts';

/** Tokens of a window, as llama.cpp's. */
export const DEFAULT_WINDOW = 512;
export const DEFAULT_ROUNDS = 5;
export const DEFAULT_PROMPTS = 3;
export const DEFAULT_TOKENS = 64;
/** Tokens of the prompt that is timed. */
const TIMED_PROMPT = 128;
/** Tokens, or texts, whose spikes are counted. */
const COUNTED_TOKENS = 256;
const COUNTED_TEXTS = 16;

/** What both kinds of comparison take. */
export interface CommonOptions extends Work, BootstrapOptions {
  /** Rounds in which both sides are timed; 0 measures no speed. Default 5. */
  readonly timed?: number;
  readonly data?: DataFacts;
  readonly prices?: Prices;
  /** Reads the joules of the processor; default: not measured. */
  readonly meter?: Meter;
  /** Reads the largest resident memory of the process so far. */
  readonly peakRss?: () => number | null;
  /** Version of the engine, and facts of the machine, for the record. */
  readonly engine?: string;
  readonly machine?: Readonly<Record<string, unknown>>;
}

/** A comparison of generators over a text. */
export interface TextOptions extends CommonOptions {
  readonly text: string;
  /** Tokens of a window; default 512. */
  readonly contextLength?: number;
  /** Windows at most; default all. */
  readonly chunks?: number;
  /** Prompts that both continue, or how many are taken from the text; default 3. */
  readonly prompts?: readonly string[] | number;
  /** Tokens that are written, and timed. Default 64. */
  readonly tokens?: number;
}

/** A comparison of classifiers over a task. */
export interface TaskOptions extends CommonOptions {
  readonly task: GlueTask;
  readonly samples: AsyncIterable<GlueSample> | Iterable<GlueSample>;
  /** Samples at most; default all. */
  readonly limit?: number;
  /** How many there are, for progress. */
  readonly total?: number;
}

/**
 * Compares two sides: A is the reference, B what is judged. Generators are compared over a text: likelihoods, divergences, what
 * they write; classifiers over a task: metrics, agreement, paired tests. Both: speed in turns, sizes, operations, energy.
 * Logits are read window by window and never held whole.
 * @throws {OptionError} `OPTION` for numbers out of range, sides of different kinds, or a text too short
 * @throws {DescriptionError} `ARCHITECTURE` for models that cannot do the task; {IoError} `HTTP`; the signal's reason
 * @example
 * const { perplexity, kl, sameTop1 } = await compare(original, quantised, { text, contextLength: 256 });
 * const { metrics, mcnemar } = await compare(teacher, student, { task: glueTask('sst2'), samples });
 */
export async function compare(a: Side, b: Side, options: TextOptions): Promise<GeneratorComparison>;
export async function compare(a: Side, b: Side, options: TaskOptions): Promise<ClassifierComparison>;
export async function compare(a: Side, b: Side, options: TextOptions | TaskOptions): Promise<CompareResult> {
  const given = (name: string): boolean => (options as unknown as Record<string, unknown> | null)?.[name] !== undefined;
  if (given('text') === given('task')) {
    throw new OptionError('OPTION', 'compare needs either a text or a task');
  }
  checkOptions('compare', options, given('text') ? TEXT_RULES : TASK_RULES, given('text') ? [] : ['samples']);
  const { signal } = options;
  signal?.throwIfAborted();
  const [left, right] = [await openSide(a, signal), await openSide(b, signal)];
  return 'text' in options
    ? await compareText(left, right, options)
    : await compareTask(left, right, options as TaskOptions);
}

const COMMON_RULES: Rules<CommonOptions> = {
  timed: whole(0),
  rounds: whole(1, 1e6),
  seed: whole(0),
  confidence: {
    expected: 'a number above 0 and below 1',
    holds: (value) => (value as number) > 0 && (value as number) < 1,
  },
  data: OBJECT,
  prices: OBJECT,
  meter: CALL,
  peakRss: CALL,
  engine: TEXT,
  machine: OBJECT,
  journal: OBJECT,
  signal: SIGNAL,
  onProgress: CALL,
};
const TEXT_RULES: Rules<TextOptions> = {
  ...COMMON_RULES,
  text: TEXT,
  contextLength: whole(4),
  chunks: whole(1),
  prompts: {
    expected: 'a whole number from 0 on or a list of texts',
    holds: (value) =>
      whole(0).holds(value) || (Array.isArray(value) && value.every((item) => typeof item === 'string')),
  },
  tokens: whole(1),
};
const TASK_RULES: Rules<TaskOptions> = {
  ...COMMON_RULES,
  task: OBJECT,
  samples: OBJECT,
  limit: whole(1),
  total: whole(0),
};

async function compareText(a: Opened, b: Opened, options: TextOptions): Promise<GeneratorComparison> {
  const { text, contextLength = DEFAULT_WINDOW, chunks, prompts = DEFAULT_PROMPTS, signal } = options;
  const { tokens = DEFAULT_TOKENS, timed = DEFAULT_ROUNDS } = options;
  for (const side of [a, b]) {
    if (side.kind === 'local' && side.side.model.describe().labels) {
      throw new DescriptionError('ARCHITECTURE', `${side.facts.name} classifies; compare it on a task, not on a text`);
    }
  }
  const unavailable: Unavailable[] = [];
  const pair = await windowScorer(a, b, text, contextLength, unavailable, signal);
  const work = { ...options, contextLength, chunks };
  const accounts = [await account(a, text, 'account a', work), await account(b, text, 'account b', work)] as const;
  const quality = pair ? pairedQuality(await pairedWindows(pair.tokenizer, text, pair.score, work)) : {
    ...await comparePieces(text, pieces(a, contextLength), pieces(b, contextLength), work),
    ...{ kl: null, deltaP: null, sameTop1: null, sameTop1Interval: null, top5Overlap: null },
  };
  const chosen = typeof prompts === 'number' ? promptsOf(text, prompts) : prompts;
  const texts = await compareSamples(writer(a), writer(b), chosen, tokens, work);
  const rounds = await measureRounds(runner(a, text, tokens, work), runner(b, text, tokens, work), timed, work);
  const speed = rounds.length > 0 ? speedOf(rounds, 'token') : null;
  return {
    ...common(a, b, accounts, speed, options),
    kind: 'generators',
    options: { contextLength, ...(chunks !== undefined && { chunks }), tokens, vocabulary: pair ? 'one' : 'two' },
    ...quality,
    texts,
    unavailable,
  };
}

/** How windows are scored; null where the two have no vocabulary in common. */
async function windowScorer(
  a: Opened,
  b: Opened,
  text: string,
  contextLength: number,
  unavailable: Unavailable[],
  signal?: AbortSignal,
): Promise<{ score: WindowScorer; tokenizer: ReturnType<typeof tokenizerOf> } | null> {
  const missing = (metrics: string, reason: string): void =>
    metrics.split(', ').forEach((metric) => void unavailable.push({ metric, reason }));
  const OF_ROWS = 'kl, top5Overlap';
  const OF_TOKENS = 'perplexity.lnRatio, deltaP, sameTop1';
  if (a.kind === 'local' && b.kind === 'local') {
    const [left, right] = [a.side.model, b.side.model];
    if (sameVocabulary(left.tokenizer, right.tokenizer)) {
      return { score: localPair(left, right), tokenizer: left.tokenizer };
    }
    missing(`${OF_ROWS}, ${OF_TOKENS}`, 'the two have different vocabularies; bits per byte are compared instead');
    return null;
  }
  missing('memory, spikes, energy', 'a server does not report it');
  missing('speed.prefillTps', 'of a server only the time to the first piece of text is known');
  if (a.kind === 'remote' && b.kind === 'remote') {
    missing(`${OF_ROWS}, ${OF_TOKENS}`, 'both are servers, whose vocabularies are not known');
    return null;
  }
  const { remote } = (a.kind === 'remote' ? a : b) as Extract<Opened, { kind: 'remote' }>;
  const local = tokenizerOf(a.kind === 'local' ? a : b);
  const some = local.encode(text.slice(0, 2000)).slice(0, Math.min(64, contextLength));
  if (some.length > 1 && await sharesVocabulary(remote, local, some, signal)) {
    missing(OF_ROWS, 'a server gives only the likeliest tokens, not whole distributions');
    const { model } = (a.kind === 'local' ? a : b as Extract<Opened, { kind: 'local' }>).side;
    return { score: remotePair(model, remote, a.kind === 'remote'), tokenizer: local };
  }
  missing(`${OF_ROWS}, ${OF_TOKENS}`, 'the server does not take ids of this vocabulary; bits per byte are compared');
  return null;
}

const tokenizerOf = (side: Opened) => (side as Extract<Opened, { kind: 'local' }>).side.model.tokenizer;
const pieces = (side: Opened, contextLength: number) =>
  side.kind === 'local' ? localPieces(side.side.model, contextLength) : remotePieces(side.remote);
const writer = (side: Opened) => side.kind === 'local' ? localWriter(side.side.model) : remoteWriter(side.remote);

function runner(side: Opened, text: string, tokens: number, { contextLength, meter }: TextOptions) {
  const prompt = Math.max(1, Math.min(TIMED_PROMPT, Math.floor((contextLength ?? DEFAULT_WINDOW) / 2)));
  if (side.kind === 'remote') return remoteRunner(side.remote, text.slice(0, 4 * prompt), tokens);
  const { model } = side.side;
  const most = Math.min(tokens, Math.max(1, (contextLength ?? DEFAULT_WINDOW) - prompt));
  return localRunner(model, idsOf(side, text, prompt + most), prompt, meter ?? (() => null));
}

/** The first ids of a text, which is repeated where it is too short. */
function idsOf(side: Opened, text: string, count: number): number[] {
  const ids = tokenizerOf(side).encode(text.slice(0, 16 * count), { special: true });
  return Array.from({ length: count }, (_, i) => ids[i % ids.length]);
}

/** What a token takes; null of a server. */
async function account(side: Opened, text: string, part: string, work: TextOptions): Promise<Account | null> {
  if (side.kind === 'remote') return null;
  const { model } = side.side;
  return await step(work, part, 0, async () => {
    model.resetStats();
    const count = Math.min(COUNTED_TOKENS, work.contextLength ?? DEFAULT_WINDOW);
    using session = model.session();
    for (const id of model.describe().labels ? [] : idsOf(side, text, count)) {
      await session.read([id], { signal: work.signal }, 0, () => {});
    }
    return await decoderAccount(model, count / 2);
  });
}

async function compareTask(a: Opened, b: Opened, options: TaskOptions): Promise<ClassifierComparison> {
  const { task, samples, timed = DEFAULT_ROUNDS, limit } = options;
  const [left, right] = [a, b].map((side) => {
    if (side.kind === 'local') return glueClassifier(side.side.model, task, side.side.classify);
    throw new OptionError('OPTION', `${side.facts.name} is a server; tasks are for classifiers that run here`);
  });
  const counted: ClassifyInput[] = [];
  const seen = async function* (): AsyncGenerator<GlueSample, void> {
    for await (const sample of samples) {
      const { text, pair } = sample;
      if (counted.length < COUNTED_TEXTS) counted.push(pair === undefined ? text : [text, pair]);
      yield sample;
    }
  };
  const records = await pairedSamples(left, right, seen(), options);
  const accounts = [
    await textAccount(a, counted, 'account a', options),
    await textAccount(b, counted, 'account b', options),
  ] as const;
  const speed = timed > 0 ? speedOf(sampleRounds(timesOf(records), timed), 'sentence') : null;
  return {
    ...common(a, b, accounts, speed, options),
    kind: 'classifiers',
    options: { task: task.name, ...(limit !== undefined && { limit }) },
    ...pairedAnswers(task, records, options),
    unavailable: [],
  };
}

const timesOf = (records: readonly PairedRecord[]): (readonly [number, number])[] =>
  records.map(({ a, b }) => [a.ms, b.ms] as const);

/** What a text takes; null of a server. */
async function textAccount(
  side: Opened,
  texts: readonly ClassifyInput[],
  part: string,
  work: Work,
): Promise<Account | null> {
  if (side.kind === 'remote') return null;
  const { model, classify = {} } = side.side;
  return await step(work, part, 0, async () => {
    const counts: (ClassifySpikes | number)[] = [];
    const maxLength = classify.maxLength ?? Math.min(128, model.describe().trainedContext);
    for (const text of texts) {
      const { spikes, tokens } = await model.classify(text, { ...classify, maxLength, signal: work.signal });
      counts.push(spikes ?? tokens);
    }
    return classifierAccount(model, counts);
  });
}

/** What both kinds have. */
function common(
  a: Opened,
  b: Opened,
  [left, right]: readonly [Account | null, Account | null],
  speed: SpeedResult | null,
  { data, prices, peakRss, engine, machine }: CommonOptions,
): Omit<CompareCommon, 'options' | 'unavailable'> {
  const cost = speed && prices && costOf(speed, prices);
  return {
    ternspike: 'compare',
    version: RESULT_VERSION,
    a: a.facts,
    b: b.facts,
    data: data ?? { name: '', digest: null },
    speed,
    memory: memoryPairs(a, b, peakRss?.() ?? null),
    spikes: spikePairs(left, right),
    energy: energyPairs(left, right, speed),
    ...(cost && { cost }),
    engine: engine ?? null,
    machine: machine ?? null,
  };
}
