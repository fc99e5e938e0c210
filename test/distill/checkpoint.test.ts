/** Checkpoints: whole or not there, and always one that can be gone on from. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { openContainer } from '../../src/container/open.ts';
import {
  type Checkpoint,
  CURRENT,
  loadCheckpoint,
  notFinite,
  PREVIOUS,
  saveCheckpoint,
} from '../../src/distill/checkpoint.ts';
import { diskFolder } from '../../src/distill/folder.ts';
import { joined, safetensorsParts } from '../../src/distill/safetensors-write.ts';
import { refuses } from '../refusal.ts';
import { memoryFolder } from './memory-folder.ts';

const suited = suite<{ path: string }>('distill checkpoints');

suited.before.each((context) => {
  context.path = mkdtempSync(join(tmpdir(), 'ternspike-run-'));
});
suited.after.each(({ path }) => rmSync(path, { recursive: true, force: true }));

function checkpoint(step: number): Checkpoint {
  const tensors = new Map([
    ['a.weight', { shape: [2, 3], data: Float32Array.from([1, -2, 3, 0.1, 1e-30, step]) }],
    ['adam.m.a.weight', { shape: [2, 3], data: new Float32Array(6) }],
    ['prior', { shape: [], data: Float32Array.of(0.25) }],
    ['__proto__', { shape: [1], data: Float32Array.of(7) }],
  ]);
  return {
    run: {
      step,
      seconds: 12.5,
      data: { epoch: 1, taken: 4, generator: [1, 2, 3, 4], digest: 99 },
      means: { count: 2, values: [1.5], rates: [] },
      options: { settings: { lr: 0.1 }, text: 'a "b" \n ü' },
    },
    trainer: { step, tensors },
  };
}

suited('a checkpoint comes back as it was, from memory and from the disk', async ({ path }) => {
  for (const folder of [memoryFolder(), await diskFolder(join(path, 'new', 'run'))]) {
    assert.is(await loadCheckpoint(folder), null);
    await saveCheckpoint(folder, checkpoint(5));
    const found = await loadCheckpoint(folder);
    assert.equal(found?.run, checkpoint(5).run);
    assert.is(found?.trainer.step, 5);
    assert.equal([...found!.trainer.tensors], [...checkpoint(5).trainer.tensors]);
  }
});

suited('it is a safetensors file that any reader opens', async () => {
  const folder = memoryFolder();
  await saveCheckpoint(folder, checkpoint(5));
  const { format, tensors } = await openContainer(memorySource(folder.files.get(CURRENT)!));
  assert.is(format, 'safetensors');
  assert.equal(tensors.get('a.weight')?.shape, [2, 3]);
  assert.ok([...tensors.values()].every(({ offset }) => offset % 4 === 0));
});

suited('the one before is kept', async ({ path }) => {
  const folder = await diskFolder(path);
  for (const step of [1, 2, 3]) await saveCheckpoint(folder, checkpoint(step));
  assert.equal(readdirSync(path).sort(), [PREVIOUS, CURRENT].sort());
  assert.is((await loadCheckpoint(folder))?.run.step, 3);
  rmSync(join(path, CURRENT));
  assert.is((await loadCheckpoint(folder))?.run.step, 2);
});

suited('a torn or altered file gives way to the one before, which is said', async () => {
  const folder = memoryFolder();
  await saveCheckpoint(folder, checkpoint(1));
  await saveCheckpoint(folder, checkpoint(2));
  const whole = folder.files.get(CURRENT)!;
  const flipped = whole.slice();
  flipped[whole.length - 9] ^= 1;
  for (const bytes of [whole.subarray(0, whole.length - 1), whole.subarray(0, 5), new Uint8Array(0), flipped]) {
    folder.files.set(CURRENT, bytes);
    const notes: string[] = [];
    assert.is((await loadCheckpoint(folder, (note) => notes.push(note)))?.run.step, 1);
    assert.is(notes.length, 1);
    assert.match(notes[0], /checkpoint\.safetensors cannot be used: .* going on from .*previous.*, step 1/);
  }
});

suited('where none is whole, that is an error and not a fresh start', async () => {
  const folder = memoryFolder();
  folder.files.set(CURRENT, new Uint8Array(3));
  await refuses(loadCheckpoint(folder), 'CHECKPOINT', 'memory', CURRENT);
  folder.files.set(CURRENT, joined(safetensorsParts(checkpoint(1).trainer.tensors, { format: 'pt' })));
  await refuses(loadCheckpoint(folder), 'CHECKPOINT', 'not a checkpoint of a distillation');
  folder.files.set(
    CURRENT,
    joined(safetensorsParts(new Map(), { format: 'ternspike-distill', version: '1', run: '{}', xxh32: '0' })),
  );
  await refuses(loadCheckpoint(folder), 'CHECKPOINT', 'not complete');
});

suited('a full disk loses nothing that was saved', async () => {
  const folder = memoryFolder();
  await saveCheckpoint(folder, checkpoint(1));
  await saveCheckpoint(folder, checkpoint(2));
  folder.full = true;
  await refuses(saveCheckpoint(folder, checkpoint(3)), 'IO', 'ENOSPC');
  assert.is((await loadCheckpoint(folder))?.run.step, 2);
});

suited('a file that cannot be begun leaves the old ones, and no part', async ({ path }) => {
  const folder = await diskFolder(path);
  await saveCheckpoint(folder, checkpoint(1));
  mkdirSync(join(path, `${CURRENT}.part`)); // in the way of the new file
  await refuses(saveCheckpoint(folder, checkpoint(2)), 'IO', CURRENT);
  assert.is((await loadCheckpoint(folder))?.run.step, 1);
});

suited('what a killed process left unfinished is written over', async ({ path }) => {
  const folder = await diskFolder(path);
  await saveCheckpoint(folder, checkpoint(1));
  writeFileSync(join(path, `${CURRENT}.part`), 'half of it');
  assert.is((await loadCheckpoint(folder))?.run.step, 1);
  await saveCheckpoint(folder, checkpoint(2));
  assert.is((await loadCheckpoint(folder))?.run.step, 2);
  assert.equal(readdirSync(path).sort(), [PREVIOUS, CURRENT].sort());
});

suited('a state with a NaN is not saved', async () => {
  const folder = memoryFolder();
  await saveCheckpoint(folder, checkpoint(1));
  for (const bad of [NaN, -Infinity]) {
    const broken = checkpoint(2);
    broken.trainer.tensors.get('a.weight')!.data[4] = bad;
    assert.is(notFinite(broken.trainer), `a.weight[4] is ${bad}`);
    await refuses(saveCheckpoint(folder, broken), 'NOT_FINITE', 'a.weight[4]', 'step 2');
  }
  assert.is((await loadCheckpoint(folder))?.run.step, 1);
});

suited.run();
