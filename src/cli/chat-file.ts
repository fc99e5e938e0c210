/**
 * A conversation as a file: what was said, how it was drawn, and by which model.
 * @module
 */
import { stat } from 'node:fs/promises';
import { createFile } from '../bytes/sink.ts';
import { OptionError } from '../errors.ts';
import { MAX_RESULT_BYTES } from '../limits.ts';
import { GENERATE_RULES, type GenerateOptions } from '../model/types.ts';
import type { ChatMessage } from '../tokenizer/template.ts';
import type { Saved } from './conversation.ts';
import { readBytes, withSource } from './files.ts';
import { toJson } from './output.ts';

const VERSION = 1;
/** −∞ as a bias, for which JSON has no number. */
export const BAN: string = '-inf';

/** What the file holds. */
export interface ChatFile extends Saved {
  /** Digest of the model that answered. */
  readonly model: string;
  readonly settings: GenerateOptions;
  /** Answers so far: the seed of the next one depends on it. */
  readonly turns: number;
}

/** Writes a conversation; the file appears when it is whole. @throws {OptionError} for a file that is there and none; {IoError} */
export async function saveChat(
  path: string,
  chat: Omit<ChatFile, 'settings'> & { readonly settings: object },
  signal: AbortSignal,
): Promise<void> {
  if (await stat(path).catch(() => null)) await readChat(path, signal);
  const sink = await createFile(path);
  try {
    await sink.write(new TextEncoder().encode(`${toJson({ ternspike: 'chat', version: VERSION, ...chat })}\n`));
    await sink.commit();
  } finally {
    await sink.discard();
  }
}

/** Reads one. @throws {OptionError} `OPTION` for any other file; {IoError} */
export async function readChat(path: string, signal: AbortSignal): Promise<ChatFile> {
  const bytes = await withSource(path, signal, (source) => readBytes(source, MAX_RESULT_BYTES, signal));
  const refusal = (why: string): OptionError => new OptionError('OPTION', `${path} ${why}; choose another name`);
  let found: Record<string, unknown>;
  try {
    found = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  } catch (cause) {
    throw new OptionError('OPTION', `${path} is no saved conversation; choose another name`, { cause });
  }
  if (found?.ternspike !== 'chat') throw refusal('is no saved conversation');
  if (found.version !== VERSION) throw refusal(`is of version ${String(found.version)}, expected ${VERSION}`);
  const { model, system, messages, ids, settings = {}, turns = 0 } = found;
  const isMessage = (item: unknown): boolean => {
    const { role, content } = (item ?? {}) as Partial<ChatMessage>;
    return typeof role === 'string' && typeof content === 'string';
  };
  const right = typeof model === 'string' && (system === undefined || typeof system === 'string') &&
    Array.isArray(messages) && messages.every(isMessage) &&
    (ids === undefined || (Array.isArray(ids) && ids.every((id) => Number.isSafeInteger(id) && Number(id) >= 0))) &&
    Number.isSafeInteger(turns) && typeof settings === 'object' && settings !== null &&
    Object.entries(settings).every(([name, value]) =>
      Object.hasOwn(GENERATE_RULES, name) && GENERATE_RULES[name as keyof GenerateOptions].holds(value)
    );
  if (!right) throw refusal('is a damaged conversation');
  const chat = found as unknown as ChatFile;
  const { logitBias } = chat.settings;
  if (!logitBias) return chat;
  const numbers = Object.entries(logitBias).map(([id, value]) => [id, value === BAN ? -Infinity : value] as const);
  return { ...chat, settings: { ...chat.settings, logitBias: Object.fromEntries(numbers) } };
}
