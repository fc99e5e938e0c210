/**
 * The pieces of a tokenizer.json: those of its model, and the tokens that were added to them.
 * @module
 */
import { MAX_PIECE_BYTES, MAX_VOCAB, MAX_VOCAB_CHARS } from '../../limits.ts';
import { CONTROL, NORMAL, refuse, UNUSED, USER_DEFINED, type Vocabulary } from '../vocabulary.ts';
import type { Normal } from './normalizers.ts';
import { flag, type Json, object, shown, words } from './steps.ts';

/** What the model of a tokenizer.json knows. */
export interface ModelPieces {
  readonly name: string;
  /** Id by piece; of pieces that are listed twice the last one. */
  readonly ids: ReadonlyMap<string, number>;
  /** Pieces by id, undefined where no piece has it. */
  readonly pieces: readonly (string | undefined)[];
  /** How many pieces are listed. */
  readonly size: number;
}

/** A token that was added to the vocabulary. */
export interface AddedToken {
  readonly content: string;
  /** What it is called when it is decoded: its content as the normaliser has it. */
  readonly piece: string;
  readonly singleWord: boolean;
  readonly left: boolean;
  readonly right: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

/** The tokens that were added. */
export interface Added {
  readonly byId: ReadonlyMap<number, AddedToken>;
  /** Contents of special tokens. */
  readonly specials: ReadonlySet<string>;
}

/** @param listed `[piece, id]` in the order of the file @throws {TokenizerError} `TOKENIZER` for what is no piece or id */
export function modelPieces(listed: readonly (readonly [unknown, unknown])[], name: string): ModelPieces {
  const ids = new Map<string, number>();
  const pieces: (string | undefined)[] = [];
  let characters = 0;
  if (listed.length > MAX_VOCAB) refuse(name, `${listed.length} pieces, at most ${MAX_VOCAB} are accepted`);
  for (const [piece, id] of listed) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= MAX_VOCAB) {
      refuse(name, `the piece ${shown(piece)} has the id ${shown(id)}; ids are 0 to ${MAX_VOCAB - 1}`);
    }
    if (typeof piece !== 'string') refuse(name, `piece ${id} is not a string`);
    checkLength(piece, id, name);
    characters += piece.length;
    if (characters > MAX_VOCAB_CHARS) refuse(name, `the pieces have over ${MAX_VOCAB_CHARS} characters together`);
    if (pieces[id] !== undefined && pieces[id] !== piece) {
      refuse(name, `the id ${id} belongs to "${pieces[id]}" and to "${piece}"`);
    }
    pieces[id] = piece;
    ids.set(piece, id);
  }
  return { name, ids, pieces, size: ids.size };
}

function checkLength(piece: string, id: number, name: string): void {
  if (piece.length * 3 <= MAX_PIECE_BYTES) return;
  const bytes = new TextEncoder().encode(piece).length;
  if (bytes > MAX_PIECE_BYTES) refuse(name, `piece ${id} has ${bytes} bytes, at most ${MAX_PIECE_BYTES} are accepted`);
}

/**
 * Adds tokens as the original does: a token that the model has keeps the model's id, and the others are numbered from the number of
 * pieces on, whatever the file says.
 * @param named tokens of a configuration, which are special if the model has them
 */
export function addTokens(
  list: unknown,
  named: readonly Json[],
  model: ModelPieces,
  normalise: (before: Normal) => Normal,
): Added {
  const { name } = model;
  const byContent = new Map<string, number>();
  const byId = new Map<number, AddedToken>();
  const specials = new Set<string>();
  if (list !== undefined && list !== null && !Array.isArray(list)) refuse(name, 'added_tokens is not a list');
  let next = model.size;
  const add = (token: AddedToken, i: number): void => {
    if (token.content === '') return;
    const id = byContent.get(token.content) ?? model.ids.get(token.content) ?? next++;
    checkLength(token.content, id, name);
    if (id >= MAX_VOCAB) refuse(name, `added token ${i} has the id ${id}; ids are 0 to ${MAX_VOCAB - 1}`);
    byContent.set(token.content, id);
    byId.set(id, token);
    if (token.special) specials.add(token.content);
  };
  ((list ?? []) as unknown[]).forEach((entry, i) => {
    const token = object(entry, name, `added token ${i}`);
    if (typeof token.content !== 'string' || typeof token.id !== 'number') {
      refuse(name, `added token ${i} lacks its id or content`);
    }
    add(readToken(token, `added token ${i}`, name, normalise), i);
  });
  // what a configuration names but no list has makes a piece special; no embedding has a row for a token that is no piece
  for (const token of named) {
    const content = token.content as string;
    if (byContent.has(content) || !model.ids.has(content)) continue;
    add(readToken(token, `"${content.slice(0, 40)}" of the configuration`, name, normalise), 0);
  }
  return { byId, specials };
}

function readToken(token: Json, type: string, name: string, normalise: (before: Normal) => Normal): AddedToken {
  const labelled = { ...token, type };
  const content = words(labelled, 'content', name);
  const special = flag(labelled, 'special', false, name);
  const normalized = flag(labelled, 'normalized', !special, name);
  return {
    content,
    piece: normalized ? normalise({ text: content, origin: 0 }).text : content,
    singleWord: flag(labelled, 'single_word', false, name),
    left: flag(labelled, 'lstrip', false, name),
    right: flag(labelled, 'rstrip', false, name),
    normalized,
    special,
  };
}

/** Both together, by id; the types say which tokens were added and which of them are special. */
export function wholeVocabulary(model: ModelPieces, added: Added): Vocabulary {
  const ids = new Map(model.ids);
  ids.delete('');
  let count = model.pieces.length;
  for (const [id, { content }] of added.byId) {
    ids.set(content, id);
    count = Math.max(count, id + 1);
  }
  if (count === 0) refuse(model.name, 'the vocabulary is empty');
  const pieces = new Array<string>(count);
  const types = new Uint8Array(count);
  for (let id = 0; id < count; id++) {
    const token = added.byId.get(id);
    pieces[id] = token?.piece ?? model.pieces[id] ?? '';
    types[id] = token ? (token.special ? CONTROL : USER_DEFINED) : pieces[id] === '' ? UNUSED : NORMAL;
  }
  return { name: model.name, pieces, types, ids };
}
