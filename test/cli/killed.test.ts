/** A command that is killed while it writes leaves what was there before; run once more it writes what it would have written. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkout } from '../house/checkout.ts';
import { folder, speakingModel, ternspike } from './cli.ts';

const killed = suite('cli killed');
const files = folder();
killed.after(() => files.remove());

/** Runs and kills once a file of the folder whose name begins so has at least so many bytes; whether it was in time. */
async function killedAt(args: readonly string[], begins: string, bytes: number): Promise<boolean> {
  const child: ChildProcess = spawn(process.execPath, [join(checkout(), 'dist', 'cli.js'), ...args], {
    stdio: 'ignore',
  });
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
  let running = true;
  void closed.then(() => (running = false));
  let hit = false;
  while (running && !hit) {
    const part = readdirSync(files.path).find((name) => name.startsWith(begins) && name.includes('.part'));
    try {
      hit = part !== undefined && statSync(join(files.path, part)).size >= bytes;
    } catch {
      // renamed between the two looks
    }
    if (hit) child.kill('SIGKILL');
    else await new Promise((resolve) => setImmediate(resolve));
  }
  await closed;
  return hit && child.signalCode === 'SIGKILL';
}

// case: Z9
killed(
  'convert: the name is whole or not there, what was there stays, and once more gives the same bytes',
  async () => {
    const model = files.file(
      'model.gguf',
      speakingModel({ shape: { width: 256, hidden: 1024, headDim: 64, layers: 3 } }),
    );
    const whole = join(files.path, 'whole.gguf');
    const out = join(files.path, 'out.gguf');
    assert.is((await ternspike(['convert', model, whole, '--type', 'q8_0'])).code, 0);
    const expected = readFileSync(whole);
    let kills = 0;
    for (const share of [0, 0.02, 0.2, 0.5, 0.9]) {
      writeFileSync(out, 'what was there');
      if (await killedAt(['convert', model, out, '--type', 'q8_0'], 'out.gguf', share * expected.length)) {
        kills++;
        const left = readFileSync(out);
        assert.ok(
          left.equals(new TextEncoder().encode('what was there')) || left.equals(expected),
          `at ${share}: neither the old nor the new file`,
        );
      }
      rmSync(out);
      assert.is((await ternspike(['convert', model, out, '--type', 'q8_0'])).code, 0);
      assert.ok(readFileSync(out).equals(expected), 'the same bytes once more');
    }
    assert.ok(kills > 0, 'no kill was in time');
    assert.not.ok(readdirSync(files.path).some((name) => name.startsWith('whole') && name.includes('.part')));
    assert.ok(existsSync(whole));
  },
);

killed.run();
