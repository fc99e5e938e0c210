/**
 * What `compare` and `gate` leave besides their result: files for people and for machines that build.
 * @module
 */
import { appendFile, open, readFile, stat } from 'node:fs/promises';
import process from 'node:process';
import { createFile } from '../bytes/sink.ts';
import { annotationsOf, gateLines, gateMarkdown, type GateResult, type Gates, readGates } from '../entries/eval.ts';
import { IoError } from '../errors.ts';
import { MAX_RESULT_BYTES } from '../limits.ts';
import type { Context } from './command.ts';
import { readBytes, withSource } from './files.ts';

/** Writes a file, which has its name once it is whole. @throws {IoError} */
export async function writeReport(path: string, text: string): Promise<void> {
  const sink = await createFile(path);
  try {
    await sink.write(new TextEncoder().encode(text));
    await sink.commit();
  } finally {
    await sink.discard();
  }
}

/** Appends a line to a file; what a killed run left of a line is taken away first. @throws {IoError} */
export async function appendLine(path: string, line: string): Promise<void> {
  try {
    const there = await stat(path).catch(() => null);
    if (there && there.size > 0) {
      const end = (await readFile(path)).lastIndexOf(0x0a) + 1;
      if (end < there.size) {
        const handle = await open(path, 'r+');
        await handle.truncate(end);
        await handle.close();
      }
    }
    await appendFile(path, `${line}\n`);
  } catch (cause) {
    throw new IoError('IO', `${path} cannot be written: ${String(cause)}`, { cause });
  }
}

/** The JSON of a file. @throws {IoError} `IO` for one that is too large or not JSON */
export async function readJson(path: string, signal: AbortSignal): Promise<unknown> {
  const bytes = await withSource(path, signal, (source) => readBytes(source, MAX_RESULT_BYTES, signal));
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as unknown;
  } catch (cause) {
    throw new IoError('IO', `${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
}

/** The gates of a file. @throws {DatasetError} `GATE` */
export async function gatesOf(path: string, signal: AbortSignal): Promise<Gates> {
  return readGates(await readJson(path, signal), path);
}

/** Tells GitHub of a verdict, where a workflow of it runs this; notes it otherwise, next to the result. */
export async function announce(result: GateResult, summary: string, { out }: Context): Promise<void> {
  if (process.env.GITHUB_ACTIONS === 'true') {
    for (const line of annotationsOf(result)) out.note(line);
    const path = process.env.GITHUB_STEP_SUMMARY;
    if (path) await appendLine(path, `${summary}${gateMarkdown(result)}`);
  } else if (out.json) {
    for (const line of gateLines(result)) out.note(line);
  }
}
