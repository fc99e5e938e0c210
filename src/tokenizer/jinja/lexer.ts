/**
 * Text of a template → tokens, with the white space that `trim_blocks` and `lstrip_blocks` take away. Every rule is jinja2's, but none
 * looks at a character more than a few times.
 * @module
 */
import { escapeCode } from './print.ts';
import { SPACE, strip } from './text.ts';
import { fail } from './values.ts';

export type TokenKind =
  | 'data'
  | 'block_begin'
  | 'block_end'
  | 'variable_begin'
  | 'variable_end'
  | 'name'
  | 'string'
  | 'integer'
  | 'float'
  | 'operator'
  | 'eof';

export interface Token {
  readonly kind: TokenKind;
  readonly value: string;
  readonly line: number;
}

const BLANKS: RegExp = new RegExp(`[${SPACE}]*`, 'y');
const ONLY_BLANKS: RegExp = new RegExp(`^[${SPACE}]+$`);
const FLOAT = /(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy;
const INTEGER = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy;
const NAME = /[\p{L}\p{N}\p{M}\p{Pc}\u00b7\u0387\u1369-\u1371\u19da\u2118\u212e]+/uy;
const IDENTIFIER = /^[\p{XID_Start}_]\p{XID_Continue}*$/u;
const STRING = /'[^'\\]*(?:\\[\s\S][^'\\]*)*'|"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y;
const OPERATOR = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y;
const RAW: RegExp = new RegExp(`\\{%[-+]?[${SPACE}]*raw[${SPACE}]*(?:-%\\}[${SPACE}]*|%\\})`, 'y');
const RAW_END: RegExp = new RegExp(`[${SPACE}]*endraw[${SPACE}]*(?:\\+%\\}|-%\\}[${SPACE}]*|%\\}\\n?)`, 'y');
const CLOSING: Readonly<Record<string, string>> = { '{': '}', '(': ')', '[': ']' };

/** @throws {TemplateFailure} with the line in its message */
export function tokenize(template: string): Token[] {
  let source = template.replace(/\r\n?/g, '\n');
  if (source.endsWith('\n')) source = source.slice(0, -1);
  const tokens: Token[] = [];
  let at = 0;
  let line = 1;
  /** Whether the tag before ended with a line. */
  let lineStarts = true;

  const push = (kind: TokenKind, value: string): void => void tokens.push({ kind, value, line });
  const refuse = (message: string): never => fail(`line ${line}: ${message}`);
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(source)?.[0];
  };
  /** Goes on to `to`, counting lines. */
  const advance = (to: number): void => {
    for (let next = source.indexOf('\n', at); next !== -1 && next < to; next = source.indexOf('\n', next + 1)) line++;
    if (to > at) lineStarts = source[to - 1] === '\n';
    at = to;
  };
  /** The text before a tag, with its end taken away as the tag says. */
  const before = (to: number, sign: string, tag: boolean): void => {
    let text = source.slice(at, to);
    if (sign === '-') text = strip(text, undefined, false, true);
    else if (sign !== '+' && tag) {
      const start = text.lastIndexOf('\n') + 1;
      if ((start > 0 || lineStarts) && ONLY_BLANKS.test(text.slice(start))) text = text.slice(0, start);
    }
    if (text !== '') push('data', text);
    advance(to);
  };

  while (at < source.length) {
    const next = opening(source, at);
    if (next === -1) {
      push('data', source.slice(at));
      break;
    }
    const signed = source[next + 2] === '-' || source[next + 2] === '+';
    const sign = signed ? source[next + 2] : '';
    const mark = source[next + 1];
    before(next, sign, mark !== '{');
    const raw = mark === '%' ? match(RAW) : undefined;
    if (raw !== undefined) {
      advance(at + raw.length);
      rawText();
      continue;
    }
    advance(at + 2 + sign.length);
    if (mark === '#') comment();
    else tag(mark === '{' ? 'variable' : 'block');
  }
  tokens.push({ kind: 'eof', value: '', line });
  return tokens;

  function rawText(): void {
    let search = at;
    for (;;) {
      const end = source.indexOf('{%', search);
      if (end === -1) refuse('Missing end of raw directive');
      const signed = source[end + 2] === '-' || source[end + 2] === '+';
      RAW_END.lastIndex = end + (signed ? 3 : 2);
      const found = RAW_END.exec(source);
      if (found !== null) {
        before(end, signed ? source[end + 2] : '', true);
        advance(RAW_END.lastIndex);
        return;
      }
      search = end + 2;
    }
  }

  function comment(): void {
    const end = source.indexOf('#}', at);
    if (end === -1) refuse('Missing end of comment tag');
    const strips = end > at && source[end - 1] === '-';
    const keeps = end > at && source[end - 1] === '+';
    advance(end + 2);
    if (strips) blanks();
    else if (!keeps) newline();
  }

  function blanks(): void {
    advance(at + (match(BLANKS) as string).length);
  }

  function newline(): void {
    if (source[at] === '\n') advance(at + 1);
  }

  /** Whether a tag ends here, taking away what goes with its end. */
  function ended(kind: 'variable' | 'block'): boolean {
    const close = kind === 'variable' ? '}}' : '%}';
    const sign = source[at];
    if (source.startsWith(close, at)) {
      push(`${kind}_end`, close);
      advance(at + 2);
      if (kind === 'block') newline();
      return true;
    }
    if (!source.startsWith(close, at + 1) || !(sign === '-' || (sign === '+' && kind === 'block'))) return false;
    push(`${kind}_end`, close);
    advance(at + 3);
    if (sign === '-') blanks();
    return true;
  }

  function tag(kind: 'variable' | 'block'): void {
    push(`${kind}_begin`, '');
    const open: string[] = [];
    for (;;) {
      if (open.length === 0 && ended(kind)) return;
      if (at >= source.length) return; // the parser says which tag is not closed
      const space = match(BLANKS) as string;
      if (space !== '') {
        advance(at + space.length);
        continue;
      }
      const found = token();
      if (found === undefined) {
        return refuse(`unexpected character '${String.fromCodePoint(source.codePointAt(at) as number)}'`);
      }
      if (found.kind === 'operator') balance(open, found.value);
      push(found.kind, found.kind === 'string' ? unescape(found.value) : found.value);
      advance(at + found.value.length);
    }
  }

  function token(): { kind: TokenKind; value: string } | undefined {
    const float = source[at - 1] === '.' ? undefined : match(FLOAT);
    if (float !== undefined) return { kind: 'float', value: float };
    const whole = match(INTEGER);
    if (whole !== undefined) return { kind: 'integer', value: whole };
    const name = match(NAME);
    if (name !== undefined) {
      if (!IDENTIFIER.test(name)) refuse('Invalid character in identifier');
      return { kind: 'name', value: name };
    }
    const text = match(STRING);
    if (text !== undefined) return { kind: 'string', value: text };
    const operator = match(OPERATOR);
    return operator === undefined ? undefined : { kind: 'operator', value: operator };
  }

  function balance(open: string[], operator: string): void {
    if (Object.hasOwn(CLOSING, operator)) open.push(CLOSING[operator]);
    else if (operator === '}' || operator === ')' || operator === ']') {
      const expected = open.pop();
      if (expected === undefined) refuse(`unexpected '${operator}'`);
      if (expected !== operator) refuse(`unexpected '${operator}', expected '${expected}'`);
    }
  }

  function unescape(quoted: string): string {
    const text = quoted.slice(1, -1);
    return text.includes('\\') ? decodeEscapes(text, refuse) : text;
  }
}

/** Where the next `{{`, `{%` or `{#` begins, -1 where there is none. */
function opening(source: string, from: number): number {
  for (let at = source.indexOf('{', from); at !== -1; at = source.indexOf('{', at + 1)) {
    const next = source[at + 1];
    if (next === '{' || next === '%' || next === '#') return at;
  }
  return -1;
}

const PLAIN: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** The escapes of Python's strings. What is not ASCII is escaped first, as jinja2 does, so that `\é` gives the text `\xe9`. */
function decodeEscapes(text: string, refuse: (message: string) => never): string {
  const ascii = text.replace(/[^\0-\x7f]/gu, (char) => escapeCode(char.codePointAt(0) as number));
  return ascii.replace(
    /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([\s\S]))/g,
    (all, x?: string, u?: string, long?: string, octal?: string, char?: string) => {
      const code = octal === undefined ? parseInt(x ?? u ?? long ?? '', 16) : parseInt(octal, 8);
      if (!Number.isNaN(code)) {
        return code > 0x10ffff ? refuse('illegal Unicode character') : String.fromCodePoint(code);
      }
      if (char === 'x' || char === 'u' || char === 'U') return refuse(`truncated \\${char} escape`);
      if (char === 'N') return refuse('characters by name are not supported; write \\u and the number');
      return PLAIN[char as string] ?? all;
    },
  );
}
