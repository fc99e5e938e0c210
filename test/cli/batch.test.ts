/** `batch`: rows in order, equal bytes after any interruption, on any number of machines. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { folder, here, json, jsonHere, refused, speakingModel, ternspike } from './cli.ts';

interface Summary {
  rows: number;
  resumed: number;
  errors: number;
  complete: boolean;
}

interface Answer {
  id: string;
  custom_id: string | null;
  response: { status_code: number; request_id: string; body: Record<string, unknown> } | null;
  error: { code: string; message: string } | null;
}

const test = suite('cli batch');
const files = folder();
const model = files.file('speaking.gguf', speakingModel());
const path = (name: string): string => join(files.path, name);
const text = (name: string): string => readFileSync(path(name), 'utf8');
const rows = <T>(name: string): T[] => text(name).trimEnd().split('\n').map((line) => JSON.parse(line) as T);
const batch = (
  from: string,
  to: string,
  ...more: string[]
): string[] => ['batch', from, path(to), '-m', model, ...more];

const request = (id: string, url: string, body: object): string =>
  JSON.stringify({ custom_id: id, method: 'POST', url: `/v1/${url}`, body });
const REQUESTS = files.file(
  'requests.jsonl',
  [
    request('one', 'completions', { model: 'm', prompt: 'hello', max_tokens: 6, seed: 3, logit_bias: { 2: -100 } }),
    request('two', 'chat/completions', {
      messages: [{ role: 'user', content: 'hello' }],
      max_tokens: 4,
      temperature: 0,
    }),
    request('three', 'completions', { prompt: ['ab', 'hello world'], max_tokens: 3, n: 2, echo: true }),
    request('four', 'completions', { prompt: 'a', temperature: -1 }),
    '',
    'not a request',
    request('five', 'files', {}),
    request('six', 'completions', { prompt: 'hello', max_tokens: 100000 }),
    request('seven', 'classify', { input: 'hello' }),
    request('eight', 'completions', { prompt: 'hello', stream: true }),
    request('nine', 'embeddings', { input: ['hello', 'world'] }),
    request('ten', 'embeddings', { input: 'hello', encoding_format: 'base64' }),
  ].join('\n'),
);
const PLAIN = files.file(
  'plain.txt',
  [
    'hello',
    '{"prompt":"hello world","max_tokens":3,"temperature":0}',
    '"a\\nb"',
    '{"text":"ab","seed":9,"stop":"z"}',
    '{"x":1}',
    '{',
  ]
    .concat(Array.from({ length: 12 }, (_, i) => `hello ${'b'.repeat(i)}`)).join('\n'),
);

test.after(() => files.remove());

test('requests are answered in their order, and what is wrong with one is in its row', async () => {
  const said = await jsonHere<Summary>(batch(REQUESTS, 'a.jsonl'));
  assert.equal([said.rows, said.resumed, said.errors, said.complete], [11, 0, 5, true]);
  const got = rows<Answer>('a.jsonl');
  assert.equal(
    got.map(({ custom_id: id, response }) => [id, response?.status_code]),
    [
      ['one', 200],
      ['two', 200],
      ['three', 200],
      ['four', 400],
      [null, undefined],
      ['five', undefined],
      ['six', 200],
      [
        'seven',
        400,
      ],
      ['eight', 400],
      ['nine', 200],
      ['ten', 200],
    ],
  );
  const body = (i: number): Record<string, unknown> => got[i].response!.body;
  assert.equal([body(0).object, body(0).model, body(0).id], ['text_completion', 'm', got[0].id]);
  const { prompt_tokens: read, completion_tokens: said6 } = body(0).usage as Record<string, number>;
  assert.equal([read, said6, body(0).created, 'timings' in body(0)], [2, 6, 0, false]);
  const run = await jsonHere<{ text: string }>([
    'run',
    '-m',
    model,
    'hello',
    '-n',
    '6',
    '--seed',
    '3',
    '--logit-bias',
    '2=-100',
  ]);
  assert.is((body(0).choices as { text: string }[])[0].text.trimStart(), run.text.trimStart());
  assert.is((body(1).choices as { message: { role: string } }[])[0].message.role, 'assistant');
  const choices = body(2).choices as { index: number; text: string }[];
  assert.equal(choices.map(({ index, text }) => [index, text.startsWith(index < 2 ? 'ab' : 'hello world')]), [
    [0, true],
    [1, true],
    [2, true],
    [3, true],
  ]);
  assert.equal((body(3).error as { param: string }).param, 'temperature');
  assert.is((body(7).error as { code: string }).code, 'architecture');
  assert.match(got[4].error!.message, /^line 6: it is no JSON object/);
  assert.match(got[5].error!.message, /url is "\/v1\/files"/);
  assert.is((body(8).error as { param: string }).param, 'stream');
  const [first, second] = (body(9).data as { embedding: number[] }[]).map(({ embedding }) => embedding);
  assert.ok(first.length > 8 && first.length === second.length);
  const bytes = Uint8Array.from(atob((body(10).data as { embedding: string }[])[0].embedding), (c) => c.charCodeAt(0));
  assert.equal(Array.from(new Float32Array(bytes.buffer)), first);
});

test('plain rows take options, and every task of a decoder is answered', async () => {
  await jsonHere(batch(PLAIN, 'p.jsonl', '-n', '5'));
  const got = rows<Record<string, unknown>>('p.jsonl');
  assert.is(got.length, 18);
  assert.equal(got.map(({ index }) => index), Array.from({ length: 18 }, (_, i) => i));
  assert.equal([got[0].seed, got[1].seed, got[3].seed], [0, 1, 9]);
  assert.is(got[1].completionTokens, 3);
  assert.match((got[4].error as { message: string }).message, /^text is undefined/);
  assert.match((got[5].error as { message: string }).message, /^line 6: it begins like a JSON object/);
  const lines = files.file(
    'score.jsonl',
    '{"prompt":"hello","completion":" world"}\n{"text":"hello world"}\n{"text":""}\n',
  );
  await jsonHere(batch(lines, 's.jsonl', '--task', 'score'));
  const [part, whole, empty] = rows<{ logprob: number; tokens: number; logprobs: number[]; error?: object }>('s.jsonl');
  assert.ok(part.tokens > 0 && part.tokens < whole.tokens && part.logprob < 0);
  assert.equal(whole.logprobs.slice(-part.tokens), part.logprobs);
  assert.ok(empty.error);
  await jsonHere(batch(lines, 'e.jsonl', '--task', 'embed'));
  assert.ok(rows<{ embedding: number[] }>('e.jsonl')[1].embedding.every(Number.isFinite));
  await jsonHere(batch(lines, 'c.jsonl', '--task', 'classify'));
  assert.is(rows<{ error: { code: string } }>('c.jsonl')[1].error.code, 'ARCHITECTURE');
});

test('the file is the same after a cut at any byte, and however many rows run together', async () => {
  const args = ['-n', '4', '--seed', '5'];
  await jsonHere(batch(PLAIN, 'whole.jsonl', ...args));
  const whole = text('whole.jsonl');
  await jsonHere(batch(PLAIN, 'alone.jsonl', ...args, '--parallel', '1'));
  assert.is(text('alone.jsonl'), whole);
  const bytes = readFileSync(path('whole.jsonl'));
  for (
    const at of [
      0,
      1,
      17,
      40,
      bytes.indexOf(10),
      bytes.indexOf(10) + 1,
      bytes.length >> 1,
      bytes.length - 1,
      bytes.length,
    ]
  ) {
    writeFileSync(path('cut.jsonl'), bytes.subarray(0, at));
    const { rows, resumed } = await jsonHere<Summary>(batch(PLAIN, 'cut.jsonl', ...args));
    assert.equal([rows, resumed], [18, bytes.subarray(0, at).filter((byte) => byte === 10).length]);
    assert.is(text('cut.jsonl'), whole, `cut at ${at}`);
  }
});

test('a killed process goes on where it was', async () => {
  const lines = files.file('many.txt', Array.from({ length: 400 }, (_, i) => `hello ${i}`).join('\n'));
  const args = batch(lines, 'killed.jsonl', '-n', '40', '--logit-bias', '2=-inf', '--ctx', '64');
  const killed = await ternspike(args, {
    started: (child) => {
      const look = setInterval(() => {
        try {
          if (readFileSync(path('killed.jsonl')).length < 2000) return;
        } catch {
          return;
        }
        clearInterval(look);
        child.kill('SIGKILL');
      }, 2);
      child.on('close', () => clearInterval(look));
    },
  });
  assert.is.not(killed.code, 0);
  const { resumed, rows: all } = await json<Summary>(args);
  assert.ok(resumed > 0 && resumed < 400, `${resumed}`);
  assert.is(all, 400);
  await json(batch(lines, 'undisturbed.jsonl', '-n', '40', '--logit-bias', '2=-inf', '--ctx', '64'));
  assert.is(text('killed.jsonl'), text('undisturbed.jsonl'));
});

test('a file of another run is refused and left as it is; --no-resume begins anew', async () => {
  await jsonHere(batch(PLAIN, 'r.jsonl', '-n', '2'));
  const before = text('r.jsonl');
  refused(await here(batch(PLAIN, 'r.jsonl', '-n', '3')), 1, 'BATCH', 'another model, version, or options');
  refused(await here(batch(REQUESTS, 'r.jsonl', '-n', '2')), 1, 'BATCH', 'row 0 answers another line');
  const other = files.file('notes.txt', 'my notes');
  refused(await here(batch(PLAIN, 'notes.txt', '--no-resume')), 1, 'BATCH', 'has no answers of a batch');
  assert.is(readFileSync(other, 'utf8'), 'my notes');
  assert.is(text('r.jsonl'), before);
  await jsonHere(batch(PLAIN, 'r.jsonl', '-n', '3', '--no-resume'));
  assert.is.not(text('r.jsonl'), before);
  refused(await here(['batch', PLAIN, PLAIN, '-m', model]), 1, 'OUT', 'same file');
});

test('shards of several machines are put together to the bits of one, and a difference is an alarm', async () => {
  await jsonHere(batch(PLAIN, 'one.jsonl', '-n', '3'));
  for (const shard of [1, 2, 3]) await jsonHere(batch(PLAIN, `part-${shard}`, '-n', '3', '--shard', `${shard}/3`));
  const merge = (...parts: string[]): string[] =>
    batch(PLAIN, 'merged.jsonl', ...parts.flatMap((part) => ['--merge', path(part)]));
  const said = await jsonHere<{ rows: number; compared: number }>(merge('part-1', 'part-2', 'part-3', 'one.jsonl'));
  assert.equal([said.rows, said.compared], [18, 18]);
  assert.is(text('merged.jsonl'), text('one.jsonl'));
  const { compared } = await jsonHere<{ compared: number }>(merge('part-3', 'part-1', 'part-2'));
  assert.is(compared, 0);
  assert.is(text('merged.jsonl'), text('one.jsonl'));
  refused(await here(merge('part-1', 'part-3')), 1, 'BATCH', '6 lines have no answer, the first is line 3');
  // a machine whose memory turns a bit
  writeFileSync(path('faulty'), text('part-2').replace('"promptTokens":', '"promptTokens":1'));
  refused(await here(merge('part-1', 'part-2', 'part-3', 'faulty')), 1, 'BATCH_DIFFERS', 'part-2', 'faulty');
  await jsonHere(batch(PLAIN, 'else', '-n', '2', '--shard', '2/3'));
  refused(await here(merge('part-1', 'else', 'part-3')), 1, 'BATCH', 'else is of another run than');
  refused(await here(merge('part-1', 'part-2', 'part-3', 's.jsonl')), 1, 'BATCH', 's.jsonl');
  refused(await here(batch(PLAIN, 'x', '--shard', '4/3')), 2, '--shard');
});

test.run();
