/**
 * Vocabularies, templates, and files of texts.
 * @module
 */
import { memorySource } from '../../src/bytes/memory.ts';
import { readGlue } from '../../src/eval/glue-read.ts';
import { GLUE_TASKS, glueTask } from '../../src/eval/glue-tasks.ts';
import { openTokenizer } from '../../src/tokenizer/open.ts';
import { renderTemplate } from '../../src/tokenizer/template.ts';
import { byteLevelMetadata, charsmap, type Piece, sentencePieceModel, SPM_PIECES } from '../tokenizer/builders.ts';
import type { Chance } from './chance.ts';
import { bytesChanged, jsonChanged, textChanged } from './mutate.ts';
import { expected, type Target, textOf, utf8 } from './target.ts';

const TEXT = "hello World's  \u00e9\u0301 \u0130 \ufb01 中文 123 <s>\u0085\r\n🧑‍🚀 \ud800x <|end|>";

/** Uses a vocabulary; what it says of itself has to agree. */
function used(bytes: Uint8Array, name: string): void {
  const tokenizer = openTokenizer(bytes, name);
  for (const special of [false, true]) {
    const ids = tokenizer.encode(TEXT, { special });
    expected(
      ids.every((id) => Number.isInteger(id) && id >= 0 && id < tokenizer.vocabSize),
      'an id outside the vocabulary',
    );
    const whole = tokenizer.decode(ids);
    const stream = tokenizer.stream();
    const streamed = ids.map((id) => stream.push(id)).join('') + stream.flush();
    expected(streamed === whole, `a stream says ${JSON.stringify(streamed)}, decode ${JSON.stringify(whole)}`);
  }
}

const BYTE_LEVEL = byteLevelMetadata();
const ids = (tokens: readonly string[]): Record<string, number> =>
  Object.fromEntries(tokens.map((token, id) => [token, id]));

/** Pipelines in the shapes of published files. */
const PIPELINES: readonly object[] = [
  {
    added_tokens: [{
      id: 260,
      content: '<|end|>',
      special: true,
      lstrip: false,
      rstrip: false,
      normalized: false,
      single_word: false,
    }],
    normalizer: {
      type: 'Sequence',
      normalizers: [{ type: 'NFC' }, { type: 'Lowercase' }, { type: 'Strip', strip_left: true, strip_right: true }],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        {
          type: 'Split',
          pattern: { Regex: "'s|'t| ?\\p{L}+| ?\\p{N}+|\\s+(?!\\S)|\\s+" },
          behavior: 'Isolated',
          invert: false,
        },
        { type: 'Digits', individual_digits: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: { type: 'ByteLevel', trim_offsets: false },
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      vocab: ids(BYTE_LEVEL.get('tokenizer.ggml.tokens') as string[]),
      merges: BYTE_LEVEL.get('tokenizer.ggml.merges'),
    },
  },
  {
    added_tokens: [{ id: 0, content: '<unk>', special: true }, { id: 1, content: '<s>', special: true }],
    normalizer: {
      type: 'Sequence',
      normalizers: [{ type: 'Prepend', prepend: '▁' }, { type: 'Replace', pattern: { String: ' ' }, content: '▁' }],
    },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [{ type: 'Replace', pattern: { String: '▁' }, content: ' ' }, { type: 'ByteFallback' }, {
        type: 'Fuse',
      }, { type: 'Strip', content: ' ', start: 1, stop: 0 }],
    },
    model: {
      type: 'BPE',
      byte_fallback: true,
      fuse_unk: true,
      unk_token: '<unk>',
      vocab: ids(SPM_PIECES.map(([text]) => text)),
      merges: ['h e', 'l o', 'a b'].filter(() => false),
    },
  },
  {
    added_tokens: [{ id: 1, content: '[UNK]', special: true }],
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: { type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: ids([
        '[PAD]',
        '[UNK]',
        '[CLS]',
        '[SEP]',
        'hello',
        'w',
        '##or',
        '##l',
        '##d',
        '##s',
        "'",
        '1',
        '##2',
        '##3',
      ]),
    },
  },
  {
    added_tokens: [],
    normalizer: {
      type: 'Sequence',
      normalizers: [{ type: 'NFKC' }, { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' }],
    },
    pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
    decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
    model: {
      type: 'Unigram',
      unk_id: 0,
      byte_fallback: false,
      vocab: SPM_PIECES.filter(([, , type]) => type !== 6).map(([text, score]) => [text, score]),
    },
  },
];

const tokenizerJson: Target = {
  name: 'tokenizer.json',
  make(c) {
    const json = JSON.stringify(jsonChanged(c, c.pick(PIPELINES))) ?? 'null';
    return utf8(c.once(6) ? textChanged(c, json, ['"', '[', '}', '\\', '\\ud800', ':', ',', 'null']) : json);
  },
  use: (input) => used(input, 'tokenizer.json'),
};

const sentencePiece: Target = {
  name: 'sentencepiece',
  make(c) {
    const piece = ([text, score, type]: Piece): Piece => {
      if (!c.once(400)) return [text, score, type];
      return [
        c.once(2) ? textChanged(c, text) : text,
        c.pick([score, NaN, Infinity, -1e38, 0]),
        c.pick([type, c.below(9)]),
      ];
    };
    const blob = c.once(3) ? charsmap({ [c.below(256)]: c.below(2 ** 31), 0x41: c.below(2 ** 31) }) : charsmap();
    const bytes = sentencePieceModel(
      SPM_PIECES.map(piece),
      [[3, c.once(12) ? c.below(9) : c.pick([1, 2])], ...(c.once(4) ? [[35, c.below(2)] as const] : [])],
      [
        [4, c.below(2)],
        [3, c.below(2)],
        [5, c.below(2)],
        ...(c.once(2) ? [[2, c.once(2) ? blob : bytesChanged(c, blob, 0, blob.length, 2)] as const] : []),
      ],
    );
    return c.once(3) ? bytesChanged(c, bytes, 0, bytes.length, 3) : bytes;
  },
  use: (input) => used(input, 'tokenizer.model'),
};

const EXPRESSIONS = [
  ...[
    'messages',
    'message.content',
    'm.role',
    'bos_token',
    'tools',
    'loop.index',
    'namespace(a=1)',
    'ns.a',
    "'x'",
    '1',
    '2.5',
    'true',
    'none',
  ],
  ...[
    'range(9)',
    '[1, 2, [3]]',
    "{'a': 1, 'b': none}",
    'messages[0]',
    'messages[1:]',
    'undefined_name',
    "'%s' % 1",
    '1 if a else 2',
    'not a',
    'f(1)',
  ],
];
const FILTERS = [
  'trim',
  'length',
  'tojson',
  'upper',
  'list',
  'first',
  'last',
  'join(",")',
  'map(attribute="role")',
  'selectattr("role", "equalto", "user")',
  'default(1)',
  'string',
  'int',
  'sort',
  'reverse',
  'items',
  'batch(2)',
  'indent(2)',
  'round',
  'groupby("role")',
  'unique',
  'slice(2)',
  'replace("a", "b")',
  'wordwrap(3)',
  'xmlattr',
  'sum',
];
const OPERATORS = ['+', '-', '*', '/', '//', '%', '**', '~', '==', '<', 'in', 'and', 'or', 'is', 'not in'];

function expression(c: Chance, depth: number): string {
  if (depth === 0 || c.once(3)) return c.pick(EXPRESSIONS);
  const inner = (): string => expression(c, depth - 1);
  return c.pick([
    () => `${inner()} ${c.pick(OPERATORS)} ${inner()}`,
    () => `(${inner()})|${c.pick(FILTERS)}`,
    () =>
      `${inner()}.${
        c.pick([
          'split',
          'strip',
          'items',
          'get',
          'upper',
          'startswith',
          'role',
          '__class__',
          'format',
          'pop',
          'append',
          'constructor',
        ])
      }${c.pick(['', '()', "('a')", '(1)'])}`,
    () => `[${inner()}, ${inner()}]`,
    () => `${inner()}[${inner()}]`,
  ])();
}

function block(c: Chance, depth: number): string {
  if (depth === 0) return c.pick(['text ', `{{ ${expression(c, 2)} }}`, '{# c #}', '\n']);
  const inner = (): string => Array.from({ length: 1 + c.below(3) }, () => block(c, depth - 1)).join('');
  return c.pick([
    () => `{% for ${c.pick(['m', 'message', 'a, b'])} in ${expression(c, 2)} %}${inner()}{% endfor %}`,
    () => `{%- if ${expression(c, 2)} -%}${inner()}{% elif a %}${inner()}{% else %}${inner()}{% endif %}`,
    () => `{% set ${c.pick(['a', 'ns', 'ns.a', 'a, b'])} = ${expression(c, 2)} %}`,
    () => `{% macro f(x, y=1) %}${inner()}{% endmacro %}{{ f(${expression(c, 1)}) }}`,
    () => `{% filter ${c.pick(FILTERS)} %}${inner()}{% endfilter %}`,
    inner,
  ])();
}

const template: Target = {
  name: 'template',
  make(c) {
    const text = Array.from({ length: 1 + c.below(4) }, () => block(c, c.below(4))).join('');
    return utf8(
      c.once(3)
        ? textChanged(c, text, [
          '{%',
          '%}',
          '{{',
          '}}',
          '-',
          '|',
          '(',
          ')',
          "'",
          'endfor',
          '[',
          '.',
          '**',
          '\u2028',
          '~',
        ])
        : text,
    );
  },
  use(input) {
    const messages = [{ role: 'system', content: 's' }, { role: 'user', content: 'a <b> {{ x }}' }, {
      role: 'assistant',
      content: '',
    }];
    const text = renderTemplate(textOf(input), messages);
    expected(typeof text === 'string', 'no text');
    for (const leak of ['[object Object]', 'function (', '[native code]']) {
      expected(!text.includes(leak), `it says ${leak}`);
    }
  },
};

const LINES: Readonly<Record<string, string>> = {
  cola: 'gj04\t1\t\tOur friends.\ngj04\t0\t*\tThey drank the pub.\n',
  sst2: 'sentence\tlabel\na charming journey . \t1\nbleak \t0\n',
  mrpc: '\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t1\t2\tHe said "so".\t" So ," he said .\n',
  qqp: 'id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t2\t3\tHow is "life"?\tWhy\u2028so?\t0\n',
};

const glue: Target = {
  name: 'glue',
  make(c) {
    const task = c.pick(GLUE_TASKS);
    const lines = LINES[task] ?? c.pick(Object.values(LINES));
    const text = textChanged(c, lines, ['\t', '\n', '\r\n', '"', '\0', '\ufeff', '1e9', '-1', '\t\t\t\t', '\u2028']);
    const bytes = utf8(`${task}\n${text}`);
    return c.once(4) ? bytesChanged(c, bytes, task.length + 1) : bytes;
  },
  async use(input) {
    const cut = input.indexOf(10);
    const task = textOf(input.subarray(0, cut));
    let lines = 0;
    const options = { onMalformed: () => void lines++ };
    for await (
      const { text, label } of readGlue(memorySource(input.subarray(cut + 1), 'dev.tsv'), glueTask(task), options)
    ) {
      lines++;
      expected(
        typeof text === 'string' && (label === undefined || label === null || Number.isFinite(label)),
        'a sample that is none',
      );
    }
    expected(lines <= input.length, 'more lines than bytes');
  },
};

export const TEXTS: readonly Target[] = [tokenizerJson, sentencePiece, template, glue];
