/**
 * stdout and stderr: results on one, everything else on the other.
 * @module
 */
import process from 'node:process';
import { ClosedPipe, stdio } from './stdio.ts';
import { oneLine, visible, visibleJson } from './visible.ts';

export { oneLine } from './visible.ts';

/** Writes results and notices. */
export interface Output {
  /** Whether one JSON object is wanted on stdout, and nothing else. */
  readonly json: boolean;
  /** Whether a user looks at stdout: control characters are shown then, not sent. */
  readonly terminal?: boolean;
  /** Text to stdout; waits while the reader is slow. @throws {IoError} {ClosedPipe} */
  text(text: string): Promise<void>;
  /** The result: the object with `--json`, else the lines. */
  result(object: object, lines: () => readonly string[]): Promise<void>;
  /** One line on stderr. */
  note(line: string): void;
  /** A line on stderr that is written over by the next one; only on a terminal. '' clears it. */
  progress(line: string): void;
}

/** Characters of a note, which may hold the name of a file. */
const NOTE_CHARS = 4000;

/** The output of this process. */
export function processOutput(json: boolean): Output {
  const [out, err] = [stdio(1), stdio(2)];
  let shown = false;
  const aside = (text: string): void => {
    try {
      err.writeNow(text);
    } catch (error) {
      if (!(error instanceof ClosedPipe)) throw error; // nobody listens: what counts is on stdout
    }
  };
  const progress = (line: string): void => {
    if (!err.terminal || (line === '' && !shown)) return;
    aside(`\r\x1b[K${oneLine(line, terminalWidth(2) - 1)}`);
    shown = line !== '';
  };
  const text = (part: string): Promise<void> => {
    if (part === '') return Promise.resolve();
    return out.write(out.terminal ? visible(part) : part);
  };
  return {
    json,
    terminal: out.terminal,
    text,
    progress,
    note(line) {
      progress('');
      aside(`${oneLine(line, NOTE_CHARS)}\n`);
    },
    result(object, lines) {
      progress('');
      if (!json) return text(lines().map((line) => `${line}\n`).join(''));
      const line = `${toJson(object)}\n`;
      return out.write(out.terminal ? visibleJson(line) : line);
    },
  };
}

/** Columns of a terminal; of anything else 80. */
export function terminalWidth(fd: 1 | 2): number {
  const { columns } = fd === 1 ? process.stdout : process.stderr;
  return columns !== undefined && columns >= 40 ? columns : 80;
}

/** JSON in which big integers are strings and typed arrays are arrays. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => {
    if (typeof item === 'bigint') return String(item);
    return ArrayBuffer.isView(item) ? Array.from(item as unknown as ArrayLike<number>) : item;
  });
}

/** 1234567 → "1.23 MB". */
export function bytesText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let value = bytes;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}

/** Rounded to `digits` significant digits, so that JSON stays short. */
export function rounded(value: number, digits: number = 6): number {
  return Number.isFinite(value) ? Number(value.toPrecision(digits)) : 0;
}

/** 3725 → "1:02:05". */
export function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (n: number): string => String(n).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  const hours = Math.floor(minutes / 60);
  return hours > 0 ? `${hours}:${two(minutes % 60)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
