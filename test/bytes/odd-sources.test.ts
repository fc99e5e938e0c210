/** Sources of a caller that answer nonsense, never, or with another file than they began with. */
import { closeSync, mkdtempSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { type ByteSource, readFully } from '../../src/bytes/source.ts';
import { open } from '../../src/entries/index.ts';
import { sameBits } from '../kernels/harness.ts';
import { llamaFile } from '../llama-files.ts';
import { refuses } from '../refusal.ts';

const FILE = llamaFile({ shape: { layers: 1 } }).bytes();
const odd = suite('odd sources');

/** A source whose n-th read answers something else. */
function answering(n: number, answer: (asked: number) => unknown): ByteSource {
  let reads = 0;
  const source = memorySource(FILE, 'odd.gguf');
  return {
    ...source,
    read: (into, offset, signal) =>
      ++reads === n ? Promise.resolve(answer(into.length) as number) : source.read(into, offset, signal),
  };
}

// case: B5
odd('a read that answers more than it was asked for, or no number of bytes, is refused, whichever it is', async () => {
  const answers: ((asked: number) => unknown)[] = [
    (asked) => asked + 1,
    () => 2 ** 53,
    () => -1,
    () => 0.5,
    () => NaN,
    () => Infinity,
    () => undefined,
    () => null,
    () => '5',
    () => ({ bytesRead: 5 }),
  ];
  for (const answer of answers) {
    for (const n of [1, 2, 5]) await refuses(open(answering(n, answer)), 'SOURCE', 'odd.gguf', 'it has to answer');
  }
  await refuses(open(answering(1, () => 0)), 'TRUNCATED'); // nothing delivered is the end of the file
  (await open(answering(Infinity, () => 0))).dispose();
});

// case: X1
odd('a read that never answers: an abort ends the wait of the caller whose source heeds the signal', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  let asked = (): void => {};
  const begun = new Promise<void>((resolve) => (asked = resolve));
  const source: ByteSource = {
    ...memorySource(FILE),
    read: (_into, _offset, signal) =>
      new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
        asked();
      }),
  };
  const opening = open(source, { signal: controller.signal }).catch((error) => error);
  await begun;
  controller.abort(reason);
  assert.is(await opening, reason);
});

// case: B5 X1
odd(
  'a callback that throws ends the call with what it threw; the source is not closed for its owner, the next call works',
  async () => {
    const thrown = new TypeError('in a callback');
    let closed = 0;
    const source: ByteSource = { ...memorySource(FILE), close: () => Promise.resolve(void closed++) };
    for (let n = 0; n < 3; n++) {
      let calls = 0;
      const onProgress = (): void => {
        if (calls++ === n) throw thrown;
      };
      assert.is(await open(source, { onProgress }).catch((error) => error), thrown);
    }
    assert.is(closed, 0);
    await using model = await open(source, { contextLength: 32 });
    const session = model.session();
    const expected = await session.prefill([1, 2]);
    session.reset();
    const onNotice = (): void => {
      throw thrown;
    };
    await open(source, { contextLength: 32, onNotice }).then(
      (other) => other.dispose(),
      (error) => assert.is(error, thrown),
    );
    sameBits(await session.prefill([1, 2]), expected, 'the model that was open');
  },
);

if (process.platform !== 'win32') {
  // case: B7
  odd('a file that is replaced while it is read is read on as it was when it was opened', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ternspike-'));
    try {
      const path = join(folder, 'model.gguf');
      writeFileSync(path, FILE);
      writeFileSync(join(folder, 'new.gguf'), llamaFile({ shape: { layers: 1 }, seed: 9 }).bytes());
      const alone = await open(FILE, { contextLength: 32 });
      const expected = (await alone.logits([1, 2, 3]))[2];
      alone.dispose();
      let replaced = false;
      await using model = await open(path, {
        contextLength: 32,
        onProgress: () => {
          if (!replaced) renameSync(join(folder, 'new.gguf'), path);
          replaced = true;
        },
      });
      assert.ok(replaced);
      sameBits((await model.logits([1, 2, 3]))[2], expected, 'the file that was opened');
      await using other = await open(path, { contextLength: 32 });
      assert.not.equal((await other.logits([1, 2, 3]))[2], expected);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  odd('a handle that its owner closes while it is read gives IO, not bytes of another file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ternspike-'));
    try {
      const path = join(folder, 'model.gguf');
      writeFileSync(path, FILE);
      const { open: openHandle } = await import('node:fs/promises');
      const handle = await openHandle(path);
      const source = memorySource(FILE);
      const read: ByteSource = {
        ...source,
        read: async (into, offset) => (await handle.read(into, 0, into.length, offset)).bytesRead,
      };
      await readFully(read, new Uint8Array(10), 0, 'x');
      await handle.close();
      const other = openSync(path, 'r'); // may take the number of the handle
      await refuses(readFully(read, new Uint8Array(10), 0, 'x'), 'IO');
      closeSync(other);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

odd.run();
