// Random models of the TinyLlama shape as files that llama.cpp opens too, written once into bench/.cache.
import { existsSync, mkdirSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readFully } from '../../build/src/bytes/source.js';
import { writeGguf } from '../../build/src/container/gguf-write.js';
import { openContainer } from '../../build/src/container/open.js';
import { randomModel } from '../../build/src/model/random.js';
import { root } from '../../test/runtimes/find.mjs';

const VOCAB = 32000;
export const cache = join(root, 'bench', '.cache');

/** Pieces that llama.cpp accepts: it opens no file without a vocabulary. Every byte of a text becomes one id. */
function vocabulary() {
  const byte = (i) => `<0x${(i - 3).toString(16).toUpperCase().padStart(2, '0')}>`;
  const special = ['<unk>', '<s>', '</s>'];
  const all = (of) => Array.from({ length: VOCAB }, (_, i) => of(i));
  return [
    ['tokenizer.ggml.model', 'string', 'llama'],
    ['tokenizer.ggml.tokens', 'string[]', all((i) => special[i] ?? (i < 259 ? byte(i) : `\u2581t${i}`))],
    ['tokenizer.ggml.scores', 'float32[]', all((i) => -i)],
    ['tokenizer.ggml.token_type', 'int32[]', all((i) => (i === 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1))],
    ['tokenizer.ggml.bos_token_id', 'uint32', 1],
    ['tokenizer.ggml.eos_token_id', 'uint32', 2],
    ['tokenizer.ggml.unknown_token_id', 'uint32', 0],
  ];
}

/** Path of the file of this type with so many layers of the shape. */
export async function modelFile(type, layers) {
  const path = join(cache, `tinyllama-${layers}-${type}.gguf`);
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  const source = await randomModel('tinyllama', type, layers);
  const { metadata, metadataTypes, tensors } = await openContainer(source);
  const entries = new Map([...metadata].map(([key, value]) => [key, { type: metadataTypes.get(key), value }]));
  for (const [key, of, value] of vocabulary()) entries.set(key, { type: of, value });
  const handle = await open(`${path}.part`, 'w');
  const sink = { write: async (bytes) => void (await handle.write(bytes)) };
  const writer = await writeGguf(sink, { metadata: entries, tensors: [...tensors.values()] });
  for (const { name, offset, byteLength } of tensors.values()) {
    const bytes = new Uint8Array(byteLength);
    await readFully(source, bytes, offset, name);
    await writer.write(name, bytes);
  }
  await writer.finish();
  await handle.close();
  await rename(`${path}.part`, path);
  return path;
}
