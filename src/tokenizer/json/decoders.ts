/**
 * The decoders of a tokenizer.json, as stages that tokens pass one by one: a whole text and a stream are decoded by the same code.
 * @module
 */
import { characterBytes } from '../bytelevel.ts';
import { allowSteps } from '../onig/machine.ts';
import { Utf8Stream } from '../utf8.ts';
import { character, count, finder, flag, type Json, type Part, readSteps, replaced, words } from './steps.ts';

/** Takes a part of a token: whether the token begins with it, and whether it ends with it. */
type Sink = (part: string, begins: boolean, ends: boolean) => void;

/** A decoder at work on one text. */
interface Stage {
  readonly push: Sink;
  /** No more comes. */
  readonly end: () => void;
}

/** @param begun the text goes on from one before it */
type Maker = (next: Sink, begun: boolean) => Stage;

/** A decoder of a growing text. */
export interface Decoding {
  /** Takes a token: the text that is complete with it. */
  push(token: string): string;
  /** What is left. */
  end(): string;
}

/** The decoder of a file. */
export interface Decoder {
  start(begun: boolean): Decoding;
  /** The bytes that a token stands for where these need not be text by themselves. */
  bytes(token: string): Uint8Array | undefined;
}

/** @throws {TokenizerError} `TOKENIZER` for a step that is not known or malformed */
export function decoder(config: unknown, name: string): Decoder {
  const steps = readSteps(config, PART, name);
  const makers = steps.map(({ made }) => made);
  if (config === null || config === undefined) makers.push(spaced);
  const [byteLevel, fallback] = ['ByteLevel', 'ByteFallback'].map((type) => steps.some((step) => step.type === type));
  return {
    start: (begun) => {
      let out = '';
      let length = 0;
      const stages: Stage[] = [];
      let next: Sink = (part) => {
        out += part;
      };
      for (const make of makers.slice().reverse()) {
        const stage = make(next, begun);
        stages.unshift(stage);
        next = stage.push;
      }
      const first = next;
      const taken = (): string => {
        const text = out;
        out = '';
        return text;
      };
      return {
        push: (token) => {
          allowSteps(token.length);
          length += token.length;
          first(token, true, true);
          return taken();
        },
        end: () => {
          allowSteps(length);
          for (const stage of stages) stage.end();
          return taken();
        },
      };
    },
    bytes: (token) => {
      if (byteLevel) return characterBytes(token);
      const byte = fallback ? byteOfToken(token) : -1;
      return byte === -1 ? undefined : Uint8Array.of(byte);
    },
  };
}

const MAKERS: Readonly<Record<string, (step: Json, name: string) => Maker>> = {
  ByteLevel: () => byteLevelStage,
  ByteFallback: () => byteFallback,
  Fuse: () => fuse,
  Strip: (step, name) =>
    strip(character(step, 'content', name), count(step, 'start', 0, name), count(step, 'stop', 0, name)),
  Replace: replace,
  Metaspace: (step, name) => {
    const mark = character(step, 'replacement', name);
    const scheme = words(step, 'prepend_scheme', name, step.add_prefix_space === false ? 'never' : 'always');
    return byParts((part, index) => part.replaceAll(mark, index === 0 && scheme !== 'never' ? '' : ' '));
  },
  WordPiece: (step, name) => {
    const prefix = words(step, 'prefix', name, '##');
    const tidy = flag(step, 'cleanup', true, name) ? cleanup : (text: string): string => text;
    return byTokens((token, index) =>
      tidy(index === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`)
    );
  },
  BPEDecoder: (step, name) => endings(words(step, 'suffix', name, '</w>')),
  CTC: ctc,
};

const PART: Part<Maker> = {
  what: 'decoder',
  list: 'decoders',
  makers: MAKERS,
  guesses: [
    ['BPEDecoder', 'suffix'],
    ['WordPiece', 'prefix', 'cleanup'],
    ['CTC', 'pad_token', 'word_delimiter_token', 'cleanup'],
    ['Replace', 'pattern', 'content'],
    ['Strip', 'content', 'start', 'stop'],
  ],
};

/** What a WordPiece decoder tidies, in this order. */
const TIDY: readonly (readonly [string, string])[] = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [' do not', " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

function cleanup(text: string): string {
  return text.includes(' ') ? TIDY.reduce((now, [from, to]) => now.replaceAll(from, to), text) : text;
}

/** Without a decoder tokens stand with a space between them. */
const spaced: Maker = (next, begun) => {
  let some = begun;
  return {
    push: (part, begins, ends) => {
      next(begins && some ? ` ${part}` : part, begins, ends);
      some = true;
    },
    end: () => {},
  };
};

/** A stage that sees parts of tokens as they come, and the index of the token. */
function byParts(change: (part: string, index: number) => string): Maker {
  return (next, begun) => {
    let index = begun ? 0 : -1;
    return {
      push: (part, begins, ends) => {
        if (begins) index++;
        next(change(part, index), begins, ends);
      },
      end: () => {},
    };
  };
}

/** A stage that sees whole tokens. A token that has not ended is held; `undefined` leaves one out. */
function byTokens(change: (token: string, index: number) => string | undefined): Maker {
  return (next, begun) => {
    let index = begun ? 0 : -1;
    let held = '';
    return {
      push: (part, begins, ends) => {
        if (begins) index++;
        held += part;
        if (!ends) return;
        const token = change(held, index);
        held = '';
        if (token !== undefined) next(token, true, true);
      },
      end: () => {},
    };
  };
}

/** Everything is one token from here on. */
const fuse: Maker = (next, begun) => {
  let some = begun;
  return {
    push: (part) => {
      next(part, !some, false);
      some = true;
    },
    end: () => next('', !some, true),
  };
};

/** Bytes of all tokens as one text. */
const byteLevelStage: Maker = (next, begun) => {
  const text = new Utf8Stream();
  let some = begun;
  let held = '';
  return {
    push: (part, _begins, ends) => {
      held += part;
      if (!ends) return;
      next(text.push(characterBytes(held)), !some, false);
      held = '';
      some = true;
    },
    end: () => next(text.flush(), !some, true),
  };
};

/** The byte of a token such as `<0x0A>`; −1 for another. As in the original, `<0x+A>` is one, too. */
function byteOfToken(token: string): number {
  return token.length === 6 && /^<0x(?:[0-9A-Fa-f]{2}|\+[0-9A-Fa-f])>$/.test(token)
    ? Number.parseInt(token.slice(3, 5).replace('+', ''), 16)
    : -1;
}

/** Runs of byte tokens as text. A run that is no UTF-8 is a U+FFFD for each byte, which is known only at its end. */
const byteFallback: Maker = (next) => {
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let bytes: number[] = [];
  let held = '';
  const flush = (): void => {
    if (bytes.length === 0) return;
    const run = Uint8Array.from(bytes);
    bytes = [];
    let text: string | null = null;
    try {
      text = utf8.decode(run);
    } catch (cause) {
      if (!(cause instanceof TypeError)) throw cause;
    }
    if (text !== null) next(text, true, true);
    else for (let i = 0; i < run.length; i++) next('\ufffd', true, true);
  };
  return {
    push: (part, _begins, ends) => {
      held += part;
      if (!ends) return;
      const byte = byteOfToken(held);
      if (byte !== -1) bytes.push(byte);
      else {
        flush();
        next(held, true, true);
      }
      held = '';
    },
    end: flush,
  };
};

/** Takes up to `start` of a character off the front of each token, and up to `stop` off its back. */
function strip(content: string, start: number, stop: number): Maker {
  return (next, begun) => {
    let skip = begun ? 0 : start;
    let held = 0;
    return {
      push: (part, begins, ends) => {
        if (begins) {
          skip = start;
          held = 0;
        }
        let at = 0;
        while (skip > 0 && part.startsWith(content, at)) {
          at += content.length;
          skip--;
        }
        if (at < part.length) skip = 0;
        const rest = content.repeat(held) + part.slice(at);
        held = 0;
        let end = rest.length;
        while (held < stop && end > 0 && rest.endsWith(content, end)) {
          end -= content.length;
          held++;
        }
        next(rest.slice(0, end), begins, ends);
      },
      end: () => {},
    };
  };
}

function replace(step: Json, name: string): Maker {
  const find = finder(step, name);
  const content = words(step, 'content', name);
  const change = (text: string): string => replaced(text, find(text), content);
  const { String: literal } = step.pattern as { String?: unknown };
  // one character cannot be cut over parts
  return typeof literal === 'string' && [...literal].length === 1 ? byParts(change) : byTokens(change);
}

/** The marks of words' ends become spaces, but for the last token's, which is held back until another comes. */
function endings(suffix: string): Maker {
  return (next) => {
    let held = '';
    let last: string | null = null;
    const put = (text: string, end: string): void => next(text.replaceAll(suffix, end), true, true);
    return {
      push: (part, _begins, ends) => {
        held += part;
        if (!ends) return;
        if (last !== null) put(last, ' ');
        last = held;
        held = '';
      },
      end: () => {
        if (last !== null) put(last, '');
        last = null;
      },
    };
  };
}

/** Of equal tokens in a row one, without padding. */
function ctc(step: Json, name: string): Maker {
  const pad = words(step, 'pad_token', name, '<pad>');
  const delimiter = words(step, 'word_delimiter_token', name, '|');
  const tidy = flag(step, 'cleanup', true, name);
  return (next, begun) => {
    let before: string | null = null;
    return byTokens((token) => {
      if (token === before) return undefined;
      before = token;
      const bare = pad === '' ? token : token.replaceAll(pad, '');
      return (tidy ? cleanup(bare).replaceAll(delimiter, ' ') : bare) || undefined;
    })(next, begun);
  };
}
