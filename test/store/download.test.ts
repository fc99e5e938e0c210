/** Downloads from a hub on the loopback, honest and otherwise. */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  folderStore,
  list,
  memoryStore,
  type ModelStore,
  pull,
  remove,
  resolve,
  type StoreOptions,
  type StoreProgress,
} from '../../src/entries/store.ts';
import { openDraft } from '../../src/store/disk-draft.ts';
import { hostFiles } from '../../src/store/host.ts';
import { tryLock } from '../../src/store/lock.ts';
import { refuses } from '../refusal.ts';
import { COMMIT, type Lies, noise, sha256, type TestHub, testHub } from './hub.ts';

const SMALL = noise(300_000);
const LARGE = noise(18_000_000, 7);
const REPOS = {
  'org/one': { 'm-Q4_0.gguf': SMALL, 'README.md': noise(50) },
  'org/large': { 'big.gguf': LARGE },
  'org/split': {
    'm-Q8_0-00001-of-00002.gguf': noise(1000, 2),
    'm-Q8_0-00002-of-00002.gguf': noise(2000, 3),
    'm-Q2_K.gguf': noise(9),
  },
  'org/folder': {
    'config.json': new TextEncoder().encode('{}'),
    'tokenizer.json': noise(100, 4),
    'model.safetensors.index.json': new TextEncoder().encode(
      '{"weight_map":{"a":"a.safetensors","b":"b.safetensors"}}',
    ),
    'a.safetensors': noise(5000, 5),
    'b.safetensors': noise(6000, 6),
    'unused.safetensors': noise(7000, 6),
  },
  'org/empty': { 'm.gguf': new Uint8Array(0) },
};

interface Place {
  readonly hub: TestHub;
  readonly folder: string;
  pull(name: string, options?: StoreOptions): ReturnType<typeof pull>;
}

/** A hub with these lies, and an empty store. */
async function within(lies: Lies, use: (place: Place) => Promise<void>): Promise<void> {
  const hub = await testHub(REPOS, lies);
  const folder = mkdtempSync(join(tmpdir(), 'ternspike-store-'));
  const options: StoreOptions = { endpoint: hub.origin, cacheFolder: folder, token: '', retries: 1, timeoutMs: 5000 };
  try {
    await use({ hub, folder, pull: (name, more) => pull(name, { ...options, ...more }) });
  } finally {
    await hub.close();
    chmodSync(folder, 0o755);
    rmSync(folder, { recursive: true, force: true });
  }
}

const blobs = (folder: string, repo: string): string[] => {
  const path = join(folder, `models--${repo.replace('/', '--')}`, 'blobs');
  return existsSync(path) ? readdirSync(path) : [];
};

const downloads = suite('downloads of a hub');

downloads('a file is stored as the cache of the hub has it', () =>
  within({}, async ({ folder, pull, hub }) => {
    const { source, bytes, downloaded, commit, files } = await pull('hf:org/one:Q4_0');
    assert.equal([bytes, downloaded, commit, files], [SMALL.length, SMALL.length, COMMIT, [{
      path: 'm-Q4_0.gguf',
      size: SMALL.length,
    }]]);
    const pointer = join(folder, 'models--org--one/snapshots', COMMIT, 'm-Q4_0.gguf');
    assert.is(String(source), pointer);
    assert.ok(lstatSync(pointer).isSymbolicLink());
    assert.is(readlinkSync(pointer), `../../blobs/${sha256(SMALL)}`);
    assert.equal(new Uint8Array(readFileSync(pointer)), SMALL);
    assert.is(readFileSync(join(folder, 'models--org--one/refs/main'), 'utf8'), COMMIT);
    assert.equal(blobs(folder, 'org/one'), [sha256(SMALL)]);
    const sent = hub.bytes;
    assert.is((await pull('hf:org/one')).downloaded, 0);
    assert.is((await pull('hf:org/one/m-Q4_0.gguf')).downloaded, 0);
    assert.is(hub.bytes, sent);
  }));

downloads('a commit that is stored needs no request, nor does offline', () =>
  within({}, async ({ pull, hub }) => {
    await pull(`hf:org/one@${COMMIT}`);
    await pull('hf:org/one');
    const count = hub.requests.length;
    await pull(`hf:org/one@${COMMIT}`);
    await pull('hf:org/one', { offline: true });
    assert.is(hub.requests.length, count);
    await refuses(pull('hf:org/large', { offline: true }), 'OFFLINE', 'hf:org/large');
    await refuses(pull('hf:org/one:Q8_0', { offline: true }), 'OFFLINE', 'Q4_0');
  }));

downloads(
  'a hub that cannot be reached says nothing against what is stored',
  () =>
    within({}, async ({ pull, hub }) => {
      await pull('hf:org/one');
      await hub.close();
      const notices: string[] = [];
      const { downloaded } = await pull('hf:org/one', { retries: 0, onNotice: (text) => void notices.push(text) });
      assert.is(downloaded, 0);
      assert.match(notices.join(), /cannot be reached/);
      await refuses(pull('hf:org/large', { retries: 0 }), 'HTTP');
    }),
);

downloads(
  'parts and shards belong to their model, and files beside it are found by open',
  () =>
    within({}, async ({ folder, pull }) => {
      assert.equal((await pull('hf:org/split:Q8_0')).files.length, 2);
      const { main, files, source } = await pull('hf:org/folder');
      assert.is(main, 'model.safetensors.index.json');
      assert.equal(files.map(({ path }) => path).sort(), [
        'a.safetensors',
        'b.safetensors',
        'config.json',
        'model.safetensors.index.json',
        'tokenizer.json',
      ]);
      assert.ok(existsSync(join(String(source), '..', 'b.safetensors')));
      assert.is((await pull('hf:org/folder', { offline: true })).files.length, 5);
      rmSync(join(folder, 'models--org--folder/snapshots', COMMIT, 'b.safetensors'));
      await refuses(pull('hf:org/folder', { offline: true }), 'OFFLINE', 'b.safetensors');
      assert.is((await pull('hf:org/folder')).downloaded, 0, 'its content is still there');
      assert.is((await pull('hf:org/empty')).bytes, 0);
    }),
);

downloads(
  'ranges are downloaded several at a time, and progress is told to the last byte',
  () =>
    within({}, async ({ pull, hub }) => {
      const seen: StoreProgress[] = [];
      await pull('hf:org/large', { onProgress: (progress) => void seen.push(progress), connections: 3 });
      assert.is(hub.requests.filter((line) => line.startsWith('GET /org/large/resolve')).length, 5);
      assert.is(hub.bytes, LARGE.length);
      const last = seen.at(-1)!;
      assert.equal([last.loaded, last.total], [LARGE.length, LARGE.length]);
      assert.ok(seen.every(({ loaded, total }) => loaded >= 0 && loaded <= total));
    }),
);

downloads(
  'an aborted download resumes where it was',
  () =>
    within({ bytesPerSecond: 12e6 }, async ({ pull, hub, folder }) => {
      const controller = new AbortController();
      const reason = new Error('enough');
      const abort = ({ loaded }: StoreProgress): void => void (loaded > 6e6 && controller.abort(reason));
      try {
        await pull('hf:org/large', { onProgress: abort, signal: controller.signal });
        assert.unreachable('it was not aborted');
      } catch (error) {
        assert.is(error, reason);
      }
      const { unfinished } = await list({ cacheFolder: folder });
      assert.is(unfinished.length, 1);
      assert.ok(unfinished[0].bytes >= 6e6 && unfinished[0].size === LARGE.length);
      hub.lies.bytesPerSecond = undefined;
      const before = hub.bytes;
      const { downloaded, source } = await pull('hf:org/large');
      assert.is(downloaded, LARGE.length - unfinished[0].bytes);
      assert.ok(
        hub.bytes - before <= downloaded + (1 << 20),
        `${hub.bytes - before} bytes were sent for ${downloaded}`,
      );
      assert.is(sha256(readFileSync(String(source))), sha256(LARGE));
    }),
);

downloads(
  'a connection that breaks off continues at its byte',
  () =>
    within({ cuts: 3, cutAfter: 70_000 }, async ({ pull, hub }) => {
      await pull('hf:org/one', { retries: 5 });
      const starts = hub.requests.flatMap((line) => /bytes=(\d+)-/.exec(line)?.[1] ?? []).map(Number);
      assert.is(starts.length, 4);
      // Bun may drop all that it had received when a connection breaks off; what was stored is never asked for again
      const more = 'bun' in process.versions ? 0 : 10_001;
      assert.ok(starts.every((start, i) => i === 0 || start >= starts[i - 1] + more), starts.join());
    }),
);

downloads(
  'a server without ranges is read from the beginning',
  () =>
    within({ ranges: false, cuts: 1, cutAfter: 100_000 }, async ({ pull }) => {
      const { source } = await pull('hf:org/one');
      assert.is(sha256(readFileSync(String(source))), sha256(SMALL));
    }),
);

downloads('storage on another host gets no token, and the hub does', async () => {
  const storage = await testHub(REPOS);
  try {
    await within({ storage: storage.origin, token: 'hf_secret' }, async ({ pull, hub }) => {
      await pull('hf:org/large', { token: 'hf_secret' });
      assert.ok(hub.tokens.length > 0 && hub.tokens.every((token) => token === 'Bearer hf_secret'));
      assert.ok(storage.tokens.length > 3 && storage.tokens.every((token) => token === undefined));
      // the address of the storage is asked for once for a file
      assert.is(hub.requests.filter((line) => line.startsWith('GET /org/large/resolve')).length, 1);
    });
  } finally {
    await storage.close();
  }
});

downloads('storage that stops serving is asked for again', async () => {
  const storage = await testHub(REPOS);
  try {
    await within({ storage: storage.origin }, async ({ pull, hub }) => {
      const fetched = async (url: string, init: RequestInit): Promise<Response> => {
        const answer = await fetch(url, init);
        if (url.includes('/storage/') && storage.requests.length === 2) storage.lies.failures = 1;
        return answer;
      };
      storage.lies.status = 403;
      await pull('hf:org/large', { connections: 1, fetch: fetched });
      assert.is(hub.requests.filter((line) => line.startsWith('GET /org/large/resolve')).length, 2);
    });
  } finally {
    await storage.close();
  }
});

downloads('access that is missing is explained', async () => {
  await within({ token: 'x' }, async ({ pull }) => {
    await refuses(pull('hf:org/one'), 'HUB_ACCESS', '401', 'HF_TOKEN');
    await refuses(pull('hf:org/one', { token: 'wrong' }), 'HUB_ACCESS', 'token that was sent');
    assert.is((await pull('hf:org/one', { token: 'x' })).bytes, SMALL.length);
  });
  await within(
    { token: 'x', gated: true },
    ({ pull }) => refuses(pull('hf:org/one/m-Q4_0.gguf'), 'HUB_ACCESS', 'gated', 'accept its terms').then(() => {}),
  );
});

downloads('what the hub does not have is refused with what it has', () =>
  within({}, async ({ pull }) => {
    await refuses(pull('hf:org/one/x.gguf'), 'HUB_MISSING', 'x.gguf', 'm-Q4_0.gguf');
    await refuses(pull('hf:org/nothing'), 'HUB_MISSING', '404');
    await refuses(pull('hf:org/one@v9'), 'HUB_MISSING', '404');
    assert.is((await pull('hf:org/one@v1.0')).commit, COMMIT);
  }));

downloads('failures that pass are repeated, and bounded', async () => {
  for (const status of [429, 500, 503]) {
    await within({ failures: 1, status, retryAfter: '1' }, async ({ pull }) => {
      const start = performance.now();
      await pull('hf:org/one');
      assert.ok(performance.now() - start > 900, 'it waited as it was asked to');
    });
  }
  await within({ failures: 99 }, ({ pull }) => refuses(pull('hf:org/one'), 'HTTP', '503').then(() => {}));
  await within(
    { failures: 1, status: 429, retryAfter: '3600' },
    ({ pull }) => refuses(pull('hf:org/one'), 'HTTP', '3600 s').then(() => {}),
  );
});

downloads('a hub that lies is refused, and nothing half is stored', async () => {
  const lies: [Lies, Parameters<typeof refuses>[1], ...string[]][] = [
    [{ damaged: true }, 'CHECKSUM', sha256(SMALL)],
    [{ shorter: 10 }, 'HUB', String(SMALL.length)],
    [{ html: true }, 'HUB', 'web page'],
    [{ endlessRedirect: true }, 'HUB', 'redirects more than 5 times'],
    [{ withoutEtag: true }, 'HUB', 'ETag'],
    [{ etag: '../../evil' }, 'HUB', 'ETag'],
    [{ dripMs: 20 }, 'HTTP', 'bytes came'],
  ];
  for (const [lie, code, ...words] of lies) {
    await within(lie, async ({ pull, folder }) => {
      await refuses(pull('hf:org/one/m-Q4_0.gguf', { timeoutMs: 300, retries: 0 }), code, ...words);
      assert.not(blobs(folder, 'org/one').includes(sha256(SMALL)));
      await refuses(pull('hf:org/one', { offline: true }), 'OFFLINE');
    });
  }
  await within({ endlessList: true }, ({ pull }) => refuses(pull('hf:org/one'), 'HUB', '100 pages').then(() => {}));
  await within({ html: true }, ({ pull }) => refuses(pull('hf:org/one'), 'HUB', 'instead of JSON').then(() => {}));
});

downloads(
  'paths that leave the folder are not in the list',
  () =>
    within({ extraPaths: ['../../evil.gguf', '/etc/passwd', 'a\\b.gguf'] }, async ({ pull, folder }) => {
      await pull('hf:org/one');
      await refuses(pull('hf:org/one:evil'), 'HUB_MISSING', 'm-Q4_0.gguf');
      assert.equal(readdirSync(folder), ['models--org--one']);
    }),
);

downloads(
  'a mirror that lists names alone serves as well',
  () => within({ withoutTree: true }, async ({ pull }) => assert.is((await pull('hf:org/folder')).files.length, 5)),
);

downloads('two versions are never joined', () =>
  within({ bytesPerSecond: 12e6 }, async ({ pull, hub, folder }) => {
    const other = noise(LARGE.length, 99);
    const change = ({ loaded }: StoreProgress): void => {
      if (loaded > 5e6) hub.lies.changed = other;
    };
    await refuses(pull('hf:org/large', { onProgress: change }), 'CHANGED', sha256(LARGE));
    hub.lies.changed = hub.lies.bytesPerSecond = undefined;
    const { source, downloaded } = await pull('hf:org/large');
    assert.ok(downloaded < LARGE.length);
    assert.is(sha256(readFileSync(String(source))), sha256(LARGE));
    assert.equal(blobs(folder, 'org/large'), [sha256(LARGE)]);
  }));

downloads('a manifest that lies costs a download and no more', () =>
  within({}, async ({ pull, folder }) => {
    const at = join(folder, 'models--org--one/blobs');
    mkdirSync(at, { recursive: true });
    const draft = join(at, `${sha256(SMALL)}.ternspike.incomplete`);
    const manifest = { version: 1, path: 'm-Q4_0.gguf', etag: sha256(SMALL), size: SMALL.length };
    for (
      const text of [
        '',
        '{',
        '{"version":1}',
        JSON.stringify({ ...manifest, done: [[0, 1e9]] }),
        JSON.stringify({ ...manifest, done: 5 }),
      ]
    ) {
      writeFileSync(draft, noise(1000, 3));
      writeFileSync(`${draft}.json`, text);
      const { source } = await pull('hf:org/one');
      assert.is(sha256(readFileSync(String(source))), sha256(SMALL));
      await remove('hf:org/one', { cacheFolder: folder });
      mkdirSync(at, { recursive: true });
    }
    writeFileSync(draft, noise(1000, 3));
    writeFileSync(`${draft}.json`, JSON.stringify({ ...manifest, done: [[0, 1000]] }));
    await refuses(pull('hf:org/one'), 'CHECKSUM');
    assert.is((await pull('hf:org/one')).downloaded, SMALL.length);
  }));

downloads('a file that was cut short on the disk is downloaded again', () =>
  within({}, async ({ pull }) => {
    const { source } = await pull('hf:org/one');
    writeFileSync(String(source), SMALL.subarray(0, 1000));
    assert.is((await pull('hf:org/one')).downloaded, SMALL.length);
    assert.is(sha256(readFileSync(String(source))), sha256(SMALL));
  }));

downloads('two pulls at a time share one download', () =>
  within({ bytesPerSecond: 20e6 }, async ({ pull, hub }) => {
    const seen = new Set<string>();
    const all = await Promise.all([
      pull('hf:org/large'),
      pull('hf:org/large', { onProgress: ({ phase }) => void seen.add(phase) }),
    ]);
    assert.is(hub.bytes, LARGE.length);
    assert.is(all.reduce((sum, { downloaded }) => sum + downloaded, 0), LARGE.length);
    assert.is(new Set(all.map(({ source }) => source)).size, 1);
  }));

downloads('locks of processes that are gone are recognised, those of others kept', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ternspike-lock-'));
  const files = hostFiles()!;
  const path = join(folder, 'x.lock');
  try {
    const first = await tryLock(files, path);
    assert.ok(first?.inherited);
    assert.is(await tryLock(files, path), null);
    const mine = readFileSync(path, 'utf8');
    await first!.release();
    assert.not(existsSync(path));
    const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
    await new Promise((resolve) => child.on('close', resolve));
    writeFileSync(path, JSON.stringify({ ...JSON.parse(mine), pid: child.pid, born: '1' }));
    const next = await tryLock(files, path);
    assert.ok(next?.inherited);
    await next!.release();
    writeFileSync(path, JSON.stringify({ ...JSON.parse(mine), machine: `not ${hostname()}` }));
    assert.is(await tryLock(files, path), null);
    const old = new Date(Date.now() - 120_000);
    await files.utimes(path, old, old);
    const third = await tryLock(files, path);
    assert.is(third?.inherited, false);
    await third!.release();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

downloads('a full disk leaves what was, and says so', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ternspike-full-'));
  const real = hostFiles()!;
  let room = 5000;
  const files = {
    ...real,
    open: async (path: string, flags: string) => {
      const handle = await real.open(path, flags);
      return {
        read: handle.read.bind(handle),
        datasync: handle.datasync.bind(handle),
        stat: handle.stat.bind(handle),
        close: handle.close.bind(handle),
        write: (bytes: Uint8Array, offset: number, length: number, at: number) => {
          if (room <= 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
          const some = Math.min(length, room);
          room -= some;
          return handle.write(bytes, offset, some, at);
        },
      };
    },
  } as typeof real;
  const file = { repo: 'o/r', commit: COMMIT, path: 'x', size: 8000, etag: 'e' };
  const path = join(folder, 'x.ternspike.incomplete');
  try {
    const draft = await openDraft(files, path, file, (await tryLock(real, `${path}.lock`))!, () => Promise.resolve());
    await draft.write(new Uint8Array(4000), 0);
    await draft.save([[0, 4000]]);
    await refuses(draft.write(new Uint8Array(4000), 4000), 'STORE_FULL', 'HF_HUB_CACHE', 'resumes');
    await draft.close();
    const again = await openDraft(files, path, file, (await tryLock(real, `${path}.lock`))!, () => Promise.resolve());
    assert.equal(again.had.slice(), [[0, 4000]]);
    await again.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Replaces functions of the host for the time of `use`. */
async function withHost(
  changes: Readonly<Record<string, (...args: never[]) => unknown>>,
  use: () => Promise<void>,
): Promise<void> {
  const files = hostFiles() as unknown as Record<string, unknown>;
  const before = Object.fromEntries(Object.keys(changes).map((name) => [name, files[name]]));
  Object.assign(files, changes);
  try {
    await use();
  } finally {
    Object.assign(files, before);
  }
}

const failing = (code: string) => (): Promise<never> => Promise.reject(Object.assign(new Error(code), { code }));

downloads('where links cannot be made, files are hard links or copies', () =>
  within({}, async ({ pull }) => {
    await withHost({ symlink: failing('EPERM') }, async () => {
      const { source } = await pull('hf:org/one');
      assert.not(lstatSync(String(source)).isSymbolicLink());
      assert.is(statSync(String(source)).nlink, 2);
    });
    await withHost({ symlink: failing('EPERM'), link: failing('ENOTSUP') }, async () => {
      const { source } = await pull('hf:org/split:Q2_K');
      assert.is(statSync(String(source)).nlink, 1);
      assert.is((await pull('hf:org/split:Q2_K')).downloaded, 0);
    });
  }));

downloads(
  'a folder that cannot be written is refused, and what it holds is found',
  () =>
    within({}, async ({ pull }) => {
      const { source } = await pull('hf:org/one');
      const no = failing('EROFS');
      await withHost({ mkdir: no, writeFile: no, rename: no, symlink: no, rm: no }, async () => {
        assert.is((await pull('hf:org/one')).source, source);
        await refuses(pull('hf:org/large'), 'IO', 'cannot be written', 'HF_HUB_CACHE');
      });
    }),
);

downloads(
  'a model without room is refused before anything is downloaded',
  () =>
    within({}, async ({ pull, hub, folder }) => {
      const store: ModelStore = Object.assign(Object.create(folderStore(folder)), {
        free: () => Promise.resolve(1000),
      });
      // private fields belong to the store itself
      const bound = new Proxy(folderStore(folder), {
        get: (target, key) => key === 'free' ? store.free : bindTo(target, key),
      });
      await refuses(pull('hf:org/one', { store: bound }), 'STORE_FULL', '1000', String(SMALL.length));
      assert.is(hub.bytes, 0);
    }),
);

const bindTo = (target: object, key: string | symbol): unknown => {
  const value = (target as Record<string | symbol, unknown>)[key];
  return typeof value === 'function' ? value.bind(target) : value;
};

downloads('a store in memory gives what open reads', () =>
  within({}, async ({ hub }) => {
    const store = memoryStore();
    const options: StoreOptions = { store, endpoint: hub.origin, token: '' };
    const source = await resolve('hf:org/large', options) as {
      size: number;
      read(into: Uint8Array, at: number): Promise<number>;
    };
    assert.is(source.size, LARGE.length);
    const got = new Uint8Array(LARGE.length);
    for (let at = 0; at < got.length;) at += await source.read(got.subarray(at), at);
    assert.is(sha256(got), sha256(LARGE));
    assert.is((await pull('hf:org/large', options)).downloaded, 0);
    const folder = await resolve('hf:org/folder', options) as {
      sibling(name: string): Promise<{ size: number } | null>;
    };
    assert.is((await folder.sibling('b.safetensors'))?.size, 6000);
    assert.is(await folder.sibling('unused.safetensors'), null);
    assert.equal((await list(options)).models.map(({ name }) => name).sort(), [
      'hf:org/folder',
      'hf:org/large/big.gguf',
    ]);
    assert.is((await remove('hf:org/large', options)).bytes, LARGE.length);
    await refuses(remove('hf:org/large', options), 'OFFLINE');
  }));

downloads(
  'models are listed and removed; what another revision shares stays',
  () =>
    within({}, async ({ pull, folder }) => {
      await pull('hf:org/one');
      await pull('hf:org/split:Q8_0');
      await pull('hf:org/folder');
      const options = { cacheFolder: folder };
      const { models } = await list(options);
      assert.equal(models.map(({ name, bytes, files }) => [name, bytes, files]), [
        ['hf:org/folder', 11_000 + 100 + 2 + 56, 5],
        ['hf:org/one/m-Q4_0.gguf', SMALL.length, 1],
        ['hf:org/split/m-Q8_0-00001-of-00002.gguf', 3000, 2],
      ]);
      assert.ok(models.every(({ modified }) => Date.now() - Date.parse(modified) < 60_000));
      // another commit with the same content
      const other = join(folder, 'models--org--one/snapshots', 'c'.repeat(40));
      mkdirSync(other);
      writeFileSync(join(folder, 'models--org--one/refs/old'), 'c'.repeat(40));
      const { symlinkSync } = await import('node:fs');
      symlinkSync(`../../blobs/${sha256(SMALL)}`, join(other, 'm-Q4_0.gguf'));
      assert.is((await remove('hf:org/one@old', options)).bytes, 0);
      assert.is(statSync(join(folder, 'models--org--one/blobs', sha256(SMALL))).size, SMALL.length);
      assert.is((await remove('hf:org/one/m-Q4_0.gguf', options)).bytes, SMALL.length);
      assert.not(existsSync(join(folder, 'models--org--one')));
      assert.is((await remove('hf:org/split:Q8_0', options)).bytes, 3000);
      await refuses(remove('hf:org/split', options), 'OFFLINE');
      await refuses(remove('hf:org/folder/x.json', options), 'HUB_MISSING', 'config.json');
      assert.ok((await remove('hf:org/folder', options)).bytes > 11_000);
      assert.equal(readdirSync(folder), []);
    }),
);

downloads('sources that are no names of a hub stay as they are', async () => {
  const bytes = new Uint8Array(3);
  assert.is(await resolve('model.gguf'), 'model.gguf');
  assert.is(await resolve(bytes), bytes);
  await refuses(resolve('hf:nonsense'), 'OPTION');
  await refuses(pull('hf:o/r', { conections: 3 } as never), 'OPTION', 'connections');
  await refuses(pull('hf:o/r', { endpoint: 'ftp://x' }), 'OPTION', 'endpoint');
});

downloads.run();
