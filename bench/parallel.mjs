#!/usr/bin/env node
// Clients side by side: tokens a second of 1, 2, 4 … sessions that generate at the same time on one model, of a known shape, made in
// memory. The numbers of clients alternate within a round, and every row is compared with one client in its own round.
//   npm run bench:parallel -- [--shapes tinyllama,…] [--types tq2_0,q8_0] [--clients 1,2,4,8] [--layers 6] [--prompt 32] [--tokens 32]
//     [--rounds 3] [--threads 1] [--json]
import { parseArgs } from 'node:util';
import { open } from '../dist/index.js';
import { randomModel } from '../dist/random.js';
import { machine, median, table } from './report.mjs';

const { values } = parseArgs({
  options: {
    shapes: { type: 'string', default: 'tinyllama' },
    types: { type: 'string', default: 'tq2_0,q8_0' },
    clients: { type: 'string', default: '1,2,4,8' },
    layers: { type: 'string', default: '6' },
    prompt: { type: 'string', default: '32' },
    tokens: { type: 'string', default: '32' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
const counts = values.clients.split(',').map(Number);
const [tokens, rounds, length] = [values.tokens, values.rounds, values.prompt].map(Number);

/** Milliseconds until every client has its tokens; prompts are read before. */
async function run(model, vocab, clients) {
  const sessions = Array.from({ length: clients }, () => model.session());
  const prompt = (client) => Array.from({ length }, (_, i) => (client * 977 + i * 31) % vocab);
  await Promise.all(sessions.map((session, client) => session.prefill(prompt(client))));
  const start = performance.now();
  await Promise.all(sessions.map(async (session, client) => {
    for await (const _ of model.generate([client + 1], { session, maxTokens: tokens, temperature: 0 }));
  }));
  const ms = performance.now() - start;
  for (const session of sessions) session.dispose();
  return ms;
}

const rows = [];
for (const shape of values.shapes.split(',')) {
  for (const type of values.types.split(',')) {
    const source = await randomModel(shape, type, Number(values.layers));
    const model = await open(source, {
      threads: Number(values.threads),
      parallel: Math.max(...counts),
      contextLength: length + tokens + 8,
    });
    const { vocab } = model.describe();
    await run(model, vocab, Math.max(...counts)); // compiles, and touches all memory
    const speeds = new Map(counts.map((clients) => [clients, []]));
    for (let round = 0; round < rounds; round++) {
      for (const clients of counts) {
        speeds.get(clients).push((1000 * clients * tokens) / await run(model, vocab, clients));
      }
    }
    for (const clients of counts) {
      const ratios = speeds.get(clients).map((speed, i) => speed / speeds.get(counts[0])[i]);
      rows.push({ shape, type, clients, tokensPerSecond: median(speeds.get(clients)), ratio: median(ratios) });
    }
    model.dispose();
  }
}
if (values.json) console.log(JSON.stringify({ machine: machine(), rows }, null, 2));
else {
  console.log(table(
    ['shape', 'type', 'clients', 'tokens/s in all', `× ${counts[0]} client`],
    rows.map((row) => [row.shape, row.type, row.clients, row.tokensPerSecond.toFixed(1), row.ratio.toFixed(2)]),
  ));
}
