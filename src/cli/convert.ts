/**
 * `convert`: a model file in another type.
 * @module
 */
import { createFile } from '../bytes/sink.ts';
import { TokenizerError } from '../errors.ts';
import { builtinModule } from '../wasm/builtin.ts';
import type { GgufEntry } from '../container/gguf-write.ts';
import type { MetadataValue } from '../container/tensor.ts';
import { MAX_TOKENIZER_BYTES } from '../limits.ts';
import { isSentencePiece, sentencePieceMetadata } from '../tokenizer/sentencepiece.ts';
import { type ConvertedTensor, convertModel } from '../wasm/convert.ts';
import { type Command, command, need } from './command.ts';
import { readBytes, refuseSame, withSource } from './files.ts';
import { bytesText, type Output, rounded } from './output.ts';

const TYPES = ['f32', 'f16', 'i8', 'q8_0', 'tq2_0', 'tq1_0', 'q1_0'] as const;

export const convert: Command = command(
  {
    name: 'convert',
    summary: 'Writes a model in another type.',
    positionals: [{ name: 'IN' }, { name: 'OUT' }],
    options: {
      type: { kind: 'choice', choices: TYPES, help: 'type of the matrices; i8 and q1_0 are for SymbolicLight' },
      head: {
        kind: 'choice',
        choices: TYPES,
        help: 'type of embedding and head; default as --type, q8_0 below 8 bits',
      },
      embedding: {
        kind: 'choice',
        choices: ['f32', 'f16', 'i8', 'q8_0'],
        help: "type of SymbolicLight's embedding; default as --type, f32 for i8, q8_0 below 8 bits",
      },
      scale: {
        kind: 'choice',
        choices: ['tensor', 'row'],
        help: 'what shares one scale in ternary and binary matrices of SymbolicLight; tensor',
      },
      tokenizer: { kind: 'text', value: 'FILE', help: 'SentencePiece .model to be written into the file' },
    } as const,
    notes: [
      'GGUF in, GGUF out; SymbolicLight models also from .pt and .safetensors. Vectors stay f32.',
      'A matrix whose rows are no multiple of the block takes q8_0 or f16, in SymbolicLight i8.',
      'A model trained in floating point loses its quality below 8 bits; distil it for them instead.',
      'OUT appears when it is whole; until then it is OUT.part.',
    ],
    examples: [
      'ternspike convert model-f16.gguf model-tq2_0.gguf --type tq2_0',
      'ternspike convert in.gguf out.gguf --type q8_0 --json',
      'ternspike convert checkpoint.pt symboliclight-i8.gguf --type i8 --tokenizer sl_tokenizer.model',
    ],
  },
  async ({ values, positionals: [from, to] }, { out, signal }) => {
    const type = need(values.type, `--type ${TYPES.join('|')}`);
    await refuseSame([from], to, 'OUT');
    const metadata = values.tokenizer === undefined ? undefined : await tokenizerEntries(values.tokenizer, signal);
    const { module } = await builtinModule();
    const { bytes, tensors } = await withSource(from, signal, async (source) => {
      const sink = await createFile(to);
      try {
        const result = await convertModel(module, source, sink, {
          type,
          head: values.head,
          embedding: values.embedding,
          scale: values.scale,
          metadata,
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

/** What a GGUF file says of a SentencePiece vocabulary. @throws {TokenizerError} `TOKENIZER` for any other file */
async function tokenizerEntries(path: string, signal: AbortSignal): Promise<Map<string, GgufEntry>> {
  const bytes = await withSource(path, signal, (source) => readBytes(source, MAX_TOKENIZER_BYTES, signal));
  if (!isSentencePiece(bytes)) {
    throw new TokenizerError('TOKENIZER', `${path} is no SentencePiece model; only these can be written into a file`);
  }
  return new Map(
    [...sentencePieceMetadata(bytes, path)].map(([key, value]) => [key, { type: typeOf(key, value), value }]),
  );
}

/** As llama.cpp stores the entry. */
function typeOf(key: string, value: MetadataValue): GgufEntry['type'] {
  if (key.endsWith('.tokens')) return 'string[]';
  if (key.endsWith('.scores')) return 'float32[]';
  if (key.endsWith('.precompiled_charsmap')) return 'uint8[]';
  if (Array.isArray(value)) return 'int32[]';
  return typeof value === 'string' ? 'string' : typeof value === 'boolean' ? 'bool' : 'uint32';
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
