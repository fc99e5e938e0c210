#!/usr/bin/env node
// A server for minutes: clients that ask all kinds of things and leave at random times. Every answer that comes whole is compared with the
// one that its request had alone; at the end nothing may be running, and memory has to be flat.
//   node bench/soak.mjs [--minutes 10] [--clients 32] [--seed 1]
import process from 'node:process';
import { parseArgs } from 'node:util';
import { serve } from '@hono/node-server';
import { defaultModel } from '../dist/default-model.js';
import { open } from '../dist/index.js';
import { createApp } from '../dist/server.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    clients: { type: 'string', default: '32' },
    seed: { type: 'string', default: '1' },
  },
});

/** Random numbers of a seed (mulberry32), so that a run can be repeated. */
let state = Number(values.seed) >>> 0;
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

const model = await open(defaultModel, { threads: 1, parallel: 8 });
const app = createApp({ model }, { queue: 24, cacheBytes: 8 << 20 });
const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
await new Promise((resolve) => server.once('listening', resolve));
const url = `http://127.0.0.1:${server.address().port}/v1/completions`;

const prompts = ['Once upon a time', 'One day, Tom', 'Lily had a dog. '.repeat(12), 'The', 'Tom was sad. '.repeat(40)];
const requests = Array.from({ length: 60 }, (_, i) => ({
  prompt: prompts[i % prompts.length],
  seed: i,
  max_tokens: 1 + Math.floor(random() * 60),
  temperature: i % 4 === 0 ? 0 : 1,
  ...(i % 5 === 1 && { frequency_penalty: 1, repeat_last_n: -1 }),
  ...(i % 7 === 2 && { n: 3 }),
  stream: i % 2 === 0,
}));

async function ask(body, signal) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), signal });
  const text = await response.text();
  if (response.status !== 200) return response.status;
  if (!body.stream) return JSON.stringify(JSON.parse(text).choices.map((choice) => choice.text));
  if (!text.endsWith('data: [DONE]\n\n')) throw new Error(`a stream ended early: ${text.slice(-200)}`);
  const said = Array.from({ length: body.n ?? 1 }, () => '');
  for (const event of text.split('\n\n')) {
    if (event.startsWith('data: {')) {
      for (const { index, text } of JSON.parse(event.slice(6)).choices) said[index] += text;
    }
  }
  return JSON.stringify(said);
}

const expected = [];
for (const body of requests) expected.push(await ask(body));

const counts = { whole: 0, left: 0, refused: 0, wrong: 0 };
const end = performance.now() + 60_000 * Number(values.minutes);
const heaps = [];
const client = async () => {
  while (performance.now() < end) {
    const i = Math.floor(random() * requests.length);
    const controller = new AbortController();
    const timer = random() < 0.4 ? setTimeout(() => controller.abort(), random() * 300) : undefined;
    try {
      const said = await ask(requests[i], controller.signal);
      if (said === 429) {
        counts.refused++;
        await new Promise((resolve) => setTimeout(resolve, 50 * random()));
      } else if (said === expected[i]) counts.whole++;
      else {
        counts.wrong++;
        console.error(`request ${i}: ${said}, alone ${expected[i]}`);
      }
    } catch (error) {
      if (!controller.signal.aborted) throw error;
      counts.left++;
    } finally {
      clearTimeout(timer);
    }
  }
};
const watch = setInterval(() => {
  globalThis.gc?.();
  heaps.push(process.memoryUsage().rss + 0);
}, 5000);
await Promise.all(Array.from({ length: Number(values.clients) }, client));
clearInterval(watch);
await new Promise((resolve) => setTimeout(resolve, 300));
const { running, waiting } = app.load().model;
const [early, late] = [heaps[Math.floor(heaps.length / 3)] ?? 0, heaps.at(-1) ?? 0];
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
console.log(`${counts.whole} whole, ${counts.left} left, ${counts.refused} told to come again, ${counts.wrong} wrong`);
console.log(
  `memory ${megabytes(early)} after a third, ${megabytes(late)} at the end; running ${running}, waiting ${waiting}`,
);
server.closeAllConnections();
server.close();
model.dispose();
// once all code and caches are there, a fifth more is noise of the collector
process.exitCode = counts.wrong === 0 && running === 0 && waiting === 0 && late < 1.2 * early + 20e6 ? 0 : 1;
