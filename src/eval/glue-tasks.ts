/**
 * The nine tasks of GLUE (arXiv 1804.07461): their files, columns, labels and metrics.
 *
 * Labels stand in the order of the outputs of the reference implementation of BERT, which fine-tuned models have too.
 * @module
 */
import { OptionError } from '../errors.ts';
import { wrongValue } from '../options.ts';

/** What GLUE reports; all but the two correlations are of classes. */
export type GlueMetric = 'accuracy' | 'f1' | 'matthews' | 'pearson' | 'spearman';

/** Where the parts of a sample stand in its line. */
export interface GlueColumns {
  /** Names of the header; of a file without one, places from 0 on among so many columns. */
  readonly text: string | number;
  readonly pair?: string | number;
  readonly label: string | number;
  /** Columns of a file without a header. */
  readonly count?: number;
}

export interface GlueTask {
  readonly name: string;
  /** As GLUE writes it, which is also the name of its folder. */
  readonly title: string;
  /** In the order of a model's outputs; empty for STS-B, whose label is a number from 0 to 5. */
  readonly labels: readonly string[];
  readonly columns: GlueColumns;
  /** Split → file. */
  readonly files: Readonly<Record<string, string>>;
  /** The score of the task is their mean. */
  readonly metrics: readonly GlueMetric[];
}

/** Tokens to which the reference cuts texts, whatever the task. */
export const GLUE_MAX_LENGTH: number = 128;

const SPLITS = { train: 'train.tsv', dev: 'dev.tsv', test: 'test.tsv' } as const;
const ENTAILMENT = ['entailment', 'not_entailment'] as const;

/** By the names of the command line. */
const TASKS: Readonly<Record<string, Omit<GlueTask, 'name'>>> = {
  cola: {
    title: 'CoLA',
    labels: ['0', '1'],
    columns: { text: 3, label: 1, count: 4 },
    files: SPLITS,
    metrics: ['matthews'],
  },
  sst2: {
    title: 'SST-2',
    labels: ['0', '1'],
    columns: { text: 'sentence', label: 'label' },
    files: SPLITS,
    metrics: ['accuracy'],
  },
  mrpc: {
    title: 'MRPC',
    labels: ['0', '1'],
    columns: { text: '#1 String', pair: '#2 String', label: 'Quality' },
    files: SPLITS,
    metrics: ['accuracy', 'f1'],
  },
  qqp: {
    title: 'QQP',
    labels: ['0', '1'],
    columns: { text: 'question1', pair: 'question2', label: 'is_duplicate' },
    files: SPLITS,
    metrics: ['accuracy', 'f1'],
  },
  stsb: {
    title: 'STS-B',
    labels: [],
    columns: { text: 'sentence1', pair: 'sentence2', label: 'score' },
    files: SPLITS,
    metrics: ['pearson', 'spearman'],
  },
  mnli: {
    title: 'MNLI',
    labels: ['contradiction', 'entailment', 'neutral'],
    columns: { text: 'sentence1', pair: 'sentence2', label: 'gold_label' },
    files: {
      train: 'train.tsv',
      'dev-matched': 'dev_matched.tsv',
      'dev-mismatched': 'dev_mismatched.tsv',
      'test-matched': 'test_matched.tsv',
      'test-mismatched': 'test_mismatched.tsv',
    },
    metrics: ['accuracy'],
  },
  qnli: {
    title: 'QNLI',
    labels: ENTAILMENT,
    columns: { text: 'question', pair: 'sentence', label: 'label' },
    files: SPLITS,
    metrics: ['accuracy'],
  },
  rte: {
    title: 'RTE',
    labels: ENTAILMENT,
    columns: { text: 'sentence1', pair: 'sentence2', label: 'label' },
    files: SPLITS,
    metrics: ['accuracy'],
  },
  wnli: {
    title: 'WNLI',
    labels: ['0', '1'],
    columns: { text: 'sentence1', pair: 'sentence2', label: 'label' },
    files: SPLITS,
    metrics: ['accuracy'],
  },
};

/** Names of the tasks. */
export const GLUE_TASKS: readonly string[] = Object.keys(TASKS);

/** A task by its name, in any spelling: `sst2`, `SST-2`. @throws {OptionError} `OPTION` for any other */
export function glueTask(name: string): GlueTask {
  const plain = String(name).toLowerCase().replace(/[-_ ]/g, '');
  if (Object.hasOwn(TASKS, plain)) return { name: plain, ...TASKS[plain] };
  throw wrongValue('task', name, `one of ${GLUE_TASKS.join(', ')}`);
}

/**
 * A split by its name, and its file. MNLI has two of dev and test: `dev` alone means `dev-matched` there.
 * @throws {OptionError} `OPTION` for a split that the task has not
 */
export function glueSplit(task: GlueTask, name: string): { readonly split: string; readonly file: string } {
  const plain = name.toLowerCase().replace(/_/g, '-');
  for (const split of [plain, `${plain}-matched`]) {
    if (Object.hasOwn(task.files, split)) return { split, file: task.files[split] };
  }
  throw wrongValue('split', name, `one that ${task.title} has: ${Object.keys(task.files).join(', ')}`);
}

/**
 * Which output of a model stands for each label of the task: by name where the model has these very names, else in their
 * order.
 * @param names of the model's outputs; a regression has none
 * @throws {OptionError} `OPTION` where their numbers differ
 * @example labelOrder(glueTask('rte'), ['not_entailment', 'entailment']) // [1, 0]
 */
export function labelOrder(task: GlueTask, names: readonly string[]): readonly number[] {
  const { title, labels } = task;
  if (names.length !== labels.length) {
    const kind = (n: number, what: string): string => (n === 0 ? 'a number' : `${n} ${what}`);
    throw new OptionError(
      'OPTION',
      `the model answers ${kind(names.length, 'classes')}, ${title} asks for ${kind(labels.length, 'labels')}; ` +
        'it was trained for another task',
    );
  }
  const byName = labels.map((label) => names.indexOf(label));
  return byName.includes(-1) ? labels.map((_, i) => i) : byName;
}
