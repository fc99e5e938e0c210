/**
 * Text from a model, a file or a user, made fit for a terminal: what could move its cursor, colour it, or turn the order of
 * letters round is shown instead of obeyed.
 * @module
 */

/** C0, DEL, C1, and the controls that change the direction of text. */
const CONTROL = /[\p{Cc}\p{Bidi_Control}]/gu;
/** Those that break lines, and tabs. */
const SPACE = /[\t\n\v\f\r\u0085\u2028\u2029]+/g;

/** Control characters in sight, as `cat -v` shows them (`^[`) or by number (`<U+202E>`); line feeds and tabs stay. */
export function visible(text: string): string {
  return text.replace(CONTROL, (sign) => {
    const code = sign.charCodeAt(0);
    if (sign === '\n' || sign === '\t') return sign;
    return code < 0x80 ? `^${String.fromCharCode(code ^ 0x40)}` : `<U+${hex(code)}>`;
  });
}

/** A JSON text with the same content and no such character. */
export function visibleJson(json: string): string {
  return json.replace(CONTROL, (sign) => (sign === '\n' ? sign : `\\u${hex(sign.charCodeAt(0))}`));
}

/** The same for one line. */
export function oneLine(text: string, most: number = 100): string {
  const clean = visible(text.replace(SPACE, ' '));
  return clean.length > most ? `${clean.slice(0, most)}…` : clean;
}

const hex = (code: number): string => code.toString(16).toUpperCase().padStart(4, '0');
