/**
 * `convert`: a model file in another type.
 * @module
 */
import { stat } from 'node:fs/promises';
import { createFile, partPath } from '../bytes/sink.ts';
import { OptionError } from '../errors.ts';
import { builtinModule } from '../wasm/builtin.ts';
import { CONVERT_TYPES, type ConvertedTensor, convertModel } from '../wasm/convert.ts';
import { type Command, command, need } from './command.ts';
import { withSource } from './files.ts';
import { bytesText, type Output, rounded } from './output.ts';

export const convert: Command = command(
  {
    name: 'convert',
    summary: 'Writes a model in another type.',
    positionals: [{ name: 'IN' }, { name: 'OUT' }],
    options: {
      type: { kind: 'choice', choices: ['f32', 'f16', 'q8_0', 'tq2_0', 'tq1_0'], help: 'type of the matrices' },
      head: {
        kind: 'choice',
        choices: ['f16', 'q8_0', 'f32'],
        help: 'type of token_embd and output; default as --type, q8_0 for ternary types',
      },
    } as const,
    notes: [
      'GGUF in, GGUF out. Vectors stay f32; a matrix whose rows are no multiple of the block takes q8_0 or f16.',
      'OUT appears when it is whole; until then it is OUT.part.',
    ],
    examples: [
      'ternspike convert model-f16.gguf model-tq2_0.gguf --type tq2_0',
      'ternspike convert in.gguf out.gguf --type q8_0 --json',
    ],
  },
  async ({ values, positionals: [from, to] }, { out, signal }) => {
    const type = need(values.type, `--type ${CONVERT_TYPES.join('|')}`);
    await refuseSame(from, to);
    const { module } = await builtinModule();
    const { bytes, tensors } = await withSource(from, signal, async (source) => {
      const sink = await createFile(to);
      try {
        const result = await convertModel(module, source, sink, {
          type,
          head: values.head,
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

/** Writing over what is being read would destroy the model. @throws {OptionError} */
async function refuseSame(from: string, to: string): Promise<void> {
  const [input, ...outputs] = await Promise.all([from, to, partPath(to)].map((path) => stat(path).catch(() => null)));
  const same = outputs.some((output) => input && output && input.dev === output.dev && input.ino === output.ino);
  if (same || from === to) {
    throw new OptionError('OPTION', `OUT ${to} is the same file as IN ${from}; choose another name`);
  }
}
