/**
 * The models of a tokenizer.json, which make ids of words: which one a file has, and the two that look words up.
 * @module
 */
import { Trie } from '../pairs.ts';
import { refuse } from '../vocabulary.ts';
import { bpe } from './bpe.ts';
import { missing, type Model } from './model.ts';
import { count, type Json, object, shown, words } from './steps.ts';
import { unigram } from './unigram.ts';
import { type ModelPieces, modelPieces } from './vocabulary.ts';

const TYPES = ['BPE', 'WordPiece', 'WordLevel', 'Unigram'];

/** The type of a model; of one without, the first whose fields are all there, as in the original. */
function typeOf(model: Json, name: string): string {
  if (typeof model.type === 'string' && TYPES.includes(model.type)) return model.type;
  if (model.type !== undefined) {
    refuse(name, `the model type ${shown(model.type)} is not supported; ${TYPES.join(', ')} are`);
  }
  const has = (...keys: string[]): boolean => keys.every((key) => model[key] !== undefined);
  if (Array.isArray(model.vocab)) return 'Unigram';
  if (has('merges')) return 'BPE';
  if (has('unk_token', 'continuing_subword_prefix', 'max_input_chars_per_word')) return 'WordPiece';
  if (has('unk_token')) return 'WordLevel';
  return refuse(name, `the model has no type, and its fields match none of ${TYPES.join(', ')}`);
}

/** @throws {TokenizerError} `TOKENIZER` for a model that is malformed or of an unknown kind */
export function readModel(value: unknown, name: string): Model {
  const model = object(value, name, 'model');
  const type = typeOf(model, name);
  if (type === 'Unigram') return unigram(model, name);
  const pieces = modelPieces(Object.entries(object(model.vocab, name, 'model.vocab')), name);
  const labelled = { ...model, type };
  if (type === 'BPE') return bpe(labelled, pieces);
  const unk = words(labelled, 'unk_token', name, type === 'WordPiece' ? '[UNK]' : '<unk>');
  const unknown = pieces.ids.get(unk);
  const encode = type === 'WordPiece' ? wordPiece(labelled, pieces) : wordLevel(pieces);
  return {
    kind: type.toLowerCase(),
    pieces,
    unknown,
    notices: [],
    encoder: (isSpecial) => (word, out, safe) => {
      const before = out.length;
      if (encode(word, out, (id) => safe && isSpecial(id))) return;
      out.length = before;
      out.push(unknown ?? missing(name, unk));
    },
  };
}

/** Appends the ids of a word; false where it is unknown. */
type Lookup = (word: string, out: number[], hidden: (id: number) => boolean) => boolean;

function wordLevel({ ids }: ModelPieces): Lookup {
  return (word, out, hidden) => {
    const id = ids.get(word);
    if (id === undefined || hidden(id)) return false;
    out.push(id);
    return true;
  };
}

/** The longest piece from the left, then the longest that continues it, and so on. */
function wordPiece(model: Json, { name, ids }: ModelPieces): Lookup {
  const prefix = words(model, 'continuing_subword_prefix', name, '##');
  const longest = count(model, 'max_input_chars_per_word', 0, name, 100);
  const begin = new Trie(ids, 4 * ids.size);
  const rest = [...ids].filter(([piece]) => piece.startsWith(prefix));
  const next = new Trie(rest.map(([piece, id]): [string, number] => [piece.slice(prefix.length), id]), 4 * rest.length);
  return (word, out, hidden) => {
    if (word.length > 2 * longest || (word.length > longest && [...word].length > longest)) return false;
    for (let at = 0; at < word.length;) {
      const trie = at === 0 ? begin : next;
      let found = -1;
      let end = at;
      for (let node = 0, i = at; i < word.length;) {
        node = trie.next(node, word.charCodeAt(i++));
        if (node === -1) break;
        const id = trie.id(node);
        if (id === -1 || hidden(id)) continue;
        found = id;
        end = i;
      }
      if (found === -1) return false;
      out.push(found);
      at = end;
    }
    return true;
  };
}
