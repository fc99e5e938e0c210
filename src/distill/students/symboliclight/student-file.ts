/**
 * The first weights of a run from a student's file: for going on where only the model is left, not the run it came from.
 *
 * A file holds rounded weights, and training moves latent ones. Those of a ternary tensor are drawn so that rounding gives the
 * file's weights again: |w| as of a normal distribution with mean γ, below γ/2 where the file has 0 and above where it has ±γ,
 * what is above then stretched until the mean is γ. Latents differ in size, so that training turns them one by one.
 * @module
 */
import { memorySource } from '../../../bytes/memory.ts';
import { resolveSource } from '../../../bytes/resolve.ts';
import { readFully } from '../../../bytes/source.ts';
import type { SymbolicLightDescription } from '../../../architectures/symboliclight/description.ts';
import { openContainer } from '../../../container/open.ts';
import type { Container } from '../../../container/tensor.ts';
import { DistillError } from '../../../errors.ts';
import { convertModel } from '../../../model/convert.ts';
import { open } from '../../../model/open-builtin.ts';
import { Rng } from '../../../sample/rng.ts';
import { builtinModule } from '../../../wasm/builtin.ts';
import { storedAs } from './quantise.ts';
import { joined } from '../../safetensors-write.ts';
import { EMBEDDING, studentSlots } from './student.ts';
import type { StudentConfig, TrainerState } from './types.ts';

/** A student to begin with. */
export interface FirstStudent {
  /** What is known of its shape; the rest has its default. */
  readonly student: Partial<StudentConfig>;
  readonly trainer: TrainerState;
}

/** Of the latents that are drawn: the same file gives the same first weights. */
const SEED = 1;

/**
 * Reads a student that `distill` or `convert` wrote.
 * @param path of a GGUF file, or its URL
 * @throws {DistillError} `CHECKPOINT` for a model that is no student; what `open` and `convertModel` throw
 */
export async function studentFromFile(path: string, signal?: AbortSignal): Promise<FirstStudent> {
  const { module } = await builtinModule();
  const source = await resolveSource(path, { signal });
  try {
    const stored = await openContainer(source, { signal });
    await using model = await open(source, { signal });
    const student = shapeOf(model.describe() as SymbolicLightDescription, stored, path);
    const parts: Uint8Array[] = [];
    const sink = { write: (bytes: Uint8Array) => Promise.resolve(void parts.push(bytes.slice())) };
    await convertModel(module, source, sink, { type: 'f32', head: 'f32', embedding: 'f32', signal });
    const floats = memorySource(joined(parts), path);
    return { student, trainer: await latents(floats, await openContainer(floats), student) };
  } finally {
    await source.close?.();
  }
}

/** @throws {DistillError} `CHECKPOINT` */
function shapeOf(d: SymbolicLightDescription, { tensors }: Container, path: string): StudentShape {
  if (d.kind !== 'symboliclight' || d.variant !== '0.8b' || !d.attention || !d.dynamicPrior) {
    throw new DistillError(
      'CHECKPOINT',
      `${path} is not a student of ternspike distill; give its file, or its run's folder`,
    );
  }
  const blocks = tensors.get('blocks.0.ffn.up.weight')?.type ?? '';
  const tables = tensors.get(EMBEDDING)?.type ?? '';
  return {
    vocab: d.vocab,
    width: d.width,
    layers: d.layers,
    heads: d.heads,
    ffn: d.hidden,
    context: d.trainedContext,
    window: d.window,
    anchors: d.anchors,
    threshold: d.threshold,
    leak: d.leak,
    quantisation: blocks.startsWith('TQ') ? 'ternary' : blocks === 'Q1_0' ? 'binary' : 'none',
    tables: tables.startsWith('TQ') ? 'ternary' : tables === 'Q8_0' ? 'int8' : 'none',
  };
}

type StudentShape = Omit<StudentConfig, 'surrogate' | 'surrogateWidth' | 'truncation'>;

/** The state of a trainer that has not learnt yet: weights, and moments of 0. */
async function latents(
  source: ReturnType<typeof memorySource>,
  { tensors }: Container,
  student: StudentShape,
): Promise<TrainerState> {
  const rng = new Rng(SEED);
  const state = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const { key, shape, size } of studentSlots(student)) {
    const data = new Float32Array(size);
    const { offset } = tensors.get(key)!; // all are there: the description was checked
    await readFully(source, new Uint8Array(data.buffer), offset, key);
    const stored = storedAs(key, shape, student);
    if (stored === 'ternary') spread(data, rng);
    if (stored === 'ternaryRows') {
      for (let at = 0; at < size; at += shape[1]) spread(data.subarray(at, at + shape[1]), rng);
    }
    state.set(key, { shape, data });
    for (const moment of ['adam.m.', 'adam.v.']) state.set(moment + key, { shape, data: new Float32Array(size) });
  }
  return { step: 0, tensors: state };
}

/** −γ, 0 and γ become latent weights that round to them. */
export function spread(w: Float32Array, rng: Rng): void {
  const scale = w.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  if (scale === 0) return;
  let below = 0;
  let above = 0;
  let ones = 0;
  for (let i = 0; i < w.length; i++) {
    const one = w[i] !== 0;
    const size = scale * drawn(rng, one);
    if (one) {
      ones++;
      above += size - scale / 2;
    } else below += size;
    w[i] = one ? Math.sign(w[i]) * size : rng.uniform() < 0.5 ? size : -size;
  }
  // Σ|w| = γ·n: what ±1 have over γ/2 makes up for the rest
  const stretch = (scale * w.length - below - (ones * scale) / 2) / above;
  for (let i = 0; i < w.length; i++) {
    if (Math.abs(w[i]) <= scale / 2) continue;
    w[i] = Math.sign(w[i]) * (scale / 2 + (Math.abs(w[i]) - scale / 2) * stretch);
  }
}

/** How far from the half latents stay, so that no rounding of f32 carries one across. */
const MARGIN = 1e-3;

/** |w| of a normal distribution whose mean |w| is 1, on one side of a half. */
function drawn(rng: Rng, above: boolean): number {
  for (;;) {
    const normal = Math.sqrt(-2 * Math.log(1 - rng.uniform())) * Math.cos(2 * Math.PI * rng.uniform());
    const size = Math.abs(normal) * Math.sqrt(Math.PI / 2);
    if (above ? size > 0.5 + MARGIN : size < 0.5 - MARGIN) return size;
  }
}
