/** `chat`: a conversation through a pipe, as a program has it, and through a terminal where one can be made. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { withSetting } from '../../src/cli/chat-settings.ts';
import { open } from '../../src/entries/index.ts';
import { Conversation } from '../../src/cli/conversation.ts';
import { checkout } from '../house/checkout.ts';
import { refuses } from '../refusal.ts';
import { folder, json, jsonHere, refused, speakingModel, ternspike } from './cli.ts';

interface Talk {
  messages: { role: string; content: string }[];
  turns: { text: string; ids: number[]; promptTokens: number; cachedTokens: number; completionTokens: number }[];
  mode: string;
}

const test = suite('cli chat');
const files = folder();
const bytes = speakingModel();
const model = files.file('speaking.gguf', bytes);
const path = (name: string): string => join(files.path, name);
const CHAT = ['chat', '-m', model, '-n', '4', '--temp', '0', '--logit-bias', '2=-inf'];

test.after(() => files.remove());

test('lines of a pipe are answered one by one, as the template has them', async () => {
  const { messages, turns, mode } = await json<Talk>([...CHAT, '--system', 'ab'], { input: 'hello\nworld\n' });
  assert.is(mode, 'chat');
  assert.equal(messages.map(({ role }) => role), ['system', 'user', 'assistant', 'user', 'assistant']);
  const first = await jsonHere<{ text: string; ids: number[] }>(
    ['run', ...CHAT.slice(1), 'hello', '--chat', '--system', 'ab'],
  );
  assert.equal(turns[0].ids, first.ids);
  assert.is(turns[1].cachedTokens > 0, true, 'nothing of the first turn was kept');
  assert.is(messages[2].content, turns[0].text);
  const plain = await ternspike([...CHAT, '--system', 'ab', '-q'], { input: 'hello\nworld\n' });
  assert.equal([plain.code, plain.stderr], [0, '']);
  assert.is(plain.stdout, `${turns.map(({ text }) => text.trimStart()).join('\n')}\n`);
});

test('a session that goes on says what a new one says of all messages', async () => {
  using opened = await open(bytes, { threads: 1 });
  const options = { temperature: 0, maxTokens: 3, logitBias: { 2: -Infinity } };
  using talk = new Conversation(opened);
  const texts = ['hello', 'world', 'ab', 'hello world'];
  for (const text of texts) {
    const before = [...talk.messages, { role: 'user', content: text }];
    const { ids, dropped } = await talk.say(text, options, () => Promise.resolve());
    assert.is(dropped, 0);
    const alone = await opened.complete(await opened.chatIds(before), { ...options, joined: false });
    assert.equal(ids, alone.ids);
  }
  assert.is(talk.messages.length, 8);
});

test('where the context is full the oldest messages go, and a message that never fits is refused', async () => {
  using opened = await open(bytes, { threads: 1, contextLength: 40 });
  using talk = new Conversation(opened, { system: 'a' });
  const options = { temperature: 0, maxTokens: 4, logitBias: { 2: -Infinity } };
  let dropped = 0;
  for (let i = 0; i < 12; i++) {
    const turn = await talk.say('hello', options, () => Promise.resolve());
    dropped += turn.dropped;
    assert.is(turn.completionTokens, 4);
  }
  assert.ok(dropped > 0 && dropped % 2 === 0);
  const { length } = talk.messages;
  await refuses(talk.say('hello '.repeat(60), options, () => Promise.resolve()), 'CONTEXT_OVERFLOW', 'leaves no room');
  assert.is(talk.messages.length, length);
  assert.is((await talk.say('hello', options, () => Promise.resolve())).completionTokens, 4);
});

test('an answer that is stopped stays as far as it came, and the conversation goes on', async () => {
  using opened = await open(bytes, { threads: 1 });
  using talk = new Conversation(opened);
  const controller = new AbortController();
  let pieces = 0;
  const options = { temperature: 0, maxTokens: 20, logitBias: { 2: -Infinity } };
  const turn = await talk.say('hello', { ...options, signal: controller.signal }, () => {
    if (++pieces === 3) controller.abort();
    return Promise.resolve();
  });
  assert.equal([turn.finishReason, turn.completionTokens], ['aborted', 3]);
  assert.equal(talk.messages[1], { role: 'assistant', content: turn.text });
  const next = await talk.say('world', { ...options, maxTokens: 3 }, () => Promise.resolve());
  assert.is(next.completionTokens, 3);
});

test('the model of the package goes on with the text, and says so', async () => {
  const { turns, mode } = await json<Talk>(['chat', '-n', '8', '--temp', '0'], { input: 'Once upon a time\nThen\n' });
  assert.is(mode, 'text');
  const first = await jsonHere<{ ids: number[] }>(['run', 'Once upon a time', '-n', '8', '--temp', '0']);
  assert.equal(turns[0].ids, first.ids);
  assert.ok(turns[1].promptTokens > turns[0].promptTokens + 8);
  const { stderr, stdout } = await ternspike(['chat', '-n', '3', '--seed', '1'], { input: 'One day' });
  assert.match(stderr, /no chat template: it goes on with your text/);
  assert.ok(stdout.length > 1);
  refused(await ternspike(['chat', '--system', 'x'], { input: 'a\n' }), 2, '--system');
});

test('commands change settings, show figures, and refuse what makes no sense', async () => {
  const input = [
    '/help',
    '/set',
    '/set max-tokens 2',
    '/set temperature 9000',
    '/nothing',
    '/tokens',
    'hello',
    '/tokens',
    '/spikes',
    '//x',
    '/quit',
    'never',
  ];
  const { code, stdout, stderr } = await ternspike(CHAT, { input: input.join('\n') });
  assert.is(code, 1); // two commands were refused
  assert.is(stdout.trimEnd().split('\n').length, 2);
  for (
    const part of [
      /^\/reset +begins/m,
      /^temperature 0$/m,
      /temperature is "9000", expected/,
      /\/nothing is no command/,
      /answer 2 tokens/,
      /does not spike/,
    ]
  ) assert.match(stderr, part);
  const spiking = await ternspike(['chat', '-n', '4'], { input: '/spikes\nOne day\n/spikes\n' });
  assert.is(spiking.code, 0, spiking.stderr);
  assert.match(spiking.stderr, /nothing was said[^]*firing rate/);
});

test('a conversation is written and gone on with, to the same tokens', async () => {
  const args = ['chat', '-m', model, '-n', '4', '--logit-bias', '2=-inf', '--temp', '1', '--seed', '4'];
  const whole = await json<Talk>(args, { input: 'hello\nworld\nab\n' });
  await json(args, { input: `hello\nworld\n/save ${path('talk.json')}\n` });
  const rest = await json<Talk>(['chat', '-m', model, '--restore', path('talk.json')], { input: 'ab\n' });
  assert.equal(rest.turns[0].ids, whole.turns[2].ids);
  assert.equal(rest.messages, whole.messages);
  // the same of a model that goes on with the text, whose ids are kept
  const story = await json<Talk>(['chat', '-n', '6', '--seed', '2'], { input: 'One day\nThen\n' });
  await json(['chat', '-n', '6', '--seed', '2'], { input: `One day\n/save ${path('story.json')}\n` });
  const later = await json<Talk>(['chat', '--restore', path('story.json')], { input: 'Then\n' });
  assert.equal(later.turns[0].ids, story.turns[1].ids);
  writeFileSync(path('notes.txt'), 'my notes');
  const refusal = await ternspike(CHAT, { input: `/save ${path('notes.txt')}\n` });
  assert.equal([refusal.code, readFileSync(path('notes.txt'), 'utf8')], [1, 'my notes']);
  assert.match(refusal.stderr, /no saved conversation/);
});

test('several lines are one message by a backslash or between quotes', async () => {
  const { messages } = await json<Talk>(CHAT, { input: 'a\\\nb\n"""\nc\n\nd\n"""\n"""e\nf"""\n"""open\nend' });
  assert.equal(messages.filter(({ role }) => role === 'user').map(({ content }) => content), [
    'a\nb',
    'c\n\nd',
    'e\nf',
    'open\nend',
  ]);
});

test('settings take the names of the library and of the command line', () => {
  assert.equal(withSetting({}, 'temp 0.7'), { temperature: 0.7 });
  assert.equal(withSetting({ topK: 1 }, '--top-k 5'), { topK: 5 });
  assert.equal(withSetting({}, 'topP=0.5'), { topP: 0.5 });
  assert.equal(withSetting({}, 'temperature-first off'), { temperatureFirst: false });
  assert.equal(withSetting({}, 'adaptive_temperature off'), { adaptiveTemperature: 'off' });
  assert.equal(withSetting({}, 'stop The end'), { stop: ['The end'] });
  assert.equal(withSetting({ minP: 1 }, 'min-p default'), { minP: undefined });
  for (const bad of ['', 'temp', 'temp x', 'nothing 1', 'top-k -1', 'seed 1.5']) {
    assert.throws(() => withSetting({}, bad), /OPTION/);
  }
});

test('an interrupt stops the answer of a pipe and not the program', async () => {
  const child = spawn(process.execPath, [
    join(checkout(), 'dist', 'cli.js'),
    'chat',
    '-m',
    model,
    '--logit-bias',
    '2=-inf',
    '--ctx',
    '100000',
    '-n',
    '90000',
  ], { stdio: ['pipe', 'pipe', 'pipe'] });
  if ('deno' in process.versions) {
    child.kill('SIGKILL');
    return; // Deno needs its permissions to be named first
  }
  let [out, err, sent] = ['', '', 0];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    if (sent === 0 && out.length > 50) {
      sent = 1;
      child.kill('SIGINT');
    }
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
    if (sent === 1 && err.includes('stopped')) {
      sent = 2;
      child.stdin.end('/set n 2\nworld\n');
    }
  });
  child.stdin.write('hello\n');
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.is(code, 0, err);
  assert.match(err, /stopped[^]*cut after 2 tokens/);
});

const script = spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout ?? '';
if (/util-linux/.test(script) && existsSync('/dev/ptmx') && !('deno' in process.versions) && !process.versions.bun) {
  test('on a terminal there is a prompt; Ctrl-C stops the answer, and twice on an empty line ends', async () => {
    const cli = join(checkout(), 'dist', 'cli.js');
    const line = `'${process.execPath}' '${cli}' chat -m '${model}' --logit-bias 2=-inf --ctx 100000 -n 90000`;
    const child = spawn('script', ['-qec', line, '/dev/null'], { stdio: ['pipe', 'pipe', 'pipe'] });
    let [screen, stage] = ['', 0];
    const late = setTimeout(() => child.kill('SIGKILL'), 30_000);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      screen += text;
      const next = (found: boolean, keys: string): void => {
        if (!found) return;
        stage++;
        screen = '';
        child.stdin.write(keys);
      };
      if (stage === 0) next(screen.includes('> '), 'hello\r');
      else if (stage === 1) next(screen.length > 200, '\x03');
      else if (stage === 2) next(screen.includes('stopped') && screen.includes('> '), '\x03');
      else if (stage === 3) next(screen.includes('Ctrl-C again'), '\x03');
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    clearTimeout(late);
    assert.equal([stage, code], [4, 130]);
  });
}

test.run();
