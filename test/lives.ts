/**
 * `node --expose-gc build/test/lives.js [--rounds N]`: opens, uses and closes everything N times (30; by hand 1000), one kind of life after
 * another, and looks at memory, open files and threads before and after. The last line is `N passed, M failed`. Node alone: other
 * hosts neither collect at will nor count alike.
 * @module
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { type Model, open } from '../src/entries/index.ts';
import { open as openInWorker } from '../src/entries/worker.ts';
import { randomModel } from '../src/model/random.ts';
import { bertFolder, vocabulary } from './bert-folder.ts';
import { until } from './clock.ts';
import { llamaFile } from './llama-files.ts';
import { WORKER } from './threads/executors.ts';
import { webServer } from './web-server.ts';

/** Memory that a kind of life may keep, however many rounds: what the host has compiled and cached meanwhile. */
const KEPT_BYTES = 30e6;
/** Rounds before the first look, in which the host compiles and fills its caches. */
const WARM = 10;

const at = process.argv.indexOf('--rounds');
const rounds = at === -1 ? 30 : Number(process.argv[at + 1]);
const collect = (globalThis as { gc?: () => void }).gc;
if (collect === undefined || !(rounds >= 1)) {
  console.error('usage: node --expose-gc build/test/lives.js [--rounds N]');
  process.exit(2);
}

const listed = (folder: string): number => (existsSync(folder) ? readdirSync(folder).length : 0);
const handles = (): number => listed('/proc/self/fd');
const threads = (): number => listed('/proc/self/task');

async function memory(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    collect!();
    await new Promise((resolve) => setTimeout(resolve, 20)); // memory of WebAssembly is given back a moment later
  }
  const { rss, external, arrayBuffers, heapUsed } = process.memoryUsage();
  return Math.max(rss, external + arrayBuffers + heapUsed);
}

const folder = mkdtempSync(join(tmpdir(), 'ternspike-lives-'));
const bytes = llamaFile({ shape: { layers: 1 } }).bytes();
const path = join(folder, 'model.gguf');
writeFileSync(path, bytes);
const server = await webServer(() => bytes);
const bert = bertFolder('BertForSequenceClassification', { 'vocab.txt': vocabulary() });
const tiny = await randomModel('tiny', 'q8_0', 1);
const shared: Model = await open(tiny, { contextLength: 64, threads: 1, parallel: 2 });
const REASON = new Error('enough');

async function rejected(work: Promise<unknown>): Promise<void> {
  await work.then(
    () => {
      throw new Error('it was not refused');
    },
    () => {},
  );
}

// case: M8
/** Kind of life → one round of it. */
const LIVES: Readonly<Record<string, (round: number) => Promise<void>>> = {
  async 'a model of bytes: open, generate, dispose'() {
    await using model = await open(bytes, { contextLength: 16, threads: 1 });
    for await (const _ of model.generate([1, 2], { maxTokens: 5 }));
  },
  async 'a model of a file, and of a web server'() {
    for (const source of [path, `${server.origin}/model.gguf`]) {
      await using model = await open(source, { contextLength: 16, threads: 1 });
      await model.logits([1]);
    }
  },
  async 'opening that is aborted or refused'(round) {
    const controller = new AbortController();
    let seen = 0;
    const onProgress = (): void => {
      if (seen++ === round % 4) controller.abort(REASON);
    };
    await rejected(
      open(path, { contextLength: 16, threads: 1, signal: controller.signal, onProgress }).then((model) => {
        model.dispose(); // it was too small for so late an abort
        throw REASON;
      }),
    );
    await rejected(open(path, { maxMemoryBytes: 1 }));
    await rejected(open(bytes.subarray(0, 2000 + round)));
  },
  async 'sessions: forked, reset, saved, restored, ended'(round) {
    const session = shared.session();
    await session.prefill([1, 2, 3, round % 512]);
    const fork = session.fork();
    await fork.step(5);
    const snapshot = session.snapshot();
    session.reset();
    session.restore(snapshot);
    const other = shared.session({ snapshot });
    for (const each of [session, fork, other]) each.dispose();
  },
  async 'generations that are left, aborted, or run side by side'(round) {
    for await (const _ of shared.generate([1], { maxTokens: 20 })) break;
    const controller = new AbortController();
    const aborted = (async () => {
      let n = 0;
      for await (const _ of shared.generate([2], { maxTokens: 20, signal: controller.signal })) {
        if (n++ === round % 5) controller.abort(REASON);
      }
    })();
    await Promise.all([rejected(aborted), shared.complete([3], { maxTokens: 8 })]);
  },
  async 'classifiers'() {
    await using model = await open(bert.source, { threads: 1 });
    await model.classify('a text');
  },
  async 'threads: started, used, ended'() {
    await using model = await open(tiny, { contextLength: 16, threads: 3, workerUrl: WORKER });
    await model.logits([1, 2]);
  },
  async 'models in a worker'() {
    await using model = await openInWorker(bytes, { contextLength: 16, threads: 1 });
    for await (const _ of model.generate([1, 2], { maxTokens: 3 }));
  },
};

let passed = 0;
let failed = 0;
for (const [name, live] of Object.entries(LIVES)) {
  try {
    for (let i = 0; i < WARM; i++) await live(i);
    const before = { memory: await memory(), handles: handles(), threads: threads() };
    for (let i = 0; i < rounds; i++) {
      await live(i);
      if (i % 50 === 49) collect();
    }
    // threads and sockets end a moment after they were told to; those that never do end the wait of the runner of tests
    const late = Date.now() + 60_000;
    await until(() => Date.now() > late || (handles() <= before.handles + 1 && threads() <= before.threads));
    const grown = (await memory()) - before.memory;
    const facts = `${(grown / 1e6).toFixed(1)} MB, ${handles() - before.handles} files, ${
      threads() - before.threads
    } threads more`;
    // one idle connection of the server may be kept
    const flat = grown < KEPT_BYTES && handles() <= before.handles + 1 && threads() <= before.threads;
    console.log(`${flat ? 'ok  ' : 'FAIL'} ${name}: ${facts} after ${rounds} rounds`);
    if (flat) passed++;
    else failed++;
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${error instanceof Error ? error.stack : String(error)}`);
  }
}
shared.dispose();
await server.close();
rmSync(folder, { recursive: true, force: true });
if (failed > 0) console.log(`again: node --expose-gc build/test/lives.js --rounds ${rounds}`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
