/** The commands around a model: tokens, logits, files, perplexity, conversion, speed. */
import { existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { folder, interrupted, json, refused, speakingFile, speakingModel, ternspike } from './cli.ts';

const data = suite('cli data');
const files = folder();
const model = files.file('speaking.gguf', speakingModel());
data.after(() => files.remove());

data('tokenize and detokenize go there and back, from an argument or stdin', async () => {
  const text = 'hello world';
  const [plain, special, piped, printed] = await Promise.all([
    json<{ ids: number[] }>(['tokenize', '-m', model, text]),
    json<{ ids: number[] }>(['tokenize', '-m', model, '--special', text]),
    json<{ ids: number[] }>(['tokenize', '-m', model, '-'], { input: text }),
    ternspike(['tokenize', '--tokenizer', model, text]),
  ]);
  assert.equal(special.ids, [1, ...plain.ids]);
  assert.equal(piped.ids, plain.ids);
  assert.is(printed.stdout, `${plain.ids.join(',')}\n`);
  const back = ['detokenize', '-m', model, '--ids', special.ids.join(',')];
  assert.equal(await json(back), { text });
  assert.is((await ternspike(back)).stdout, `${text}\n`);
  assert.equal(await json([...back, '--special']), { text: `<s>${text}` });
});

data('without --special, special tokens in a text are plain text', async () => {
  const [plain, special] = await Promise.all([
    json<{ ids: number[] }>(['tokenize', '-m', model, 'a</s>']),
    json<{ ids: number[] }>(['tokenize', '-m', model, 'a</s>', '--special']),
  ]);
  assert.not(plain.ids.includes(2));
  assert.ok(special.ids.includes(2));
});

data('tokenisers of their own are told apart by content; what is none is refused', async () => {
  const vocab = files.file('any.name', '[PAD]\n[UNK]\n[CLS]\n[SEP]\nhello\n##s\n');
  assert.equal(await json(['tokenize', '--tokenizer', vocab, 'hellos', '--special']), { ids: [2, 4, 5, 3] });
  const junk = files.file('junk', 'hello');
  refused(await ternspike(['tokenize', '--tokenizer', junk, 'a']), 1, 'TOKENIZER', 'junk');
  refused(await ternspike(['detokenize', '-m', model, '--ids', '1,287']), 1, 'TOKEN', '287');
  refused(await ternspike(['tokenize', '-m', model, '--tokenizer', vocab, 'a']), 2, 'not both');
});

data('tokenize needs no weights: the file may end after its header', async () => {
  const { tensors } = await json<{ tensors: { bytes: number }[] }>(['inspect', model]);
  assert.ok(tensors.length > 0);
  const bare = files.file('vocabulary.gguf', speakingModel({ shape: { layers: 1 } }));
  const { ids } = await json<{ ids: number[] }>(['tokenize', '-m', bare, 'hello']);
  assert.ok(ids.length > 0);
});

data('logits: in one batch or one by one, the same numbers', async () => {
  const ids = '1,5,9,13,17,21';
  const [all, cached] = await Promise.all([
    json<{ logits: number[][]; positions: number[]; vocab: number }>(['logits', '-m', model, '--ids', ids]),
    json<{ logits: number[][]; positions: number[]; vocab: number }>([
      'logits',
      '-m',
      model,
      '--ids',
      ids,
      '--prefill',
      '3',
    ]),
  ]);
  assert.equal(all.positions, [0, 1, 2, 3, 4, 5]);
  assert.equal(cached.positions, [2, 3, 4, 5]);
  assert.is(all.vocab, 287);
  assert.ok(all.logits.every((row) => row.length === 287 && row.every(Number.isFinite)));
  assert.equal(cached.logits, all.logits.slice(2));
  const text = await ternspike(['logits', '-m', model, '--ids', ids, '--prefill', '5']);
  assert.match(text.stdout, /^4: (\d+ ".*" -?\d+\.\d{4}( {2}|\n)){5}5: /);
  refused(await ternspike(['logits', '-m', model, '--ids', '1,999']), 1, 'TOKEN', '999');
});

interface Inspected {
  format: string;
  bytes: number;
  metadata: Record<string, unknown>;
  description: { layers: number; vocab: number } | null;
  tensors: { name: string; type: string; shape: number[]; bytes: number }[];
  plan: { weightsBytes: number; stateBytes: number; totalBytes: number } | null;
  refusal: string | null;
}

data('inspect tells what the file holds, and the memory that a run then takes', async () => {
  const [inspected, wide, ran] = await Promise.all([
    json<Inspected>(['inspect', model]),
    json<Inspected>(['inspect', model, '--ctx', '1024', '--kv', 'f32']),
    json<{ memory: { weightsBytes: number; stateBytes: number } }>(['run', '-m', model, 'hello', '-n', '1']),
  ]);
  assert.is(inspected.format, 'gguf');
  assert.is(inspected.bytes, readFileSync(model).length);
  assert.is(inspected.metadata['general.architecture'], 'llama');
  assert.equal(inspected.metadata['tokenizer.ggml.tokens'], {
    length: 287,
    first: ['<unk>', '<s>', '</s>', '<0x00>', '<0x01>', '<0x02>', '<0x03>', '<0x04>'],
  });
  assert.equal(inspected.tensors[0], { name: 'token_embd.weight', type: 'F32', shape: [287, 44], bytes: 287 * 44 * 4 });
  assert.is(inspected.description!.layers, 2);
  assert.is(inspected.refusal, null);
  assert.is(inspected.plan!.weightsBytes, ran.memory.weightsBytes);
  assert.is(inspected.plan!.stateBytes, ran.memory.stateBytes);
  assert.ok(wide.plan!.stateBytes > 3 * inspected.plan!.stateBytes);
  const text = await ternspike(['inspect', model]);
  assert.match(text.stdout, /^token_embd\.weight {2}F32 {2}287 × 44 {2}50\.5 kB$/m);
});

data('inspect of a file that cannot be run tells why and what is in it', async () => {
  const other = files.file('other.gguf', speakingModel({ architecture: 'gpt9' }));
  const { description, plan, refusal, tensors } = await json<Inspected>(['inspect', other]);
  assert.equal([description, plan], [null, null]);
  assert.match(refusal!, /^ARCHITECTURE: .*gpt9/);
  assert.ok(tensors.length > 10);
});

data('files of types and architectures that cannot be run are looked at, and their vocabulary is used', async () => {
  const odd = { name: 'odd.weight', shape: [3, 512], data: new Uint8Array(96) } as const;
  for (const [type, name] of [[16, 'IQ2_XXS'], [39, 'MXFP4'], [99, 'TYPE_99']] as const) {
    const file = speakingFile({ architecture: 'mamba' });
    file.tensors.push({ ...odd, type });
    const path = files.file(`${name}.gguf`, file.bytes());
    const { tensors, refusal, metadata } = await json<Inspected>(['inspect', path]);
    assert.equal(tensors.at(-1), { name: 'odd.weight', type: name, shape: [3, 512], bytes: 96 });
    assert.match(refusal!, /^ARCHITECTURE: .*mamba/);
    assert.is(metadata['general.architecture'], 'mamba');
    const same = await json<{ ids: number[] }>(['tokenize', '-m', model, 'hello']);
    assert.equal(await json<{ ids: number[] }>(['tokenize', '-m', path, 'hello']), same);
  }
  // of a known architecture the type is what is refused, by name, before anything is loaded
  const file = speakingFile();
  const at = file.tensors.findIndex((tensor) => tensor.name === 'blk.1.ffn_up.weight');
  file.tensors[at] = { ...file.tensors[at], type: 39, data: new Uint8Array(1024) };
  const path = files.file('mxfp4.gguf', file.bytes());
  const { refusal, description } = await json<Inspected>(['inspect', path]);
  assert.match(refusal!, /^TENSOR_TYPE: .*"blk.1.ffn_up.weight" is MXFP4/);
  assert.is(description?.layers, 2);
  refused(await ternspike(['run', '-m', path, 'hello', '-n', '1']), 1, 'TENSOR_TYPE', 'blk.1.ffn_up.weight', 'MXFP4');
});

data('perplexity of a short text, whole and in part; too short a text is refused', async () => {
  const text = files.file('text.txt', 'hello world '.repeat(60));
  const args = ['perplexity', '-m', model, '-f', text, '--ctx', '16'];
  const [all, two, bytes] = await Promise.all([
    json<{ ppl: number; stderr: number; tokens: number; chunks: number }>(args),
    json<{ chunks: number; tokens: number }>([...args, '--chunks', '2']),
    json<{ chunks: number }>([...args, '--bytes', '240']),
  ]);
  assert.ok(all.ppl > 1 && all.stderr > 0);
  assert.ok(all.chunks > 4 && bytes.chunks < all.chunks, `${all.chunks}, ${bytes.chunks}`);
  assert.equal(two, { ...two, chunks: 2, tokens: 2 * 7 });
  assert.is(all.tokens, all.chunks * 7);
  type Window = { nll: number; tokens: number; bytes: number };
  const full = await json<Record<'ppl' | 'nll' | 'tokens' | 'bytes' | 'bitsPerByte', number> & { windows: Window[] }>(
    args,
  );
  assert.ok(Math.abs(Math.exp(full.nll / full.tokens) / full.ppl - 1) < 1e-6);
  assert.ok(Math.abs(full.nll / Math.LN2 / full.bytes / full.bitsPerByte - 1) < 1e-6);
  assert.is(full.windows.length, all.chunks);
  const sum = (of: (window: Window) => number): number => full.windows.reduce((n, window) => n + of(window), 0);
  assert.equal([sum(({ tokens }) => tokens), sum(({ bytes }) => bytes)], [full.tokens, full.bytes]);
  assert.ok(Math.abs(sum(({ nll }) => nll) / full.nll - 1) < 1e-6);
  // about half of the text, in letters of one byte, is scored
  assert.ok(full.bytes > 200 && full.bytes < 400, `${full.bytes} bytes`);
  const { digest, spikes, energy } = await json<{ digest: string; spikes: null; energy: null }>(args);
  assert.match(digest, /^[0-9a-f]{16}$/);
  assert.equal([spikes, energy], [null, null]);
  refused(await ternspike([...args, '--bytes', '20']), 1, 'OPTION', 'longer text');
  const cut = files.file('cut.txt', 'hello wörld '.repeat(40));
  assert.ok(
    (await json<{ chunks: number }>(['perplexity', '-m', model, '-f', cut, '--ctx', '16', '--bytes', '398'])).chunks >
      1,
  );
  const binary = files.file('binary.txt', Uint8Array.of(104, 105, 255, 254));
  refused(await ternspike(['perplexity', '-m', model, '-f', binary, '--ctx', '16']), 1, 'IO', 'UTF-8');
});

data('convert writes a file that runs, and reports every tensor', async () => {
  const wide = files.file('wide.gguf', speakingModel({ shape: { width: 256, hidden: 256, headDim: 64 } }));
  const out = join(files.path, 'tq2.gguf');
  const result = await json<{
    in: string;
    out: string;
    bytes: { in: number; out: number };
    tensors: { name: string; from: string; to: string; maxError: number; rmsError: number }[];
  }>(['convert', wide, out, '--type', 'tq2_0']);
  assert.equal([result.in, result.out], [wide, out]);
  assert.equal(result.bytes, { in: readFileSync(wide).length, out: readFileSync(out).length });
  const byName = new Map(result.tensors.map((tensor) => [tensor.name, tensor]));
  assert.is(byName.get('token_embd.weight')!.to, 'Q8_0');
  const q = byName.get('blk.0.attn_q.weight')!;
  assert.equal([q.from, q.to], ['F32', 'TQ2_0']);
  assert.ok(q.maxError > q.rmsError && q.rmsError > 0);
  assert.is(byName.get('output_norm.weight')!.maxError, 0);
  const { tensors, metadata } = await json<Inspected>(['inspect', out]);
  assert.equal(tensors.map(({ type }) => type), result.tensors.map(({ to }) => to));
  assert.is(metadata['general.file_type'], 37);
  assert.is((await json<{ ids: number[] }>(['run', '-m', out, 'hello', '-n', '3', '--temp', '0'])).ids.length, 3);

  const narrow = await ternspike(['convert', model, join(files.path, 'narrow.gguf'), '--type', 'q8_0']);
  assert.match(
    narrow.stderr,
    /^rows do not fit into blocks of q8_0, written as f16: token_embd.weight, .* and \d+ more\n$/,
  );
  assert.match(narrow.stdout, /narrow\.gguf: \d+ tensors, .* → .*\n$/);
});

data('convert leaves nothing behind when it fails, and never writes over its input', async () => {
  const before = readFileSync(model);
  const bytes = speakingModel();
  new DataView(bytes.buffer, bytes.byteOffset).setFloat32(bytes.length - 64, NaN, true);
  const damaged = files.file('damaged.gguf', bytes);
  const out = join(files.path, 'never.gguf');
  refused(await ternspike(['convert', damaged, out, '--type', 'f16']), 1, 'WEIGHT_NOT_FINITE', 'output.weight');
  assert.not(existsSync(out));
  refused(await ternspike(['convert', model, model, '--type', 'f16']), 1, 'OPTION', 'same file');
  refused(
    await ternspike(['convert', model, 'speaking.gguf', '--type', 'f16'], { cwd: files.path }),
    1,
    'OPTION',
    'same file',
  );
  if (process.platform !== 'win32') {
    symlinkSync(model, join(files.path, 'link.gguf'));
    refused(
      await ternspike(['convert', join(files.path, 'link.gguf'), model, '--type', 'f16']),
      1,
      'OPTION',
      'same file',
    );
  }
  assert.equal(readFileSync(model), before);
  assert.equal(readdirSync(files.path).filter((name) => name.endsWith('.part')), []);
});

data('bench of a random model gives every figure', async () => {
  const result = await json<{
    model: string;
    type: string;
    build: string;
    runtime: string;
    threads: Record<
      'threads' | 'prefillTps' | 'decodeTps' | 'msPerToken' | 'firstTokenMs' | 'bytesPerToken' | 'gbPerSecond',
      number
    >[];
    loadMs: number;
    loadGbPerSecond: number;
    memory: Record<string, number>;
    machine: { cpu: string; cores: number; loadAverage: number[] };
  }>([
    'bench',
    '--shape',
    'tiny',
    '--type',
    'tq2_0',
    '--layers',
    '1',
    '-p',
    '16',
    '-n',
    '4',
    '-t',
    '1',
    '--rounds',
    '1',
  ]);
  assert.equal([result.model, result.type], ['random tiny', 'tq2_0']);
  assert.match(result.build, /^(base|relaxed)$/);
  assert.match(result.runtime, /^(node|deno|bun) \d+\.\d+/);
  assert.is(result.threads.length, 1);
  const [line] = result.threads;
  for (const [name, value] of Object.entries(line)) assert.ok(Number.isFinite(value) && value > 0, name);
  assert.ok(Math.abs(line.msPerToken * line.decodeTps - 1000) < 1);
  // one layer of 2-bit codes with a scale for 256 columns, a head of 8-bit codes with one for 32; keys and values
  const codes = (2 * 256 * 256 + 2 * 128 * 256 + 3 * 768 * 256) * (0.25 + 2 / 256);
  const head = 512 * 256 * (1 + 2 / 32);
  assert.is(line.bytesPerToken, codes + head + 2 * 128 * 2 * (16 + 2.5));
  assert.ok(result.loadMs > 0 && result.loadGbPerSecond > 0 && result.memory.weightsBytes > 0);
  assert.ok(result.machine.cores >= 1 && result.machine.loadAverage.length === 3);
});

data('bench of a file names its types', async () => {
  const result = await json<{ type: string; model: string }>([
    'bench',
    '-m',
    model,
    '-p',
    '4',
    '-n',
    '2',
    '--rounds',
    '1',
    '--build',
    'base',
  ]);
  assert.equal([result.type, result.model], ['f32', model]);
});

if (process.platform !== 'win32') {
  data('an interrupted bench says so: what is measured by then, and exit code 130', async () => {
    // a token each: rounds end soon, and there is no end of them
    const bench = ['bench', '--shape', 'tiny', '-p', '8', '-n', '2', '--rounds', '10000000', '--json'];
    const ran = await interrupted(bench, ({ stdout }) => stdout === '');
    assert.is(ran.code, 130, ran.stderr);
    assert.match(ran.stderr, /^interrupted: \d+ of 10000000 rounds are measured\n$/);
    const { rounds, complete, threads } = JSON.parse(ran.stdout) as {
      rounds: number;
      complete: boolean;
      threads: { decodeTps: number }[];
    };
    assert.ok(rounds > 0 && !complete && threads[0].decodeTps > 0);
  });

  data('a command that is interrupted before it has anything says so', async () => {
    const bench = ['bench', '--shape', 'tinyllama', '-p', '4096', '-n', '64', '--layers', '1'];
    // no handler yet: the signal itself has ended it, with the code that Deno makes of that
    const ran = await interrupted(bench, ({ stderr }) => stderr === '');
    assert.equal([ran.code, ran.stdout, ran.stderr], [130, '', 'interrupted\n']);
  });
}

data('stdin is a text, a prompt, ids or lines wherever one is asked for', async () => {
  const run = ['run', '-m', model, '-n', '5', '--temp', '0'];
  const given = await json<{ text: string; promptTokens: number }>([...run, 'hello world']);
  for (const args of [run, [...run, '-']]) {
    const piped = await json<{ text: string; promptTokens: number }>(args, { input: 'hello world\n' });
    assert.equal([piped.text, piped.promptTokens], [given.text, given.promptTokens]);
  }
  refused(await ternspike([...run, '-']), 2, 'PROMPT', 'stdin is empty');
  const { ids } = await json<{ ids: number[] }>(['tokenize', '-m', model], { input: 'hello world' });
  for (const args of [['-'], [], [ids.join()]]) {
    assert.equal(await json(['detokenize', '-m', model, ...args], { input: `${ids.join()}\n` }), {
      text: 'hello world',
    });
  }
  refused(await ternspike(['detokenize', '-m', model, '-'], { input: 'one two' }), 2, 'IDS', '"one"');
  refused(await ternspike(['detokenize', '-m', model, '1', '--ids', '1']), 2, 'not both');
});

data.run();
