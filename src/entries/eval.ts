/**
 * Evaluation: `ternspike/eval`. Perplexity-like figures of generators, GLUE for classifiers, and A/B comparisons of both. Sources
 * of samples are whatever `open` takes: paths, Blobs, bytes.
 *
 * @example
 * import { evaluateGlue, glueClassifier, glueTask, openSource, readGlue } from 'ternspike/eval';
 * const task = glueTask('sst2');
 * const samples = readGlue(await openSource('SST-2/dev.tsv'), task);
 * const { metrics } = await evaluateGlue(glueClassifier(model, task), samples, { task });
 * @module
 */
export { resolveSource as openSource } from '../bytes/resolve.ts';
export {
  type Classified,
  type Classify,
  evaluateGlue,
  type EvaluateGlueOptions,
  type GlueRecord,
  type GlueResult,
  glueResult,
} from '../eval/glue.ts';
export { type GlueLog, glueLogHeader, glueLogLine, type GlueRun, readGlueLog } from '../eval/glue-log.ts';
export { accuracy, type Confusion, confusionMatrix, f1, matthews, pearson, spearman } from '../eval/glue-metrics.ts';
export { type GlueSample, type MalformedLine, readGlue, type ReadGlueOptions } from '../eval/glue-read.ts';
export {
  GLUE_MAX_LENGTH,
  GLUE_TASKS,
  type GlueColumns,
  type GlueMetric,
  glueSplit,
  type GlueTask,
  glueTask,
  labelOrder,
} from '../eval/glue-tasks.ts';
export { glueClassifier } from '../eval/glue-classifier.ts';
export { type CommonOptions, compare, type TaskOptions, type TextOptions } from '../eval/compare/compare.ts';
export { type ClassifierQuality, metricInterval, type PairedMetric, type Parted } from '../eval/compare/classifiers.ts';
export type { Account, Cost, Prices } from '../eval/compare/energy.ts';
export type { Bin, PairedQuality, Spread } from '../eval/compare/generators.ts';
export type { CompareProgress, Journal, Work } from '../eval/compare/journal.ts';
export type * from '../eval/compare/result.ts';
export type { Sample, Written } from '../eval/compare/samples.ts';
export type { LocalSide, RemoteSide, Side } from '../eval/compare/sides.ts';
export type { Both, Meter, PairedFigure, SpeedResult } from '../eval/compare/speed.ts';
export {
  bootstrap,
  type BootstrapOptions,
  type Interval,
  mcnemarExact,
  type Mean,
  meanOf,
  normalQuantile,
  type PairedMeans,
  pairedMeans,
  percentiles,
  type PerplexityPair,
  perplexityPair,
  wilson,
} from '../eval/compare/statistics.ts';
export { journalHeader, journalLine, type JournalRun, partKey, readJournal } from '../eval/compare/journal-lines.ts';
export { csvOf, markdownOf, type ReportRow, reportRows, textLines } from '../eval/compare/report.ts';
export { type GateResult, type GoldenVerdict, judge, type RuleVerdict, type Verdict } from '../eval/gate/gate.ts';
export { annotationsOf, gateLines, gateMarkdown, junitOf } from '../eval/gate/reports.ts';
export { defaultGates, type GateRule, type Gates, readGates } from '../eval/gate/rules.ts';
export {
  type Defect,
  defectsOf,
  type HistoryEntry,
  historyEntry,
  readHistory,
  type Trend,
  trendsOf,
} from '../eval/history.ts';
export { dashboardOf, type DashboardOptions } from '../eval/dashboard/page.ts';
export {
  isSuiteResult,
  joined,
  judgeSuite,
  readSuite,
  type Suite,
  type SuiteComparison,
  type SuiteData,
  type SuiteModel,
  type SuiteResult,
  type SuiteSettings,
} from '../eval/suite.ts';
export { runningSection } from '../eval/dashboard/sections.ts';
export type { PieceQuality } from '../eval/compare/pieces.ts';
export type { RemoteOptions } from '../eval/compare/remote.ts';
