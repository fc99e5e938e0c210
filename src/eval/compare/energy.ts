/**
 * What a token or a text takes: operations, bytes of weights and an energy estimate of each side in the words of NeuroBench,
 * counted from spikes where there are any and from the matrices where there are none; and what a user's price makes of it.
 * @module
 */
import { architectureOf } from '../../architectures/index.ts';
import type { ClassifySpikes } from '../../forward/classify-report.ts';
import { ENERGY_PICOJOULES, type SpikeReport, type SynapticOperations } from '../../forward/spike-report.ts';
import type { Model } from '../../model/model.ts';
import type { Both, SpeedResult } from './speed.ts';

/** What one side takes for a token, or for a text. */
export interface Account {
  readonly unit: 'token' | 'text';
  /** Share of neurons that fire, and spikes of a token or text; null where nothing spikes. */
  readonly firingRate: number | null;
  readonly spikes: number | null;
  readonly synapticOperations: SynapticOperations;
  readonly weightBytes: { readonly touched: number; readonly dense: number };
  /** Microjoules of an ideal 45 nm machine. */
  readonly compute: number;
  readonly memory: number;
  /** Firing rates, layer by layer. */
  readonly layers: readonly { readonly name: string; readonly firingRate: number }[];
}

/** Matrices that look ids up instead of multiplying, by the names of GGUF and of transformers. */
const LOOKED_UP = /(^|\.)(token_embd|position_embd|token_types|embed_tokens|\w*_embeddings)\.weight$/;
/** Matrices that a text meets once, not with every token. */
const ONCE = /(^|[._])(classifier|classification|cls|pooler)([._]|$)/;

/** A decoder after it has read tokens, whose counts were reset before. */
export async function decoderAccount(model: Model, position: number): Promise<Account> {
  const { spikes } = model.stats();
  if (spikes) return spikingAccount(spikes);
  const { tied } = model.describe() as { tied?: boolean };
  const dense = matrices(model, tied === true, 1);
  const architecture = await architectureOf(model.container);
  const read = architecture.bytesRead?.(model.container, model.describe(), { kv: 'f16', position });
  return { ...dense, unit: 'token', ...bytes(read?.weights ?? dense.weightBytes.touched) };
}

function spikingAccount({ overall, energy, layers }: SpikeReport): Account {
  return {
    unit: 'token',
    firingRate: overall.firingRate,
    spikes: overall.spikesPerToken,
    synapticOperations: overall.synapticOperations,
    weightBytes: overall.weightBytes,
    compute: energy.compute.effective,
    memory: energy.memory.touched,
    layers: layers.flatMap(({ name, firingRate }) => (firingRate === null ? [] : [{ name, firingRate }])),
  };
}

/** The mean of texts, each with its spikes, or null where none are counted. */
export function classifierAccount(model: Model, texts: readonly (ClassifySpikes | number)[]): Account {
  const accounts = texts.map((text) =>
    typeof text === 'number' ? { ...matrices(model, false, text), unit: 'text' as const } : textAccount(text)
  );
  const n = accounts.length;
  const [first] = accounts;
  const mean = (pick: (account: Account) => number): number => accounts.reduce((sum, x) => sum + pick(x), 0) / n;
  return {
    unit: 'text',
    firingRate: first.firingRate === null ? null : mean((x) => x.firingRate ?? 0),
    spikes: first.spikes === null ? null : mean((x) => x.spikes ?? 0),
    synapticOperations: {
      effectiveAcs: mean((x) => x.synapticOperations.effectiveAcs),
      effectiveMacs: mean((x) => x.synapticOperations.effectiveMacs),
      denseAcs: mean((x) => x.synapticOperations.denseAcs),
      denseMacs: mean((x) => x.synapticOperations.denseMacs),
    },
    weightBytes: first.weightBytes,
    compute: mean((x) => x.compute),
    memory: first.memory,
    layers: first.layers.map(({ name }, i) => ({ name, firingRate: mean((x) => x.layers[i].firingRate) })),
  };
}

function textAccount(spikes: ClassifySpikes): Account {
  const { firingRate, synapticOperations, weightBytes, energy, layers } = spikes;
  return {
    unit: 'text',
    firingRate,
    spikes: spikes.spikes,
    synapticOperations,
    weightBytes: { touched: weightBytes, dense: weightBytes },
    compute: energy.compute.effective,
    memory: energy.memory,
    layers: layers.map(({ name, firingRate }) => ({ name, firingRate })),
  };
}

/** A pass of every matrix, as if nothing were ever zero. @param tokens of the pass */
function matrices(model: Model, tied: boolean, tokens: number): Omit<Account, 'unit'> {
  const sums = { macs: 0, picojoules: 0, bytes: 0 };
  for (const { name, type, shape, byteLength } of model.container.tensors.values()) {
    if (shape.length !== 2 || (LOOKED_UP.test(name) && !(tied && /token_embd|embed_tokens/.test(name)))) continue;
    const macs = shape[0] * shape[1] * (ONCE.test(name) ? 1 : tokens);
    sums.macs += macs;
    sums.picojoules += macs * priceOf(type);
    sums.bytes += byteLength;
  }
  return {
    firingRate: null,
    spikes: null,
    synapticOperations: { effectiveAcs: 0, effectiveMacs: sums.macs, denseAcs: 0, denseMacs: sums.macs },
    compute: sums.picojoules / 1e6,
    layers: [],
    ...bytes(sums.bytes),
  };
}

function bytes(touched: number): Pick<Account, 'weightBytes' | 'memory'> {
  return { weightBytes: { touched, dense: touched }, memory: (touched * ENERGY_PICOJOULES.dramByte) / 1e6 };
}

/** Floats multiply in fp32; ternary and binary codes only add int8; all others multiply int8. */
function priceOf(type: string): number {
  if (/^B?F\d/.test(type)) return ENERGY_PICOJOULES.fp32Mac;
  return /^(TQ|Q1_|Q2_0|I2_S|U2_)/.test(type) ? ENERGY_PICOJOULES.int8Ac : ENERGY_PICOJOULES.int8Mac;
}

/** What a user knows of the machine. */
export interface Prices {
  /** Of an hour of this machine, in any currency. */
  readonly perHour?: number;
  /** Grams of CO₂ for a kilowatt-hour. */
  readonly gramsPerKwh?: number;
  /** Watts that the machine draws, where it cannot be measured. */
  readonly watts?: number;
}

/** What a million tokens or sentences cost. */
export interface Cost {
  readonly unit: 'token' | 'sentence';
  /** In the currency of the price; null without one. */
  readonly perMillion: Both | null;
  readonly gramsCo2PerMillion: Both | null;
  /** Where the joules are from; null without any. */
  readonly joulesFrom: 'measured' | 'watts' | null;
  readonly prices: Prices;
}

/** Cost at the speed that was measured, one stream at a time. Undefined where the user gave no price. */
export function costOf({ unit, decodeTps, joules }: SpeedResult, prices: Prices): Cost | undefined {
  const { perHour, gramsPerKwh, watts } = prices;
  if (perHour === undefined && gramsPerKwh === undefined) return undefined;
  const seconds = { a: 1 / decodeTps.a, b: 1 / decodeTps.b };
  const scaled = ({ a, b }: Both, by: number): Both => ({ a: a * by, b: b * by });
  const used = joules !== 'not measured' ? joules : watts === undefined ? null : scaled(seconds, watts);
  return {
    unit,
    perMillion: perHour === undefined ? null : scaled(seconds, (1e6 * perHour) / 3600),
    gramsCo2PerMillion: gramsPerKwh === undefined || !used ? null : scaled(used, (1e6 * gramsPerKwh) / 3.6e6),
    joulesFrom: joules !== 'not measured' ? 'measured' : used ? 'watts' : null,
    prices,
  };
}
