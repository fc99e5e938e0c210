/**
 * The table of a spike report: a line for each block, and the sums.
 * @module
 */
import type { LayerReport, SpikeReport } from '../forward/spike-report.ts';
import { bytesText } from './output.ts';

const share = (value: number | null): string => (value === null ? '' : `${(100 * value).toFixed(1)} %`);
const mega = (value: number): string => (value / 1e6).toPrecision(3);

/** A report as lines of a table. */
export function spikeLines({ tokens, overall, layers, energy }: SpikeReport): string[] {
  const rows = [['spikes', 'mixer', 'ffn', 'output', 'skipped', 'weights MB', 'of MB']];
  for (const [name, group] of grouped(layers)) {
    const rate = (part: string): string => share(group.find((layer) => layer.name.endsWith(part))?.firingRate ?? null);
    const sum = (of: (layer: LayerReport) => number): number => group.reduce((n, layer) => n + of(layer), 0);
    const inputs = sum((layer) => layer.spikeInputs);
    const skipped = inputs > 0 ? share(sum((layer) => layer.inputsSkipped) / inputs) : '';
    rows.push([
      name,
      rate('.mixer'),
      rate('.ffn'),
      rate(name === 'encoder' ? name : '.output'),
      skipped,
      mega(sum((layer) => layer.weightBytes.touched)),
      mega(sum((layer) => layer.weightBytes.dense)),
    ]);
  }
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const { effectiveAcs, denseAcs, effectiveMacs, denseMacs } = overall.synapticOperations;
  const { touched, dense } = overall.weightBytes;
  const { compute, memory } = energy;
  return [
    ...rows.map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ')
    ),
    `firing rate ${share(overall.firingRate)} of ${overall.neurons} neurons over ${tokens} tokens; ` +
    `${share(overall.inputsSkipped / overall.spikeInputs)} of ${overall.spikeInputs} spike inputs skipped`,
    `a token: ${countText(effectiveAcs)} AC of ${countText(denseAcs)}, ${countText(effectiveMacs)} MAC of ${
      countText(denseMacs)
    }; ` +
    `weights ${bytesText(touched)} of ${bytesText(dense)}`,
    `45 nm estimate a token: operations ${energyText(compute.effective)} (dense ${energyText(compute.dense)}), ` +
    `weights from DRAM ${energyText(memory.touched)} (dense ${energyText(memory.dense)})`,
  ];
}

/** A report in one line. */
export function spikeSummary({ overall, energy }: SpikeReport): string {
  const { touched, dense } = overall.weightBytes;
  return `a token: ${share(overall.firingRate)} of neurons fire, ${bytesText(touched)} of ${
    bytesText(dense)
  } of weights ` +
    `are read, ${energyText(energy.compute.effective)} of operations (45 nm estimate)`;
}

/** 1234567 → "1.23 M". */
function countText(count: number): string {
  return count < 1e6
    ? `${(count / 1e3).toPrecision(3)} k`
    : count < 1e9
    ? `${mega(count)} M`
    : `${(count / 1e9).toPrecision(3)} G`;
}

/** Microjoules → text. */
function energyText(microjoules: number): string {
  return microjoules < 1000 ? `${microjoules.toPrecision(3)} µJ` : `${(microjoules / 1000).toPrecision(3)} mJ`;
}

/** Layers of one block stand together. */
function grouped(layers: readonly LayerReport[]): Map<string, LayerReport[]> {
  const groups = new Map<string, LayerReport[]>();
  for (const layer of layers) {
    const name = layer.name.replace(/^blocks\.(\d+)\..*$/, 'block $1');
    const group = groups.get(name);
    if (group) group.push(layer);
    else groups.set(name, [layer]);
  }
  return groups;
}
