// Suites of CI that are commands of their own: each prints `N passed, N failed` as its last line.
import process from 'node:process';
import { root } from './find.mjs';
import { run } from './process.mjs';
import { suite } from './report.mjs';

/** Name → what it is called in the table, and its command. */
const COMMANDS = {
  'ai-sdk': ['AI SDK', ['test/ai-sdk/all.mjs']],
  bundlers: ['package and bundlers', ['test/bundlers/all.mjs']],
  clients: ['clients of the server', ['test/clients/all.mjs']],
  fuzz: ['changed files', ['build/test/fuzz/main.js', '--seed', '1', '--minutes', '0.5']],
  lives: ['lives', ['--expose-gc', 'build/test/lives.js', '--rounds', '30']],
  locks: ['lock files', ['test/locks.mjs']],
  tokenizers: ['tokenizers of Hugging Face', ['test/tokenizer/oracle/run.mjs']],
};
const SECONDS = 600;

/** One command of Node; the end of what it printed where it fails. */
function command(name, args) {
  return suite(name, '', 'whole', async () => {
    const { code, output } = await run(process.execPath, args, {
      cwd: root,
      seconds: SECONDS,
    });
    const [passed, failed] = [...output.matchAll(/^(\d+) passed, (\d+) failed/gm)].at(-1)?.slice(1).map(Number) ??
      [0, 1];
    if (code === 0 && failed === 0 && passed > 0) return { passed, failed, skipped: 0 };
    const notes = [`exit code ${code}; again: node ${args.join(' ')}\n${output}`];
    return { passed, failed: Math.max(failed, 1), skipped: 0, notes };
  });
}

export const commands = Object.fromEntries(
  Object.entries(COMMANDS).map(([key, [name, args]]) => [key, () => command(name, args)]),
);
