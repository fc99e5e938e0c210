#!/usr/bin/env node
// Opening a model over the network beside one plain fetch of the same file, alternating: `node bench/network.mjs [MODEL…]`.
// The server is a thread of its own that waits before every answer and limits the bandwidth. Without arguments: the model of
// the package, and a ternary one of random weights of about 230 MB.
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { open } from '../build/src/entries/index.js';
import { randomModel } from '../build/src/entries/random.js';
import { webServer } from '../build/test/web-server.js';

/** Milliseconds of a round trip, and bytes a second. */
const LINES = [
  { name: 'loopback', latencyMs: 0 },
  { name: '50 ms', latencyMs: 50 },
  { name: '50 ms, 100 MB/s', latencyMs: 50, bytesPerSecond: 100e6 },
  { name: '20 ms, 12.5 MB/s (100 Mbit/s)', latencyMs: 20, bytesPerSecond: 12.5e6 },
];
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const MAX_BYTES = 60e6; // of the slowest line

if (!isMainThread) {
  const { bytes, line, ranges } = workerData;
  const server = await webServer(() => bytes, { ...line, ranges });
  parentPort.postMessage(server.origin);
  parentPort.on('message', () => {
    parentPort.postMessage([server.requests.length, server.bytes]);
    server.requests.length = server.bytes = 0;
  });
} else {
  const models = process.argv.length > 2
    ? process.argv.slice(2).map((path) => [path, readFileSync(path)])
    : [['bundled model', readFileSync(new URL('../models/stories-spiking.gguf', import.meta.url))], [
      'random',
      await random(),
    ]];
  for (const [name, bytes] of models) {
    console.log(`${name}, ${(bytes.length / 1e6).toFixed(1)} MB`);
    for (const line of LINES) {
      if (line.bytesPerSecond < 50e6 && bytes.length > MAX_BYTES) continue;
      for (const ranges of [true, false]) await compare(bytes, line, ranges);
    }
  }
}

async function random() {
  const source = await randomModel('tinyllama', 'tq2_0');
  const bytes = new Uint8Array(new SharedArrayBuffer(source.size));
  for (let at = 0; at < bytes.length;) at += await source.read(bytes.subarray(at, at + (1 << 24)), at);
  return bytes;
}

async function compare(bytes, line, ranges) {
  const worker = new Worker(new URL(import.meta.url), { workerData: { bytes, line, ranges } });
  const said = () => new Promise((resolve) => worker.once('message', resolve));
  const url = `${await said()}/model.gguf`;
  const counts = () => (worker.postMessage('counts'), said());
  const times = { fetch: [], open: [], memory: [] };
  let asked;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    const all = new Uint8Array(await (await fetch(url)).arrayBuffer());
    const middle = performance.now();
    (await open(all, { threads: 1 })).dispose();
    const end = performance.now();
    await counts();
    const again = performance.now();
    (await open(url, { threads: 1 })).dispose();
    times.open.push(performance.now() - again);
    times.fetch.push(middle - start);
    times.memory.push(end - middle);
    asked = await counts();
  }
  await worker.terminate();
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  const [plain, ours, memory] = [times.fetch, times.open, times.memory].map(median);
  const ms = (value) => `${value.toFixed(0)} ms`.padStart(8);
  console.log(
    `  ${line.name.padEnd(30)} ${ranges ? 'ranges   ' : 'no ranges'} fetch ${ms(plain)}  open ${ms(ours)}  ` +
      `ratio ${(ours / plain).toFixed(2)}  (from memory ${ms(memory)})  ${asked[0]} requests, ${asked[1]} bytes`,
  );
}
