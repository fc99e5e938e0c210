// Speed of llama.cpp's own WebAssembly build over a file, by its own timings. The driver reads `window.__result`.
import { Wllama } from '/wllama/index.min.js';

const query = new URLSearchParams(location.search);
const number = (name) => Number(query.get(name));

async function measure() {
  const [prompt, tokens, threads] = [number('prompt'), number('tokens'), number('threads')];
  const quiet = { debug() {}, log() {}, warn: console.warn, error: console.error };
  const wllama = new Wllama({ default: '/wllama/wasm/wllama.wasm' }, { suppressNativeLog: true, logger: quiet });
  const file = await (await fetch(query.get('model'))).blob();
  await wllama.loadModel([file], {
    n_ctx: prompt + tokens + 16,
    n_batch: prompt,
    n_ubatch: prompt,
    n_threads: threads,
    n_gpu_layers: 0,
    n_parallel: 1,
    warmup: true,
    ctx_shift: false,
    jinja: false,
    chat_template: 'chatml',
  });
  // the vocabulary says every byte by itself: one for <s>, three for the joining space
  const text = 'x'.repeat(prompt - 4);
  const { timings } = await wllama.createCompletion({
    prompt: text,
    max_tokens: tokens,
    temperature: 0,
    top_k: 1,
    temp: 0,
    ignore_eos: true,
  });
  if (!timings) throw new Error('wllama gave no timings');
  return {
    prefillTps: timings.prompt_per_second,
    decodeTps: timings.predicted_per_second,
    prompt: timings.prompt_n,
    tokens: timings.predicted_n,
    threads: wllama.getNumThreads(),
    release: Wllama.getLibllamaVersion(),
  };
}

let result;
try {
  result = await measure();
} catch (error) {
  result = { error: `${error}\n${error?.stack ?? ''}` };
}
globalThis.__result = JSON.stringify(result);
document.getElementById('report').textContent = JSON.stringify(result, null, 2);
