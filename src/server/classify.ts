/**
 * `POST /v1/classify`: classes of texts, by models that classify. The shape is vLLM's, with the scores by label.
 * @module
 */
import type { Classification, ClassifyInput } from '../forward/classifier.ts';
import { MAX_INPUTS, MAX_STEPS } from '../limits.ts';
import { shown, TEXT, whole } from '../options.ts';
import type { Call } from './call.ts';
import { badField } from './errors.ts';
import { field, readFields } from './fields.ts';

interface ClassifyFields {
  readonly model?: string;
  readonly input?: unknown;
  readonly steps?: number;
}

export async function classify(call: Call): Promise<Response> {
  const { fields, ignored } = readFields<ClassifyFields>(await call.body(), {
    model: field(TEXT),
    input: field({ expected: '', holds: () => true }), // `inputsOf` says more
    steps: field(whole(1, MAX_STEPS)),
  });
  call.ignore(ignored);
  const served = call.model(fields.model);
  const inputs = inputsOf(fields.input);
  const { steps } = fields;
  const { labels } = served.model.describe() as { readonly labels?: readonly string[] };
  const place = await served.place(call.signal);
  const said = await place.use(async () => {
    const all: Classification[] = [];
    const options = { signal: call.signal, ...(steps !== undefined && { steps }) };
    for await (const one of served.model.classifyAll(inputs, options)) all.push(one);
    return all;
  });
  const tokens = said.reduce((sum, one) => sum + one.tokens, 0);
  return call.json({
    id: `classify-${crypto.randomUUID().replaceAll('-', '')}`,
    object: 'list',
    created: Math.floor(Date.now() / 1000),
    model: served.name,
    data: said.map(({ label, labelId, scores, spikes }, index) => ({
      index,
      label,
      label_id: labelId,
      probs: scores,
      num_classes: scores.length,
      ...(labels && labelId !== null && { scores: Object.fromEntries(scores.map((score, i) => [labels[i], score])) }),
      ...(spikes && { spikes: { total: spikes.spikes, firing_rate: spikes.firingRate } }),
    })),
    usage: { prompt_tokens: tokens, total_tokens: tokens, completion_tokens: 0 },
  });
}

/** A text, or a list of texts and pairs of texts. @throws {ApiError} 400 */
function inputsOf(input: unknown): ClassifyInput[] {
  const list: readonly unknown[] = Array.isArray(input) ? input : [input];
  if (list.length === 0 || list.length > MAX_INPUTS) {
    throw badField('input', `input has ${list.length} texts, expected 1 … ${MAX_INPUTS}`);
  }
  return list.map((one, i) => {
    if (typeof one === 'string') return one;
    const pair = Array.isArray(one) && one.length === 2 && one.every((text) => typeof text === 'string');
    if (pair) return one as [string, string];
    const at = Array.isArray(input) ? `input[${i}]` : 'input';
    throw badField(at, `${at} is ${shown(one)}, expected a text or a pair of texts`);
  });
}
