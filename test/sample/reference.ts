/**
 * The sampler once more, in plain f64 arithmetic over whole arrays: the probability of every token.
 * @module
 */
import type { CheckedSamplerOptions } from '../../src/sample/options.ts';

/** Entropy of all logits over its greatest value, probabilities at least 1e-7. */
export function share(logits: ArrayLike<number>, vocab: number): number {
  const all = Array.from(logits);
  const top = Math.max(...all);
  const sum = all.reduce((total, v) => total + Math.exp(v - top), 0);
  const nats = all.map((v) => Math.max(1e-7, Math.exp(v - top) / sum)).reduce((total, p) => total - p * Math.log(p), 0);
  return Math.min(1, nats / Math.log(Math.max(2, vocab)));
}

const warm = (base: number, h: number): number => {
  const low = Math.max(0.1, base / 2);
  return low + h * (Math.max(low, Math.min(1.5, base * 1.5)) - low);
};

/** Probability of each token after bias, penalties, top-k, top-p, min-p and temperature; one logit is over −∞. */
export function distribution(
  logits: ArrayLike<number>,
  options: CheckedSamplerOptions,
  history: readonly number[],
): number[] {
  const x = Array.from(logits, (v, id) => v + (options.logitBias.get(id) ?? 0));
  const recent = options.repeatLastN < 0 ? history : history.slice(Math.max(0, history.length - options.repeatLastN));
  for (const id of new Set(recent)) {
    const times = recent.filter((other) => other === id).length;
    x[id] = x[id] > 0 ? x[id] / options.repeatPenalty : x[id] * options.repeatPenalty;
    x[id] -= times * options.frequencyPenalty + options.presencePenalty;
  }
  const { vocabLimit } = options;
  const masked = x.map((v, id) => (id < vocabLimit ? v : -Infinity));
  const temperature = options.temperature < 1e-6
    ? 1
    : options.adaptiveTemperature === 'cool'
    ? Math.max(0.1, options.temperature - share(logits, x.length) * (options.temperature - 0.1))
    : options.adaptiveTemperature === 'warm'
    ? warm(options.temperature, share(masked, Math.min(vocabLimit, x.length)))
    : options.temperature;
  const early = options.temperatureFirst ? temperature : 1;
  let left = masked.map((logit, id) => ({ id, logit })).filter(({ logit }) => logit > -Infinity);
  left.sort((a, b) => b.logit - a.logit || a.id - b.id);
  const top = left[0].logit;
  if (options.temperature < 1e-6) left = left.slice(0, 1);
  if (options.topK > 0) left = left.slice(0, options.topK);
  const weights = left.map(({ logit }) => Math.exp((logit - top) / early));
  const sum = weights.reduce((a, b) => a + b, 0);
  if (options.topP < 1) {
    let before = 0;
    const fewest = weights.findIndex((w) => (before += w) >= options.topP * sum);
    if (fewest >= 0) left = left.slice(0, fewest + 1);
  }
  left = left.filter(({ logit }) => logit === top || Math.exp((logit - top) / early) >= options.minP);
  const p = new Array<number>(x.length).fill(0);
  for (const { id, logit } of left) p[id] = Math.exp((logit - top) / temperature);
  const total = p.reduce((a, b) => a + b, 0);
  return p.map((v) => v / total);
}
