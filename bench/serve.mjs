#!/usr/bin/env node
// The server under load, its clients in a process of their own: tokens a second in all and time to first token of 1, 2, 4 … clients, on
// a model of a known shape made in memory; and what a token costs beyond the engine's own time, on the bundled model. The numbers of
// clients alternate within a round.
//   npm run bench:serve -- [--shape tinyllama] [--types tq2_0,q8_0] [--clients 1,2,4,8,16,32] [--layers 6] [--prompt 32] [--tokens 32]
//     [--rounds 2] [--threads 1] [--json]
import { fork } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { serve } from '@hono/node-server';
import { defaultModel } from '../dist/default-model.js';
import { open } from '../dist/index.js';
import { randomModel } from '../dist/random.js';
import { createApp } from '../dist/server.js';
import { machine, median, table } from './report.mjs';

if (process.send) {
  // a client: asks as it is told, and says when the first token and the last were there
  process.on('message', async ({ url, requests }) => {
    const start = performance.now();
    const times = await Promise.all(requests.map(async (body) => {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
      if (answer.status !== 200) throw new Error(await answer.text());
      let first;
      for await (const _ of answer.body) first ??= performance.now() - start;
      return first;
    }));
    process.send({ ms: performance.now() - start, first: Math.max(...times) });
  });
} else await main();

async function main() {
  const { values } = parseArgs({
    options: {
      shape: { type: 'string', default: 'tinyllama' },
      types: { type: 'string', default: 'tq2_0,q8_0' },
      clients: { type: 'string', default: '1,2,4,8,16,32' },
      layers: { type: 'string', default: '6' },
      prompt: { type: 'string', default: '32' },
      tokens: { type: 'string', default: '32' },
      rounds: { type: 'string', default: '2' },
      threads: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
    },
  });
  const counts = values.clients.split(',').map(Number);
  const [tokens, rounds, length] = [values.tokens, values.rounds, values.prompt].map(Number);
  const clients = fork(fileURLToPath(import.meta.url));
  const ask = (message) =>
    new Promise((resolve, reject) => {
      clients.once('message', resolve);
      clients.once('exit', () => reject(new Error('the clients ended')));
      clients.send(message);
    });

  /** Works with a model on a port. */
  const serving = async (model, use) => {
    const app = createApp({ model }, { queue: 1000, cacheBytes: 0 });
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      return await use(`http://127.0.0.1:${server.address().port}/v1/completions`);
    } finally {
      server.closeAllConnections();
      server.close();
      model.dispose();
    }
  };

  const rows = [];
  for (const type of values.types.split(',')) {
    const model = await open(await randomModel(values.shape, type, Number(values.layers)), {
      threads: Number(values.threads),
      parallel: Math.max(...counts),
      contextLength: length + tokens + 8,
    });
    const { vocab } = model.describe();
    await serving(model, async (url) => {
      const requests = (count) =>
        Array.from({ length: count }, (_, client) => ({
          prompt: Array.from({ length }, (_, i) => (client * 977 + i * 31) % vocab),
          max_tokens: tokens,
          temperature: 0,
          stream: true,
        }));
      await ask({ url, requests: requests(Math.max(...counts)) }); // compiles, and touches all memory
      const found = new Map(counts.map((count) => [count, []]));
      for (let round = 0; round < rounds; round++) {
        for (const count of counts) found.get(count).push(await ask({ url, requests: requests(count) }));
      }
      for (const count of counts) {
        const speed = median(found.get(count).map(({ ms }) => (1000 * count * tokens) / ms));
        const first = median(found.get(count).map((one) => one.first));
        const one = median(found.get(counts[0]).map(({ ms }) => (1000 * counts[0] * tokens) / ms));
        rows.push({ type, clients: count, tokensPerSecond: speed, ratio: speed / one, lastFirstTokenMs: first });
      }
    });
  }

  // a small model, so that what the server does weighs most
  const many = 1500;
  const stories = await open(defaultModel, { threads: 1, parallel: 2 });
  const options = { seed: 1, maxTokens: many, logitBias: { 1: -Infinity } };
  const [plain, served] = [[], []];
  await serving(stories, async (url) => {
    const body = { prompt: 'Once', seed: 1, max_tokens: many, logit_bias: { 1: -100 }, stream: true };
    for (let round = 0; round <= rounds; round++) {
      const start = performance.now();
      for await (const _ of stories.generate('Once', options));
      const ms = performance.now() - start;
      const { ms: overHttp } = await ask({ url, requests: [body] });
      if (round === 0) continue; // warms up
      plain.push((1000 * ms) / many);
      served.push((1000 * overHttp) / many);
    }
  });
  const overhead = median(served.map((us, i) => us - plain[i]));
  const overheadRow = {
    enginePerTokenMicroseconds: median(plain),
    serverPerTokenMicroseconds: overhead,
    shareAt500TokensPerSecond: (overhead * 500) / 1e6,
  };
  clients.removeAllListeners('exit');
  clients.kill();
  if (values.json) return console.log(JSON.stringify({ machine: machine(), rows, overhead: overheadRow }, null, 2));
  console.log(table(
    ['type', 'clients', 'tokens/s in all', `× ${counts[0]} client`, 'last first token, ms'],
    rows.map((row) => [
      row.type,
      row.clients,
      row.tokensPerSecond.toFixed(1),
      row.ratio.toFixed(2),
      row.lastFirstTokenMs.toFixed(0),
    ]),
  ));
  console.log(
    `\na token of the bundled model: ${overheadRow.enginePerTokenMicroseconds.toFixed(0)} µs in the engine, ` +
      `${overhead.toFixed(0)} µs more as an event over HTTP: ${
        (100 * overheadRow.shareAt500TokensPerSecond).toFixed(1)
      } % at 500 tokens/s`,
  );
}
