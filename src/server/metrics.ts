/**
 * Counts and times for Prometheus. Nothing of a prompt or an answer is in them.
 * @module
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { SpikeReport } from '../forward/spike-report.ts';
import type { ModelLoad } from './types.ts';

/** What one answer of a model took. */
export interface AnswerFigures {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly queueMs: number;
  /** Until the first token, waiting included; null where none came. */
  readonly firstTokenMs: number | null;
  readonly prefillMs: number;
  readonly decodeMs: number;
  readonly spikes?: SpikeReport;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const SPEEDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];

export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Counter<'path' | 'status'>;
  readonly #counters: Readonly<Record<CounterName, Counter<'model'>>>;
  readonly #histograms: Readonly<Record<HistogramName, Histogram<'model'>>>;

  /** @param load looks at the models when somebody asks */
  constructor(load: () => Record<string, ModelLoad & { readonly stateBytes: number }>) {
    const registers = [this.#registry];
    this.#requests = new Counter({
      name: 'ternspike_requests_total',
      help: 'Requests that were answered',
      labelNames: ['path', 'status'],
      registers,
    });
    this.#counters = each(COUNTERS, (name, help) => new Counter({ name, help, labelNames: ['model'], registers }));
    this.#histograms = each(
      HISTOGRAMS,
      (name, help) =>
        new Histogram({
          name,
          help,
          labelNames: ['model'],
          registers,
          buckets: name.endsWith('per_second') ? SPEEDS : SECONDS,
        }),
    );
    for (const [key, [name, help]] of Object.entries(GAUGES)) {
      new Gauge({
        name,
        help,
        labelNames: ['model'],
        registers,
        collect() {
          for (const [model, values] of Object.entries(load())) {
            this.set({ model }, values[key as keyof typeof GAUGES]);
          }
        },
      });
    }
  }

  /** A request is over. @param path as the routes spell it, so that no stranger makes up labels */
  request(path: string, status: number): void {
    this.#requests.inc({ path, status: String(status) });
  }

  /** An answer of a model is over, or was broken off. */
  answer(model: string, figures: AnswerFigures): void {
    const { promptTokens, cachedTokens, completionTokens, queueMs, firstTokenMs, prefillMs, decodeMs, spikes } =
      figures;
    const count = (name: CounterName, value: number): void => this.#counters[name].inc({ model }, value);
    const see = (name: HistogramName, value: number): void => this.#histograms[name].observe({ model }, value);
    count('promptTokens', promptTokens);
    count('cachedTokens', cachedTokens);
    count('completionTokens', completionTokens);
    count('prefillSeconds', prefillMs / 1000);
    count('decodeSeconds', decodeMs / 1000);
    see('queueSeconds', queueMs / 1000);
    if (firstTokenMs !== null) see('firstTokenSeconds', firstTokenMs / 1000);
    if (completionTokens > 1 && decodeMs > 0) see('tokensPerSecond', (1000 * completionTokens) / decodeMs);
    if (!spikes) return;
    const { tokens, overall: { spikesPerToken, synapticOperations }, energy } = spikes;
    count('spikes', tokens * spikesPerToken);
    count('synapticOperations', tokens * (synapticOperations.effectiveAcs + synapticOperations.effectiveMacs));
    count('energyJoules', (tokens * energy.compute.effective) / 1e6);
  }

  /** The exposition format, and its content type. */
  async text(): Promise<{ readonly text: string; readonly type: string }> {
    return { text: await this.#registry.metrics(), type: this.#registry.contentType };
  }
}

const COUNTERS = {
  promptTokens: ['ternspike_prompt_tokens_total', 'Tokens of prompts, those that were cached included'],
  cachedTokens: ['ternspike_cached_tokens_total', 'Tokens of prompts that were not read again'],
  completionTokens: ['ternspike_completion_tokens_total', 'Tokens that were generated'],
  prefillSeconds: ['ternspike_prefill_seconds_total', 'Time in which prompts were read'],
  decodeSeconds: ['ternspike_decode_seconds_total', 'Time in which tokens were generated'],
  spikes: ['ternspike_spikes_total', 'Spikes of spiking models'],
  synapticOperations: ['ternspike_synaptic_operations_total', 'Effective synaptic operations of spiking models'],
  energyJoules: ['ternspike_energy_joules_total', 'Estimated energy of the operations of spiking models, 45 nm'],
} as const;

const HISTOGRAMS = {
  queueSeconds: ['ternspike_queue_seconds', 'Time that requests waited for a place'],
  firstTokenSeconds: ['ternspike_first_token_seconds', 'Time to the first token, waiting included'],
  tokensPerSecond: ['ternspike_tokens_per_second', 'Tokens per second of single answers'],
} as const;

const GAUGES = {
  running: ['ternspike_requests_running', 'Requests that are answered now'],
  waiting: ['ternspike_requests_waiting', 'Requests that wait for a place'],
  slots: ['ternspike_slots', 'Requests that can be answered at the same time'],
  cachedSessions: ['ternspike_cached_sessions', 'States in the prefix cache'],
  cachedBytes: ['ternspike_cached_bytes', 'Bytes of the prefix cache'],
  stateBytes: ['ternspike_state_bytes', 'Bytes of the states of running sessions'],
} as const;

type CounterName = keyof typeof COUNTERS;
type HistogramName = keyof typeof HISTOGRAMS;

function each<K extends string, V>(
  table: Readonly<Record<K, readonly [name: string, help: string]>>,
  make: (name: string, help: string) => V,
): Record<K, V> {
  const made = Object.entries<readonly [string, string]>(table).map(([key, [name, help]]) => [key, make(name, help)]);
  return Object.fromEntries(made) as Record<K, V>;
}
