/**
 * Suites: one file that names models, data, comparisons and gates. `suite.schema.json` describes the same for editors.
 * @module
 */
import { DatasetError } from '../errors.ts';
import { MAX_COMPARISONS } from '../limits.ts';
import type { CompareResult } from './compare/result.ts';
import type { Prices } from './compare/energy.ts';
import { type GateResult, judge } from './gate/gate.ts';
import { defaultGates, type Gates, isObject, readGates } from './gate/rules.ts';

/** A model, and what it is opened with. */
export interface SuiteModel {
  readonly path: string;
  readonly options: Readonly<Record<string, string | number | boolean>>;
}

/** A text, or a task of GLUE. */
export interface SuiteData {
  readonly text?: string;
  readonly bytes?: number;
  readonly task?: string;
  readonly folder?: string;
  readonly split?: string;
  readonly limit?: number;
}

/** What a comparison may say for itself, and `defaults` for all. */
export interface SuiteSettings {
  readonly ctx?: number;
  readonly chunks?: number;
  readonly rounds?: number;
  readonly prompts?: number | readonly string[];
  readonly tokens?: number;
}

export interface SuiteComparison extends SuiteSettings {
  readonly name: string;
  readonly a: SuiteModel;
  readonly b: SuiteModel;
  readonly data: SuiteData;
  readonly gates?: Gates;
}

export interface Suite {
  readonly name: string;
  readonly comparisons: readonly SuiteComparison[];
  readonly prices?: Prices;
  readonly seed?: number;
  readonly confidence?: number;
}

/** What a key of a suite holds. */
type Kind = 'text' | 'number' | 'whole' | 'gates' | 'prompts' | 'object' | 'list';

const SETTINGS: Readonly<Record<string, Kind>> = {
  ctx: 'whole',
  chunks: 'whole',
  rounds: 'whole',
  prompts: 'prompts',
  tokens: 'whole',
};

/** Every object of a suite, its keys and their kinds. The schema has the same; a test holds them together. */
export const SUITE_KEYS: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  suite: {
    $schema: 'text',
    name: 'text',
    models: 'object',
    data: 'object',
    comparisons: 'list',
    defaults: 'object',
    gates: 'gates',
    prices: 'object',
    seed: 'whole',
    confidence: 'number',
  },
  model: { path: 'text', options: 'object' },
  data: { text: 'text', bytes: 'whole', task: 'text', folder: 'text', split: 'text', limit: 'whole' },
  settings: SETTINGS,
  comparison: { name: 'text', a: 'text', b: 'text', data: 'text', gates: 'gates', ...SETTINGS },
  prices: { perHour: 'number', gramsPerKwh: 'number', watts: 'number' },
};

const EXPECTED: Readonly<Record<Kind, string>> = {
  text: 'a text',
  number: 'a finite number from 0 on',
  whole: 'a whole number from 0 on',
  gates: 'an object with rules',
  prompts: 'a whole number or a list of texts',
  object: 'an object',
  list: 'a list',
};

function isKind(kind: Kind, value: unknown): boolean {
  switch (kind) {
    case 'text':
      return typeof value === 'string' && value !== '';
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) && value >= 0;
    case 'whole':
      return Number.isSafeInteger(value) && Number(value) >= 0;
    case 'prompts':
      return isKind('whole', value) ||
        (Array.isArray(value) && value.length > 0 && value.every((item) => isKind('text', item)));
    case 'list':
      return Array.isArray(value);
    default:
      return isObject(value);
  }
}

/**
 * Reads a suite from parsed JSON.
 * @throws {DatasetError} `SUITE` for anything that is not one, with its place; `GATE` for rules that are not
 */
export function readSuite(value: unknown, file: string): Suite {
  const fail = (what: string): DatasetError => new DatasetError('SUITE', `${file}: ${what}`);
  const checked = (
    kind: string,
    value: unknown,
    at: string,
    needed: readonly string[] = [],
  ): Record<string, unknown> => {
    const keys = SUITE_KEYS[kind];
    if (!isObject(value)) throw fail(`${at} has to be an object`);
    for (const [key, item] of Object.entries(value)) {
      if (!Object.hasOwn(keys, key)) {
        throw fail(`${at} has no ${JSON.stringify(key.slice(0, 60))}; there are ${Object.keys(keys).join(', ')}`);
      }
      if (isKind(keys[key], item)) continue;
      throw fail(
        `${at}.${key} is ${(JSON.stringify(item) ?? 'nothing').slice(0, 60)}, expected ${EXPECTED[keys[key]]}`,
      );
    }
    const missing = needed.find((key) => !Object.hasOwn(value, key));
    if (missing !== undefined) throw fail(`${at}.${missing} is missing`);
    return value;
  };
  const suite = checked('suite', value, 'the suite', ['models', 'data', 'comparisons']);
  const models = new Map(
    Object.entries(suite.models as object).map(([name, model]): [string, SuiteModel] => {
      const own = checked('model', typeof model === 'string' ? { path: model } : model, `models.${name}`, ['path']);
      const { options = {} } = own as { options?: Record<string, unknown> };
      for (const [key, item] of Object.entries(options)) {
        if (['string', 'number', 'boolean'].includes(typeof item)) continue;
        throw fail(`models.${name}.options.${key} has to be a text, a number, true or false`);
      }
      return [name, { path: String(own.path), options: options as SuiteModel['options'] }];
    }),
  );
  const data = new Map(
    Object.entries(suite.data as object).map(([name, item]): [string, SuiteData] => {
      const own = checked('data', typeof item === 'string' ? { text: item } : item, `data.${name}`);
      if ((own.text === undefined) === (own.task === undefined)) throw fail(`data.${name} needs one of text and task`);
      return [name, own];
    }),
  );
  const defaults = checked('settings', suite.defaults ?? {}, 'defaults');
  const gates = suite.gates === undefined ? undefined : readGates(suite.gates, `${file}: gates`);
  const list = suite.comparisons as unknown[];
  if (list.length === 0 || list.length > MAX_COMPARISONS) {
    throw fail(`comparisons has ${list.length} entries, expected 1 … ${MAX_COMPARISONS}`);
  }
  const found = <T>(map: ReadonlyMap<string, T>, name: unknown, at: string): T => {
    const item = map.get(String(name));
    if (item !== undefined) return item;
    throw fail(
      `${at} is ${JSON.stringify(name).slice(0, 60)}, which is not defined; there are ${
        [...map.keys()].slice(0, 20).join(', ')
      }`,
    );
  };
  const comparisons = list.map((item, i): SuiteComparison => {
    const at = `comparisons[${i}]`;
    const { name, a, b, data: on, gates: own, ...settings } = checked('comparison', item, at, ['a', 'b', 'data']);
    return {
      ...defaults,
      ...settings,
      name: String(name ?? `${String(a)} ${String(b)} ${String(on)}`),
      a: found(models, a, `${at}.a`),
      b: found(models, b, `${at}.b`),
      data: found(data, on, `${at}.data`),
      gates: own === undefined ? gates : readGates(own, `${file}: ${at}.gates`),
    };
  });
  const twice = comparisons.find(({ name }, i) => comparisons.findIndex((other) => other.name === name) !== i);
  if (twice) throw fail(`two comparisons are called ${JSON.stringify(twice.name)}; give each a name`);
  return {
    name: String(suite.name ?? file),
    comparisons,
    prices: suite.prices === undefined ? undefined : (checked('prices', suite.prices, 'prices') as Prices),
    seed: suite.seed as number | undefined,
    confidence: suite.confidence as number | undefined,
  };
}

/** The result of a suite, as JSON has it. */
export interface SuiteResult {
  readonly ternspike: 'suite';
  readonly version: 1;
  readonly name: string;
  /** By the names of the comparisons. */
  readonly results: Readonly<Record<string, CompareResult>>;
  /** Verdicts of B against A, where the suite has gates. */
  readonly gate: GateResult | null;
}

/** Verdicts of several gates as one. @param of by the names of what they are of; null of one verdict is left out */
export function joined(of: readonly (readonly [string, GateResult])[]): GateResult {
  const [results, codes] = [of.map(([, result]) => result), of.map(([, result]) => result.exitCode)];
  const verdicts = results.map(({ verdict }) => verdict);
  return {
    verdict: verdicts.includes('fail') ? 'fail' : verdicts.includes('warn') ? 'warn' : 'pass',
    rules: of.flatMap(([name, { rules }]) =>
      rules.map((rule) => ({ ...rule, metric: `${name}: ${rule.metric}`, message: `${name}: ${rule.message}` }))
    ),
    golden: of.flatMap(([name, { golden }]) => golden.map((item) => ({ ...item, item: `${name}: ${item.item}` }))),
    exitCode: codes.includes(4) ? 4 : codes.includes(3) ? 3 : 0,
  };
}

/** Judges the result of a suite, comparison by comparison; one that is missing now fails every rule. @throws as `judge` */
export function judgeSuite(baseline: SuiteResult, current: SuiteResult, gates: Gates | undefined): GateResult {
  const names = Object.keys(baseline.results);
  if (names.length === 0) throw new DatasetError('GATE', 'the baseline is a suite without results');
  return joined(names.map((name) => {
    const before = baseline.results[name];
    return [name, judge(before, current.results[name] ?? {}, gates ?? defaultGates(before))];
  }));
}

/** Whether parsed JSON is the result of a suite. */
export function isSuiteResult(value: unknown): value is SuiteResult {
  return isObject(value) && value.ternspike === 'suite' && isObject(value.results);
}
