// Speed of a random model, or of a file, in a browser: the same protocol as `ternspike bench`. The driver reads `window.__result`.
import { open } from '/dist/index.js';
import { randomModel } from '/dist/random.js';

const query = new URLSearchParams(location.search);
const number = (name) => Number(query.get(name));
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

async function measure() {
  const [prompt, tokens, rounds] = [number('prompt'), number('tokens'), number('rounds')];
  const start = performance.now();
  const source = query.get('model') ?? await randomModel(query.get('shape'), query.get('type'));
  const model = await open(source, { contextLength: prompt + tokens, threads: number('threads') || 1 });
  const loadMs = performance.now() - start;
  const { vocab } = model.describe();
  const ids = Array.from({ length: prompt + tokens }, (_, i) => Math.abs(Math.imul(i + 1, 2654435761) % vocab));
  const session = model.session();
  const ignore = () => {};
  await session.read(ids.slice(0, 8), {}, 7, ignore);
  const prefill = [];
  const decode = [];
  for (let round = 0; round < rounds; round++) {
    session.reset();
    const begin = performance.now();
    await session.read(ids.slice(0, prompt), { stretchMs: 2000 }, prompt - 1, ignore);
    const middle = performance.now();
    for (let i = prompt; i < prompt + tokens; i++) await session.read([ids[i]], {}, 0, ignore);
    prefill.push((prompt / (middle - begin)) * 1000);
    decode.push((tokens / (performance.now() - middle)) * 1000);
  }
  return { build: model.stats().build, loadMs, prefillTps: median(prefill), decodeTps: median(decode) };
}

let result;
try {
  result = await measure();
} catch (error) {
  result = { error: `${error}\n${error?.stack ?? ''}` };
}
globalThis.__result = JSON.stringify(result);
document.getElementById('report').textContent = JSON.stringify(result, null, 2);
