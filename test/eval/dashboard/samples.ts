/**
 * Results with every part that a page can show, and with names and texts that try to be more than text.
 * @module
 */
import { pairedAnswers, pairedSamples } from '../../../src/eval/compare/classifiers.ts';
import { compare } from '../../../src/eval/compare/compare.ts';
import type { ClassifierComparison, CompareResult } from '../../../src/eval/compare/result.ts';
import { type GateResult, judge } from '../../../src/eval/gate/gate.ts';
import { readGates } from '../../../src/eval/gate/rules.ts';
import { glueTask } from '../../../src/eval/glue-tasks.ts';
import { type HistoryEntry, historyEntry } from '../../../src/eval/history.ts';
import { open } from '../../../src/entries/index.ts';
import { speakingModel } from '../../cli/cli.ts';

/** Markup, script, an attribute that would end, and a policy that would be broken. */
export const HOSTILE =
  `<script>globalThis.hacked=1</script><img src=x onerror="globalThis.hacked=1">"'></title></style>&amp;`;

/** Two comparisons, a gate that fails, and a history with a defect. */
export async function samples(): Promise<{ results: CompareResult[]; gate: GateResult; entries: HistoryEntry[] }> {
  const [a, b] = [await open(speakingModel({ seed: 1 })), await open(speakingModel({ seed: 2 }))];
  const side = (model: typeof a, name: string) => ({ model, name, digest: name, options: { kv: HOSTILE } });
  const text = await compare(side(a, `first ${HOSTILE}`), side(b, 'second'), {
    text: 'hello world, hello again. '.repeat(20),
    contextLength: 16,
    prompts: [`hello ${HOSTILE}`, 'hello'],
    tokens: 6,
    timed: 2,
    data: { name: HOSTILE, digest: 'x' },
  });
  a.dispose();
  b.dispose();
  const task = glueTask('sst2');
  const rows = Array.from({ length: 30 }, (_, i) => [i % 2, i % 5 === 0 ? 1 : i % 2, i % 4 === 0 ? 0 : i % 2]);
  const records = await pairedSamples(
    (said) => ({ logits: said[0] === '1' ? [0, 1] : [1, 0] }),
    (said) => ({ logits: said[1] === '1' ? [0, 1] : [1, 0] }),
    rows.map(([label, x, y], index) => ({ index, line: index + 2, text: `${x}${y} ${HOSTILE}`, label })),
    { task },
  );
  const { perplexity: _, bitsPerByte: __, kl: ___, deltaP: ____, windows: _____, texts: ______, ...common } = text;
  const layers = Array.from({ length: 4 }, (_, i) => ({ name: `blocks.${i} ${HOSTILE}`, firingRate: 0.02 * (i + 1) }));
  const classes = {
    ...common,
    kind: 'classifiers',
    ...pairedAnswers(task, records),
    spikes: { ...common.spikes!, layers: { a: layers, b: layers } },
  } as unknown as ClassifierComparison;
  const results = [text, classes];
  const gate = judge(
    null,
    text,
    readGates({ rules: [{ metric: 'kl.mean', maxWorsening: 0 }], golden: ['texts.0'] }, 'g'),
  );
  const first = historyEntry(text, new Date(0));
  const later = { ...first, time: new Date(1e9).toISOString(), quality: { ...first.quality, 'kl.mean': 9 } };
  return { results, gate, entries: [first, later] };
}
