/**
 * Neurons to rows: one for one where there is room, else several share a row and its brightness is the share of them that fired.
 * @module
 */

/** The rows of a layer. */
export interface Band {
  readonly layer: number;
  readonly neurons: number;
  /** First row, and how many there are. */
  readonly from: number;
  readonly rows: number;
}

/** Rows of layers, in proportion to their neurons; each has one at least. @param most rows in all, about */
export function bandsOf(neurons: readonly number[], most: number, only?: number): Band[] {
  const shown = neurons.map((n, layer) => ({ layer, neurons: n })).filter(({ layer }) => layer === (only ?? layer));
  const all = shown.reduce((sum, one) => sum + one.neurons, 0);
  const scale = Math.min(1, most / all);
  let from = 0;
  return shown.map((one) => {
    const rows = Math.max(1, Math.round(one.neurons * scale));
    const band = { ...one, from, rows };
    from += rows;
    return band;
  });
}

/** How many bits are set. */
export function ones(bits: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bits.length; i++) for (let byte = bits[i]; byte !== 0; byte &= byte - 1) sum++;
  return sum;
}

/** Which neurons fired. */
export function indices(bits: Uint8Array): number[] {
  const list: number[] = [];
  for (let i = 0; i < bits.length; i++) {
    for (let byte = bits[i]; byte !== 0; byte &= byte - 1) list.push(8 * i + 31 - Math.clz32(byte & -byte));
  }
  return list;
}

/** Share of neurons that fired in every row. @param layers bits of every layer @param out as many as there are rows */
export function shares(layers: readonly Uint8Array[], bands: readonly Band[], out: Float32Array): void {
  for (const { layer, neurons, from, rows } of bands) {
    const bits = layers[layer];
    out.fill(0, from, from + rows);
    if (!bits) continue;
    for (let i = 0; i < bits.length; i++) {
      for (let byte = bits[i]; byte !== 0; byte &= byte - 1) {
        const neuron = 8 * i + 31 - Math.clz32(byte & -byte);
        out[from + Math.floor((neuron * rows) / neurons)] += rows / neurons;
      }
    }
  }
}
