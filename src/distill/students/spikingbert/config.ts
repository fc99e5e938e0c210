/**
 * A spiking BERT student as users write it, and the phases it is trained in: one JSON object in which everything has a default.
 * @module
 */
import { OptionError } from '../../../errors.ts';
import { MAX_STEPS } from '../../../limits.ts';

/** How matrices are rounded: one of three values times a scale of the row, one of two, or not at all. */
export type StudentWeights = 'ternary' | 'binary' | 'none';
/** How the tables of tokens and positions are kept. They are the teacher's and not trained. */
export type StudentTables = 'ternary' | 'int8' | 'none';

/** Everything that fixes the numbers of a forward pass. What the teacher decides stands first. */
export interface SpikingStudent {
  readonly width: number;
  readonly hidden: number;
  readonly heads: number;
  readonly vocab: number;
  /** Positions of the file: the longest text. */
  readonly context: number;
  readonly segments: number;
  /** Outputs; 1 for a regression. */
  readonly classes: number;
  /** Encoders; each begins as one of the teacher's layers and learns its output. */
  readonly layers: number;
  readonly weights: StudentWeights;
  readonly tables: StudentTables;
  /** Time steps that the file asks for, and that measurements run. */
  readonly steps: number;
  /** What a rate spans: ± so many standard deviations of the teacher's state. */
  readonly range: number;
  /** Steps between the rates that a neuron shows in a pass without time. */
  readonly levels: number;
  /** How far outside 0 … 1 a current still passes gradients. */
  readonly margin: number;
  /** Spread of the noise on currents in phases that ask for noise. */
  readonly spreadContext: number;
  readonly spreadAttention: number;
  readonly spreadHidden: number;
  readonly spreadOutput: number;
}

/** A number, or where it begins and ends over a phase. */
export type Course = number | readonly [number, number];

/** A stretch of a run. */
export interface Phase {
  /** `rates`: one pass of mean rates. `noise`: the same, with the variance that spikes have. `spikes`: rates of real steps. */
  readonly kind: 'rates' | 'noise' | 'spikes';
  /** Updates. */
  readonly steps: number;
  /** Highest learning rate; it falls in a line to `floor` of it. */
  readonly lr: number;
  readonly warmup: number;
  readonly floor: number;
  /** Shorter texts are left out, framing counted. */
  readonly minTokens: number;
  /** Time steps of a phase of spikes. */
  readonly timeSteps: number;
  /** Weight of hidden states, attention scores, the teacher's logits, labels, and (rate − target)². */
  readonly hidden: Course;
  readonly attention: Course;
  readonly soft: Course;
  readonly hard: Course;
  readonly rate: Course;
  readonly temperature: number;
  readonly targetRate: number;
}

/** The recipe: see docs/distillation.md for where its numbers come from. */
const DEFAULT_PHASE: Omit<Phase, 'kind' | 'steps' | 'lr'> = {
  warmup: 20,
  floor: 0.02,
  minTokens: 3,
  timeSteps: 8,
  hidden: 1,
  attention: 0,
  soft: 1,
  hard: 0,
  rate: 0,
  temperature: 1,
  targetRate: 0.15,
};
const DEFAULT_PHASES: readonly (Pick<Phase, 'kind' | 'steps' | 'lr'> & Partial<Phase>)[] = [
  { kind: 'noise', steps: 3000, lr: 4e-3 },
  { kind: 'noise', steps: 1200, lr: 3e-3, minTokens: 7 },
  { kind: 'spikes', steps: 800, lr: 1.5e-3, minTokens: 7 },
];

type Shape = Pick<SpikingStudent, 'width' | 'hidden' | 'heads' | 'vocab' | 'context' | 'segments' | 'classes'>;
type Choices = Omit<SpikingStudent, keyof Shape>;

const DEFAULTS: Omit<Choices, 'layers'> = {
  weights: 'ternary',
  tables: 'int8',
  steps: 16,
  range: 1,
  levels: 16,
  margin: 0.1,
  spreadContext: 0.07,
  spreadAttention: 0.05,
  spreadHidden: 0.04,
  spreadOutput: 0.05,
};

/** Least, most, and whether only whole numbers will do. */
type Bound = readonly [number, number, boolean];
const BOUNDS: Readonly<Record<Exclude<keyof Choices, 'weights' | 'tables' | 'layers'>, Bound>> = {
  steps: [1, MAX_STEPS, true],
  range: [0.1, 10, false],
  levels: [1, 1e6, true],
  margin: [0, 10, false],
  spreadContext: [0, 1, false],
  spreadAttention: [0, 1, false],
  spreadHidden: [0, 1, false],
  spreadOutput: [0, 1, false],
};
const PHASE_BOUNDS: Readonly<Record<Exclude<keyof Phase, 'kind'>, Bound>> = {
  steps: [1, 1e9, true],
  lr: [1e-9, 10, false],
  warmup: [0, 1e9, true],
  floor: [0, 1, false],
  minTokens: [0, 1e6, true],
  timeSteps: [1, 1000, true],
  hidden: [0, 1e6, false],
  attention: [0, 1e6, false],
  soft: [0, 1e6, false],
  hard: [0, 1e6, false],
  rate: [0, 1e6, false],
  temperature: [0.05, 100, false],
  targetRate: [0, 1, false],
};
const COURSES: readonly string[] = ['hidden', 'attention', 'soft', 'hard', 'rate'];
/** Phases that make sense of; more are a mistake. */
const MAX_PHASES = 100;

/** What of a student's description is not the teacher's. */
export interface Described {
  readonly student: SpikingStudent;
  readonly phases: readonly Phase[];
}

/**
 * A whole description: what `given` leaves out has its default.
 * @param given a parsed JSON object; a name that is not known is refused
 * @param teacher its shape and layers
 * @throws {OptionError} `OPTION` for a value of the wrong kind, out of range, or a name that is not known
 */
export function describeStudent(given: unknown, teacher: Shape & { readonly layers: number }): Described {
  const { phases: wanted, ...choices } = object(given, 'student');
  const { layers, ...shape } = teacher;
  const defaults: Choices = { ...DEFAULTS, layers };
  const student: Record<string, unknown> = { ...shape, ...defaults };
  for (const [name, value] of Object.entries(choices)) {
    if (name === 'weights') student[name] = word(name, value, ['ternary', 'binary', 'none']);
    else if (name === 'tables') student[name] = word(name, value, ['ternary', 'int8', 'none']);
    else if (name === 'layers') student[name] = number(name, value, [1, layers, true]);
    else if (Object.hasOwn(BOUNDS, name)) student[name] = number(name, value, BOUNDS[name as keyof typeof BOUNDS]);
    else unknown(`student: ${shown(name)}`, [...Object.keys(defaults), 'phases']);
  }
  return Object.freeze({ student: Object.freeze(student as unknown as SpikingStudent), phases: phasesOf(wanted) });
}

function phasesOf(given: unknown = DEFAULT_PHASES): readonly Phase[] {
  if (!Array.isArray(given) || given.length === 0 || given.length > MAX_PHASES) {
    throw new OptionError('OPTION', `student phases: expected a list of 1 to ${MAX_PHASES} objects`);
  }
  return Object.freeze(given.map((entry: unknown, i) => phaseOf(entry, `student phase ${i}`)));
}

function phaseOf(given: unknown, where: string): Phase {
  const phase: Record<string, unknown> = { ...DEFAULT_PHASE };
  for (const [name, value] of Object.entries(object(given, where))) {
    if (name === 'kind') phase[name] = word(`${where} kind`, value, ['rates', 'noise', 'spikes']);
    else if (Object.hasOwn(PHASE_BOUNDS, name)) {
      const bound = PHASE_BOUNDS[name as keyof typeof PHASE_BOUNDS];
      const course = COURSES.includes(name) && Array.isArray(value) && value.length === 2;
      const full = `${where} ${name}`;
      phase[name] = course ? value.map((end) => number(full, end, bound)) : number(full, value, bound);
    } else unknown(`${where}: ${shown(name)}`, ['kind', ...Object.keys(PHASE_BOUNDS)]);
  }
  for (const name of ['kind', 'steps', 'lr']) {
    if (phase[name] === undefined) throw new OptionError('OPTION', `${where} has no ${name}`);
  }
  return Object.freeze(phase as unknown as Phase);
}

function object(given: unknown, where: string): Record<string, unknown> {
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) return given as Record<string, unknown>;
  throw new OptionError('OPTION', `${where} is described by a JSON object, such as {"layers": 4}`);
}

function word(name: string, value: unknown, known: readonly string[]): string {
  if (typeof value === 'string' && known.includes(value)) return value;
  throw new OptionError('OPTION', `student ${name} is ${shown(value)}, expected one of ${known.join(', ')}`);
}

function number(name: string, value: unknown, [least, most, whole]: Bound): number {
  if (typeof value === 'number' && value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
  const kind = whole ? 'a whole number' : 'a number';
  throw new OptionError('OPTION', `student ${name} is ${shown(value)}, expected ${kind} from ${least} to ${most}`);
}

function shown(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 60) ?? String(value);
}

function unknown(what: string, known: readonly string[]): never {
  throw new OptionError('OPTION', `${what} is not known; expected ${known.join(', ')}`);
}

/** The teacher's layer that each encoder begins as and learns: all, by their share of the depth. */
export function taughtLayers(student: number, teacher: number): number[] {
  return Array.from({ length: student }, (_, i) => Math.round(((i + 1) * teacher) / student) - 1);
}

/** Names of the layers of neurons, in the order of the engine: the embedding, then six of each encoder. */
export function neuronLayers({ layers }: Pick<SpikingStudent, 'layers'>): string[] {
  const kinds = ['key', 'value', 'context', 'attention', 'hidden', 'output'];
  return ['embedding', ...Array.from({ length: 6 * layers }, (_, i) => `${Math.floor(i / 6)} ${kinds[i % 6]}`)];
}
