/**
 * stdout and stderr: results on one, everything else on the other.
 * @module
 */
import process from 'node:process';

/** Writes results and notices. */
export interface Output {
  /** Whether one JSON object is wanted on stdout, and nothing else. */
  readonly json: boolean;
  /** Text to stdout; waits while the reader is slow. */
  text(text: string): Promise<void>;
  /** The result: the object with `--json`, else the lines. */
  result(object: object, lines: () => readonly string[]): Promise<void>;
  /** One line on stderr. */
  note(line: string): void;
  /** A line on stderr that is written over by the next one; only on a terminal. '' clears it. */
  progress(line: string): void;
}

/** The output of this process. */
export function processOutput(json: boolean): Output {
  let shown = false;
  const progress = (line: string): void => {
    if (!process.stderr.isTTY || (line === '' && !shown)) return;
    process.stderr.write(`\r\x1b[K${line}`);
    shown = line !== '';
  };
  const text = (part: string): Promise<void> => (part === '' ? Promise.resolve() : written(part));
  return {
    json,
    text,
    progress,
    note(line) {
      progress('');
      process.stderr.write(`${line}\n`);
    },
    result(object, lines) {
      progress('');
      return text(json ? `${toJson(object)}\n` : lines().map((line) => `${line}\n`).join(''));
    },
  };
}

/** Ends the process quietly once nobody reads stdout any more, as in `ternspike … | head`. */
export function endOnClosedPipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
    process.stderr.write(`ternspike: IO: stdout cannot be written: ${error.message}\n`);
    process.exit(1);
  });
}

/** Resolves when the text has been taken over by the system, so that a slow reader slows the writer. */
function written(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
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

/** Text from a file or a user, made fit for one line of a terminal. */
export function oneLine(text: string, most: number = 100): string {
  // control characters could move the cursor or colour the terminal
  const clean = text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');
  return clean.length > most ? `${clean.slice(0, most)}…` : clean;
}
