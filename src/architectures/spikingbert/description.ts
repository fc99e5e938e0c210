/**
 * The spiking BERT of the NeuroComp Lab (arXiv 2308.10873; in 1 and 1.58 bits arXiv 2405.02543): the configuration and the
 * tensors of its public code → description.
 *
 * A checkpoint is the state dict of the classification model, and its numbers stand in a `config.json`; what that code
 * takes from its command line may stand there too (`t_conv`, `v_th`, `leaky`, `finetuning_task`, `id2label`), and has that
 * code's defaults. A GGUF file of this architecture has the same numbers under GGUF's names. Tensors keep the names of the
 * state dict. It lists most of them several times under other prefixes, two sets of which are stale copies: only
 * `network_x.*`, `network_sN.*` and `classification.*` are read.
 * @module
 */
import { alignUp } from '../../bytes/align.ts';
import { columnLayout } from '../../container/ggml-types.ts';
import type { Container, MetadataValue, TensorInfo } from '../../container/tensor.ts';
import { DescriptionError, ModelFileError } from '../../errors.ts';
import { MAX_CLASSES, MAX_CONTEXT, MAX_HEADS, MAX_LAYERS, MAX_STEPS, MAX_VOCAB, MAX_WIDTH } from '../../limits.ts';
import { Metadata, type ModelDescription } from '../../description/description.ts';
import { checkKeys } from '../../description/keys.ts';
import { isCodes, rowScales, scaleName } from '../../description/layout.ts';
import type { ClassifierNumbers } from '../../convert/types.ts';
import { SPIKINGBERT, SPIKINGBERT_WORDS } from './recognise.ts';

/** A spiking BERT (arXiv 2308.10873): an encoder of integrate-and-fire neurons that classifies by rates over time steps. */
export interface SpikingBertDescription extends ModelDescription {
  readonly kind: 'spikingbert';
  readonly hidden: number;
  readonly headDim: number;
  /** Segments that the embedding tells apart: 2 for pairs of texts. */
  readonly segments: number;
  readonly normEps: number;
  /** Membrane potential from which a neuron fires, and by which it is lowered then. */
  readonly threshold: number;
  /** What is left of a membrane after a step; 1 for neurons that do not leak. */
  readonly leak: number;
  /** Potential with which every membrane begins a text; half the threshold makes a rate over few steps the nearest one. */
  readonly initial: number;
  /** Time steps of a run. */
  readonly steps: number;
  /** Outputs of the classifier; 1 for a regression. */
  readonly classes: number;
  /** Names of the classes in their order; none for a regression. */
  readonly labels: readonly string[];
  /** Name of the task, such as `sst-2`; empty where it is not known. */
  readonly task: string;
}

/** A number of the configuration: its name in `config.json`, and in GGUF behind `spikingbert.`. */
export const SPIKINGBERT_KEYS = {
  vocab: ['vocab_size', 'vocab_size'],
  trainedContext: ['max_position_embeddings', 'context_length'],
  segments: ['type_vocab_size', 'token_type_count'],
  width: ['hidden_size', 'embedding_length'],
  layers: ['num_hidden_layers', 'block_count'],
  heads: ['num_attention_heads', 'attention.head_count'],
  hidden: ['intermediate_size', 'feed_forward_length'],
  threshold: ['v_th', 'spike_threshold'],
  leak: ['leaky', 'leak_factor'],
  initial: ['v_init', 'initial_membrane'],
  steps: ['t_conv', 'time_steps'],
  task: ['finetuning_task', 'task'],
  labels: ['labels', 'classifier.output_labels'],
} as const;

/** LayerNorm of the public code. */
const NORM_EPS = 1e-12;
/** Time steps of the public code's command line. */
const DEFAULT_STEPS = 100;

/** Labels of the GLUE tasks in the order of the public code, where they are more than numbers. */
const TASK_LABELS: Readonly<Record<string, readonly string[]>> = {
  mnli: ['contradiction', 'entailment', 'neutral'],
  qnli: ['entailment', 'not_entailment'],
  rte: ['entailment', 'not_entailment'],
};

/** In checkpoints: other names of the same weights, stale copies, and parts that only training has. */
const UNUSED = /^(snn_func(_copy)?|snn_ide_conv|fit_dense|pooler_layer)\./;

/**
 * Reads and checks the description.
 * @param container of a checkpoint: with the entries of its `config.json` as metadata, see `withConfig`
 * @throws {DescriptionError} `DESCRIPTION` for a number missing or out of range, `DESCRIPTION_MISMATCH` where it
 *   contradicts a tensor, `DESCRIPTION_TENSORS` for missing or unknown tensors
 * @throws {ModelFileError} `TENSOR_TYPE` for types that cannot be run
 */
export function describeSpikingBert(container: Container): SpikingBertDescription {
  const { tensors } = container;
  const meta = new Metadata(container);
  const gguf = container.metadata.get('general.architecture') === SPIKINGBERT;
  const name = (key: keyof typeof SPIKINGBERT_KEYS): string =>
    gguf ? `${SPIKINGBERT}.${SPIKINGBERT_KEYS[key][1]}` : `config.${SPIKINGBERT_KEYS[key][0]}`;
  const whole = (key: keyof typeof SPIKINGBERT_KEYS, min: number, max: number, absent?: number): number =>
    meta.integer(name(key), min, max, absent);

  if (!meta.has(name('width'))) {
    throw new DescriptionError(
      'DESCRIPTION',
      gguf
        ? `metadata "${name('width')}" is missing`
        : 'this checkpoint of a spiking BERT carries no configuration: open the folder that has its config.json, or pass ' +
          'that file as the option config',
    );
  }
  const activation = meta.string('config.hidden_act', 'gelu');
  if (activation !== 'gelu') {
    throw new DescriptionError(
      'DESCRIPTION',
      `config.hidden_act is "${activation.slice(0, 40)}"; only gelu is supported`,
    );
  }
  const width = whole('width', 1, MAX_WIDTH);
  const heads = whole('heads', 1, MAX_HEADS);
  if (width % heads !== 0) {
    throw new DescriptionError('DESCRIPTION', `a width of ${width} is not a multiple of ${heads} heads`);
  }
  const classifier = tensors.get('classification.weight');
  if (!classifier) {
    const distilled = tensors.has('fit_dense.weight');
    throw new DescriptionError(
      'DESCRIPTION_TENSORS',
      'classification.weight is missing: ' +
        (distilled
          ? 'this is a checkpoint of general distillation, which has no classifier yet; distil it for a task first'
          : 'this is not a checkpoint of the classification model'),
    );
  }
  const classes = classifier.shape[0] ?? 0;
  if (!(classes >= 1 && classes <= MAX_CLASSES)) {
    throw new DescriptionError('DESCRIPTION', `the classifier has ${classes} outputs, expected 1 to ${MAX_CLASSES}`);
  }
  const task = taskName(meta.string(name('task'), ''));
  const numbers: SpikingBertDescription = {
    kind: 'spikingbert',
    architecture: SPIKINGBERT,
    name: gguf ? meta.string('general.name', '') : '',
    layers: whole('layers', 1, MAX_LAYERS),
    width,
    hidden: whole('hidden', 1, MAX_WIDTH),
    heads,
    headDim: width / heads,
    vocab: whole('vocab', 1, MAX_VOCAB),
    trainedContext: whole('trainedContext', 1, MAX_CONTEXT),
    segments: whole('segments', 1, MAX_VOCAB, 2),
    normEps: meta.number(`${SPIKINGBERT}.attention.layer_norm_epsilon`, 0, 1, NORM_EPS),
    threshold: meta.number(name('threshold'), 1e-6, 1e6, 1),
    leak: meta.number(name('leak'), 0, 1, 1),
    initial: meta.number(name('initial'), -1e6, 1e6, 0),
    steps: whole('steps', 1, MAX_STEPS, DEFAULT_STEPS),
    classes,
    labels: labelsOf(meta, name('labels'), task, classes),
    task,
    parameters: 0,
  };
  const notices = checkKeys(meta, SPIKINGBERT, { neutral: {}, idle: [] });
  const description = notices.length > 0 ? { ...numbers, notices } : numbers;
  checkTensors(container, description);
  const sizes = [...spikingBertShapes(description).values()].map((shape) => shape.reduce((a, b) => a * b, 1));
  return Object.freeze({ ...description, parameters: sizes.reduce((a, b) => a + b, 0) });
}

/** The container with other numbers in its metadata, which `describeSpikingBert` then checks. */
export function withNumbers<T extends Container>(container: T, numbers: ClassifierNumbers): T {
  const metadata = new Map(container.metadata);
  for (const [key, value] of Object.entries(numbers)) {
    if (value === undefined) continue;
    const [config, gguf] = SPIKINGBERT_KEYS[key as keyof ClassifierNumbers];
    metadata.set(`config.${config}`, value as MetadataValue).set(`${SPIKINGBERT}.${gguf}`, value as MetadataValue);
  }
  return { ...container, metadata };
}

/** `SST2` and `sst-2` are one task, as are `MNLI` and `mnli-mm`. */
function taskName(text: string): string {
  const plain = text.toLowerCase().replace(/[^a-z0-9]/g, '');
  return ({ sst2: 'sst-2', stsb: 'sts-b', mnlimm: 'mnli' } as Readonly<Record<string, string>>)[plain] ?? plain;
}

/** Stated labels; else those of the task, or the numbers of the classes. */
function labelsOf(
  metadata: Metadata,
  key: string,
  task: string,
  classes: number,
): readonly string[] {
  const numbers = Array.from({ length: classes }, (_, i) => String(i));
  const ids = numbers.map((i) => metadata.get(`config.id2label.${i}`));
  const stated = metadata.get(key) ?? (ids.includes(undefined) ? undefined : (ids as MetadataValue[]));
  if (stated === undefined) {
    if (classes === 1) return [];
    return TASK_LABELS[task]?.length === classes ? TASK_LABELS[task] : numbers;
  }
  const listed = Array.isArray(stated) && stated.every((label) => typeof label === 'string');
  if (listed && (stated.length === classes || (classes === 1 && stated.length === 0))) {
    return Object.freeze(classes === 1 ? [] : (stated as string[]));
  }
  throw new DescriptionError(
    'DESCRIPTION_MISMATCH',
    `"${key}" has ${listed ? `${stated.length} names` : 'no list of names'}, the classifier ${classes} outputs`,
  );
}

/** The six linear maps of an encoder by their places in the network, and which of them have a LayerNorm behind. */
export const SPIKINGBERT_LINEARS = {
  key: [1, 'dense'],
  value: [2, 'dense'],
  query: [3, 'query'],
  out: [4, 'dense'],
  up: [5, 'dense'],
  down: [6, 'dense'],
} as const;

/** Every tensor of the model with its shape. */
export function spikingBertShapes(
  d: Pick<SpikingBertDescription, 'layers' | 'width' | 'hidden' | 'vocab' | 'trainedContext' | 'segments' | 'classes'>,
): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  const norm = (part: string): void => {
    for (const end of ['weight', 'bias']) shapes.set(`${part}.LayerNorm.${end}`, [d.width]);
  };
  shapes.set(SPIKINGBERT_WORDS, [d.vocab, d.width]);
  shapes.set('network_x.position_embeddings.weight', [d.trainedContext, d.width]);
  shapes.set('network_x.token_type_embeddings.weight', [d.segments, d.width]);
  norm('network_x');
  for (let layer = 0; layer < d.layers; layer++) {
    for (const [n, part] of Object.values(SPIKINGBERT_LINEARS)) {
      const net = `network_s${6 * layer + n}`;
      const rows = n === 5 ? d.hidden : d.width;
      shapes.set(`${net}.${part}.weight`, [rows, n === 6 ? d.hidden : d.width]);
      shapes.set(`${net}.${part}.bias`, [rows]);
      if (n === 4 || n === 6) norm(net);
    }
  }
  shapes.set('classification.weight', [d.classes, d.width]);
  shapes.set('classification.bias', [d.classes]);
  return shapes;
}

/** Types of biases, norms and the classifier, whose inputs are rates. */
const FLOATS: readonly TensorInfo['type'][] = ['F32', 'F16', 'BF16'];
function checkTensors(container: Container, d: SpikingBertDescription): void {
  const { tensors } = container;
  const shapes = spikingBertShapes(d);
  const missing: string[] = [];
  const known = new Set(shapes.keys());
  for (const [name, shape] of shapes) {
    const info = tensors.get(name);
    if (!info) {
      missing.push(name);
      continue;
    }
    if (shape.length === 1 ? info.shape.join() !== shape.join() : !fits(info, shape)) {
      throw new DescriptionError(
        'DESCRIPTION_MISMATCH',
        `tensor "${name}" is ${info.shape.join(' × ') || 'a scalar'}, the configuration asks for ${shape.join(' × ')}`,
      );
    }
    const floats = shape.length === 1 || name === 'classification.weight';
    if (floats && !FLOATS.includes(info.type)) {
      throw new ModelFileError('TENSOR_TYPE', `"${name}" is ${info.type}; ${FLOATS.join(', ')} are supported there`);
    }
    if (shape.length === 1) continue;
    columnLayout(info); // refuses types that take no spikes
    const scaled = isCodes(info.type) && info.type !== 'I2_S' && tensors.has(scaleName(name));
    if (info.type === 'I8' || scaled) {
      known.add(scaleName(name));
      rowScales(container, { ...info, type: 'I8' });
    }
  }
  const feedback = `network_s${6 * d.layers + 1}`;
  if (tensors.has(`${feedback}.dense.weight`)) {
    throw new DescriptionError(
      'DESCRIPTION_MISMATCH',
      `there are weights of "${feedback}", the configuration has ${d.layers} layers`,
    );
  }
  const unexpected = [...tensors.keys()].filter((name) =>
    !known.has(name) && name !== `${feedback}.fc.weight` && !UNUSED.test(name)
  );
  if (missing.length + unexpected.length === 0) return;
  const list = (names: string[]): string =>
    names.slice(0, 5).join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : '');
  throw new DescriptionError(
    'DESCRIPTION_TENSORS',
    [missing.length ? `missing: ${list(missing)}` : '', unexpected.length ? `unexpected: ${list(unexpected)}` : '']
      .filter(Boolean).join('; ') + '; this is not a spiking BERT of this configuration',
  );
}

/** Rows may be filled up with zeros to whole blocks of their type. */
function fits({ type, shape, blockElements }: TensorInfo, [rows, cols]: readonly number[]): boolean {
  const stored = type === 'I8' ? cols : alignUp(cols, Math.max(blockElements, 1));
  return shape.length === 2 && shape[0] === rows && (shape[1] === cols || shape[1] === stored);
}

/**
 * The container with nothing but the tensors that are read, each once, in the shapes of the model: where a row is filled up
 * in the file, `byteLength` counts what is stored and `shape` what is meant.
 */
export function spikingBertTensors(container: Container, d: SpikingBertDescription): Container {
  const tensors = new Map<string, TensorInfo>();
  for (const [name, shape] of spikingBertShapes(d)) {
    tensors.set(name, { ...(container.tensors.get(name) as TensorInfo), shape });
    const scales = shape.length === 2 ? container.tensors.get(scaleName(name)) : undefined;
    if (scales) tensors.set(scales.name, scales);
  }
  return { ...container, tensors };
}

/** Whether a matrix is loaded with one f32 scale per row: all that take spikes, and tables of codes. */
export function isRowScaled({ name, type }: TensorInfo): boolean {
  return !name.startsWith('network_x.') || isCodes(type);
}
