// One measurement of native llama.cpp, in a process of its own: PATH THREADS PROMPT TOKENS → one line of JSON.
import process from 'node:process';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';

const [modelPath, ...numbers] = process.argv.slice(2);
const [threads, prompt, tokens] = numbers.map(Number);
const WARM_UP = 8;

const llama = await getLlama({ build: 'never', gpu: false, logLevel: LlamaLogLevel.error, maxThreads: threads });
const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
const context = await model.createContext({ contextSize: prompt + tokens + WARM_UP, threads, batchSize: prompt });
const sequence = context.getSequence();
const ids = Array.from({ length: prompt + tokens }, (_, i) => Math.abs(Math.imul(i + 1, 2654435761) % 32000));
// without a token to draw, llama.cpp would leave the head out
const DRAW = { generateNext: { token: true, options: { temperature: 0 } } };
const read = (list) => sequence.controlledEvaluate([...list.slice(0, -1), [list.at(-1), DRAW]]);
await read(ids.slice(0, WARM_UP));
await read([5]);
await sequence.clearHistory();
const start = performance.now();
await read(ids.slice(0, prompt));
const middle = performance.now();
for (const id of ids.slice(prompt)) await read([id]);
const end = performance.now();
const prefillTps = (prompt / (middle - start)) * 1000;
const decodeTps = (tokens / (end - middle)) * 1000;
console.log(JSON.stringify({ prefillTps, decodeTps, release: llama.llamaCppRelease?.release ?? 'unknown' }));
process.exit(0); // the library keeps threads
