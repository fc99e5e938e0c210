/**
 * Speeds of two sides, measured in turns: machines change from minute to minute, so that only what was measured next to each
 * other can be compared, and the ratios of the rounds say how far they can be trusted.
 * @module
 */
import type { Model } from '../../model/model.ts';
import { step, type Work } from './journal.ts';
import { percentiles } from './statistics.ts';

/** What one side took in one round. */
export interface Turn {
  readonly promptTokens: number;
  /** Milliseconds until the prompt was read and the first token could be drawn. */
  readonly firstMs: number;
  /** Milliseconds of each token, or sentence, after that. */
  readonly eachMs: readonly number[];
  /** Joules of the processor during the turn; null where they cannot be read. */
  readonly joules: number | null;
}

/** Runs a turn. */
export type Runner = (signal?: AbortSignal) => Promise<Turn>;

/** A round: both sides, one after the other. */
export interface Round {
  readonly a: Turn;
  readonly b: Turn;
}

/** A figure of both sides, with the ratio b / a of every round and their median. */
export interface PairedFigure {
  readonly a: number;
  readonly b: number;
  readonly ratio: number;
  readonly ratios: readonly number[];
}

/** A figure of both sides over all rounds. */
export interface Both {
  readonly a: number;
  readonly b: number;
}

export interface SpeedResult {
  /** What is counted: tokens, or sentences. */
  readonly unit: 'token' | 'sentence';
  readonly rounds: number;
  /** Tokens a second while a prompt is read; null for sentences, and for servers. */
  readonly prefillTps: PairedFigure | null;
  /** Tokens, or sentences, a second. */
  readonly decodeTps: PairedFigure;
  readonly firstTokenMs: PairedFigure | null;
  /** Median and 95th percentile of the milliseconds of one token or sentence. */
  readonly p50Ms: Both;
  readonly p95Ms: Both;
  /** Joules of one token or sentence by the processor's own counters. */
  readonly joules: Both | 'not measured';
}

/** Reads the joules that the processor has used since it was started; null where that cannot be known. */
export type Meter = () => number | null;

/** A batch is read without pauses, as by a program that has nothing else to answer. */
const STRETCH_MS = 2000;

/** A model that runs here: fixed ids, no sampling. */
export function localRunner(model: Model, ids: readonly number[], prompt: number, meter: Meter): Runner {
  return async (signal) => {
    using session = model.session();
    const ignore = (): void => {};
    const before = meter();
    const start = performance.now();
    await session.read(ids.slice(0, prompt), { signal, stretchMs: STRETCH_MS }, prompt - 1, ignore);
    let last = performance.now();
    const firstMs = last - start;
    const eachMs: number[] = [];
    for (const id of ids.slice(prompt)) {
      await session.read([id], { signal }, 0, ignore);
      const now = performance.now();
      eachMs.push(now - last);
      last = now;
    }
    return { promptTokens: prompt, firstMs, eachMs, joules: spent(before, meter()) };
  };
}

/** Joules between two readings. */
export function spent(before: number | null, after: number | null): number | null {
  return before === null || after === null || after < before ? null : after - before; // counters wrap around
}

/** Runs rounds; each side goes first in every second one. The first turn of each side is a rehearsal. */
export async function measureRounds(a: Runner, b: Runner, rounds: number, work: Work): Promise<Round[]> {
  const { signal, onProgress } = work;
  const done: Round[] = [];
  let rehearsed = false;
  for (let i = 0; i < rounds; i++) {
    done.push(
      await step(work, 'round', i, async () => {
        if (!rehearsed) {
          await a(signal);
          await b(signal);
          rehearsed = true;
        }
        if (i % 2 === 1) {
          const second = await b(signal);
          return { a: await a(signal), b: second };
        }
        return { a: await a(signal), b: await b(signal) };
      }),
    );
    const { decodeTps } = speedOf(done, 'token');
    await onProgress?.({
      phase: 'speed',
      done: i + 1,
      total: rounds,
      note: `${decodeTps.a.toPrecision(3)} against ${decodeTps.b.toPrecision(3)} tokens/s`,
      figure: 'tokens/s, medians so far',
      values: { a: decodeTps.a, b: decodeTps.b },
    });
  }
  return done;
}

/** What rounds come to: medians over rounds, percentiles over all tokens. */
export function speedOf(rounds: readonly Round[], unit: SpeedResult['unit']): SpeedResult {
  const figure = (pick: (turn: Turn) => number): PairedFigure | null => {
    const values = rounds.map(({ a, b }) => [pick(a), pick(b)] as const);
    if (!values.flat().every((value) => Number.isFinite(value) && value > 0)) return null;
    const ratios = values.map(([a, b]) => b / a);
    return {
      a: median(values.map(([a]) => a)),
      b: median(values.map(([, b]) => b)),
      ratio: median(ratios),
      ratios,
    };
  };
  const share = (pick: (round: Round) => Turn, at: number): number => {
    const all = rounds.flatMap((round) => pick(round).eachMs);
    return all.length > 0 ? percentiles(all.sort((x, y) => x - y), [at])[0] : 0;
  };
  const both = (at: number): Both => ({ a: share(({ a }) => a, at), b: share(({ b }) => b, at) });
  const joules = (pick: (round: Round) => Turn): number =>
    rounds.reduce((sum, round) => sum + (pick(round).joules ?? NaN), 0) /
    rounds.reduce((sum, round) => sum + pick(round).promptTokens + pick(round).eachMs.length, 0);
  const [joulesA, joulesB] = [joules(({ a }) => a), joules(({ b }) => b)];
  return {
    unit,
    rounds: rounds.length,
    prefillTps: figure(({ promptTokens, firstMs }) => (1000 * promptTokens) / firstMs),
    decodeTps: figure(({ eachMs }) => (1000 * eachMs.length) / eachMs.reduce((sum, ms) => sum + ms, 0)) ??
      { a: 0, b: 0, ratio: 0, ratios: [] },
    firstTokenMs: figure(({ firstMs }) => firstMs),
    p50Ms: both(0.5),
    p95Ms: both(0.95),
    joules: Number.isFinite(joulesA + joulesB) ? { a: joulesA, b: joulesB } : 'not measured',
  };
}

/** Rounds of a task: consecutive samples, as many in each. */
export function sampleRounds(times: readonly (readonly [a: number, b: number])[], rounds: number): Round[] {
  const count = Math.min(rounds, times.length);
  const turn = (eachMs: readonly number[]): Turn => ({ promptTokens: 0, firstMs: NaN, eachMs, joules: null });
  return Array.from({ length: count }, (_, i) => {
    const part = times.slice(Math.floor((i * times.length) / count), Math.floor(((i + 1) * times.length) / count));
    return { a: turn(part.map(([a]) => a)), b: turn(part.map(([, b]) => b)) };
  });
}

function median(values: readonly number[]): number {
  return percentiles([...values].sort((x, y) => x - y), [0.5])[0];
}
