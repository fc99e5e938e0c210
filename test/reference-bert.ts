/**
 * The forward pass of a BERT once more, plain and in f64: whole matrices, whole texts, no threads. It shares no code with src/ and is
 * written from the paper and from the names that transformers gives its tensors, so that both can only agree by being right.
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bf16, erf, f16 } from './reference.ts';

type Matrix = number[][];

/** A folder of BertModel or BertForSequenceClassification. */
export interface ReferenceBert {
  readonly layers: number;
  readonly heads: number;
  readonly eps: number;
  /** Rows of the table of positions before that of the first token. */
  readonly skipped?: number;
  /** Whether a ReLU stands in the place of the pooler's tanh. */
  readonly relu?: boolean;
  /** Row-major numbers by the names that transformers uses, without the prefix `bert.`. Segments and pooler may be absent. */
  readonly tensors: ReadonlyMap<string, Float64Array>;
}

/** All that a pass makes. */
export interface ReferenceStates {
  /** Behind the embedding and every layer: tokens × width. */
  readonly hidden: readonly Matrix[];
  /** For each layer and head: queries × keys. */
  readonly attention: readonly (readonly Matrix[])[];
  readonly pooled: readonly number[] | null;
  readonly logits: readonly number[] | null;
}

/** Every f16. */
const HALVES = Float64Array.from({ length: 65536 }, (_, bits) => f16(bits));

/** The floats of a safetensors file. */
export function readSafetensors(file: string): Map<string, Float64Array> {
  const bytes = readFileSync(file);
  const header = Number(bytes.readBigUInt64LE(0));
  const table = JSON.parse(bytes.toString('utf8', 8, 8 + header)) as Record<
    string,
    { dtype: string; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, Float64Array>();
  for (const [name, { dtype, data_offsets }] of Object.entries(table)) {
    if (!['F32', 'F16', 'BF16'].includes(dtype)) continue;
    const [from, to] = data_offsets;
    const data = bytes.subarray(8 + header + from, 8 + header + to);
    const size = dtype === 'F32' ? 4 : 2;
    const read = (i: number): number =>
      dtype === 'F32'
        ? data.readFloatLE(4 * i)
        : dtype === 'F16'
        ? HALVES[data.readUInt16LE(2 * i)]
        : bf16(data.readUInt16LE(2 * i));
    tensors.set(name, Float64Array.from({ length: data.length / size }, (_, i) => read(i)));
  }
  return tensors;
}

/** Reads `config.json` and one safetensors file. */
export function readReferenceBert(folder: string): ReferenceBert {
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<string, number>;
  const tensors = [...readSafetensors(join(folder, 'model.safetensors'))];
  return {
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    eps: config.layer_norm_eps ?? 1e-12,
    tensors: new Map(tensors.map(([name, data]) => [name.replace(/^bert\./, ''), data])),
  };
}

/** Runs one text. */
export function referenceBert(
  { layers, heads, eps, tensors, skipped = 0, relu = false }: ReferenceBert,
  ids: readonly number[],
  typeIds: readonly number[],
): ReferenceStates {
  const get = (name: string): Float64Array => {
    const found = tensors.get(name);
    if (!found) throw new Error(`no tensor ${name}`);
    return found;
  };
  const linear = (name: string, x: Matrix): Matrix => {
    const [weight, bias] = [get(`${name}.weight`), get(`${name}.bias`)];
    return x.map((row) =>
      Array.from(bias, (b, r) => row.reduce((sum, value, c) => sum + value * weight[r * row.length + c], b))
    );
  };
  const norm = (name: string, x: Matrix): Matrix =>
    x.map((row) => {
      const mean = row.reduce((a, b) => a + b, 0) / row.length;
      const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / row.length;
      const [weight, bias] = [get(`${name}.weight`), get(`${name}.bias`)];
      return row.map((value, i) => ((value - mean) / Math.sqrt(variance + eps)) * weight[i] + bias[i]);
    });
  const plus = (a: Matrix, b: Matrix): Matrix => a.map((row, t) => row.map((value, i) => value + b[t][i]));
  const width = get('embeddings.LayerNorm.weight').length;
  const row = (
    name: string,
    r: number,
  ): number[] => [...get(`embeddings.${name}.weight`).subarray(r * width, (r + 1) * width)];

  const summed = ids.map((id, t) => {
    const [word, place] = [row('word_embeddings', id), row('position_embeddings', skipped + t)];
    const types = tensors.has('embeddings.token_type_embeddings.weight');
    const segment = types ? row('token_type_embeddings', typeIds[t]) : null;
    return word.map((value, i) => value + place[i] + (segment?.[i] ?? 0));
  });
  let x = norm('embeddings.LayerNorm', summed);
  const hidden = [x];
  const attention: Matrix[][] = [];
  const size = width / heads;
  for (let l = 0; l < layers; l++) {
    const of = (part: string): string => `encoder.layer.${l}.${part}`;
    const [q, k, v] = ['query', 'key', 'value'].map((part) => linear(of(`attention.self.${part}`), x));
    const mixed = x.map(() => new Array<number>(width).fill(0));
    attention.push(Array.from({ length: heads }, (_, h) => {
      const dims = Array.from({ length: size }, (_, i) => h * size + i);
      const shares = q.map((query) => {
        const scores = k.map((key) => dims.reduce((sum, i) => sum + query[i] * key[i], 0) / Math.sqrt(size));
        const top = Math.max(...scores);
        const powers = scores.map((score) => Math.exp(score - top));
        const total = powers.reduce((a, b) => a + b, 0);
        return powers.map((power) => power / total);
      });
      shares.forEach((share, t) => {
        for (const i of dims) mixed[t][i] = share.reduce((sum, p, j) => sum + p * v[j][i], 0);
      });
      return shares;
    }));
    x = norm(of('attention.output.LayerNorm'), plus(linear(of('attention.output.dense'), mixed), x));
    const up = linear(of('intermediate.dense'), x).map((all) =>
      all.map((value) => (value / 2) * (1 + erf(value / Math.SQRT2)))
    );
    x = norm(of('output.LayerNorm'), plus(linear(of('output.dense'), up), x));
    hidden.push(x);
  }
  const between = (value: number): number => relu ? Math.max(value, 0) : Math.tanh(value);
  const pooled = tensors.has('pooler.dense.weight') ? linear('pooler.dense', [x[0]])[0].map(between) : null;
  const logits = tensors.has('classifier.weight') ? linear('classifier', [pooled ?? x[0]])[0] : null;
  return { hidden, attention, pooled, logits };
}
