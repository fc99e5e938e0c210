/**
 * Measurements of a run: one JSON object a line, so that any tool can read them while the run goes on.
 * @module
 */
import type { RunFolder } from './folder.ts';

/** Means over the updates since the line before. */
export interface StepRecord {
  readonly kind: 'step';
  readonly step: number;
  readonly seconds: number;
  readonly lr: number;
  readonly loss: number;
  readonly soft: number;
  readonly hard: number;
  readonly hidden: number;
  readonly attention?: number;
  readonly gradientNorm: number;
  readonly tokensPerSecond: number;
  readonly firingRates: readonly number[];
}

/** What the student makes of what was kept apart. */
export interface EvaluationRecord {
  readonly kind: 'evaluation';
  readonly step: number;
  readonly seconds: number;
  /** Mean −ln p of the next id, or of the label, in nats; of a regression the mean square. */
  readonly loss: number;
  /** Of a student that writes. */
  readonly perplexity?: number;
  /** Of a student that classifies: the score of the task by spikes, and by one pass of rates; null where it is undefined. */
  readonly score?: number | null;
  readonly rateScore?: number | null;
  readonly firingRates: readonly number[];
  /** What the exported student writes. */
  readonly sample?: string;
}

export type MetricsRecord = StepRecord | EvaluationRecord;

const METRICS = 'metrics.jsonl';

/** The lines of a run, in memory and in its folder. */
export class Metrics {
  readonly records: MetricsRecord[] = [];
  readonly #folder: RunFolder;
  readonly #note: (line: string) => void;
  #failed = false;

  /** @param note told once when a line cannot be written; a run does not end for want of measurements */
  constructor(folder: RunFolder, note: (line: string) => void) {
    this.#folder = folder;
    this.#note = note;
  }

  /** Takes up the lines of a run up to `step`; those behind it, which will come again, are dropped. */
  async load(step: number): Promise<void> {
    const bytes = await this.#folder.read(METRICS);
    const text = bytes === null ? '' : new TextDecoder().decode(bytes);
    const kept = text.split('\n').flatMap((line) => {
      const record = parseRecord(line);
      return record !== null && record.step <= step ? [record] : [];
    });
    this.records.splice(0, this.records.length, ...kept);
    await this.#write(() => {
      const lines = kept.map((record) => `${JSON.stringify(record)}\n`).join('');
      return this.#folder.replace(METRICS, [new TextEncoder().encode(lines)]);
    });
  }

  async add(record: MetricsRecord): Promise<void> {
    this.records.push(record);
    await this.#write(() => this.#folder.append(METRICS, `${JSON.stringify(record)}\n`));
  }

  async #write(run: () => Promise<void>): Promise<void> {
    try {
      await run();
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) this.#note(`measurements are not written: ${(error as Error).message}`);
      this.#failed = true;
    }
  }
}

/** A line, or null for one that is cut, as a full disk leaves it. */
function parseRecord(line: string): MetricsRecord | null {
  try {
    const record = JSON.parse(line) as Partial<MetricsRecord>;
    return typeof record.step === 'number' && (record.kind === 'step' || record.kind === 'evaluation')
      ? (record as MetricsRecord)
      : null;
  } catch {
    return null;
  }
}

/** Sums over some updates. */
export interface MeansState {
  readonly count: number;
  readonly values: readonly number[];
  readonly rates: readonly number[];
}

const NONE: MeansState = { count: 0, values: [], rates: [] };

/** Updates gathered into one line. */
export class Means {
  /** May be set to go on from. */
  state: MeansState = NONE;

  add(values: readonly number[], rates: readonly number[]): void {
    const { state } = this;
    this.state = {
      count: state.count + 1,
      values: values.map((x, i) => x + (state.values[i] ?? 0)),
      rates: rates.map((x, i) => x + (state.rates[i] ?? 0)),
    };
  }

  /** The means, and a new beginning. */
  take(): { readonly values: number[]; readonly rates: number[] } {
    const { count, values, rates } = this.state;
    const mean = (x: number): number => Number((x / count).toPrecision(6));
    this.state = NONE;
    return { values: values.map(mean), rates: rates.map(mean) };
  }
}
