/**
 * The texts of a task: of GLUE, or lines with labels of one's own.
 * @module
 */
import type { LabelledText } from '../distill/students/bert/texts.ts';
import { DatasetError } from '../errors.ts';
import { readLines } from '../eval/glue-lines.ts';
import { readGlue } from '../eval/glue-read.ts';
import { glueSplit, type GlueTask, glueTask } from '../eval/glue-tasks.ts';
import { UsageError } from './args.ts';
import { need } from './command.ts';
import { glueFile } from './compare-data.ts';
import { withSource } from './files.ts';

/** The name of the task whose texts and labels stand in plain lines. */
export const CUSTOM = 'custom';

/** Where texts come from. */
export interface TaskValues {
  readonly task?: string;
  readonly data?: string;
  readonly texts?: string;
  readonly labels?: string;
  readonly 'eval-data'?: string;
}

/** A task with what is learnt from and what is measured on. */
export interface TaskTexts {
  readonly task: GlueTask;
  readonly train: readonly LabelledText[];
  readonly dev: readonly LabelledText[];
}

/** @throws {UsageError} for options that are missing; {DatasetError} and {IoError} for files that cannot be read */
export async function taskTexts(values: TaskValues, signal: AbortSignal): Promise<TaskTexts> {
  const name = need(values.task, '--task TASK');
  const data = need(values.data, '--data DIR');
  const task = name === CUSTOM ? customTask(values.labels) : glueTask(name);
  if (name !== CUSTOM && values.labels !== undefined) throw new UsageError('--labels is for --task custom');
  const files = (list: string | undefined): string[] => (list === undefined ? [] : list.split(','));
  const lines = async (paths: readonly string[]): Promise<LabelledText[]> =>
    (await Promise.all(paths.map((path) => readLabelled(path, task, signal)))).flat();
  let train: LabelledText[];
  let dev: LabelledText[];
  if (name === CUSTOM) {
    train = await lines(files(data));
    dev = await lines(files(need(values['eval-data'], '--eval-data FILES')));
  } else {
    train = await readSplit(data, task, 'train', signal);
    dev = values['eval-data'] === undefined
      ? await readSplit(data, task, 'dev', signal)
      : await lines(files(values['eval-data']));
  }
  train.push(...await lines(files(values.texts)));
  return { task, train, dev };
}

/** A task of one's own: classes by name, or a number where there are no names. */
function customTask(labels: string | undefined): GlueTask {
  const names = labels === undefined ? ['0', '1'] : labels === '' ? [] : labels.split(',');
  if (names.length === 1) throw new UsageError('--labels has one name; give two or more, or none for a number');
  return {
    name: CUSTOM,
    title: CUSTOM,
    labels: names,
    columns: { text: 0, label: 1 },
    files: {},
    metrics: names.length === 0 ? ['pearson', 'spearman'] : ['accuracy'],
  };
}

async function readSplit(folder: string, task: GlueTask, split: string, signal: AbortSignal): Promise<LabelledText[]> {
  const path = await glueFile(folder, task, glueSplit(task, split).file);
  return await withSource(path, signal, async (source) => {
    const texts: LabelledText[] = [];
    for await (const { text, pair, label } of readGlue(source, task, { signal })) texts.push({ text, pair, label });
    return texts;
  });
}

/**
 * Lines of `text`, `text<TAB>label` or `text<TAB>pair<TAB>label`; an empty label is none.
 * @throws {DatasetError} `DATASET_LINE`
 */
async function readLabelled(path: string, task: GlueTask, signal: AbortSignal): Promise<LabelledText[]> {
  return await withSource(path, signal, async (source) => {
    const texts: LabelledText[] = [];
    for await (const { number, text: line, problem } of readLines(source, signal)) {
      if (line === '') continue;
      const bad = (what: string): never => {
        throw new DatasetError('DATASET_LINE', `${path}: line ${number} ${what}`);
      };
      const fields = line?.split('\t') ?? bad(problem ?? 'cannot be read');
      if (fields.length > 3) {
        bad(`has ${fields.length} columns, expected text, or text and label, or text, pair and label`);
      }
      const given = fields.length > 1 ? (fields.at(-1) as string).trim() : '';
      const numeric = task.labels.length === 0;
      const label = given === '' ? undefined : numeric ? Number(given) : task.labels.indexOf(given);
      if (label !== undefined && !(numeric ? Number.isFinite(label) : label >= 0)) {
        bad(
          `has the label ${JSON.stringify(given.slice(0, 40))}, expected ${
            numeric ? 'a number' : `one of ${task.labels.join(', ')}`
          }`,
        );
      }
      texts.push({ text: fields[0], ...(fields.length === 3 && { pair: fields[1] }), label });
    }
    return texts;
  });
}
