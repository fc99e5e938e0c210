/**
 * `compare`: two models over one text or task, or a whole suite of such pairs.
 * @module
 */
import {
  type CompareResult,
  csvOf,
  dashboardOf,
  gateLines,
  type GateResult,
  historyEntry,
  judge,
  junitOf,
  markdownOf,
  textLines,
} from '../entries/eval.ts';
import { type OptionTable, UsageError, type Values } from './args.ts';
import { type Command, command, need } from './command.ts';
import { findData } from './compare-data.ts';
import { type Comparison, progressText, runComparison } from './comparison.ts';
import { startLive } from './live.ts';
import { announce, gatesOf, writeReport } from './result-files.ts';
import { historyFile, noteDefects } from './history-file.ts';
import { SIDE_KEYS, sideOptions } from './side.ts';
import { readSuite, runSuite } from './suite.ts';
import { STORE_OPTIONS } from './stored.ts';

const OUTPUT_OPTIONS = {
  html: { kind: 'text', value: 'FILE', help: 'write a page with charts; it needs no network' },
  markdown: { kind: 'text', value: 'FILE', help: 'write the table as Markdown' },
  csv: { kind: 'text', value: 'FILE', help: 'write the samples of a task, or the windows of a text' },
  junit: { kind: 'text', value: 'FILE', help: 'write the verdicts of --gates as JUnit XML' },
  serve: {
    kind: 'integer',
    least: 0,
    value: 'PORT',
    help: 'show progress at http://127.0.0.1:PORT; 0: any free port',
  },
} as const satisfies OptionTable;

const OPTIONS = {
  data: {
    kind: 'text',
    value: 'TEXT|TASK',
    help: 'a text file, or a GLUE task: its folder, its .tsv file, or its name',
  },
  task: {
    kind: 'text',
    value: 'TASK',
    help: 'task, if --data does not name it: cola, sst2, mrpc, qqp, stsb, mnli, qnli, rte, wnli',
  },
  folder: { kind: 'text', value: 'DIR', help: "folder of the task's files, with --data TASK; default: current folder" },
  split: { kind: 'text', help: 'train or dev (mnli: dev-matched, dev-mismatched); default: dev' },
  a: { kind: 'text', value: 'KEY=VALUE,…', help: `options of A: ${SIDE_KEYS}` },
  b: { kind: 'text', value: 'KEY=VALUE,…', help: 'options of B' },
  both: { kind: 'text', value: 'KEY=VALUE,…', help: 'options of both' },
  ctx: { kind: 'integer', least: 4, help: 'tokens per window of text; default: 512' },
  chunks: { kind: 'integer', least: 1, help: 'maximum number of windows; default: all' },
  bytes: { kind: 'integer', least: 1, help: 'read only the first N bytes of the text' },
  limit: { kind: 'integer', least: 1, help: 'maximum number of samples; default: all' },
  rounds: { kind: 'integer', least: 0, help: 'timed rounds, alternating between both; default: 5' },
  prompts: { kind: 'integer', least: 0, help: 'positions in the text from which both generate; default: 3' },
  prompt: { kind: 'text', repeatable: true, help: 'use this prompt instead' },
  tokens: { kind: 'integer', short: 'n', least: 1, help: 'tokens to generate and time; default: 64' },
  seed: { kind: 'integer', least: 0, help: 'seed of the bootstrap; default: 1' },
  confidence: { kind: 'number', help: 'confidence level of the intervals; default: 0.95' },
  price: {
    kind: 'number',
    least: 0,
    help: 'price of one hour of this machine: adds the cost per million tokens or sentences',
  },
  gco2: {
    kind: 'number',
    least: 0,
    help: 'grams of CO₂ per kilowatt-hour: adds gCO₂, from measured joules or --watts',
  },
  watts: { kind: 'number', least: 0, help: 'power draw of this machine in watts, if joules cannot be measured' },
  log: { kind: 'text', value: 'FILE', help: 'save every finished part here' },
  resume: { kind: 'flag', help: 'resume from --log' },
  history: { kind: 'text', value: 'FILE', help: 'append a line for this run; see ternspike history' },
  gates: { kind: 'text', value: 'FILE', help: 'judge B against A by these rules; see ternspike gate' },
  ...STORE_OPTIONS,
  suite: { kind: 'text', value: 'FILE', help: 'run the comparisons of this file instead; see docs/comparing.md' },
  ...OUTPUT_OPTIONS,
} as const satisfies OptionTable;

/** Options that a suite takes; the file says the rest. */
const OF_SUITES: readonly string[] = [
  'suite',
  'log',
  'resume',
  'history',
  'serve',
  'html',
  'markdown',
  'junit',
  'json',
  'offline',
];

type CompareValues = Values<typeof OPTIONS>;

export const compareCommand: Command = command(
  {
    name: 'compare',
    summary: 'Compare two models over one text or task: quality, speed, size, spikes, energy.',
    positionals: [{ name: 'A', optional: true }, { name: 'B', optional: true }],
    options: OPTIONS,
    notes: [
      'A is the reference; B is compared with it. Each is a file, a folder, a URL, `default` for the bundled model, or the address of an ' +
      'OpenAI-compatible server (http://HOST/v1) that returns logprobs. Without B, A is compared with itself under the options of --a and --b.',
      'The exit code is 3 if a gate fails, and 4 if a golden item has changed.',
    ],
    examples: [
      'ternspike compare f32.gguf q8_0.gguf --data wiki.txt --html out.html',
      'ternspike compare model.gguf --a kv=f32 --b kv=f16 --data wiki.txt --json',
      'ternspike compare teacher/ student/ --data GLUE/SST-2 --b steps=40',
      'ternspike compare --suite release.json --resume --log state/',
    ],
  },
  async ({ values, positionals }, context) => {
    const { out } = context;
    const { suite, log, resume = false } = values;
    if (resume && log === undefined) throw new UsageError('--resume needs --log');
    if (suite !== undefined) {
      if (positionals.length > 0) throw new UsageError('give A and B, or --suite FILE, not both');
      const other = Object.entries(values).find(([name, value]) => value !== undefined && !OF_SUITES.includes(name));
      if (other) throw new UsageError(`--${other[0]} applies to a single comparison; with --suite, set it in the file`);
      return await runSuite(await readSuite(suite, context.signal), { ...values, log, resume }, context);
    }
    const comparison = await comparisonOf(values, positionals);
    const gates = values.gates === undefined ? undefined : await gatesOf(values.gates, context.signal);
    if (values.junit !== undefined && !gates) throw new UsageError('--junit writes verdicts: give --gates FILE');
    const history = values.history === undefined ? undefined : await historyFile(values.history, context.signal);
    const live = values.serve === undefined ? undefined : await startLive(values.serve, out);
    try {
      const line = progressText();
      const result = await runComparison(comparison, {
        journal: log === undefined ? undefined : { path: log, resume },
        onProgress: (progress) => {
          out.progress(line(progress));
          live?.progress(line(progress), progress);
        },
      }, context);
      const gate = gates && judge(null, result, gates);
      await history?.append(historyEntry(result, new Date()));
      const entries = history?.entries ?? [];
      live?.show(await dashboardOf([result], { title: titleOf(result), entries, gate, live: true }));
      await writeReports(values, result, gate, entries);
      const defects = history ? noteDefects(history.entries, out) : [];
      await out.result(
        { ...result, ...(gate && { gate }), ...(history && { defects }) },
        () => [...textLines(result), ...(gate ? gateLines(gate) : [])],
      );
      if (gate) await announce(gate, markdownOf(result), context);
      return gate?.exitCode || (defects.length > 0 ? 3 : 0);
    } finally {
      if (context.signal.aborted) out.note(interrupted(log));
      await live?.close();
    }
  },
);

const interrupted = (log: string | undefined): string =>
  `interrupted: ${
    log === undefined ? 'with --log FILE a run can be resumed' : 'the same command with --resume continues'
  }`;

const titleOf = (result: CompareResult): string => `${result.a.name} against ${result.b.name}`;

/** Writes the files that were asked for. */
async function writeReports(
  { html, markdown, csv, junit }: { readonly [K in keyof typeof OUTPUT_OPTIONS]?: string | number },
  result: CompareResult,
  gate: GateResult | undefined,
  entries: Parameters<typeof dashboardOf>[1]['entries'],
): Promise<void> {
  const page = html === undefined ? undefined : await dashboardOf([result], { title: titleOf(result), entries, gate });
  const files = [
    [html, page],
    [markdown, markdownOf(result)],
    [csv, csvOf(result)],
    [junit, gate && junitOf(gate, titleOf(result))],
  ];
  for (const [path, text] of files) {
    if (path !== undefined && text !== undefined) await writeReport(String(path), String(text));
  }
}

async function comparisonOf(values: CompareValues, [a, b = a]: readonly string[]): Promise<Comparison> {
  if (a === undefined) throw new UsageError('compare: A is missing');
  const { confidence, prompt, prompts, price, gco2, watts, task, folder, split } = values;
  if (confidence !== undefined && !(confidence > 0 && confidence < 1)) {
    throw new UsageError(`--confidence is ${confidence}, expected a number above 0 and below 1`);
  }
  const both = sideOptions(values.both, '--both');
  return {
    a: { path: a, options: { ...both, ...sideOptions(values.a, '--a') } },
    b: { path: b, options: { ...both, ...sideOptions(values.b, '--b') } },
    data: await findData(need(values.data, '--data TEXT|TASK'), { task, folder, split }),
    contextLength: values.ctx,
    chunks: values.chunks,
    bytes: values.bytes,
    limit: values.limit,
    rounds: values.rounds,
    prompts: prompt ?? prompts,
    tokens: values.tokens,
    seed: values.seed,
    confidence,
    prices: price === undefined && gco2 === undefined ? undefined : { perHour: price, gramsPerKwh: gco2, watts },
  };
}
