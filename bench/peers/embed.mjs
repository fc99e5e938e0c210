#!/usr/bin/env node
// Sentences per second of a dense BERT of MiniLM's shape beside ONNX Runtime, one thread each, in alternation in one run: a Markdown
// table. Random weights, the same on both sides, and the states are compared. ONNX Runtime begins after the embedding.
//   npm run bench:embed -- [tokens] [sentences]
import { Buffer } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { find } from '../../test/runtimes/find.mjs';
import { described, machine, median, table } from '../report.mjs';
import { bertGraph } from './onnx.mjs';

const [WIDTH, HIDDEN, HEADS, LAYERS, VOCAB] = [384, 1536, 12, 6, 1000];
const ROUNDS = 9;
/** Least milliseconds that one side is measured for in a round. */
const ROUND_MS = 400;

const { node24 } = find();
if (node24 && process.versions.node.startsWith('20.')) {
  // relaxed SIMD needs a newer engine than the one that runs the scripts
  execFileSync(node24, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exit();
}
const ort = await import('onnxruntime-node');
const { memorySource } = await import('../../build/src/bytes/memory.js');
const { open } = await import('../../build/src/entries/index.js');
const { convertModel } = await import('../../build/src/model/convert.js');
const { builtinModule } = await import('../../build/src/wasm/builtin.js');

const tokens = Number(process.argv[2] ?? 32);
const sentences = Number(process.argv[3] ?? 8);

/** Weights by the names of the graph, (from, to) for matrices. */
const drawn = new Map();
let seed = 1;
function weights(name, dims) {
  const deviation = name.endsWith('.g') || name === 'words' ? 1 : 0.05;
  if (!drawn.has(name)) {
    const values = new Float32Array(dims.reduce((a, b) => a * b, 1));
    for (let i = 0; i < values.length; i++) {
      seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
      values[i] = (seed / 2 ** 31) * 1.73 * deviation;
    }
    drawn.set(name, { values, dims });
  }
  return drawn.get(name).values;
}

/** The same weights as a folder of transformers. */
function folder() {
  const tensors = new Map();
  const put = (name, shape, values) => tensors.set(name, { shape, values });
  put('embeddings.word_embeddings.weight', [VOCAB, WIDTH], weights('words', [VOCAB, WIDTH]));
  put('embeddings.position_embeddings.weight', [512, WIDTH], weights('positions', [512, WIDTH]));
  put('embeddings.token_type_embeddings.weight', [1, WIDTH], new Float32Array(WIDTH));
  put('embeddings.LayerNorm.weight', [WIDTH], new Float32Array(WIDTH).fill(1));
  put('embeddings.LayerNorm.bias', [WIDTH], new Float32Array(WIDTH));
  const parts = { q: 'attention.self.query', k: 'attention.self.key', v: 'attention.self.value' };
  Object.assign(parts, { o: 'attention.output.dense', up: 'intermediate.dense', down: 'output.dense' });
  for (const [name, { values, dims: [from, to] }] of drawn) {
    const [, layer, part, kind] = /^l(\d+)\.(\w+)\.(\w)$/.exec(name) ?? [];
    if (!layer) continue;
    const of = (rest) => `encoder.layer.${layer}.${rest}`;
    const norm = { n1: 'attention.output.LayerNorm', n2: 'output.LayerNorm' }[part];
    if (norm) put(of(`${norm}.${kind === 'g' ? 'weight' : 'bias'}`), [from], values);
    else if (kind === 'b') put(of(`${parts[part]}.bias`), [from], values);
    else {put(
        of(`${parts[part]}.weight`),
        [to, from],
        values.map((_, i) => values[(i % from) * to + Math.floor(i / from)]),
      );}
  }
  const header = {};
  let end = 0;
  for (const [name, { shape, values }] of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end += values.byteLength] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  const data = [...tensors.values()].map(({ values }) => Buffer.from(values.buffer, 0, values.byteLength));
  const config = {
    architectures: ['BertModel'],
    hidden_size: WIDTH,
    intermediate_size: HIDDEN,
    num_hidden_layers: LAYERS,
    num_attention_heads: HEADS,
    max_position_embeddings: 512,
    vocab_size: VOCAB,
    hidden_act: 'gelu',
  };
  return {
    ...memorySource(new Uint8Array(Buffer.concat([size, text, ...data])), 'model.safetensors'),
    beside: (name) => Promise.resolve(name === 'config.json' ? Buffer.from(JSON.stringify(config)) : null),
  };
}

async function runtime(batch) {
  const shape = { batch, tokens, width: WIDTH, hidden: HIDDEN, heads: HEADS, layers: LAYERS };
  const { model, output } = bertGraph(shape, weights);
  return { session: await ort.InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 }), output };
}

async function converted(source, type) {
  const parts = [];
  const sink = { write: (bytes) => Promise.resolve(void parts.push(bytes.slice())) };
  const { module } = await builtinModule();
  await convertModel(module, source, sink, { type });
  return memorySource(new Uint8Array(Buffer.concat(parts)), type);
}

const before = machine();
const [single, several] = [await runtime(1), await runtime(sentences)];
const source = folder();
const inputs = Array.from({ length: sentences }, (_, i) => ({
  ids: Array.from({ length: tokens }, (_, t) => (i * 7919 + t * 104729) % VOCAB),
}));
const models = {};
for (const type of ['f32', 'f16', 'q8_0']) models[type] = await open(await converted(source, type), { threads: 1 });

// the states after the embedding are what the graph begins with, and its last must be ours
const first = await models.f32.encode(inputs[0], { hidden: true });
const x = new Float32Array(sentences * tokens * WIDTH);
let at = 0;
for await (const { hidden } of models.f32.encodeAll(inputs, { hidden: true })) x.set(hidden[0], at++ * tokens * WIDTH);
const feed = (batch) => ({
  x: new ort.Tensor('float32', x.subarray(0, batch * tokens * WIDTH), [batch * tokens, WIDTH]),
});
const { [single.output]: { data: theirs } } = await single.session.run(feed(1));
const apart = theirs.reduce((most, value, i) => Math.max(most, Math.abs(value - first.states[i])), 0);
if (!(apart < 1e-4)) throw new Error(`the states differ by ${apart}`);

/** Milliseconds a sentence. */
async function timed(run, each) {
  const start = performance.now();
  let runs = 0;
  do {
    await run();
    runs++;
  } while (performance.now() - start < ROUND_MS);
  return (performance.now() - start) / runs / each;
}
const ours = async (model) => {
  for await (const { tokens: n } of model.encodeAll(inputs)) if (n !== tokens) throw new Error('another text');
};
const sides = {
  'ONNX Runtime f32, one at a time': () => timed(() => single.session.run(feed(1)), 1),
  [`ONNX Runtime f32, ${sentences} at a time`]: () => timed(() => several.session.run(feed(sentences)), sentences),
  'f32, one at a time': () => timed(() => models.f32.encode(inputs[0]), 1),
};
for (const [type, model] of Object.entries(models)) {
  sides[`${type}, ${sentences} together`] = () => timed(() => ours(model), sentences);
}
for (const side of Object.values(sides)) await side();
const rounds = [];
for (let i = 0; i < ROUNDS; i++) {
  const round = {};
  for (const [name, side] of Object.entries(sides)) round[name] = await side();
  rounds.push(round);
}
const of = (name) => median(rounds.map((round) => round[name]));
const best = Math.min(...Object.keys(sides).filter((name) => name.startsWith('ONNX')).map(of));
console.log(
  `${
    described(before)
  }, Node ${process.versions.node}; ${LAYERS} layers of ${WIDTH}, ${tokens} tokens a sentence, one thread; ` +
    `medians of ${ROUNDS} alternating rounds. Largest difference of a state: ${apart.toExponential(1)}\n`,
);
console.log(
  table(
    ['engine', 'ms a sentence', 'sentences/s', 'of ONNX Runtime at its best'],
    Object.keys(sides).map((name) => [
      name,
      of(name).toFixed(2),
      (1000 / of(name)).toFixed(1),
      (best / of(name)).toFixed(2),
    ]),
  ),
);
