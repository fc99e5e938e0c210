#!/usr/bin/env node
// Perplexity of one GGUF file over the same tokens, by native llama.cpp (node-llama-cpp) and by ternspike: both, and the logarithm of
// their ratio with its paired error. Positions 64 to --tokens of the beginning of each text count.
//   npm ci --prefix bench/peers --omit=optional --ignore-scripts && node bench/peers/perplexity.mjs MODEL.gguf TEXT… [--tokens 480]
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { getLlama } from 'node-llama-cpp';
import { open } from '../../dist/index.js';
import { table } from '../report.mjs';

const { values, positionals: [file, ...texts] } = parseArgs({
  allowPositionals: true,
  options: { tokens: { type: 'string', default: '480' } },
});
const FROM = 64;
const count = Number(values.tokens);
const contextSize = count + 32;

const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error' });
const native = await llama.loadModel({ modelPath: file });

/** Ids of the text's beginning, and llama.cpp's logarithm of the probability of each from position FROM + 1 on. */
async function judged(text) {
  const ids = [native.tokens.bos, ...native.tokenize(text)].slice(0, count + 1);
  const context = await native.createContext({ contextSize, sequences: 1, threads: 1 });
  const sequence = context.getSequence();
  const logs = [];
  // one token at a time: the probabilities of a whole vocabulary are too many to keep
  for (let i = 0; i < ids.length - 1; i++) {
    const input = i < FROM ? ids[i] : [ids[i], { generateNext: { probabilities: true } }];
    const [answer] = await sequence.controlledEvaluate([input]);
    if (i >= FROM) logs.push(Math.log(answer.next.probabilities.get(ids[i + 1])));
  }
  await context.dispose();
  return { ids, logs };
}

/** The logarithm of a softmax at one place. */
function logProbability(row, id) {
  let most = -Infinity;
  for (const value of row) most = Math.max(most, value);
  let sum = 0;
  for (const value of row) sum += Math.exp(value - most);
  return row[id] - most - Math.log(sum);
}

const references = [];
for (const path of texts) references.push({ path, ...await judged(readFileSync(path, 'utf8').slice(0, 20 * count)) });
await native.dispose();

const model = await open(file, { contextLength: contextSize });
const rows = [];
for (const { path, ids, logs } of references) {
  const logits = await model.logits(ids.slice(0, -1), { from: FROM });
  const ours = logits.map((row, i) => logProbability(row, ids[FROM + i + 1]));
  const n = ours.length;
  const mean = (list) => list.reduce((sum, x) => sum + x, 0) / n;
  const differences = ours.map((log, i) => logs[i] - log);
  const ratio = mean(differences);
  const error = Math.sqrt(mean(differences.map((d) => (d - ratio) ** 2)) / n);
  const perplexity = (list) => Math.exp(-mean(list)).toFixed(3);
  rows.push([path, n, perplexity(logs), perplexity(ours), `${ratio.toFixed(4)} ± ${error.toFixed(4)}`]);
}
model.dispose();
console.log(table(['text', 'positions', 'llama.cpp', 'ternspike', 'ln ratio'], rows));
process.exit(0); // llama.cpp's threads stay
