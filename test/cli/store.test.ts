/** `pull`, `models` and `rm`, and names of a hub in the other commands: processes that are killed, that compete, and that may not write. */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../clock.ts';
import { COMMIT, noise, sha256, type TestHub, testHub } from '../store/hub.ts';
import { folder, json, refused, speakingModel, ternspike } from './cli.ts';

const MODEL = speakingModel();
const LARGE = noise(12_000_000, 3);

interface Place {
  readonly hub: TestHub;
  readonly env: Readonly<Record<string, string>>;
  readonly path: string;
}

async function within(use: (place: Place) => Promise<void>): Promise<void> {
  const hub = await testHub({ 'org/speaks': { 'm-Q8_0.gguf': MODEL }, 'org/large': { 'big.gguf': LARGE } });
  const temp = folder();
  const env = {
    HF_ENDPOINT: hub.origin,
    HF_HUB_CACHE: join(temp.path, 'hub'),
    HF_TOKEN: '',
    HF_HUB_OFFLINE: '',
    HF_HOME: temp.path,
  };
  try {
    await use({ hub, env, path: join(temp.path, 'hub') });
  } finally {
    await hub.close();
    temp.remove();
  }
}

const store = suite('models of a hub on the command line');

store('a model is pulled, run, listed and removed', () =>
  within(async ({ env, path, hub }) => {
    const pulled = await json<{ path: string; bytes: number; downloaded: number; commit: string }>([
      'pull',
      'hf:org/speaks:Q8_0',
    ], { env });
    assert.equal([pulled.bytes, pulled.downloaded, pulled.commit], [MODEL.length, MODEL.length, COMMIT]);
    assert.is(pulled.path, join(path, 'models--org--speaks/snapshots', COMMIT, 'm-Q8_0.gguf'));
    const ran = await json<{ ids: number[] }>(['run', 'a', '-m', 'hf:org/speaks', '-n', '2', '--seed', '1'], { env });
    assert.is(ran.ids.length, 2);
    const sent = hub.requests.length;
    const offline = await json<{ format: string }>(['inspect', 'hf:org/speaks/m-Q8_0.gguf', '--offline'], { env });
    assert.is(offline.format, 'gguf');
    assert.is(
      (await json<{ ids: number[] }>(['tokenize', '-m', 'hf:org/speaks', '--offline', 'a'], { env })).ids.length > 0,
      true,
    );
    assert.is(hub.requests.length, sent, 'offline asks nobody');
    const { models, bytes } = await json<{ models: { name: string; modified: string }[]; bytes: number }>(['models'], {
      env,
    });
    assert.equal(models.map(({ name }) => name), ['hf:org/speaks/m-Q8_0.gguf']);
    assert.is(bytes, MODEL.length);
    const listed = await ternspike(['models'], { env });
    assert.match(listed.stdout, /^hf:org\/speaks\/m-Q8_0\.gguf +[\d.]+ kB +\d{4}-\d\d-\d\d\n1 model/);
    assert.is((await json<{ bytes: number }>(['rm', 'hf:org/speaks'], { env })).bytes, MODEL.length);
    assert.equal((await json<{ models: unknown[] }>(['models'], { env })).models, []);
    refused(await ternspike(['rm', 'hf:org/speaks'], { env }), 1, 'OFFLINE', 'hf:org/speaks');
    refused(await ternspike(['run', 'a', '-m', 'hf:org/speaks', '--offline'], { env }), 1, 'OFFLINE', 'pull it');
    refused(await ternspike(['pull', 'hf:nonsense'], { env }), 1, 'OPTION', 'hf:org/repo');
  }));

store('a killed pull resumes, wherever it was', () =>
  within(async ({ env, hub, path }) => {
    hub.lies.bytesPerSecond = 8e6;
    const blobs = join(path, 'models--org--large/blobs');
    let kills = 0;
    for (let at = 1e6; at < LARGE.length; at += 4.3e6) {
      let child: ChildProcess | undefined;
      const from = hub.bytes;
      const timer = setInterval(() => {
        if (hub.bytes - from > 1.2e6 + at / 40 && child) child.kill('SIGKILL');
      }, 2);
      const { code } = await ternspike(['pull', 'org/large'], { env, started: (process) => void (child = process) });
      clearInterval(timer);
      if (code === 0) break;
      kills++;
      assert.not(existsSync(join(blobs, sha256(LARGE))), 'half a file has no name');
    }
    assert.ok(kills >= 2, `${kills} kills`);
    hub.lies.bytesPerSecond = undefined;
    const { path: file } = await json<{ path: string }>(['pull', 'org/large'], { env });
    assert.is(sha256(readFileSync(file)), sha256(LARGE));
    assert.equal(readdirSync(blobs), [sha256(LARGE)], 'nothing else is left');
  }));

store(
  'two processes share one download, and one takes over when the other is killed',
  () =>
    within(async ({ env, hub, path: cache }) => {
      const blobs = join(cache, 'models--org--large/blobs');
      const noted = (): boolean =>
        existsSync(blobs) && readdirSync(blobs).filter((name) => name.endsWith('.incomplete.json')).some((name) =>
          (JSON.parse(readFileSync(join(blobs, name), 'utf8')) as { done: unknown[] }).done.length > 0
        );
      hub.lies.bytesPerSecond = 3e6;
      let first: ChildProcess | undefined;
      const one = ternspike(['pull', 'org/large', '--json'], { env, started: (child) => void (first = child) });
      await until(() => hub.bytes > 1e6);
      const two = json<{ path: string; downloaded: number }>(['pull', 'org/large'], { env });
      await until(noted);
      first?.kill('SIGKILL');
      assert.is((await one).code, null);
      const { path, downloaded } = await two;
      assert.is(sha256(readFileSync(path)), sha256(LARGE));
      assert.ok(downloaded < LARGE.length, 'what the first had stored was used');
    }),
);

// an administrator may write everywhere
if (process.getuid?.() !== 0) {
  store(
    'a folder that cannot be written is refused, and what it holds still runs',
    () =>
      within(async ({ env, path }) => {
        await json(['pull', 'hf:org/speaks'], { env });
        chmodSync(path, 0o555);
        try {
          refused(await ternspike(['pull', 'org/large'], { env }), 1, 'IO', 'HF_HUB_CACHE');
          await json(['inspect', 'hf:org/speaks'], { env });
        } finally {
          chmodSync(path, 0o755);
        }
      }),
  );
}

store('a cache that cannot be made is refused', () =>
  within(async ({ env }) => {
    const temp = folder();
    const file = temp.file('file', 'x');
    try {
      refused(
        await ternspike(['pull', 'org/large'], { env: { ...env, HF_HUB_CACHE: join(file, 'hub') } }),
        1,
        'IO',
        'hub',
      );
      mkdirSync(join(temp.path, 'empty'));
      assert.equal(
        (await json<{ models: unknown[] }>(['models'], { env: { ...env, HF_HUB_CACHE: join(temp.path, 'empty') } }))
          .models,
        [],
      );
    } finally {
      temp.remove();
    }
  }));

/** A disk of 16 MB for the time of `use`; false where none can be mounted. */
async function onSmallDisk(use: (path: string) => Promise<void>): Promise<boolean> {
  const temp = folder();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', temp.path], { stdio: 'ignore' });
  } catch {
    temp.remove();
    return false;
  }
  try {
    await use(temp.path);
  } finally {
    execFileSync('umount', ['-l', temp.path]);
    temp.remove();
  }
  return true;
}

store(
  'a disk that fills up leaves what was, and the pull resumes when there is room',
  () =>
    within(async ({ env, hub }) => {
      const mounted = await onSmallDisk(async (path) => {
        const own = { ...env, HF_HUB_CACHE: join(path, 'hub') };
        await json(['pull', 'hf:org/speaks'], { env: own });
        hub.lies.bytesPerSecond = 6e6;
        const from = hub.bytes;
        const filling = setInterval(() => {
          if (hub.bytes - from < 3e6) return;
          clearInterval(filling);
          writeFileSync(join(path, 'filler'), noise(8_000_000));
        }, 5);
        const full = await ternspike(['pull', 'org/large'], { env: own });
        clearInterval(filling);
        refused(full, 1, 'STORE_FULL', 'HF_HUB_CACHE');
        refused(await ternspike(['pull', 'org/large'], { env: own }), 1, 'STORE_FULL', 'room for');
        await json(['inspect', 'hf:org/speaks', '--offline'], { env: own });
        rmSync(join(path, 'filler'));
        hub.lies.bytesPerSecond = undefined;
        const { path: file, downloaded } = await json<{ path: string; downloaded: number }>(['pull', 'org/large'], {
          env: own,
        });
        assert.ok(downloaded < LARGE.length, 'it resumed');
        assert.is(sha256(readFileSync(file)), sha256(LARGE));
      });
      if (!mounted) {
        console.log('    no small disk can be mounted here: full disks are tested by errors that are made up');
      }
    }),
);

store.run();
