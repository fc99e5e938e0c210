/**
 * Models for the commands, by path, URL, or name on a hub.
 * @module
 */
import type { ByteSource } from '../bytes/source.ts';
import { isHubName, pull, type Pulled, type StoreOptions, type StoreProgress } from '../entries/store.ts';
import type { Context } from './command.ts';
import { withSource } from './files.ts';
import { bytesText, clock } from './output.ts';

/** Options of every command that takes a model. */
export const STORE_OPTIONS = {
  offline: { kind: 'flag', help: 'use models of a hub only as they are stored, without any request' },
} as const;

/** What the help says of a model. */
export const MODEL_HELP = 'a path or a URL of a GGUF, safetensors or PyTorch file, a folder, or hf:ORG/REPO[:QUANT]';

/** Options of the store for a command. */
export function storeOptions({ out, signal, offline }: Context): StoreOptions {
  return {
    signal,
    ...(offline && { offline }),
    onProgress: (progress) => out.progress(progressLine(progress)),
    onNotice: (notice) => out.note(notice),
  };
}

/** Stores a model of a hub, with a line of progress. */
export async function pullHere(name: string, context: Context, options: StoreOptions = {}): Promise<Pulled> {
  const pulled = await pull(name, { ...storeOptions(context), ...options });
  context.out.progress('');
  return pulled;
}

/** The path of a model's main file: a name on a hub is stored first, anything else is as it was given. */
export async function localModel(name: string, context: Context): Promise<string> {
  if (!isHubName(name)) return name;
  const { source, downloaded } = await pullHere(name, context);
  if (downloaded > 0) context.out.note(`${name}: ${bytesText(downloaded)} downloaded to ${String(source)}`);
  return String(source);
}

/** Opens a model for the time of `use`. */
export async function withModel<T>(
  name: string,
  context: Context,
  use: (source: ByteSource) => Promise<T>,
): Promise<T> {
  return await withSource(await localModel(name, context), context.signal, use);
}

function progressLine({ phase, file, loaded, total, bytesPerSecond, secondsLeft }: StoreProgress): string {
  const share = total > 0 ? Math.floor((loaded / total) * 100) : 100;
  const what = phase === 'waiting' ? 'another process downloads' : phase;
  const speed = bytesPerSecond > 0 ? `, ${bytesText(bytesPerSecond)}/s` : '';
  const left = secondsLeft === null ? '' : `, ${clock(secondsLeft)} left`;
  return `${what} ${file.replace(/^.*\//, '')} ${share} %  ${bytesText(loaded)} of ${bytesText(total)}${speed}${left}`;
}
