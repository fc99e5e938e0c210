/**
 * What a user types, message by message: a line, or several. Interrupts come here too, from the keyboard and from other processes.
 * @module
 */
import process from 'node:process';
import { createInterface, type Interface } from 'node:readline';

/** Before a message, and before a further line of one. */
const PROMPT = '> ';
const MORE = '… ';
/** Around a message of several lines. */
const FENCE = '"""';

export interface Lines {
  /** Whether a user types; otherwise lines come from a pipe or a file, and nothing is asked for. */
  readonly terminal: boolean;
  /** The next message; null at the end of the input, and where the user wants to end. */
  next(): Promise<string | null>;
  /** Whether an interrupt ended it. */
  readonly interrupted: boolean;
  close(): void;
}

export interface LinesOptions {
  readonly terminal: boolean;
  /** Interrupted while an answer is given: returns whether there was one to stop. */
  readonly stop: () => boolean;
  /** Says how to end. */
  readonly hint: () => void;
  /** Beginnings of lines that the tab key completes. */
  readonly commands: readonly string[];
}

/** Reads stdin. The end of a line that is `\` joins the next; three quotes begin and end a text of several lines. */
export function readMessages({ terminal, stop, hint, commands }: LinesOptions): Lines {
  const lines: Interface = createInterface({
    input: process.stdin,
    ...(terminal && { output: process.stdout }),
    terminal,
    crlfDelay: Infinity,
    completer: (line: string) => [commands.filter((name) => name.startsWith(line)), line],
  });
  const waiting: string[] = [];
  let [ended, interrupted, armed] = [false, false, false];
  let wake: () => void = () => {};
  const end = (): void => {
    ended = true;
    wake();
  };
  lines.on('line', (line) => {
    waiting.push(line);
    armed = false;
    if (!terminal) lines.pause(); // a keyboard is read on: Ctrl-C is a key
    wake();
  });
  lines.on('close', end);
  const onInterrupt = (): void => {
    if (stop()) return;
    // what is typed is taken back; on an empty line the second time ends
    if (terminal && lines.line !== '') {
      lines.write(null, { ctrl: true, name: 'e' });
      lines.write(null, { ctrl: true, name: 'u' });
      armed = false;
      return;
    }
    if (armed) {
      interrupted = true;
      lines.close();
      return;
    }
    armed = true;
    hint();
    if (terminal) lines.prompt();
  };
  lines.on('SIGINT', onInterrupt);
  process.on('SIGINT', onInterrupt);
  const line = async (prompt: string): Promise<string | null> => {
    if (waiting.length === 0 && !ended) {
      if (terminal) {
        lines.setPrompt(prompt);
        lines.prompt();
      } else lines.resume();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return waiting.shift() ?? null;
  };
  return {
    terminal,
    get interrupted() {
      return interrupted;
    },
    async next() {
      let text = await line(PROMPT);
      if (text === null) return null;
      if (text.trimStart().startsWith(FENCE)) {
        const parts: string[] = [];
        let part: string | null = text.trimStart().slice(FENCE.length);
        for (; part !== null; part = await line(MORE)) {
          const close = part.indexOf(FENCE);
          parts.push(close < 0 ? part : part.slice(0, close));
          if (close >= 0) break;
        }
        // a fence alone on its line is no line of the text
        if (parts[0] === '') parts.shift();
        if (parts.length > 1 && parts[parts.length - 1] === '') parts.pop();
        return parts.join('\n');
      }
      while (text.endsWith('\\')) text = `${text.slice(0, -1)}\n${(await line(MORE)) ?? ''}`;
      return text;
    },
    close() {
      process.off('SIGINT', onInterrupt);
      lines.close();
    },
  };
}
