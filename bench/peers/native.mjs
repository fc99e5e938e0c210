#!/usr/bin/env node
// Native llama.cpp and ours over the same GGUF files, in alternation, one thread each: a Markdown table.
//   npm run build -- --tests && (cd bench/peers && npm install --omit=optional --ignore-scripts)
//   node bench/peers/native.mjs [--types tq2_0,q8_0] [--layers 22] [--prompt 64] [--tokens 32] [--rounds 3] [--node PATH]
// The files have random weights and a made-up vocabulary, and are written once into bench/.cache. --node names the Node that
// runs ours; a recent one has relaxed SIMD.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';
import { readFully } from '../../build/src/bytes/source.js';
import { writeGguf } from '../../build/src/container/gguf-write.js';
import { openContainer } from '../../build/src/container/open.js';
import { randomModel } from '../../build/src/eval/random-model.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const { values } = parseArgs({
  options: {
    types: { type: 'string', default: 'tq2_0,q8_0' },
    layers: { type: 'string', default: '22' },
    prompt: { type: 'string', default: '64' },
    tokens: { type: 'string', default: '32' },
    rounds: { type: 'string', default: '3' },
    node: { type: 'string', default: process.execPath },
  },
});
const [layers, prompt, tokens, rounds] = ['layers', 'prompt', 'tokens', 'rounds'].map((name) => Number(values[name]));
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

/** Pieces that llama.cpp accepts: it opens no file without a vocabulary. */
function vocabulary(n) {
  const byte = (i) => `<0x${(i - 3).toString(16).toUpperCase().padStart(2, '0')}>`;
  const special = ['<unk>', '<s>', '</s>'];
  const all = (of) => Array.from({ length: n }, (_, i) => of(i));
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

async function file(type) {
  const path = join(root, 'bench', '.cache', `tinyllama-${layers}-${type}.gguf`);
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  const source = await randomModel('tinyllama', type, layers);
  const { metadata, metadataTypes, tensors } = await openContainer(source);
  const entries = new Map([...metadata].map(([key, value]) => [key, { type: metadataTypes.get(key), value }]));
  for (const [key, of, value] of vocabulary(32000)) entries.set(key, { type: of, value });
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

async function native(llama, modelPath) {
  const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
  const context = await model.createContext({ contextSize: prompt + tokens + 8, threads: 1, batchSize: prompt });
  const sequence = context.getSequence();
  const ids = Array.from({ length: prompt + tokens }, (_, i) => Math.abs(Math.imul(i + 1, 2654435761) % 32000));
  await sequence.clearHistory();
  const start = performance.now();
  await sequence.evaluateWithoutGeneratingNewTokens(ids.slice(0, prompt));
  const middle = performance.now();
  for (const id of ids.slice(prompt)) await sequence.evaluateWithoutGeneratingNewTokens([id]);
  const end = performance.now();
  await context.dispose();
  await model.dispose();
  return { prefill: (prompt / (middle - start)) * 1000, decode: (tokens / (end - middle)) * 1000 };
}

function ours(path) {
  const bench = ['bench', '-m', path, '-p', `${prompt}`, '-n', `${tokens}`, '--rounds', '3', '--json'];
  const printed = execFileSync(values.node, [join(root, 'dist', 'cli.js'), ...bench], { encoding: 'utf8' });
  const { threads: [{ prefillTps, decodeTps }] } = JSON.parse(printed);
  return { prefill: prefillTps, decode: decodeTps };
}

const llama = await getLlama({ build: 'never', gpu: false, logLevel: LlamaLogLevel.error, maxThreads: 1 });
console.log(
  `${cpus()[0]?.model}, load ${loadavg()[0].toFixed(2)} before; tinyllama, ${layers} layers, medians of ${rounds}\n`,
);
console.log('| | llama.cpp tok/s | ours tok/s | ratio per round |\n|---|---|---|---|');
for (const type of values.types.split(',')) {
  const path = await file(type);
  const pairs = [];
  for (let round = 0; round < rounds; round++) pairs.push([await native(llama, path), ours(path)]);
  for (const what of ['decode', 'prefill']) {
    const [theirs, own] = [0, 1].map((side) => median(pairs.map((pair) => pair[side][what])));
    const ratios = pairs.map(([a, b]) => (b[what] / a[what]).toFixed(2)).join(', ');
    console.log(`| ${type} ${what} | ${theirs.toFixed(1)} | ${own.toFixed(1)} | ${ratios} |`);
  }
}
process.exit(0); // the native library keeps threads
