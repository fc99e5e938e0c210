/**
 * One conversation with a model: what it has read so far, and the logits of what may come next.
 * @module
 */
import { CALL_RULES, type CallOptions, Pace } from '../bytes/pace.ts';
import { OptionError, SessionError } from '../errors.ts';
import { ANY, CALL, checkOptions, checkValue, oneOf, type Rules, whole, wrongValue } from '../options.ts';
import type { Decoder, DecoderState, Reading } from '../forward/decoder.ts';
import { type SpikeTrace, traceSince } from '../forward/spike-trace.ts';
import { BATCH_STEP } from '../description/plan.ts';
import type { Arena, Ptr } from '../wasm/arena.ts';
import { readSnapshot, writeSnapshot } from './snapshot.ts';

/** What happens when a session is full: refuse with `CONTEXT_OVERFLOW`, or drop the older half behind `keep` positions. */
export type Overflow = 'refuse' | 'slide';

export interface SessionOptions {
  /** Default `refuse`. */
  readonly overflow?: Overflow;
  /** Positions that sliding never drops; default 1, the beginning-of-text token. */
  readonly keep?: number;
  /** Begin where this snapshot was taken instead of at position 0. */
  readonly snapshot?: Uint8Array;
}

/** Which values are right; the largest `keep` depends on the context. */
export const SESSION_RULES: Rules<SessionOptions> = {
  overflow: oneOf('refuse', 'slide'),
  keep: whole(0),
  snapshot: ANY, // `restore` says more
};

/** How `read` reads. */
export interface ReadOptions extends CallOptions {
  /** Sees how many of the ids have been read, after every batch. */
  readonly onRead?: (read: number, total: number) => void;
  /** End every pass behind this many blocks, where the model's `Decoder` has `blocks`. A session stays at one depth. */
  readonly blocks?: number;
  /** Sees the residual streams behind each layer; see `Reading`. */
  readonly afterLayer?: Reading['afterLayer'];
  /** Sees what the head would read of every id; see `Reading`. */
  readonly seeState?: Reading['seeState'];
  /** Sees which neurons fired for every id; see `Reading`. */
  readonly seeSpikes?: Reading['seeSpikes'];
}

const READ_RULES: Rules<ReadOptions> = {
  ...CALL_RULES,
  blocks: whole(0),
  afterLayer: CALL,
  seeState: CALL,
  seeSpikes: CALL,
  onRead: CALL,
};

/** What the sessions of one model share. */
export interface Family {
  /** Those that are open. */
  readonly sessions: Set<Session>;
  /** Eight bytes that tell this model from others. */
  digest(): Uint8Array;
}

/** A session without a model has no kin; its snapshots are told apart by their sizes alone. */
const loner = (): Family => ({ sessions: new Set(), digest: () => new Uint8Array(8) });

/** What a session holds on to until it is disposed of. */
interface Parts {
  readonly decoder: Decoder;
  readonly arena: Arena;
  readonly state: DecoderState;
}

/**
 * @example
 * const session = model.session();
 * let logits = await session.prefill(model.tokenizer.encode('Once', { special: true }));
 * logits = await session.step(403);
 */
export class Session {
  /** What happens when it is full. */
  readonly overflow: Overflow;
  readonly #keep: number;
  readonly #family: Family;
  #parts: Parts | null;
  #busy = false;

  /**
   * Made by `model.session()`.
   * @param family of its model; this session and its forks join it until they are disposed of
   * @param from a state to copy
   * @internal
   */
  constructor(
    decoder: Decoder,
    arena: Arena,
    options: SessionOptions = {},
    family: Family = loner(),
    from?: DecoderState,
  ) {
    checkOptions('a session', options, SESSION_RULES);
    const { overflow = 'refuse', keep = 1 } = options;
    if (overflow === 'slide') checkValue('keep', keep, whole(0, decoder.context - 2));
    this.overflow = overflow;
    this.#keep = keep;
    this.#family = family;
    const state = from ? decoder.forkState(from) : decoder.createState();
    this.#parts = { decoder, arena, state };
    family.sessions.add(this);
    if (options.snapshot === undefined) return;
    try {
      this.restore(options.snapshot);
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** Tokens read so far. */
  get position(): number {
    return this.#alive().state.length;
  }

  /** Tokens it can hold. */
  get contextLength(): number {
    return this.#alive().state.context;
  }

  /** Whether it can go back to any position; false where its model keeps no more than a running state. */
  get canRewind(): boolean {
    return this.#alive().decoder.canRewind;
  }

  /** Spikes of what this session itself has read since it was made, a reset or not; undefined for models that do not spike,
   *  and once it is disposed of. @internal */
  get spikes(): SpikeTrace | undefined {
    const spikes = this.#parts?.state.spikes;
    return spikes && traceSince(spikes);
  }

  /**
   * Reads `ids` and returns the logits behind the last one, a copy of `vocab` floats.
   *
   * Any split of a text over calls gives the same bits. When aborted or refused, the session is as it was before the call;
   * only a session that slides, or whose model keeps a recurrent state, stays where it came to: at the last whole batch.
   * @throws {SessionError} `CONTEXT_OVERFLOW`, `TOKEN`, `NOT_FINITE`, `BUSY`, `DISPOSED`; the signal's reason
   */
  async prefill(ids: ArrayLike<number>, options: CallOptions = {}): Promise<Float32Array> {
    if (ids.length === 0) {
      throw new SessionError('TOKEN', 'prefill got no ids; give at least one, for example the bos token');
    }
    const { decoder, arena } = this.#alive();
    let logits: Float32Array | null = null;
    await this.read(ids, options, ids.length - 1, (at) => {
      logits = arena.f32(at, decoder.vocab).slice();
    });
    return logits as unknown as Float32Array;
  }

  /** Reads one id; the same as `prefill([id])`. */
  step(id: number, options: CallOptions = {}): Promise<Float32Array> {
    return this.prefill([id], options);
  }

  /**
   * Reads `ids` and returns the logits after each of them from ids[from] on: copies of `vocab` floats. A long text is read in
   * pieces, so that its logits are never all in memory.
   * @throws as `prefill`
   */
  async logits(ids: ArrayLike<number>, options: CallOptions = {}, from: number = 0): Promise<Float32Array[]> {
    const { decoder, arena } = this.#alive();
    const rows: Float32Array[] = [];
    await this.read(ids, options, from, (at) => void rows.push(arena.f32(at, decoder.vocab).slice()));
    return rows;
  }

  /**
   * Reads `ids` and hands out logits without copying: `see(ptr, i)` for every i from `from` on, the address of the logits
   * behind ids[i], valid during the call.
   * @internal
   */
  async read(
    ids: ArrayLike<number>,
    options: ReadOptions,
    from: number,
    see: (logits: Ptr, i: number) => void,
  ): Promise<void> {
    checkOptions('a session call', options, READ_RULES);
    const { decoder, state } = this.#alive();
    if (this.#busy) {
      throw new SessionError('BUSY', 'another call on this session is running; await it, or use a fork');
    }
    const { vocab } = decoder;
    for (let i = 0; i < ids.length; i++) checkToken(ids[i], vocab, i);
    if (this.overflow === 'refuse' && state.length + ids.length > state.context) {
      throw new SessionError(
        'CONTEXT_OVERFLOW',
        `${state.length} + ${ids.length} tokens do not fit into a context of ${state.context}; ` +
          'open with a larger contextLength, or use overflow "slide"',
        { mentions: ['contextLength', 'overflow'] },
      );
    }
    const before = state.length;
    let slid = false;
    this.#busy = true;
    try {
      const pace = new Pace(options.signal, options.stretchMs);
      const { blocks, afterLayer, seeState, seeSpikes } = options;
      const reading: Reading = { ids, from, see, blocks, afterLayer, seeState, seeSpikes };
      for (let done = 0; done < ids.length;) {
        await pace.breathe();
        this.#alive();
        if (state.length === state.context) {
          slid = true;
          await decoder.slide(state, this.#keep);
        }
        const n = Math.min(pace.next(decoder.batch, BATCH_STEP), ids.length - done, state.context - state.length);
        const pending = decoder.forward(state, reading, done, n);
        if (pending) {
          await pending;
          this.#alive();
        }
        pace.done(n);
        done += n;
        options.onRead?.(done, ids.length);
      }
    } catch (error) {
      if (!slid && decoder.canRewind) state.length = before;
      throw error;
    } finally {
      this.#busy = false;
    }
  }

  /** An independent session that has read the same. @throws {MemoryError} */
  fork(): Session {
    const { decoder, arena, state } = this.#idle();
    return new Session(decoder, arena, { overflow: this.overflow, keep: this.#keep }, this.#family, state);
  }

  /**
   * What it has read, as bytes for `restore`, here or in any other runtime: keys and values of the positions held, or the
   * whole recurrent state. A session that goes on from them gives the same bits as one that never stopped. What was
   * forgotten by `reset` is not among them. Its options, a sampler and a text stream are not either.
   * @throws {SessionError} `BUSY`, `DISPOSED`
   * @throws {MemoryError} `MEMORY` where the host has no room for the bytes
   * @example
   * await writeFile('chat.session', session.snapshot());
   * const later = model.session({ snapshot: await readFile('chat.session') });
   */
  snapshot(): Uint8Array {
    const { decoder, state } = this.#idle();
    return writeSnapshot(decoder, state, this.#family.digest());
  }

  /**
   * Goes on from a snapshot, whose session may have had a larger or smaller context. A refused one changes nothing.
   * @throws {SessionError} `SNAPSHOT` for bytes that are cut, altered or no snapshot; `SNAPSHOT_MODEL` for another model,
   *   quantisation or type of keys and values; `CONTEXT_OVERFLOW` for more positions than this session holds; `BUSY`
   */
  restore(snapshot: Uint8Array): void {
    const { decoder, state } = this.#idle();
    readSnapshot(decoder, state, this.#family.digest(), snapshot);
  }

  /** Forgets everything from `position` on. @throws {SessionError} `OPTION` where the model cannot go back */
  rewind(position: number): void {
    const { decoder, state } = this.#idle();
    if (!Number.isInteger(position) || position < 0 || position > state.length) {
      throw wrongValue('position', position, `a whole number in 0 … ${state.length}`);
    }
    if (!decoder.canRewind && position !== 0 && position !== state.length) {
      const { rewindsUpTo } = decoder;
      const smaller = rewindsUpTo ? `open the model with a contextLength of at most ${rewindsUpTo}, or ` : '';
      throw new OptionError(
        'OPTION',
        `sessions of this model${
          smaller && `, with a context of ${state.context},`
        } do not keep all they have read and ` +
          `cannot rewind; ${smaller}fork before reading instead`,
        { mentions: ['contextLength'] },
      );
    }
    if (position === 0) decoder.resetState(state);
    else state.length = position;
  }

  /** Back to the beginning. */
  reset(): void {
    this.rewind(0);
  }

  /** Gives its memory back; a call that is under way is refused with `DISPOSED`. Harmless when called twice. */
  dispose(): void {
    if (!this.#parts) return;
    const { decoder, state } = this.#parts;
    this.#parts = null;
    this.#family.sessions.delete(this);
    decoder.freeState(state);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #alive(): Parts {
    if (this.#parts) return this.#parts;
    throw new SessionError('DISPOSED', 'this session was disposed of; make another with model.session()');
  }

  #idle(): Parts {
    if (this.#busy) throw new SessionError('BUSY', 'a call on this session is running; await it first');
    return this.#alive();
  }
}

/** @throws {SessionError} `TOKEN` unless `id` is a whole number below `vocab` */
function checkToken(id: number, vocab: number, index: number): void {
  if (Number.isInteger(id) && id >= 0 && id < vocab) return;
  throw new SessionError('TOKEN', `ids[${index}] is ${String(id)}, expected a whole number in 0 … ${vocab - 1}`);
}
