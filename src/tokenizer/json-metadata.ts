/**
 * A `tokenizer.json` as the GGUF metadata of the same vocabulary, for files that are to carry it. GGUF has names for few ways to
 * cut a text: the result is tried on texts of many kinds, and one that reads any of them otherwise is not used.
 * @module
 */
import type { MetadataValue } from '../container/tensor.ts';
import { MAX_VOCAB } from '../limits.ts';
import { openTokenizer, tokenizerFromMetadata } from './open.ts';
import { shown } from './json/steps.ts';
import { CONTRACTIONS, GPT2, preTokenizerNames } from './pretokenize.ts';
import type { Tokenizer } from './tokenizer.ts';
import { markedMetadata } from './wordpiece-metadata.ts';
import { BYTE, byteOf, CONTROL, NORMAL, refuse, UNKNOWN, UNUSED, USER_DEFINED } from './vocabulary.ts';

type Json = Readonly<Record<string, unknown>>;
type Entries = Map<string, MetadataValue>;

const KEY = 'tokenizer.ggml';
/** Segments of a BERT: a text, and the second of a pair. */
const BERT_SEGMENTS = 2;
/** What stands for a space in SentencePiece's pieces. */
const MARK = '▁';

/** Texts that tell ways to cut apart: spaces, digits, marks, case, scripts, what is rare. */
const PROBES: readonly string[] = [
  '',
  'Hello world',
  ' leading and trailing ',
  "I'm sure they'll say it's we've you'd DON'T",
  'a  b   c\td\n\ne\r\n f\n  g',
  '1 12 123 1234 12345 3.14 1,000,000 2024-11-30 ４２ ٣٤',
  'camelCase HTTPServer snake_case x86_64',
  'for (let i = 0; i < n; i++) { a[i] += b->c::d; } // done!!! ...',
  '¿Qué? Ärger über naïve façade — “quoted” …',
  'Привет мир, как дела? Γειά σου ΟΔΟΣ',
  '你好世界。日本語のテキスト、한국어 텍스트',
  'नमस्ते दुनिया العربية עברית ไทย',
  'e\u0301 vs é, ﬁ ligature, Å',
  '👍🏽 👨‍👩‍👧 🇩🇪 ☺️',
  '\u00a0nbsp\u2003em\u200bzero\ufeff',
  'tab\there  --  ~~ $$ %% @@ ## `` \\ |',
  '▁mark <0x0A> ##ing',
];

/**
 * The entries under `tokenizer.ggml`, and the chat templates.
 * @param text the file @param name what errors call it
 * @param config its `tokenizer_config.json`, with what other files beside it say
 * @returns why there are none, where GGUF cannot say what the file says
 * @throws {TokenizerError} `TOKENIZER` for a malformed file
 */
export function tokenizerJsonMetadata(text: string, name: string, config: Json = {}): Entries | string {
  const tokenizer = openTokenizer(text, name, { config: JSON.stringify(config) });
  const json = JSON.parse(text.replace(/^\ufeff/, '')) as Json;
  const model = json.model as Json;
  const pieces = piecesOf(json, name);
  const entries = entriesOf(json, model, pieces, tokenizer);
  if (typeof entries === 'string') return entries;
  const { specials } = tokenizer;
  const plain = tokenizer.encode('a');
  const framed = tokenizer.encode('a', { special: true });
  const id = (key: string, value: number | undefined): void => {
    if (value !== undefined) entries.set(`${KEY}.${key}_token_id`, value);
  };
  id('bos', specials.bos);
  id('eos', specials.eos);
  id('unknown', specials.unk);
  id('padding', specials.pad);
  id('eot', specials.stop.find((stop) => stop !== specials.eos));
  if (entries.get(`${KEY}.model`) !== 'bert') {
    entries.set(
      `${KEY}.add_bos_token`,
      specials.bos !== undefined && framed[0] === specials.bos && plain[0] !== specials.bos,
    );
    entries.set(
      `${KEY}.add_eos_token`,
      specials.eos !== undefined && framed.length > 1 && framed.at(-1) === specials.eos,
    );
  }
  addTemplates(config.chat_template, entries);
  const wrong = firstDifference(tokenizer, entries);
  return wrong === undefined ? entries : `as a GGUF vocabulary it would read ${JSON.stringify(wrong)} otherwise`;
}

/** Pieces by id; ids that no piece has are filled. */
function piecesOf({ model, added_tokens: added }: Json, name: string): string[] {
  const { vocab } = model as Json;
  const listed: [string, unknown][] = Array.isArray(vocab)
    ? vocab.map((entry, id): [string, number] => [String((entry as unknown[])[0]), id])
    : Object.entries(vocab as Json);
  for (const { content, id } of (added ?? []) as readonly { content: string; id: number }[]) listed.push([content, id]);
  const pieces: string[] = [];
  for (const [piece, id] of listed) {
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= MAX_VOCAB) {
      refuse(name, `piece ${JSON.stringify(piece.slice(0, 40))} has the id ${shown(id)}, below ${MAX_VOCAB} are read`);
    }
    pieces[id as number] = piece;
  }
  for (let id = 0; id < pieces.length; id++) pieces[id] ??= `[PAD${id}]`;
  return pieces;
}

function entriesOf(json: Json, model: Json, pieces: readonly string[], tokenizer: Tokenizer): Entries | string {
  const types = typesOf(json, pieces);
  const entries: Entries = new Map<string, MetadataValue>([[`${KEY}.tokens`, [...pieces]], [
    `${KEY}.token_type`,
    types,
  ]]);
  const steps = stepsOf(json.pre_tokenizer);
  const kind = model.type ?? (Array.isArray(model.vocab) ? 'Unigram' : model.merges ? 'BPE' : 'WordPiece');
  if (kind === 'WordPiece') return markedMetadata(tokenizer, BERT_SEGMENTS);
  if (kind === 'BPE' && (steps.some(({ type }) => type === 'ByteLevel'))) {
    const pre = preNamed(steps, model.ignore_merges === true);
    if (pre === undefined) return 'its pre-tokenizer has no name in GGUF';
    entries.set(`${KEY}.model`, 'gpt2');
    entries.set(`${KEY}.pre`, pre);
    entries.set(`${KEY}.merges`, mergesOf(model).map(([a, b]) => `${a} ${b}`));
    return entries;
  }
  if (kind === 'BPE') return sentencePiece(json, entries, pieces, mergeScores(model, pieces));
  if (kind !== 'Unigram') return `GGUF has no vocabulary of the kind ${shown(kind)}`;
  const scores = (model.vocab as readonly [string, number][]).map(([, score]) => score);
  return sentencePiece(json, entries, pieces, [...scores, ...pieces.slice(scores.length).map(() => 0)], 't5');
}

function typesOf({ model, added_tokens: added }: Json, pieces: readonly string[]): number[] {
  const { unk_token: unknown, unk_id: unknownId, byte_fallback: bytes } = model as Json;
  const types = pieces.map((piece, id): number =>
    piece === `[PAD${id}]` ? UNUSED : bytes === true && byteOf(piece) >= 0 ? BYTE : NORMAL
  );
  for (const { id, special } of (added ?? []) as readonly { id: number; special?: boolean }[]) {
    types[id] = special === true ? CONTROL : USER_DEFINED;
  }
  const id = typeof unknownId === 'number' ? unknownId : pieces.indexOf(String(unknown));
  if (id >= 0 && id < types.length) types[id] = UNKNOWN;
  return types;
}

/** The steps of a pre-tokenizer or normalizer, those of sequences one after the other. */
function stepsOf(step: unknown): Json[] {
  if (typeof step !== 'object' || step === null) return [];
  const { type, pretokenizers, normalizers } = step as Json;
  if (type !== 'Sequence') return [step as Json];
  return ((pretokenizers ?? normalizers ?? []) as unknown[]).flatMap(stepsOf);
}

/** The `tokenizer.ggml.pre` whose patterns are those of the steps. */
function preNamed(steps: readonly Json[], wholeWords: boolean): string | undefined {
  const patterns: string[] = [];
  for (const { type, pattern, individual_digits: single, use_regex: usual, add_prefix_space: prefix } of steps) {
    const { Regex: regex } = (pattern ?? {}) as { Regex?: string };
    if (type === 'Split' && regex !== undefined) {
      patterns.push(regex.replaceAll("(?i:'s|'t|'re|'ve|'m|'ll|'d)", CONTRACTIONS));
    } else if (type === 'Digits' && single === true) patterns.push('\\p{N}');
    else if (type === 'ByteLevel' && prefix !== true) {
      if (usual !== false) patterns.push(GPT2);
    } else return undefined;
  }
  return preTokenizerNames(patterns, wholeWords)[0];
}

function mergesOf({ merges }: Json): [string, string][] {
  return ((merges ?? []) as readonly (string | [string, string])[]).map((merge) => {
    if (typeof merge !== 'string') return merge;
    const at = merge.indexOf(' ', 1);
    return [merge.slice(0, at), merge.slice(at + 1)];
  });
}

/** Scores that merge in the order of the merges. */
function mergeScores(model: Json, pieces: readonly string[]): number[] {
  const ranks = new Map<string, number>();
  mergesOf(model).forEach(([a, b], rank) => {
    if (!ranks.has(a + b)) ranks.set(a + b, rank);
  });
  const last = ranks.size + 1;
  return pieces.map((piece) => -(ranks.get(piece) ?? last));
}

/** Vocabularies that came from SentencePiece: spaces are marks, words are not cut before. */
function sentencePiece(
  json: Json,
  entries: Entries,
  pieces: readonly string[],
  scores: number[],
  model: string = 'llama',
): Entries | string {
  if (!pieces.some((piece) => piece.startsWith(MARK))) return 'GGUF has no name for its pre-tokenizer';
  const steps = [...stepsOf(json.normalizer), ...stepsOf(json.pre_tokenizer)];
  const prepends = steps.some(({ type, prepend, prepend_scheme: scheme, add_prefix_space: add }) =>
    (type === 'Prepend' && prepend === MARK) ||
    (type === 'Metaspace' && (scheme === undefined ? add !== false : scheme !== 'never'))
  );
  entries.set(`${KEY}.model`, model);
  entries.set(`${KEY}.scores`, scores);
  entries.set(`${KEY}.add_space_prefix`, prepends);
  const charsmap = steps.find(({ type }) => type === 'Precompiled')?.precompiled_charsmap;
  if (typeof charsmap === 'string') {
    entries.set(`${KEY}.precompiled_charsmap`, [...atob(charsmap)].map((byte) => byte.charCodeAt(0)));
  }
  return entries;
}

/** A template, or a list of named ones. */
function addTemplates(template: unknown, entries: Entries): void {
  if (typeof template === 'string') entries.set('tokenizer.chat_template', template);
  if (!Array.isArray(template)) return;
  const named = template as readonly { name: string; template: string }[];
  for (const { name, template: text } of named) {
    entries.set(name === 'default' ? 'tokenizer.chat_template' : `tokenizer.chat_template.${name}`, text);
  }
  const others = named.map(({ name }) => name).filter((name) => name !== 'default');
  if (others.length > 0) entries.set('tokenizer.chat_templates', others);
}

/** The first text that the entries read otherwise than the file. */
function firstDifference(tokenizer: Tokenizer, entries: Entries): string | undefined {
  const other = tokenizerFromMetadata(entries);
  const texts = [...PROBES, ...PROBES.map((text) => `${text} ${text.toUpperCase()}`)];
  return texts.find((text) =>
    [false, true].some((special) =>
      tokenizer.encode(text, { special }).join() !== other?.encode(text, { special }).join()
    )
  );
}
