/** The sampler against a plain one: every option's effect, histograms, determinism, extremes, refusals. */
import { suite, type Test } from 'uvu';
import * as assert from 'uvu/assert';
import { SessionError } from '../../src/errors.ts';
import type { SamplerOptions } from '../../src/sample/options.ts';
import { Sampler, samplerBytes, type SamplerMemory, samplerMemory } from '../../src/sample/sampler.ts';
import { Arena } from '../../src/wasm/arena.ts';
import { builtinModule } from '../../src/wasm/builtin.ts';
import { instantiate } from '../../src/wasm/instantiate.ts';
import { builds, normals } from '../kernels/harness.ts';
import { distribution } from './reference.ts';

/** A sampler memory and logits of one vocabulary. */
class Bench {
  readonly memory: SamplerMemory;
  readonly logits: number;
  readonly vocab: number;

  constructor(module: WebAssembly.Module, logits: ArrayLike<number>) {
    const arena = new Arena(new WebAssembly.Memory({ initial: 1 }));
    const kernels = instantiate(module, arena.memory);
    this.vocab = logits.length;
    this.logits = arena.alloc(4 * this.vocab, 'logits');
    const before = arena.used;
    this.memory = samplerMemory(arena, kernels, this.vocab);
    assert.is(arena.used - before, samplerBytes(this.vocab));
    this.set(logits);
  }

  set(logits: ArrayLike<number>): void {
    this.memory.arena.f32(this.logits, this.vocab).set(Array.from(logits));
  }

  sampler(options: SamplerOptions): Sampler {
    return new Sampler(options, this.vocab, this.memory);
  }

  draw(options: SamplerOptions, n: number): number[] {
    const sampler = this.sampler({ seed: 1, ...options });
    return Array.from({ length: n }, () => sampler.sample(this.logits));
  }
}

/** χ² of draws against probabilities; bins with few expected draws are merged. Fails on a draw of probability 0. */
function assertDrawn(draws: readonly number[], p: readonly number[], what: string): void {
  const counts = p.map(() => 0);
  for (const id of draws) counts[id]++;
  let chi = 0;
  let bins = 0;
  let rest = { expected: 0, count: 0 };
  for (let id = 0; id < p.length; id++) {
    assert.ok(p[id] > 0 || counts[id] === 0, `${what}: token ${id} must not be drawn`);
    rest = { expected: rest.expected + p[id] * draws.length, count: rest.count + counts[id] };
    if (rest.expected < 10) continue;
    chi += (rest.count - rest.expected) ** 2 / rest.expected;
    bins++;
    rest = { expected: 0, count: 0 };
  }
  const freedom = Math.max(1, bins - 1);
  assert.ok(chi < freedom + 5 * Math.sqrt(2 * freedom), `${what}: chi-square ${chi}, ${freedom} degrees of freedom`);
}

const refusal = (code: string, ...words: string[]) => (error: unknown): boolean => {
  assert.instance(error, SessionError);
  const { code: found, message } = error as SessionError;
  assert.is(found, code);
  for (const word of words) assert.ok(message.includes(word), message);
  return true;
};

/** All cuts off: the plain softmax. */
const OPEN: SamplerOptions = { temperature: 1, topK: 0, topP: 1, minP: 0 };
/** One option after another away from neutral, then together. */
const SETTINGS: readonly SamplerOptions[] = [
  {},
  OPEN,
  { ...OPEN, temperature: 0.5 },
  { ...OPEN, temperature: 2 },
  { ...OPEN, temperature: 100 },
  { ...OPEN, topK: 1 },
  { ...OPEN, vocabLimit: 4 },
  { ...OPEN, adaptiveTemperature: 'cool' },
  { ...OPEN, adaptiveTemperature: 'warm' },
  { ...OPEN, temperature: 3, adaptiveTemperature: 'warm', vocabLimit: 5, repeatPenalty: 1.5 },
  { temperature: 0.5, temperatureFirst: true, topP: 0.6 },
  { temperature: 2, temperatureFirst: true, topK: 5, topP: 0.8, minP: 0.1 },
  { temperature: 0.8, temperatureFirst: true, topK: 4, topP: 0.9, minP: 0, adaptiveTemperature: 'warm' },
  { ...OPEN, topK: 5 },
  { ...OPEN, topK: 65 },
  { ...OPEN, topP: 0.5 },
  { ...OPEN, topP: 0.999 },
  { ...OPEN, topP: 0 },
  { ...OPEN, minP: 0.1 },
  { ...OPEN, minP: 1 },
  { ...OPEN, topK: 20, topP: 0.8 },
  { ...OPEN, topK: 20, topP: 0.9, minP: 0.2, temperature: 1.5 },
  { ...OPEN, logitBias: { 3: 2, 4: -2, 5: -Infinity } },
  { ...OPEN, repeatPenalty: 1.5 },
  { ...OPEN, repeatPenalty: 0.5, repeatLastN: 3 },
  { ...OPEN, frequencyPenalty: 0.7 },
  { ...OPEN, presencePenalty: 1.2, repeatLastN: -1 },
  { ...OPEN, presencePenalty: -1, repeatLastN: 0 },
  { repeatPenalty: 1.2, frequencyPenalty: 0.3, presencePenalty: 0.2, logitBias: { 1: 1 }, temperature: 1.1 },
];
const HISTORY = [1, 2, 2, 3, 60, 2, 61, 62, 1, 1];

function define(test: Test, module: WebAssembly.Module): void {
  const bench = (logits: ArrayLike<number>): Bench => new Bench(module, logits);

  test('every option has the effect it has in a plain sampler', () => {
    const logits = normals(64, 5, 2);
    const b = bench(logits);
    for (const options of SETTINGS) {
      const sampler = b.sampler({ seed: 11, ...options });
      for (const id of HISTORY) sampler.accept(id);
      const draws = Array.from({ length: 10_000 }, () => sampler.sample(b.logits));
      assertDrawn(draws, distribution(logits, sampler.options, HISTORY), JSON.stringify(options));
      assert.equal(b.memory.arena.f32(b.logits, 64), logits, 'the logits are left as they are');
    }
  });

  // case: N16
  test('a million draws fit the distribution', () => {
    const logits = normals(40, 8, 1.5);
    const b = bench(logits);
    const sampler = b.sampler({ ...OPEN, seed: 0 });
    const draws = Array.from({ length: 1_000_000 }, () => sampler.sample(b.logits));
    assertDrawn(draws, distribution(logits, sampler.options, []), '10^6 draws');
  });

  test('a vocabulary of 3001 with flat logits: cuts far down the order are found', () => {
    const logits = normals(3001, 2, 0.1);
    const b = bench(logits);
    for (const cuts of [{ topP: 0.9 }, { minP: 0.8 }, { topK: 2000 }, { topP: 0.9999 }]) {
      const options = { ...OPEN, ...cuts };
      const sampler = b.sampler({ seed: 3, ...options });
      const draws = Array.from({ length: 400 }, () => sampler.sample(b.logits));
      const p = distribution(logits, sampler.options, []);
      assertDrawn(draws, p, JSON.stringify(options));
    }
  });

  test('one seed gives one sequence; reset begins it again; another seed gives another', () => {
    const b = bench(normals(500, 1, 2));
    for (const options of [{}, OPEN, { ...OPEN, minP: 0.01 }]) {
      const first = b.draw({ ...options, seed: 2 ** 53 - 1 }, 200);
      assert.equal(b.draw({ ...options, seed: 2 ** 53 - 1 }, 200), first);
      assert.not.equal(b.draw({ ...options, seed: 0 }, 200), first);
    }
    const sampler = b.sampler({ seed: 4, repeatPenalty: 1.3 });
    const run = (): number[] =>
      Array.from({ length: 50 }, () => {
        const id = sampler.sample(b.logits);
        sampler.accept(id);
        return id;
      });
    const first = run();
    sampler.reset();
    assert.equal(run(), first);
  });

  test('without a seed one is drawn, and giving it repeats the text', () => {
    const b = bench(normals(500, 1, 2));
    const sampler = b.sampler(OPEN);
    const draws = Array.from({ length: 50 }, () => sampler.sample(b.logits));
    assert.equal(b.draw({ ...OPEN, seed: sampler.seed }, 50), draws);
    assert.is.not(b.sampler(OPEN).seed, sampler.seed);
  });

  test('a saved state goes on as if it had never stopped', () => {
    const b = bench(normals(300, 1, 2));
    const options = { seed: 5, repeatPenalty: 1.4, repeatLastN: 7, frequencyPenalty: 0.1 };
    const step = (sampler: Sampler): number => {
      const id = sampler.sample(b.logits);
      sampler.accept(id);
      return id;
    };
    const one = b.sampler(options);
    for (let i = 0; i < 20; i++) step(one);
    const saved = JSON.parse(JSON.stringify(one.state())) as ReturnType<Sampler['state']>;
    const rest = Array.from({ length: 30 }, () => step(one));
    const other = b.sampler(options);
    other.restore(saved);
    assert.equal(Array.from({ length: 30 }, () => step(other)), rest);
    assert.is(saved.history.length, 7);
    assert.throws(() => other.restore({ rng: saved.rng, history: [300] }), refusal('TOKEN', '300'));
  });

  test('temperature 0, and less than a millionth, takes the largest logit, the lowest id on ties', () => {
    for (const temperature of [0, 1e-9]) {
      const b = bench([1, 5, 2, 5, 5]);
      assert.equal(b.draw({ temperature }, 3), [1, 1, 1]);
      assert.equal(b.draw({ temperature, logitBias: { 1: -Infinity } }, 1), [3]);
      assert.equal(b.draw({ temperature, logitBias: { 2: 4 } }, 1), [2]);
      assert.equal(b.draw({ temperature, topK: 0, topP: 0, minP: 1 }, 1), [1]);
    }
    const b = bench([1, 5, 2, 5, 5]);
    const sampler = b.sampler({ temperature: 0, presencePenalty: 1 });
    const taken = Array.from({ length: 4 }, () => {
      const id = sampler.sample(b.logits);
      sampler.accept(id);
      return id;
    });
    assert.equal(taken, [1, 3, 4, 1]);
  });

  test('greedy choice leaves the generator where it was', () => {
    const b = bench([1, 2, 3]);
    const sampler = b.sampler({ temperature: 0, seed: 1 });
    const before = sampler.state();
    sampler.sample(b.logits);
    assert.equal(sampler.state(), before);
  });

  test('the smallest and largest temperature, k beyond the vocabulary, p of 0 and 1 have defined answers', () => {
    const b = bench([0, 10, 9.99, -5]);
    assert.equal(new Set(b.draw({ ...OPEN, temperature: 1e-6 }, 100)), new Set([1]));
    assert.is(new Set(b.draw({ ...OPEN, temperature: 100 }, 2000)).size, 4);
    assert.equal(new Set(b.draw({ ...OPEN, topK: 1 }, 100)), new Set([1]));
    assert.equal(b.draw({ ...OPEN, topK: 5 }, 100), b.draw(OPEN, 100));
    assert.equal(b.draw({ ...OPEN, topK: 2 ** 31 - 1 }, 100), b.draw(OPEN, 100));
    assert.equal(new Set(b.draw({ ...OPEN, topP: 0 }, 100)), new Set([1]));
    assert.equal(new Set(b.draw({ ...OPEN, minP: 1 }, 100)), new Set([1]));
  });

  test('equal logits are drawn equally, and top-k takes the lower ids of them', () => {
    const flat = new Float32Array(100).fill(-3);
    const b = bench(flat);
    assertDrawn(b.draw(OPEN, 20_000), new Array<number>(100).fill(0.01), 'flat');
    assert.equal(new Set(b.draw({ ...OPEN, topK: 3 }, 200)), new Set([0, 1, 2]));
  });

  test('a vocabulary of one token has one answer', () => {
    const b = bench([-7]);
    for (const options of [{}, OPEN, { temperature: 0 }]) assert.equal(b.draw(options, 5), [0, 0, 0, 0, 0]);
  });

  test('masked tokens are never drawn, the one left always is', () => {
    const logits = new Float32Array(1000).fill(-Infinity);
    logits[777] = -50;
    const b = bench(logits);
    for (const options of [{}, OPEN, { ...OPEN, topP: 0.5 }, { temperature: 0 }]) {
      assert.equal(new Set(b.draw(options, 20)), new Set([777]));
    }
  });

  test('nothing left to choose is refused, one token left is not', () => {
    const b = bench([1, 2, 3]);
    for (const temperature of [0, 1]) {
      const all = { temperature, logitBias: { 0: -Infinity, 1: -Infinity, 2: -Infinity } };
      assert.throws(() => b.draw(all, 1), refusal('NO_CANDIDATE', 'all 3 tokens'));
      assert.equal(b.draw({ temperature, logitBias: { 0: -Infinity, 2: -Infinity } }, 1), [1]);
    }
    b.set([-Infinity, -Infinity, -Infinity]);
    assert.throws(() => b.draw({}, 1), refusal('NO_CANDIDATE'));
  });

  // case: N15 N17
  test('NaN and +Infinity are refused with their token, never chosen; -Infinity before them is not the cause', () => {
    for (const [bad, id] of [[NaN, 2], [NaN, 99], [Infinity, 50]] as const) {
      const logits = normals(100, 1);
      logits[0] = -Infinity;
      logits[id] = bad;
      for (const options of [{}, OPEN, { temperature: 0 }, { temperature: 0, logitBias: { 3: 1 } }]) {
        const b = bench(logits);
        assert.throws(() => b.draw(options, 1), refusal('NOT_FINITE', `token ${id} `, String(bad)));
        b.set(normals(100, 1));
        assert.ok(b.draw(options, 1)[0] >= 0);
      }
    }
  });

  test('an id outside the vocabulary is not accepted, the last one is', () => {
    const sampler = bench([1, 2, 3]).sampler({ repeatPenalty: 1.1 });
    for (const id of [-1, 3, 1.5, NaN]) assert.throws(() => sampler.accept(id), refusal('TOKEN', String(id)));
    sampler.accept(2);
    assert.equal(sampler.state().history, [2]);
    assert.throws(() => bench([1, 2]).sampler({ logitBias: { 2: 1 } }), /must be an integer from 0 to 1/);
  });

  test('two samplers in one memory do not disturb each other', () => {
    const b = bench(normals(200, 1, 2));
    const [one, two] = [b.sampler({ seed: 1 }), b.sampler({ ...OPEN, seed: 2, logitBias: { 5: 3 } })];
    const mixed = Array.from({ length: 50 }, () => [one.sample(b.logits), two.sample(b.logits)]);
    assert.equal(mixed.map(([id]) => id), b.draw({ seed: 1 }, 50));
    assert.equal(mixed.map(([, id]) => id), b.draw({ ...OPEN, seed: 2, logitBias: { 5: 3 } }, 50));
  });
}

/** Drawn once; equal on every engine and build. */
const RECORDED: readonly (readonly number[])[] = [
  [363, 30, 292, 393, 999, 595, 898, 535],
  [423, 8, 655, 685, 838, 737, 813, 161],
  [726, 30, 917, 644, 57, 674, 330, 363],
];

for (const { module, build } of await Promise.all(builds.map((build) => builtinModule(build)))) {
  const test = suite(`sampler (${build})`);
  define(test, module);
  // case: N16
  test('the sequence of a seed is the one on record', () => {
    const b = new Bench(module, Float32Array.from({ length: 1000 }, (_, i) => ((i * 37) % 101) / 8));
    const drawn = [{}, OPEN, { ...OPEN, topP: 0.9 }].map((options) => b.draw({ ...options, seed: 42 }, 8));
    assert.equal(drawn, RECORDED);
  });
  test.run();
}
