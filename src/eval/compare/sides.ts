/**
 * The sides of a comparison: models that run here, and servers.
 * @module
 */
import type { ClassifyOptions } from '../../forward/classifier.ts';
import { Model } from '../../model/model.ts';
import { ENERGY_PICOJOULES } from '../../forward/spike-report.ts';
import type { Account } from './energy.ts';
import { Remote, type RemoteOptions } from './remote.ts';
import type { CompareCommon, EnergyPairs, Figures, SideFacts, SpikePairs } from './result.ts';
import type { SpeedResult } from './speed.ts';

/** A model that runs here. */
export interface LocalSide {
  readonly model: Model;
  /** What it is called in reports; default: the model's own name. */
  readonly name?: string;
  /** Tells it from others in a history; default: the model's own digest. */
  readonly digest?: string;
  readonly fileBytes?: number;
  /** What it was opened with, for the record. */
  readonly options?: Readonly<Record<string, string | number | boolean>>;
  /** How it classifies. */
  readonly classify?: ClassifyOptions;
}

/** A model of a server. */
export interface RemoteSide extends RemoteOptions {
  readonly name?: string;
}

/** A side of a comparison: a loaded model, one with what is known of it, or a server. */
export type Side = Model | LocalSide | RemoteSide;

/** A side that is ready to be asked. */
export type Opened =
  | { readonly kind: 'local'; readonly side: LocalSide; readonly facts: SideFacts }
  | { readonly kind: 'remote'; readonly remote: Remote; readonly facts: SideFacts };

/** Makes a side ready. @throws {IoError} `HTTP` for a server that does not answer */
export async function openSide(side: Side, signal?: AbortSignal): Promise<Opened> {
  if (side instanceof Model) return openLocal({ model: side });
  if ('model' in side && side.model instanceof Model) return openLocal(side as LocalSide);
  const options = side as RemoteSide;
  const remote = new Remote(options);
  const model = await remote.model(signal);
  return {
    kind: 'remote',
    remote,
    facts: {
      name: options.name ?? model,
      kind: 'remote',
      architecture: null,
      types: null,
      parameters: null,
      digest: null,
      options: { url: remote.url, model },
    },
  };
}

function openLocal(side: LocalSide): Opened {
  const { model, name, digest = model.digest, options = {} } = side;
  const { architecture, name: own } = model.describe() as { architecture: string; name?: string };
  const counts = new Map<string, number>();
  let parameters = 0;
  for (const { type, shape } of model.container.tensors.values()) {
    parameters += shape.reduce((product, n) => product * n, 1);
    if (shape.length === 2) counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  const types = [...counts].sort(([, x], [, y]) => y - x).map(([type]) => type.toLowerCase()).join('+');
  return {
    kind: 'local',
    side,
    facts: { name: name ?? own ?? architecture, kind: 'local', architecture, types, parameters, digest, options },
  };
}

const both = <T>(a: T | null, b: T | null, pick: (side: T) => number | null | undefined): Figures => ({
  a: (a && pick(a)) ?? null,
  b: (b && pick(b)) ?? null,
});

/** Sizes of both. */
export function memoryPairs(a: Opened, b: Opened, peakRssBytes: number | null): CompareCommon['memory'] {
  const [left, right] = [a, b].map((side) => (side.kind === 'local' ? side.side : null));
  return {
    fileBytes: both(left, right, ({ fileBytes }) => fileBytes),
    weightsBytes: both(left, right, ({ model }) => model.stats().weightsBytes),
    stateBytes: both(left, right, ({ model }) => model.stats().stateBytes),
    memoryBytes: both(left, right, ({ model }) => model.stats().memoryBytes),
    peakRssBytes,
  };
}

/** Operations of both; null where neither is counted. */
export function spikePairs(a: Account | null, b: Account | null): SpikePairs | null {
  const one = a ?? b;
  if (!one) return null;
  return {
    unit: one.unit,
    firingRate: both(a, b, (x) => x.firingRate),
    spikes: both(a, b, (x) => x.spikes),
    effectiveAcs: both(a, b, (x) => x.synapticOperations.effectiveAcs),
    effectiveMacs: both(a, b, (x) => x.synapticOperations.effectiveMacs),
    denseAcs: both(a, b, (x) => x.synapticOperations.denseAcs),
    denseMacs: both(a, b, (x) => x.synapticOperations.denseMacs),
    weightBytesTouched: both(a, b, (x) => x.weightBytes.touched),
    weightBytesDense: both(a, b, (x) => x.weightBytes.dense),
    layers: { a: a?.layers ?? [], b: b?.layers ?? [] },
  };
}

/** Energy of both; null where neither is counted. */
export function energyPairs(a: Account | null, b: Account | null, speed: SpeedResult | null): EnergyPairs | null {
  const one = a ?? b;
  if (!one) return null;
  return {
    unit: one.unit,
    process: '45 nm, 0.9 V: Horowitz, ISSCC 2014',
    picojoules: ENERGY_PICOJOULES,
    compute: both(a, b, (x) => x.compute),
    memory: both(a, b, (x) => x.memory),
    joules: speed?.joules ?? 'not measured',
  };
}
