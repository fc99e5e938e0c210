/** What is printed arrives to the last byte, or the command says why not: full disks, closed pipes, pipes that do not wait. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkout } from '../house/checkout.ts';
import { folder, json, speakingModel } from './cli.ts';

const writing = suite('cli writing');
const files = folder();
const model = files.file('speaking.gguf', speakingModel());
writing.after(() => files.remove());

const CLI = join(checkout(), 'dist', 'cli.js');
const DENO = 'deno' in process.versions;
/** The runtime at hand, for a shell. */
const TERNSPIKE = `"${process.execPath}" ${DENO ? 'run -A ' : ''}"${CLI}"`;
/** Some 30 kB on stdout. */
const LOGITS = `${TERNSPIKE} logits -m speaking.gguf --ids 1,5,9,13,17,21 --json`;

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a line of sh in the folder. */
function shell(line: string): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, NO_COLOR: '1', TERNSPIKE_DEBUG: '' };
    const child = spawn('sh', ['-c', line], { cwd: files.path, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (part) => void (stdout += part));
    child.stderr.on('data', (part) => void (stderr += part));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** One line that says what could not be written. */
function failed({ code, stderr }: Ran, what: string): void {
  assert.is(code, 1, stderr);
  assert.match(stderr, new RegExp(`^ternspike: IO: .*${what}.*cannot be written: [^\\n]+\\n$`));
}

if (process.platform === 'win32') {
  writing.skip('a POSIX shell is needed', () => {});
} else {
  writing('a file that takes everything has everything', async () => {
    const { code, stderr } = await shell(`${LOGITS} > whole.json`);
    assert.is(code, 0, stderr);
    const text = readFileSync(join(files.path, 'whole.json'), 'utf8');
    assert.ok(text.endsWith('}\n') && text.length > 20_000, `${text.length} characters`);
    assert.equal(JSON.parse(text), await json(['logits', '-m', model, '--ids', '1,5,9,13,17,21']));
  });

  // the limit stands for a disk that fills: the write that reaches it is short, and the next one fails
  if (DENO || 'bun' in process.versions) {
    writing.skip('a file that is full in the middle (this runtime is ended by the limit itself)', () => {});
  } else {
    writing('a file that is full in the middle ends with 1 and one line, for results and for notes', async () => {
      failed(await shell(`ulimit -f 8; ${LOGITS} > cut.json`), 'stdout');
      const run = `${TERNSPIKE} run -q -m speaking.gguf hello -n 3000 --overflow slide --logit-bias 2=-inf`;
      failed(await shell(`ulimit -f 2; ${run} --logit-bias 262=9000 --temp 0 > cut.txt`), 'stdout');
      const { code } = await shell(`ulimit -f 0; ${TERNSPIKE} run -m speaking.gguf hello -n 3 2> cut.txt`);
      assert.is(code, 1);
    });

    // case: Z9
    writing('a file that cannot be written whole never has its name, and its beginning is taken away', async () => {
      const before = readdirSync(files.path).sort();
      failed(await shell(`ulimit -f 8; ${TERNSPIKE} convert speaking.gguf full.gguf --type f32`), 'full.gguf');
      failed(
        await shell(
          `ulimit -f 1; ${TERNSPIKE} run -m speaking.gguf hello -n 4 --save-session full.session -q > /dev/null`,
        ),
        'full.session',
      );
      assert.equal(readdirSync(files.path).sort(), before);
    });
  }

  if (existsSync('/dev/full')) {
    writing('a device that takes nothing ends with 1 and one line', async () => {
      failed(await shell(`${LOGITS} > /dev/full`), 'stdout');
      failed(await shell(`${TERNSPIKE} --help > /dev/full`), 'stdout');
      assert.is((await shell(`${TERNSPIKE} run -m speaking.gguf hello -n 3 2> /dev/full`)).code, 1);
    });
  }

  writing('a reader that goes away ends it quietly', async () => {
    const { code, stdout, stderr } = await shell(`{ ${LOGITS}; echo $? >&2; } | head -c 10`);
    assert.equal([code, stdout.length, stderr], [0, 10, '0\n']);
  });

  writing('a slow reader, of a pipe that waits or of one that does not, gets everything', async () => {
    const whole = (await shell(LOGITS)).stdout;
    assert.is((await shell(`${LOGITS} | { sleep 1; cat; }`)).stdout, whole);
    // the reader's end decides for a FIFO opened for both: this process makes it one that does not wait
    await shell('mkfifo pipe');
    const path = join(files.path, 'pipe');
    const reading = shell('{ sleep 1; cat; } < pipe');
    const fd = openSync(path, 'w');
    const child = spawn('sh', ['-c', `exec ${LOGITS}`], { cwd: files.path, stdio: ['ignore', fd, 'ignore'] });
    closeSync(fd);
    assert.is(await new Promise((resolve) => child.on('close', resolve)), 0);
    assert.is((await reading).stdout, whole);
  });
}

writing.run();
