// Child processes that always end: each leads its own group, has a time limit, and is killed with all its children
// when this process ends, however it ends.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

const alive = new Set();

function signal(child, name) {
  try {
    process.kill(-child.pid, name); // the group: browsers and drivers have children of their own
  } catch {
    // gone already
  }
}

process.on('exit', () => {
  for (const child of alive) signal(child, 'SIGKILL');
});
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => process.exit(1));

/** Watches over a group leader that something else started; call the result when it has ended. */
export function adopt(child) {
  alive.add(child);
  return () => {
    signal(child, 'SIGKILL');
    alive.delete(child);
  };
}

/** A new folder for a profile; `remove()` deletes it, and so does the end of this process. */
export function scratch() {
  const path = mkdtempSync(join(tmpdir(), 'ternspike-'));
  const clean = () => {
    try {
      rmSync(path, { recursive: true, force: true, maxRetries: 5 }); // a program just killed may still write
    } catch {
      // left to the system's own cleaning of temporary files
    }
  };
  process.once('exit', clean);
  const remove = () => {
    process.off('exit', clean);
    clean();
  };
  return { path, remove };
}

/** Starts a program. `output()` is what it printed so far, `ended` resolves to its exit code, `stop()` ends it. */
export function start(command, args, { env = {}, cwd, stdio = ['ignore', 'pipe', 'pipe'] } = {}) {
  const child = spawn(command, args, { cwd, stdio, detached: true, env: { ...process.env, ...env } });
  alive.add(child);
  let printed = '';
  child.stdout?.setEncoding('utf8').on('data', (text) => (printed += text));
  child.stderr?.setEncoding('utf8').on('data', (text) => (printed += text));
  const ended = new Promise((resolve) => {
    child.on('error', (error) => {
      printed += `${error}\n`;
      alive.delete(child);
      resolve(127);
    });
    child.on('close', (code) => {
      signal(child, 'SIGKILL'); // children that outlived it
      alive.delete(child);
      resolve(code ?? 1);
    });
  });
  const stop = async () => {
    if (!alive.has(child)) return;
    signal(child, 'SIGTERM');
    const timer = setTimeout(() => signal(child, 'SIGKILL'), 3000);
    await ended;
    clearTimeout(timer);
  };
  return { child, ended, stop, output: () => printed };
}

/** Runs a program to its end, or to the end of its time. */
export async function run(command, args, { seconds, ...options }) {
  const { ended, stop, output } = start(command, args, options);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    void stop();
  }, seconds * 1000);
  const code = await ended;
  clearTimeout(timer);
  return late ? { code: 124, output: `${output()}\nnot finished after ${seconds} s` } : { code, output: output() };
}

/** Settles with `work`, or rejects when its time is over. */
export async function within(seconds, what, work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not finished after ${seconds} s`)), seconds * 1000);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Calls `probe` until it returns something, every 50 ms. */
export async function until(seconds, what, probe) {
  const end = Date.now() + seconds * 1000;
  let last = '';
  while (Date.now() < end) {
    try {
      const value = await probe();
      if (value !== undefined) return value;
    } catch (error) {
      last = ` (${error.message})`;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what}: nothing after ${seconds} s${last}`);
}
