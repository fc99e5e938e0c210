/**
 * A fine-tuned BERT as a GGUF file, with weights in f32.
 * @module
 */
import { createFile } from '../../../bytes/sink.ts';
import { type GgufEntry, writeGguf } from '../../../container/gguf-write.ts';
import { metadataBefore } from '../../../convert/pipeline.ts';
import { DistillError } from '../../../errors.ts';
import type { GlueTask } from '../../../eval/glue-tasks.ts';
import type { Model } from '../../../model/model.ts';
import type { StateTensor } from '../../types.ts';
import { allSlots, type DenseBert, TABLES } from './config.ts';
import { tablesOf } from './first.ts';
import type { FinetuneOptions } from './options.ts';
import type { TeacherWeights } from './teacher.ts';
import { vocabularyEntries } from './vocabulary-entries.ts';

/** Writes the file. @returns its size */
export async function writeBert(
  config: DenseBert,
  base: TeacherWeights,
  tensors: ReadonlyMap<string, StateTensor>,
  model: Model,
  task: GlueTask,
  { out, license }: FinetuneOptions,
  name: string,
): Promise<number> {
  const text = (value: string): GgufEntry => ({ type: 'string', value });
  const { labels } = task;
  const metadata = new Map<string, GgufEntry>([
    ...metadataBefore(model.container),
    ...vocabularyEntries(model.container, model.tokenizer),
    ['general.name', text(name)],
    ['general.description', text(`${base.d.name || 'a BERT'}, fine-tuned for ${task.title}`)],
    ['bert.classifier.output_labels', { type: 'string[]', value: [...labels] }],
    ...(license === undefined ? [] : [['general.license', text(license)] as const]),
  ]);
  metadata.delete('general.file_type');
  if (labels.length === 0) metadata.delete('bert.classifier.output_labels');
  const tables = tablesOf(config, base);
  const kept = new Map(TABLES.map((key, i) => [key as string, [tables.words, tables.positions, tables.segments][i]]));
  const slots = allSlots(config);
  const sink = await createFile(out);
  try {
    const header = { metadata, tensors: slots.map(({ key, shape }) => ({ name: key, type: 'F32' as const, shape })) };
    const writer = await writeGguf(sink, header);
    for (const { key } of slots) {
      const data = tensors.get(key)?.data ?? kept.get(key);
      if (!data) throw new DistillError('CHECKPOINT', `the best state has no ${key}`);
      await writer.write(key, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    await writer.finish();
    await sink.commit();
    return writer.bytesWritten;
  } finally {
    await sink.discard();
  }
}
