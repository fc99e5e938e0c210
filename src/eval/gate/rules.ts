/**
 * Rules of a gate: for each metric the largest worsening that is let through. Read from JSON, checked completely.
 * @module
 */
import { DatasetError } from '../../errors.ts';
import { checkConfidence } from '../compare/statistics.ts';

export interface GateRule {
  /** Where the figure is in the result: names with dots between, such as `perplexity` or `metrics.accuracy`. */
  readonly metric: string;
  /** Default: known for the figures that ternspike writes. */
  readonly better: 'lower' | 'higher';
  /** Largest worsening that passes, in units of the figure or, with `relative`, as a share of the baseline. */
  readonly maxWorsening: number;
  readonly relative: boolean;
  /** How sure a failure has to be, where the figure has an error; without it the figures decide as they are. */
  readonly confidence?: number;
  /** A worsening below this never counts, however sure it is. Same unit as `maxWorsening`; default 0. */
  readonly leastEffect: number;
  /** What a breach means; default `fail`. */
  readonly severity: 'fail' | 'warn';
}

export interface Gates {
  readonly rules: readonly GateRule[];
  /** Places in the result whose values may not change at all. */
  readonly golden: readonly string[];
  /** Leave out rules that could not fail instead of refusing them; nobody chose them. */
  readonly whereAble?: boolean;
}

/** Rules and golden items that one file may have; a result has a few hundred figures. */
const MOST_RULES = 10_000;
const KEYS = ['metric', 'better', 'maxWorsening', 'relative', 'confidence', 'leastEffect', 'severity'];

const HIGHER =
  /(^|\.)(accuracy|f1|matthews|pearson|spearman|score|sameTop1|top5Overlap|agreement|\w*Tps|activationSparsity)$/;
const LOWER =
  /(^|\.)(ppl|perplexity|bitsPerByte|nll\w*|loss|kl|rms|lnRatio|\w*Ms|\w*Bytes|weightBytes\w*|compute|joules|energy|microjoules\w*|secondsPerSample|effective\w+|dense\w+|perMillion|gramsCo2PerMillion|spikes)$/;
/** Figures of a distribution take the direction of what they are of. */
const OF_DISTRIBUTION = /\.(a|b|mean|max|min|percentiles\.[\d.]+)$/;

/** In which direction a figure is better; null where ternspike does not know it. */
export function directionOf(metric: string): 'lower' | 'higher' | null {
  const plain = metric.replace(OF_DISTRIBUTION, '');
  if (HIGHER.test(plain)) return 'higher';
  return LOWER.test(plain) || /^memory\.|^energy\./.test(plain) ? 'lower' : null;
}

/**
 * Reads rules from parsed JSON: `{"rules": [{"metric": "perplexity", "maxWorsening": 0.01, "relative": true}], "golden": ["texts.0"]}`.
 * @throws {DatasetError} `GATE` for anything else, with the rule and the key
 */
export function readGates(value: unknown, name: string): Gates {
  const fail = (what: string): DatasetError => new DatasetError('GATE', `${name}: ${what}`);
  if (!isObject(value)) throw fail('expected an object with rules');
  const { rules = [], golden = [], $schema: _, ...rest } = value;
  const [extra] = Object.keys(rest);
  if (extra !== undefined) throw fail(`${JSON.stringify(extra.slice(0, 60))} is not known; there are rules and golden`);
  if (!Array.isArray(rules) || !Array.isArray(golden)) throw fail('rules and golden have to be lists');
  if (rules.length + golden.length === 0) {
    throw fail('there is neither a rule nor a golden item, so the gate could never fail');
  }
  if (rules.length + golden.length > MOST_RULES) {
    throw fail(`${rules.length + golden.length} rules and golden items, at most ${MOST_RULES}`);
  }
  for (const [i, place] of golden.entries()) {
    if (typeof place !== 'string' || place === '') throw fail(`golden[${i}] has to be a place such as "texts.0"`);
  }
  return { rules: rules.map((rule, i) => readRule(rule, `rules[${i}]`, fail)), golden: golden as string[] };
}

function readRule(value: unknown, at: string, fail: (what: string) => DatasetError): GateRule {
  if (!isObject(value)) throw fail(`${at} has to be an object`);
  const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) {
    throw fail(`${at}: ${JSON.stringify(unknown.slice(0, 60))} is not known; there are ${KEYS.join(', ')}`);
  }
  const { metric, maxWorsening, relative = false, confidence, leastEffect = 0, severity = 'fail' } = value;
  if (typeof metric !== 'string' || metric === '') throw fail(`${at}.metric has to be a place such as "perplexity"`);
  const { better = directionOf(metric) } = value;
  if (better !== 'lower' && better !== 'higher') {
    throw fail(`${at}.better has to be "lower" or "higher": the direction of ${metric} is not known`);
  }
  for (const [key, number] of Object.entries({ maxWorsening, leastEffect })) {
    if (typeof number === 'number' && Number.isFinite(number) && number >= 0) continue;
    throw fail(`${at}.${key} is ${shown(number)}, expected a finite number from 0 on`);
  }
  if (typeof relative !== 'boolean') throw fail(`${at}.relative is ${shown(relative)}, expected true or false`);
  if (severity !== 'fail' && severity !== 'warn') {
    throw fail(`${at}.severity is ${shown(severity)}, expected "fail" or "warn"`);
  }
  if (confidence !== undefined) {
    try {
      checkConfidence(typeof confidence === 'number' ? confidence : NaN);
    } catch {
      throw fail(`${at}.confidence is ${shown(confidence)}, expected a number above 0 and below 1`);
    }
  }
  return {
    metric,
    better,
    maxWorsening: maxWorsening as number,
    relative,
    ...(confidence !== undefined && { confidence: confidence as number }),
    leastEffect: leastEffect as number,
    severity,
  };
}

/** Rules for a result without any of its user's: quality to a hundredth, sizes to a twentieth, speed only as a warning. */
export function defaultGates(baseline: unknown): Gates {
  const base = isObject(baseline) ? baseline : {};
  const relative = (metric: string, maxWorsening: number, more: Partial<GateRule> = {}): GateRule => ({
    metric,
    better: directionOf(metric) ?? 'lower',
    maxWorsening,
    relative: true,
    leastEffect: 0,
    severity: 'fail',
    ...more,
  });
  const absolute = (metric: string, maxWorsening: number): GateRule =>
    relative(metric, maxWorsening, { relative: false, confidence: 0.95 });
  const rules: GateRule[] = [];
  if (isObject(base.perplexity)) {
    const comparable = base.perplexity.lnRatio !== null;
    rules.push(relative(comparable ? 'perplexity' : 'bitsPerByte', 0.01, { confidence: 0.95 }));
  }
  if (typeof base.ppl === 'number') rules.push(relative('ppl', 0.01, { confidence: 0.95 }));
  if (isObject(base.kl)) rules.push(absolute('kl.mean', 0.01));
  for (const metric of ['sameTop1', 'agreement']) {
    if (typeof base[metric] === 'number') rules.push(absolute(metric, 0.01));
  }
  if (isObject(base.metrics)) {
    for (const name of Object.keys(base.metrics)) rules.push(absolute(`metrics.${name}`, 0.01));
  }
  if (isObject(base.memory)) rules.push(relative('memory.weightsBytes', 0.05));
  if (isObject(base.speed)) rules.push(relative('speed.decodeTps', 0.2, { confidence: 0.95, severity: 'warn' }));
  if (Array.isArray(base.threads)) rules.push(relative('threads.0.decodeTps', 0.2, { severity: 'warn' }));
  return { rules, golden: [], whereAble: true };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const shown = (value: unknown): string =>
  typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? 'nothing').slice(0, 60);
