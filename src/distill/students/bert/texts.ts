/**
 * Labelled texts as samples, and how well a student answers them.
 * @module
 */
import { glueResult } from '../../../eval/glue.ts';
import type { GlueTask } from '../../../eval/glue-tasks.ts';
import { OptionError } from '../../../errors.ts';
import { encodeSegments } from '../../../tokenizer/bert-pair.ts';
import type { Tokenizer } from '../../../tokenizer/tokenizer.ts';
import type { Model } from '../../../model/model.ts';
import type { Sample } from './data.ts';

/** A text or a pair, and what it is to be answered with. */
export interface LabelledText {
  readonly text: string;
  readonly pair?: string;
  /** A place among the labels, the value of a regression; undefined where the teacher alone says. */
  readonly label?: number;
}

/**
 * Texts as samples.
 * @param outputs the output of each label, of a task with labels
 * @throws {OptionError} `OPTION` for a label that is not there; what the tokenizer throws
 */
export function samplesOf(
  texts: readonly LabelledText[],
  tokenizer: Tokenizer,
  maxLength: number,
  outputs: readonly number[],
): Sample[] {
  return texts.map(({ text, pair, label }) => {
    const { ids, typeIds } = encodeSegments(tokenizer, text, pair, maxLength);
    if (label === undefined || outputs.length === 0) return { ids, types: typeIds, label: label ?? NaN };
    const output = outputs[label];
    if (output === undefined) throw new OptionError('OPTION', `label ${label} of ${outputs.length}`);
    return { ids, types: typeIds, label: output };
  });
}

/** Loss and score of answers; samples without a label do not count. */
export interface Scored {
  /** Mean −ln p of the label; of a regression the mean square. NaN without labels. */
  readonly loss: number;
  /** As GLUE has it; null where it is undefined. */
  readonly score: number | null;
}

/** @param logits of each sample @param outputs the output of each label */
export function scoreOf(
  task: GlueTask,
  samples: readonly Sample[],
  logits: readonly ArrayLike<number>[],
  outputs: readonly number[],
): Scored {
  const counted = samples.flatMap((sample, i) => (Number.isNaN(sample.label) ? [] : [{ sample, logits: logits[i] }]));
  if (counted.length === 0) return { loss: NaN, score: null };
  let loss = 0;
  const records = counted.map(({ sample: { label }, logits }, index) => {
    const answer = Array.from(logits);
    if (outputs.length === 0) {
      loss += (answer[0] - label) ** 2 / counted.length;
      return { index, line: index, label, predicted: answer[0], scores: answer, ms: 0 };
    }
    const top = Math.max(...answer);
    loss += (top + Math.log(answer.reduce((sum, z) => sum + Math.exp(z - top), 0)) - answer[label]) / counted.length;
    const place = (output: number): number => outputs.indexOf(output);
    return { index, line: index, label: place(label), predicted: place(answer.indexOf(top)), scores: answer, ms: 0 };
  });
  const { score } = glueResult(task, records);
  return { loss, score };
}

/** So many of a list, evenly spread. */
export function spreadOver<T>(list: readonly T[], most: number): T[] {
  if (list.length <= most) return [...list];
  return Array.from({ length: most }, (_, i) => list[Math.floor((i * list.length) / most)]);
}

/** Logits of batches by sample. @param order places of the samples of each batch */
export function inOrder(
  order: readonly (readonly number[])[],
  batches: readonly { readonly logits: Float32Array }[],
  classes: number,
): Float32Array[] {
  const all: Float32Array[] = [];
  batches.forEach(({ logits }, i) =>
    order[i].forEach((at, b) => (all[at] = logits.subarray(b * classes, (b + 1) * classes)))
  );
  return all;
}

/** What the engine answers, one sample after the other. @param tell told how many are done */
export async function engineLogits(
  model: Model,
  samples: readonly Sample[],
  tell: (done: number) => void,
  signal: AbortSignal | undefined,
): Promise<(readonly number[])[]> {
  const logits: (readonly number[])[] = [];
  for (const { ids, types } of samples) {
    logits.push((await model.classify({ ids: [...ids], typeIds: [...types] }, { signal })).logits);
    tell(logits.length);
  }
  return logits;
}
