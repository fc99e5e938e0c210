/** Spiking models on the command line: what is said about a checkpoint, and what its neurons did. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SPIKING_SHAPES } from '../../src/architectures/symboliclight/random.ts';
import { type GenerateOptions, open, type SpikeReport } from '../../src/entries/index.ts';
import { released } from '../released.ts';
import { sentencePieceModel } from '../tokenizer/builders.ts';
import { folder, json, refused, speakingModel, ternspike } from './cli.ts';

interface Spiking {
  spikes: SpikeReport;
}

const spiking = suite('cli spiking');
const files = folder();
const tokenizer = files.file('tokenizer.model', sentencePieceModel());
let model = '';

spiking.before(async () => {
  const { source } = released(SPIKING_SHAPES['symboliclight-tiny']);
  const bytes = new Uint8Array(source.size);
  await source.read(bytes, 0);
  model = files.file('checkpoint.pt', bytes);
});
spiking.after(() => files.remove());

spiking('inspect tells the description, parameters and memory of a checkpoint', async () => {
  const printed = await ternspike(['inspect', model]);
  assert.is(printed.code, 0, printed.stderr);
  assert.match(printed.stdout, /\nsymboliclight: \d{7} parameters, 2 layers of width 256, 4 heads, 512 tokens, /);
  assert.match(printed.stdout, /\nmemory: weights .* one session .* in all /);
  assert.not.match(printed.stdout, /cannot be run/);
  const { format, description, plan } = await json<{ format: string; description: object; plan: object }>([
    'inspect',
    model,
  ]);
  assert.is(format, 'torch');
  assert.is((description as { kind: string }).kind, 'symboliclight');
  assert.ok(plan);
});

spiking('run takes a checkpoint and a tokenizer beside it, and any length', async () => {
  const run = ['run', '-m', model, '--tokenizer', tokenizer, 'hello world', '--temp', '0', '--logit-bias', '2=-inf'];
  const short = await json<Spiking & { ids: number[]; promptTokens: number }>([...run, '-n', '8']);
  assert.is(short.ids.length, 8);
  assert.is(short.spikes.tokens, short.promptTokens + 7);
  assert.is(short.spikes.layers.length, 8);
  const long = await json<Spiking & { ids: number[] }>([...run, '-n', '600']);
  assert.is(long.ids.length, 600);
  assert.equal(long.ids.slice(0, 8), short.ids);
  const [printed, short_] = await Promise.all([
    ternspike([...run, '-n', '8', '--verbose']),
    ternspike([...run, '-n', '8']),
  ]);
  assert.match(short_.stderr, /^prompt .*\na token: .* of neurons fire, .* µJ of operations \(45 nm estimate\)\n$/);
  assert.match(
    printed.stderr,
    /\nencoder .*\nblock 0 .*\nblock 1 .*\nhead .*\nfiring rate .* tokens; .*\na token: .* AC of .* MAC of .*\n45 nm/,
  );
  assert.not.match(printed.stdout, /firing rate/);
});

spiking('run draws as the library does, with the options of the authors and with others', async () => {
  const bytes = readFileSync(model);
  using opened = await open(bytes);
  const library = async (options: GenerateOptions): Promise<number[]> => {
    const ids: number[] = [];
    for await (const { id } of opened.generate([5, 6, 7], { maxTokens: 24, seed: 3, temperature: 2, ...options })) {
      if (id !== null) ids.push(id);
    }
    return ids;
  };
  const cases: readonly (readonly [string[], GenerateOptions])[] = [
    [[], {}],
    [['--adaptive-temperature', 'off'], { adaptiveTemperature: 'off' }],
    [['--adaptive-temperature', 'cool'], { adaptiveTemperature: 'cool' }],
    [['--no-temperature-first'], { temperatureFirst: false }],
    [['--temperature-first'], {}], // the default of its authors
  ];
  const run = ['run', '-m', model, '--ids', '5,6,7', '-n', '24', '--seed', '3', '--temp', '2'];
  const drawn = await Promise.all(cases.map(([args]) => json<{ ids: number[] }>([...run, ...args])));
  for (const [i, [, options]] of cases.entries()) assert.equal(drawn[i].ids, await library(options));
  assert.is(new Set(drawn.map(({ ids }) => ids.join())).size, cases.length - 1);
});

spiking('logits end early where the head is sure; other models refuse', async () => {
  using opened = await open(readFileSync(model));
  const ids = [5, 6, 7, 8];
  const logits = ['logits', '-m', model, '--ids', ids.join()];
  const [early, late] = await Promise.all(
    ['100', '0'].map((nats) => json<{ logits: number[][] }>([...logits, '--entropy-exit', nats])),
  );
  const plain = (rows: Float32Array[]): number[][] => rows.map((row) => Array.from(row));
  assert.equal(early.logits, plain(await opened.logits(ids, { entropyExit: 100 })));
  assert.equal(late.logits, plain(await opened.logits(ids)));
  assert.not.equal(early.logits, late.logits);
  const other = files.file('speaking.gguf', speakingModel());
  const refusal = await ternspike(['logits', '-m', other, '--ids', '1,2', '--entropy-exit', '0.3']);
  refused(refusal, 1, 'OPTION', 'SymbolicLight');
});

spiking('logits counts every position', async () => {
  const { spikes } = await json<Spiking>(['logits', '-m', model, '--ids', '5,6,7']);
  assert.is(spikes.tokens, 3);
});

spiking('bench reports spikes of decoding, and forces a sparsity where it is told', async () => {
  const bench = ['bench', '--shape', 'symboliclight-tiny', '-p', '40', '-n', '20', '--rounds', '1'];
  type Bench = Spiking & { type: string; sparsity?: number; threads: { bytesPerToken: number }[] };
  const free = await json<Bench>(bench);
  const forced = await json<Bench>([...bench, '--sparsity', '0.94']);
  assert.equal([free.type, free.spikes.tokens, free.sparsity, forced.sparsity], ['f32', 20, undefined, 0.94]);
  assert.ok(Math.abs((forced.spikes.overall.activationSparsity ?? 0) - 0.94) < 0.01);
  assert.ok(forced.threads[0].bytesPerToken >= forced.spikes.overall.weightBytes.touched - 1);
  const printed = await ternspike([...bench, '--type', 'tq2_0', '--head', 'tq2_0']);
  assert.match(printed.stdout, /\nencoder .*\nblock 0 /);
  refused(await ternspike([...bench, '--sparsity', '2']), 2, '--sparsity', '0 … 1');
  refused(await ternspike([...bench, '--type', 'i2_s']), 2, '--type', 'f32, f16, bf16');
});

spiking.run();
