/**
 * `convert`: a model file in another type.
 * @module
 */
import { createFile } from '../bytes/sink.ts';
import { builtinModule } from '../wasm/builtin.ts';
import type { ClassifierNumbers } from '../convert/types.ts';
import type { ConvertedTensor } from '../convert/types.ts';
import { convertModel } from '../model/convert.ts';
import { type Command, command, need } from './command.ts';
import { besideEntries, tokenizerEntries } from './convert-tokenizer.ts';
import { refuseSame } from './files.ts';
import { bytesText, type Output, rounded } from './output.ts';
import { STORE_OPTIONS, withModel } from './stored.ts';

const TYPES = ['f32', 'f16', 'i8', 'q8_0', 'q4_0', 'tq2_0', 'tq1_0', 'q1_0'] as const;

export const convert: Command = command(
  {
    name: 'convert',
    summary: 'Convert a model to another weight type.',
    positionals: [{ name: 'IN' }, { name: 'OUT' }],
    options: {
      type: { kind: 'choice', choices: TYPES, help: 'type of the matrices; i8 and q1_0 only for spiking models' },
      head: {
        kind: 'choice',
        choices: TYPES,
        help: 'type of embedding and head; default: as --type, but q8_0 if that is below 8 bits',
      },
      embedding: {
        kind: 'choice',
        choices: ['f32', 'f16', 'i8', 'q8_0', 'q4_0', 'tq2_0', 'tq1_0'],
        help:
          'type of the embedding; default: as --head; SymbolicLight: f32 for i8, q8_0 below 8 bits; spiking BERT: f32 or f16',
      },
      scale: {
        kind: 'choice',
        choices: ['tensor', 'row'],
        help: 'what shares one scale in ternary and binary matrices of spiking models; default: tensor',
      },
      ternary: {
        kind: 'choice',
        choices: ['absmean', 'spikelm'],
        help: 'scale of ternary weights of a spiking BERT: mean magnitude, or 4/3 of it (SpikeLM); default: absmean',
      },
      tokenizer: {
        kind: 'text',
        value: 'FILE',
        help: 'tokenizer.json, SentencePiece .model or vocab.txt to include in the file',
      },
      steps: { kind: 'integer', least: 1, value: 'T', help: 'spiking BERT: number of time steps to store in the file' },
      'v-th': { kind: 'number', value: 'V', help: 'spiking BERT: firing threshold to store' },
      leak: {
        kind: 'number',
        least: 0,
        value: 'L',
        help: 'spiking BERT: fraction of a potential left after a step, to store',
      },
      'v-init': { kind: 'number', value: 'V', help: 'spiking BERT: potential before the first step, to store' },
      task: { kind: 'text', value: 'NAME', help: 'spiking BERT: task to store, such as sst-2' },
      labels: { kind: 'text', value: 'A,B', help: 'spiking BERT: class names to store' },
      ...STORE_OPTIONS,
    } as const,
    notes: [
      'Reads GGUF files and Hugging Face folders, and for spiking models also .pt, .bin and .safetensors; writes GGUF. The ' +
      'vocabulary and the chat template of a folder are included in the file. Vectors stay f32.',
      'If the row length of a matrix is not a multiple of the block size, the matrix becomes q8_0 or f16 (SymbolicLight: i8); ' +
      'rows of a spiking BERT are padded with zeros.',
      'Matrices of a spiking BERT that are already ternary or binary keep their exact values. Its tables of tokens and ' +
      'positions make up most of the file: --embedding i8 reduces them to a quarter.',
      'A model trained in floating point loses its quality below 8 bits; distil it instead.',
      'Until it is complete, OUT is named OUT.part.',
    ],
    examples: [
      'ternspike convert model.gguf model-q8_0.gguf --type q8_0',
      'ternspike convert model.gguf model-f16.gguf --type f16 --json',
      'ternspike convert checkpoint.pt sl.gguf --type i8 --tokenizer tokenizer.model',
      'ternspike convert folder/ model-q8_0.gguf --type q8_0',
      'ternspike convert spikingbert/ sst2.gguf --type tq2_0 --embedding i8',
    ],
  },
  async ({ values, positionals: [from, to] }, context) => {
    const { out, signal } = context;
    const type = need(values.type, `--type ${TYPES.join('|')}`);
    await refuseSame([from], to, 'OUT');
    const given = values.tokenizer === undefined ? undefined : await tokenizerEntries(values.tokenizer, context);
    const { module } = await builtinModule();
    const { bytes, tensors } = await withModel(from, context, async (source) => {
      const beside = given ?? await besideEntries(source, signal);
      if (typeof beside === 'string') {
        out.note(`the vocabulary is not written: ${beside}; name its file with --tokenizer when OUT is run`);
      }
      const sink = await createFile(to);
      try {
        const result = await convertModel(module, source, sink, {
          type,
          head: values.head,
          embedding: values.embedding,
          scale: values.scale,
          ternary: values.ternary,
          classifier: numbersOf(values),
          metadata: typeof beside === 'string' ? undefined : beside,
          signal,
          onProgress: ({ done, total, tensor }) => out.progress(`${Math.round((done / total) * 100)} %  ${tensor}`),
        });
        signal.throwIfAborted();
        await sink.commit();
        return result;
      } finally {
        await sink.discard();
      }
    });
    noteFallen(tensors, type, out);
    noteAgain(tensors, out);
    await out.result(
      {
        in: from,
        out: to,
        bytes,
        tensors: tensors.map((tensor) => ({
          name: tensor.name,
          from: tensor.from,
          to: tensor.to,
          maxError: rounded(tensor.maxError),
          rmsError: rounded(tensor.rmsError),
        })),
      },
      () => [`${to}: ${tensors.length} tensors, ${bytesText(bytes.in)} → ${bytesText(bytes.out)}`],
    );
  },
);

/** Numbers of a classifier that were given, or nothing. */
function numbersOf(
  { steps, leak, task, labels, 'v-th': threshold, 'v-init': initial }: {
    readonly steps?: number;
    readonly leak?: number;
    readonly task?: string;
    readonly labels?: string;
    readonly 'v-th'?: number;
    readonly 'v-init'?: number;
  },
): ClassifierNumbers | undefined {
  if ([steps, leak, task, labels, threshold, initial].every((value) => value === undefined)) return undefined;
  return { steps, leak, task, threshold, initial, labels: labels?.split(',') };
}

/** What lost something when IN was made, and lost more now. */
function noteAgain(tensors: readonly ConvertedTensor[], out: Output): void {
  const again = tensors.filter(({ from, maxError }) => maxError > 0 && !['F32', 'F16', 'BF16'].includes(from));
  if (again.length === 0) return;
  const types = [...new Set(again.map(({ from }) => from))].join(', ');
  out.note(
    `${again.length} matrices were ${types} and were rounded a second time; the errors are those of this time alone. ` +
      'The file that IN was made of gives a better model',
  );
}

/** One line for each type that was fallen back to. */
function noteFallen(tensors: readonly ConvertedTensor[], type: string, out: Output): void {
  const used = new Map<string, string[]>();
  for (const { name, to, fellBack } of tensors) {
    if (fellBack) used.set(to, [...(used.get(to) ?? []), name]);
  }
  for (const [to, names] of used) {
    const some = names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');
    out.note(`rows do not fit into blocks of ${type}, written as ${to.toLowerCase()}: ${some}`);
  }
}
