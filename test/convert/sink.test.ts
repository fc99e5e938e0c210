/** Files appear whole or not at all. */
import { existsSync, lstatSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createFile } from '../../src/bytes/sink.ts';
import { bytesOf } from '../builders.ts';
import { refuses } from '../refusal.ts';

const sink = suite<{ folder: string; path: string }>('sink');

sink.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'ternspike-sink-'));
  context.path = join(context.folder, 'out.bin');
});
sink.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }));

sink('a file has its name only after commit()', async ({ path }) => {
  const file = await createFile(path);
  await file.write(bytesOf(1, 2));
  await file.write(bytesOf());
  await file.write(bytesOf(3));
  assert.not(existsSync(path));
  await file.commit();
  await file.discard();
  assert.equal([...readFileSync(path)], [1, 2, 3]);
  assert.not(existsSync(`${path}.part`));
});

sink('discard() leaves nothing, and an older file of the name as it was', async ({ path }) => {
  writeFileSync(path, 'old');
  const file = await createFile(path);
  await file.write(bytesOf(1));
  assert.ok(existsSync(`${path}.part`));
  await file.discard();
  await file.discard();
  assert.not(existsSync(`${path}.part`));
  assert.is(readFileSync(path, 'utf8'), 'old');
});

sink('what a killed process left is written over', async ({ path }) => {
  writeFileSync(`${path}.part`, 'a longer rest of an earlier run');
  const file = await createFile(path);
  await file.write(bytesOf(7));
  await file.commit();
  assert.equal([...readFileSync(path)], [7]);
});

sink('a folder that is not there is refused with the path', async ({ folder }) => {
  await refuses(createFile(join(folder, 'none', 'out.bin')), 'IO', 'none', 'created');
});

sink('a device is written to and stays what it is', async ({ path }) => {
  symlinkSync('/dev/null', path); // were the name replaced, only the link would be lost
  const file = await createFile(path);
  await file.write(bytesOf(1, 2, 3));
  await file.commit();
  const other = await createFile(path);
  await other.discard();
  assert.ok(lstatSync(path).isSymbolicLink());
  assert.not(existsSync(`${path}.part`));
});

sink('a folder in place of the file is refused', async ({ folder }) => {
  await refuses(createFile(folder), 'IO', folder, 'created');
});

sink.run();
