/** `run`: the streamed text, the JSON object, and everything that can end a run early. */
import type { ChildProcess } from 'node:child_process';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { llamaFile } from '../llama-files.ts';
import { folder, json, refused, speakingModel, ternspike } from './cli.ts';

interface RunResult {
  text: string;
  ids: number[];
  promptTokens: number;
  completionTokens: number;
  finishReason: string;
  timings: Record<'loadMs' | 'prefillMs' | 'decodeMs' | 'firstTokenMs' | 'prefillTps' | 'decodeTps', number>;
  memory: Record<'weightsBytes' | 'stateBytes' | 'peakRssBytes', number>;
  threads: number;
  seed: number;
  model: string;
}

const running = suite('cli run');
const files = folder();
const model = files.file('speaking.gguf', speakingModel());
// no end of text: these runs shall last
const run = (...args: string[]): string[] => ['run', '-m', model, '--logit-bias', '2=-inf', ...args];

running.after(() => files.remove());

running('--json gives one object with the fields that are promised', async () => {
  const result = await json<RunResult>(run('hello world', '-n', '12', '--temp', '0'));
  const { text, ids, timings, memory } = result;
  assert.is(typeof text, 'string');
  assert.is(ids.length, 12);
  assert.ok(ids.every(Number.isInteger));
  assert.equal([result.promptTokens, result.completionTokens, result.finishReason], [3, 12, 'length']);
  for (const name of ['loadMs', 'prefillMs', 'decodeMs', 'firstTokenMs', 'prefillTps', 'decodeTps'] as const) {
    assert.ok(timings[name] > 0, name);
  }
  assert.ok(memory.weightsBytes > 0 && memory.stateBytes > 0);
  assert.ok(memory.peakRssBytes > 1e7 && memory.peakRssBytes < 1e9, `${memory.peakRssBytes} bytes`);
  assert.is(result.model, model);
  assert.ok(Number.isSafeInteger(result.seed));
});

running('stdout is the text and a line break; counts and speeds stand on stderr', async () => {
  const { text } = await json<RunResult>(run('hello', '-n', '9', '--seed', '5'));
  const plain = await ternspike(run('hello', '-n', '9', '--seed', '5'));
  assert.is(plain.code, 0);
  assert.is(plain.stdout, `${text}\n`);
  assert.match(plain.stderr, /^prompt 2 tokens, .* tokens\/s; answer 9 tokens, .* tokens\/s; loaded in /);
  assert.match(plain.stderr, /loaded in \d+ ms, first token after \d+ ms\n$/);
  assert.is((await ternspike(run('hello', '-n', '9', '--quiet'))).stderr, '');
});

running('the same seed gives the same ids, on both builds and from another folder; another seed others', async () => {
  const args = (seed: string, ...more: string[]): string[] =>
    run('hello', '-n', '24', '--temp', '1.5', '--seed', seed, ...more);
  const results = await Promise.all([
    json<RunResult>(args('7')),
    json<RunResult>(args('7', '--build', 'base')),
    json<RunResult>(args('7').with(2, 'speaking.gguf'), { cwd: files.path }),
    json<RunResult>(args('8')),
  ]);
  const [first, base, elsewhere, other] = results.map(({ ids }) => ids);
  assert.equal(base, first);
  assert.equal(elsewhere, first);
  assert.not.equal(other, first);
});

running('the seed that was drawn repeats the run', async () => {
  const drawn = await json<RunResult>(run('hello', '-n', '16', '--temp', '2'));
  const again = await json<RunResult>(run('hello', '-n', '16', '--temp', '2', '--seed', String(drawn.seed)));
  assert.equal(again.ids, drawn.ids);
});

running('sampler options reach the sampler', async () => {
  const forced = await json<RunResult>(run('hello', '-n', '3', '--logit-bias', '262=9000', '--temp', '0'));
  assert.equal(forced.ids, [262, 262, 262]);
  const varied = await json<RunResult>(
    run(
      'hello',
      '-n',
      '3',
      '--logit-bias',
      '262=100',
      '--temp',
      '0',
      '--presence-penalty',
      '100',
      '--frequency-penalty',
      '100',
    ),
  );
  assert.is(new Set(varied.ids).size, 3);
});

running('ids beyond a limit of the vocabulary are never drawn; a limit beyond the vocabulary is refused', async () => {
  const { ids } = await json<RunResult>(
    run('hello', '-n', '40', '--vocab-limit', '9', '--temp', '9', '--top-k', '0', '--top-p', '1', '--min-p', '0'),
  );
  assert.ok(ids.length === 40 && ids.every((id) => id < 9), ids.join());
  assert.ok(new Set(ids).size > 4, ids.join());
  refused(await ternspike(run('hello', '--vocab-limit', '288')), 2, '--vocab-limit is 288', '287');
});

running('a stop string ends the text before it', async () => {
  const { ids, finishReason, text } = await json<RunResult>(
    run('hello', '-n', '9', '--logit-bias', '262=9000', '--temp', '0', '--stop', 'nowhere', '--stop', 'ccc'),
  );
  assert.equal([ids.length, finishReason, text], [3, 'stop', '']);
});

running('the prompt may be ids, and a chat by the template of the model', async () => {
  const text = await json<RunResult>(run('hello', '-n', '8', '--temp', '0'));
  const { ids } = await json<{ ids: number[] }>(['tokenize', '-m', model, '--special', 'hello']);
  const byIds = await json<RunResult>(run('--ids', ids.join(','), '-n', '8', '--temp', '0'));
  assert.equal(byIds.ids, text.ids);

  const chat = await json<RunResult>(run('hello', '--chat', '--system', 'ab', '-n', '4', '--temp', '0'));
  const rendered = await json<{ ids: number[] }>(['tokenize', '-m', model, '--special', 's:ab u:hello a:']);
  const same = await json<RunResult>(run('--ids', rendered.ids.join(','), '-n', '4', '--temp', '0'));
  assert.equal(chat.ids, same.ids);
  assert.is(chat.promptTokens, rendered.ids.length);
});

running(
  'a template may be given, as a file or by its name; none and none given is refused with what to do',
  async () => {
    const template = files.file('own.jinja', '{% for m in messages %}{{ m.content }} {% endfor %}a:');
    const own = await json<RunResult>(run('hello', '--chat', '--template', template, '-n', '4', '--temp', '0'));
    const { ids } = await json<{ ids: number[] }>(['tokenize', '-m', model, '--special', 'hello a:']);
    assert.is(own.promptTokens, ids.length);
    refused(await ternspike(run('hello', '--template', template)), 2, '--template needs --chat');
    const mute = ['run', 'hello', '--chat']; // the bundled model has none
    refused(await ternspike(mute), 1, 'TEMPLATE', '--template');
  },
);

running('a model without a vocabulary answers ids with ids, and refuses text', async () => {
  const mute = files.file('mute.gguf', llamaFile().bytes());
  const result = await json<RunResult>(['run', '-m', mute, '--ids', '1,2,3', '-n', '5', '--temp', '0']);
  assert.equal([result.ids.length, result.text, result.promptTokens], [5, '', 3]);
  refused(await ternspike(['run', '-m', mute, 'hello']), 1, 'TOKENIZER_MISSING');
});

running('a long prompt gets a context with room for it and says when the trained length is passed', async () => {
  const prompt = 'hello '.repeat(600);
  const long = await ternspike(run(prompt, '-n', '4', '--temp', '0', '--json'));
  assert.is(long.code, 0, long.stderr);
  assert.ok((JSON.parse(long.stdout) as RunResult).promptTokens > 600);
  assert.match(long.stderr, /64 positions that the model was trained for/);
  refused(await ternspike(run(prompt, '-n', '4', '--ctx', '512', '--json')), 1, 'CONTEXT_OVERFLOW', '512');
  const slid = await json<RunResult>(run(prompt, '-n', '4', '--ctx', '128', '--overflow', 'slide'));
  assert.is(slid.completionTokens, 4);
});

running('within the trained length nothing is said', async () => {
  const short = await ternspike(run('hello', '-n', '40', '--json'));
  assert.is(short.stderr, '');
});

running('several threads give what one gives, and nothing is said', async () => {
  const ids = [];
  for (const threads of ['1', '3']) {
    const ran = await ternspike(run('hello', '-n', '20', '-t', threads, '--seed', '1', '--json'));
    assert.is(ran.code, 0, ran.stderr);
    assert.is(ran.stderr, '');
    const result = JSON.parse(ran.stdout) as RunResult;
    assert.is(result.threads, Number(threads));
    ids.push(result.ids);
  }
  assert.equal(ids[1], ids[0]);
});

running('a bias for a token that is not there is refused', async () => {
  refused(await ternspike(run('hello', '--logit-bias', '287=1', '--json')), 2, '287');
});

running('a damaged model is refused with its place', async () => {
  const bytes = speakingModel();
  const cut = files.file('cut.gguf', bytes.subarray(0, bytes.length - 100));
  refused(await ternspike(['run', '-m', cut, 'hello']), 1, 'TENSOR_OUT_OF_FILE', 'output.weight');
});

if (process.platform !== 'win32') {
  // case: W11
  running('an interrupt ends the run: what is there is printed, exit code 130', async () => {
    let interrupted = false; // a second interrupt would end it at once
    const watch = (child: ChildProcess): void => {
      if (!interrupted) interrupted = child.kill('SIGINT');
    };
    const endless = run('hello', '-n', '1000000', '--overflow', 'slide', '--seed', '1');
    const plain = await ternspike(endless, { watch });
    assert.is(plain.code, 130, plain.stderr);
    assert.ok(plain.stdout.endsWith('\n') && plain.stdout.length > 1);
    assert.match(plain.stderr, /answer \d+ tokens/);
  });

  running('an interrupted run with --json still prints its object', async () => {
    let interrupt = setTimeout(() => {}, 0);
    const ran = await ternspike(run('hello', '-n', '1000000', '--overflow', 'slide', '--json', '-t', '2'), {
      // the notice about the trained length comes with the first token
      watchErrors: (child) => {
        clearTimeout(interrupt);
        interrupt = setTimeout(() => child.kill('SIGINT'), 500);
      },
    });
    assert.is(ran.code, 130, ran.stderr);
    const result = JSON.parse(ran.stdout) as RunResult;
    assert.equal([result.finishReason, result.completionTokens], ['aborted', result.ids.length]);
  });
}

running('a reader that goes away ends the run quietly', async () => {
  const ran = await ternspike(run('hello', '-n', '1000000', '--overflow', 'slide', '--ctx', '64'), {
    watch: (child) => child.stdout?.destroy(),
  });
  assert.is(ran.code, 0);
  assert.not.match(ran.stderr, /EPIPE|Error|ternspike:/);
});

running.run();
