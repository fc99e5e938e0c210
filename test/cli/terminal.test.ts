/** What a terminal is shown: the prompt before the text, control characters in sight, how far a long prompt is. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Command } from '../../src/cli/command.ts';
import { chosenCommand } from '../../src/cli/commands.ts';
import { oneLine, visible, visibleJson } from '../../src/cli/visible.ts';
import { llamaFile } from '../llama-files.ts';
import { folder, here, refused, speakingModel, ternspike } from './cli.ts';

const terminal = suite('cli terminal');
const files = folder();
const model = files.file('speaking.gguf', speakingModel());
terminal.after(() => files.remove());

terminal('control characters are shown, and nothing else is changed', () => {
  assert.is(visible('a\x1b[2J\x07\x00\x7f'), 'a^[[2J^G^@^?');
  assert.is(visible('\x9b1m \u202eevil\u2066'), '<U+009B>1m <U+202E>evil<U+2066>');
  assert.is(visible('a\n\tb\r\n'), 'a\n\tb^M\n');
  const plain = 'Größe 🙂 日本 עברית \u200d';
  assert.is(visible(plain), plain);
});

terminal('one line is one line, however long and whatever it holds', () => {
  assert.is(oneLine('a\r\n\tb\u2028c'), 'a b c');
  assert.is(oneLine('\x1b]0;title\x07'), '^[]0;title^G');
  assert.is(oneLine('abcdef', 3), 'abc…');
});

terminal('JSON for a terminal has the same content and no control character', () => {
  const value = { a: '\x1b\x9b\x7f\u202e\n', b: ['ü'] };
  const shown = visibleJson(`${JSON.stringify(value)}\n`);
  assert.equal(JSON.parse(shown), value);
  assert.match(shown, /^[^\p{Cc}\p{Bidi_Control}]*\n$/u);
});

/** Runs a command as on a terminal. */
async function onTerminal(args: readonly string[]): Promise<{ text: string; notes: string[]; progress: string[] }> {
  const seen = { text: '', notes: [] as string[], progress: [] as string[] };
  const { command, rest } = chosenCommand(args) as { command: Command; rest: readonly string[] };
  const { json, run } = command.prepare(rest);
  await run({
    out: {
      json,
      terminal: true,
      text: (part) => Promise.resolve(void (seen.text += part)),
      result: () => Promise.resolve(),
      note: (line) => void seen.notes.push(line),
      progress: (line) => void seen.progress.push(line),
    },
    signal: new AbortController().signal,
  });
  return seen;
}

const RUN = ['run', '-m', model, '-n', '8', '--temp', '0', '--logit-bias', '2=-inf'];

terminal(
  'the prompt comes before its continuation, with the space between them; a chat has the answer alone',
  async () => {
    const { text, notes } = await onTerminal([...RUN, 'hello world']);
    const piped = (await here([...RUN, 'hello world'])).stdout;
    assert.ok(text.startsWith('hello world'), text);
    assert.is(text.slice('hello world'.length).trimStart(), piped.trimStart());
    assert.ok(notes.length <= 3, notes.join('\n'));
    assert.is((await onTerminal([...RUN, 'hello', '--chat'])).text, (await here([...RUN, 'hello', '--chat'])).stdout);
    assert.equal((await onTerminal([...RUN, 'hello', '--quiet'])).notes, []);
  },
);

const LONG = 'hello '.repeat(3000);

terminal(
  'a prompt far beyond what the model was trained on is refused at once; --ctx reads it, and says how long it takes',
  async () => {
    refused(await here([...RUN, LONG]), 1, 'CONTEXT_OVERFLOW', 'tokens, the model was trained on 64', '--ctx ');
    const { text, notes, progress } = await onTerminal([...RUN, LONG, '--ctx', '8000']);
    assert.ok(text.length > LONG.length);
    assert.match(notes[0], /exceed the 64 positions/);
    assert.match(progress.join('\n'), /^reading the prompt: \d+ % of \d+ tokens, \d+:\d\d left$/m);
    assert.is(progress.at(-1), '');
  },
);

terminal('names and metadata of hostile files reach no terminal as they are', async () => {
  const hostile = '\x1b]0;owned\x07\x9b31m\u202e';
  const built = llamaFile();
  built.metadata.push(['general.description', 'string', hostile], [hostile, 'uint32', 1]);
  const file = files.file('hostile.gguf', built.bytes());
  const { stdout } = await ternspike(['inspect', file]);
  assert.match(stdout, /^general\.description = "\\u001b\]0;owned\\u0007<U\+009B>31m<U\+202E>"$/m);
  assert.match(stdout, /^\^\[\]0;owned\^G<U\+009B>31m<U\+202E> = 1$/m);
  assert.not.match(stdout, /(?!\n)\p{Cc}|\p{Bidi_Control}/u);
  const ran = await ternspike(['inspect', `${hostile}.gguf`]);
  assert.is(ran.code, 1);
  assert.not.match(ran.stderr, /(?!\n)\p{Cc}|\p{Bidi_Control}/u);
});

terminal.run();
