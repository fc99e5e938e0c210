/**
 * Running the command line as a user does: the built file, by the runtime at hand.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import * as assert from 'uvu/assert';
import { UsageError } from '../../src/cli/args.ts';
import type { Command } from '../../src/cli/command.ts';
import { chosenCommand } from '../../src/cli/commands.ts';
import { oneLine, toJson } from '../../src/cli/output.ts';
import { TernspikeError } from '../../src/errors.ts';
import { checkout } from '../house/checkout.ts';
import { type LlamaChoices, type LlamaFile, llamaFile } from '../llama-files.ts';
import { SPM_PIECES } from '../tokenizer/builders.ts';

/** What a run left. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Sees the process once it has begun. */
  readonly started?: (child: ChildProcess) => void;
  /** Sees the process and what it has printed, every time it prints. */
  readonly watch?: (child: ChildProcess, stdout: string) => void;
  /** The same for stderr. */
  readonly watchErrors?: (child: ChildProcess, stderr: string) => void;
}

/** No command of these tests takes longer. */
const LIMIT_MS = 120_000;

const CLI = join(checkout(), 'dist', 'cli.js');
const DENO = 'deno' in process.versions;
const BEFORE = DENO ? ['run', '-A', CLI] : [CLI];

/** Runs `ternspike ARGS`. */
export function ternspike(
  args: readonly string[],
  { cwd, input, env, started, watch, watchErrors }: RunOptions = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...BEFORE, ...args], {
      cwd,
      env: { ...process.env, NO_COLOR: '1', TERNSPIKE_DEBUG: '', ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    started?.(child);
    let stdout = '';
    let stderr = '';
    const late = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      watch?.(child, stdout);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      watchErrors?.(child, stderr);
    });
    child.stdin.on('error', () => {}); // it may end without reading
    child.stdin.end(input ?? '');
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(late);
      // Deno reports the signal that it sent, whatever the child made of it
      const answered = DENO && signal === 'SIGINT' ? 128 + 2 : code;
      resolve({ code: answered, stdout, stderr });
    });
  });
}

/**
 * Runs and interrupts: after a moment, and again after twice as long while the process had not come far enough, which is as
 * `early` says of what it left; one that never handles an interrupt is ended by it at every try.
 */
export async function interrupted(args: readonly string[], early: (ran: Ran) => boolean): Promise<Ran> {
  for (let wait = 250;; wait *= 2) {
    const ran = await ternspike(args, { started: (child) => void setTimeout(() => child.kill('SIGINT'), wait) });
    if (wait > LIMIT_MS / 4 || !early(ran)) return ran;
  }
}

/** Runs with `--json`; checks that it succeeded and wrote one line with one object, and returns that. */
export async function json<T>(args: readonly string[], options?: RunOptions): Promise<T> {
  return parsed(await ternspike([...args, '--json'], options));
}

/**
 * Runs a command within this process, as `main` does it: for the many cases of a command whose way through a process is
 * tested once.
 */
export async function here(args: readonly string[], signal: AbortSignal = new AbortController().signal): Promise<Ran> {
  const ran = { code: 0, stdout: '', stderr: '' };
  const { command, rest } = chosenCommand(args) as { command: Command; rest: readonly string[] };
  try {
    const { json: wanted, run } = command.prepare(rest);
    const text = (part: string): Promise<void> => Promise.resolve(void (ran.stdout += part));
    const code = await run({
      out: {
        json: wanted,
        text,
        result: (object, lines) => text(wanted ? `${toJson(object)}\n` : lines().map((line) => `${line}\n`).join('')),
        note: (line) => void (ran.stderr += `${line}\n`),
        progress: () => {},
      },
      signal,
    });
    ran.code = code ?? 0;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof TernspikeError)) throw error;
    ran.code = error instanceof UsageError ? 2 : 1;
    ran.stderr += `ternspike: ${error instanceof UsageError ? 'USAGE: ' : ''}${oneLine(error.message, 2000)}\n`;
  }
  return ran;
}

/** As `json`, within this process. */
export async function jsonHere<T>(args: readonly string[]): Promise<T> {
  return parsed(await here([...args, '--json']));
}

function parsed<T>(ran: Ran): T {
  assert.is(ran.code, 0, ran.stderr);
  assert.match(ran.stdout, /^\{.*\}\n$/);
  return JSON.parse(ran.stdout) as T;
}

/** Checks a refusal: its exit code, nothing on stdout, and one line on stderr that has every one of `words`. */
export function refused(ran: Ran, code: number, ...words: string[]): void {
  assert.is(ran.code, code, ran.stderr);
  assert.is(ran.stdout, '');
  assert.match(ran.stderr, /^ternspike: [A-Z_]+: [^\n]+\n$/);
  for (const word of words) assert.ok(ran.stderr.includes(word), `${ran.stderr}  does not mention ${word}`);
}

/** A folder for one suite. */
export function folder(): {
  readonly path: string;
  file(name: string, content: Uint8Array | string): string;
  remove(): void;
} {
  const path = mkdtempSync(join(tmpdir(), 'ternspike-cli-'));
  return {
    path,
    file(name, content) {
      writeFileSync(join(path, name), content);
      return join(path, name);
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

const TEMPLATE =
  '{% for m in messages %}{{ m.role[0] }}:{{ m.content }} {% endfor %}{% if add_generation_prompt %}a:{% endif %}';

/** A small random model with a SentencePiece vocabulary and a chat template. Trained context 64. */
export function speakingModel(choices: LlamaChoices = {}): Uint8Array {
  return speakingFile(choices).bytes();
}

/** The same, to be changed before it is written. */
export function speakingFile(choices: LlamaChoices = {}): LlamaFile {
  const file = llamaFile({ ...choices, shape: { vocab: SPM_PIECES.length, ...choices.shape } });
  file.metadata.push(
    ['tokenizer.ggml.model', 'string', 'llama'],
    ['tokenizer.ggml.tokens', 'string[]', SPM_PIECES.map(([text]) => text)],
    ['tokenizer.ggml.scores', 'float32[]', SPM_PIECES.map(([, score]) => score)],
    ['tokenizer.ggml.token_type', 'int32[]', SPM_PIECES.map(([, , type]) => type)],
    ['tokenizer.ggml.bos_token_id', 'uint32', 1],
    ['tokenizer.ggml.eos_token_id', 'uint32', 2],
    ['tokenizer.ggml.unknown_token_id', 'uint32', 0],
    ['tokenizer.chat_template', 'string', TEMPLATE],
  );
  return file;
}
