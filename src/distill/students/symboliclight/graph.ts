/**
 * The student's blocks and losses as one differentiable function for jax-js. The encoder, the rounding of weights and the
 * optimiser stand outside (`encoder.ts`, `quantise.ts`, `optimizer.ts`): this function sees weights already rounded, the
 * normalised embeddings and the encoder's spikes, and yields gradients by all three.
 * @module
 */
import type { Array as Tensor } from '@jax-js/jax';
import type { Jax } from './jax.ts';
import { distillation } from './losses.ts';
import { layerNorm, linear, log, meanRows, roundActivations, softmax, UNSEEN } from './ops.ts';
import { thresholded } from './surrogate.ts';
import type { LossWeights, StudentConfig } from './types.ts';

/** Weights by checkpoint key. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** What a batch is to the blocks. N = B·S rows. */
export type GraphInputs = {
  /** (N, width) normalised embeddings. */
  readonly stream: Tensor;
  /** (N, width) spikes of the encoder. */
  readonly spikes: Tensor;
  /** (N, vocab) ones at the ids to be said. */
  readonly labels: Tensor;
  /** (N, vocab), or a single zero. */
  readonly teacher: Tensor;
  /** (N, teacherWidth) each. */
  readonly hidden: readonly Tensor[];
  /** How much each part of the loss weighs: scalars, which may change from step to step. */
  readonly weights: { readonly alpha: Tensor; readonly hidden: Tensor; readonly rate: Tensor };
};

/** Constants of a length. */
export type Tables = {
  /** (S, S) 0 where a query (row) sees a key (column), −1e30 elsewhere. */
  readonly mask: Tensor;
  /** (S, S) i − j, and 1 where it is not negative. */
  readonly lags: Tensor;
  readonly past: Tensor;
  /** (S, d) factors of the rotation: x·cos + (halves of x exchanged)·sin. */
  readonly cos: Tensor;
  readonly sin: Tensor;
};

export interface GraphShape {
  readonly batch: number;
  readonly length: number;
  /** Whether activations are rounded to int8 before ternary and binary matrices. */
  readonly activations: boolean;
}

/** Powers of the decay below e^-40 are dropped: subnormal numbers are an order of magnitude slower. */
const LEAST_POWER = -40;
/** Columns of ternary and binary matrices that share a scale of activations. */
const MATRIX_SPAN = 256;

/** Everything `studentGraph` finds. */
export interface GraphResult {
  /** Scalar whose gradients are those of the loss. */
  readonly objective: Tensor;
  /** [loss, soft, hard, hidden]. */
  readonly report: Tensor;
  /** Mean of the spikes of each layer of neurons behind the encoder: mixer, feed-forward, output of every block. */
  readonly rates: Tensor;
  readonly logits: Tensor;
  readonly spikes: readonly Tensor[];
  /** Mean of x² behind each block and of the logits: NaN or infinite where a value is. */
  readonly sizes: Tensor;
}

/** The forward pass, top to bottom. Consumes its tensors. */
export function studentGraph(
  jax: Jax,
  config: StudentConfig,
  shape: GraphShape,
  losses: LossWeights,
  w: Tensors,
  inputs: GraphInputs,
  tables: Tables,
): GraphResult {
  const { np, lax } = jax;
  const { width, heads } = config;
  const { batch, length } = shape;
  const headDim = width / heads;
  const rows = batch * length;
  const coded = config.quantisation !== 'none' && shape.activations;
  const rounded = (x: Tensor): Tensor => (coded ? roundActivations(jax, x, MATRIX_SPAN) : x);
  // int8 tables take int16, whose rounding is as good as none
  const intoTable = (x: Tensor): Tensor =>
    config.tables === 'ternary' && shape.activations && x.shape[1] % MATRIX_SPAN === 0
      ? roundActivations(jax, x, MATRIX_SPAN)
      : x;
  const fire = (x: Tensor): Tensor => thresholded(jax, x, config);
  const split = (x: Tensor): Tensor => x.reshape([batch, length, heads, headDim]);
  const rotate = (x: Tensor): Tensor => {
    const halves = x.reshape([batch, length, heads, 2, headDim / 2]);
    const cos = tables.cos.ref.reshape([1, length, 1, 2, headDim / 2]);
    const sin = tables.sin.ref.reshape([1, length, 1, 2, headDim / 2]);
    return split(halves.ref.mul(cos).add(np.flip(halves, 3).mul(sin)));
  };

  const sizeOf = (x: Tensor): Tensor => np.mean(meanRows(jax, np.square(lax.stopGradient(x))));

  let c = inputs.stream;
  let s = inputs.spikes.ref;
  const spikes: Tensor[] = [];
  const hidden: Tensor[] = [];
  const sizes: Tensor[] = [];
  for (let i = 0; i < config.layers; i++) {
    const at = (name: string): Tensor => w[`blocks.${i}.${name}`].ref;

    // what decays: (1 − a) Σ a^(t−j) · (Wtcam s_j), a Toeplitz matrix of powers per head
    const keep = jax.nn.sigmoid(at('tcam.decay_raw')).reshape([heads, 1, 1]);
    const exponent = np.matmul(log(jax, keep.ref).reshape([heads, 1]), tables.lags.ref.reshape([1, length * length]))
      .reshape([heads, length, length]);
    const reach = np.where(np.less(lax.stopGradient(exponent.ref), LEAST_POWER), 0, tables.past.ref);
    const powers = np.exp(np.maximum(exponent, LEAST_POWER)).mul(reach).mul(np.subtract(1, keep));
    const tcam = split(linear(jax, s.ref, at('tcam.tcam_proj.weight'))).transpose([0, 2, 1, 3]);
    const decayed = np.matmul(
      np.broadcastTo(powers.reshape([1, heads, length, length]), [batch, heads, length, length]),
      tcam,
    );

    // what is near: attention over positions that fired
    const x = rounded(c.ref);
    const q = rotate(linear(jax, x.ref, at('tcam.sparse_attn.q_proj.weight'))).transpose([0, 2, 1, 3]);
    const k = rotate(linear(jax, x.ref, at('tcam.sparse_attn.k_proj.weight'))).transpose([0, 2, 3, 1]);
    const v = split(linear(jax, x, at('tcam.sparse_attn.v_proj.weight'))).transpose([0, 2, 1, 3]);
    const fired = np.minimum(np.max(lax.stopGradient(s).reshape([batch, length, width]), 2), 1);
    const silent = np.subtract(1, fired.ref).mul(UNSEEN).reshape([batch, 1, 1, length]);
    const scores = np.matmul(q, k).mul(1 / Math.sqrt(headDim)).add(tables.mask.ref).add(silent);
    const seen = fired.reshape([batch, 1, length, 1]);
    const near = np.matmul(softmax(jax, scores), v).mul(seen);

    const gate = jax.nn.sigmoid(at('tcam.attn_gate')).reshape([1, 1, 1, 1]);
    const mixed = near.mul(gate.ref).add(decayed.mul(np.subtract(1, gate)))
      .transpose([0, 2, 1, 3]).reshape([rows, width]);
    c = c.add(linear(jax, rounded(mixed), at('tcam.out_proj.weight')));
    c = layerNorm(jax, c, at('tcam.norm.weight'), at('tcam.norm.bias'));
    spikes.push(fire(c.ref));

    // spiking feed-forward
    const z = fire(linear(jax, rounded(c.ref), at('ffn.up.weight')));
    spikes.push(z.ref);
    c = c.add(linear(jax, z, at('ffn.down.weight')));
    c = layerNorm(jax, c, at('ffn.norm.weight'), at('ffn.norm.bias'));
    s = fire(c.ref);
    spikes.push(s.ref);
    hidden.push(c.ref);
    sizes.push(sizeOf(c.ref));
  }
  s.dispose();

  const x = intoTable(c);
  const inner = jax.nn.gelu(linear(jax, x.ref, w['output_head.prior_net.0.weight'].ref), { approximate: false });
  const prior = linear(jax, intoTable(inner), w['output_head.prior_net.2.weight'].ref);
  const logits = linear(jax, x, w['output_head.output_proj.weight'].ref)
    .add(prior.mul(w['output_head.prior_weight'].ref.reshape([1, 1])));
  sizes.push(sizeOf(logits.ref));

  const rates = spikes.map((y) => np.sum(np.matmul(np.full([1, rows], 1 / rows), y.ref)).mul(1 / y.shape[1]));
  const { objective, report } = distillation(jax, losses, w, logits.ref, inputs, hidden, rates);
  return {
    objective,
    report,
    rates: lax.stopGradient(np.stack(rates)),
    logits: lax.stopGradient(logits),
    spikes: spikes.map((y) => lax.stopGradient(y)),
    sizes: np.stack(sizes),
  };
}
