/**
 * `distill --finetune`: a dense BERT learns a task, to become a teacher.
 * @module
 */
import type { FinetuneEvent, FinetuneOptions, FinetuneResult } from '../distill/students/bert/finetune.ts';
import { need } from './command.ts';
import type { ClassifierValues } from './distill-classifier.ts';
import { bytesText, rounded } from './output.ts';
import { taskTexts } from './task-texts.ts';

/** What the command line gives. */
export interface FinetuneValues extends ClassifierValues {
  readonly epochs?: number;
  readonly lr?: number;
  readonly warmup?: number;
  readonly 'weight-decay'?: number;
  readonly dropout?: number;
  readonly 'freeze-embeddings'?: boolean;
}

/** Options of the library. `--warmup` counts updates there and is a share here. */
export async function finetuneOptions(
  values: FinetuneValues,
  resume: boolean,
  signal: AbortSignal,
): Promise<Omit<FinetuneOptions, 'onEvent'>> {
  const out = need(values.out, '--out FILE');
  return {
    base: need(values.teacher, '--teacher DIR'),
    ...(await taskTexts(values, signal)),
    out,
    dir: values.dir ?? `${out.replace(/\.gguf$/, '')}.run`,
    resume,
    epochs: values.epochs,
    minutes: values.minutes,
    lr: values.lr,
    warmup: values.warmup,
    weightDecay: values['weight-decay'],
    dropout: values.dropout,
    freezeEmbeddings: values['freeze-embeddings'],
    batch: values.batch,
    tokens: values.tokens,
    accumulate: values.accumulate,
    maxLength: values['max-length'],
    clip: values.clip,
    logEvery: values['log-every'],
    evalEvery: values['eval-every'],
    evalSamples: values['eval-samples'],
    saveEvery: values['save-every'],
    seed: values.seed,
    threads: values.threads,
    name: values.name,
    license: values.license,
    signal,
  };
}

/** Lines about a run; null for events that every run has. */
export function finetuneLine(event: FinetuneEvent): { readonly note?: string; readonly now?: string } | null {
  if (event.kind === 'score') return { now: `score: text ${event.done} of ${event.all}` };
  if (event.kind === 'evaluation') {
    const { step, loss, score } = event.record;
    return { note: `step ${step}: held-out loss ${loss.toFixed(4)}, score ${score?.toFixed(4) ?? 'undefined'}` };
  }
  if (event.kind !== 'begin') return null;
  const { parameters, samples, heldSamples, step } = event;
  const on = step > 0 ? `; going on from step ${step}` : '';
  return { note: `${parameters} weights; ${samples} texts, ${heldSamples} held out${on}` };
}

export function finetuneJson(result: FinetuneResult): object {
  const short = (score: number | null): number | null => (score === null ? null : rounded(score));
  const { best } = result;
  return {
    ...result,
    score: short(result.score),
    best: { ...best, score: short(best.score), loss: rounded(best.loss) },
  };
}

export function finetuneLines({ out, bytes, steps, seconds, score, best, dir }: FinetuneResult): string[] {
  return [
    `${out}: ${bytesText(bytes)}, ${steps} steps in ${(seconds / 60).toFixed(1)} min`,
    `score of the texts held out: ${score?.toFixed(4) ?? 'undefined'}, weights of step ${best.step}`,
    `curves in ${dir}/index.html`,
  ];
}
