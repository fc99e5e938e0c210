/**
 * `gate`: whether a result may pass, by rules that are able to fail.
 * @module
 */
import { defaultGates, gateLines, isSuiteResult, judge, judgeSuite, junitOf } from '../entries/eval.ts';
import { type Command, command, need } from './command.ts';
import { announce, gatesOf, readJson, writeReport } from './result-files.ts';

export const gateCommand: Command = command(
  {
    name: 'gate',
    summary: 'Judge a result against a baseline: pass, warn or fail.',
    positionals: [],
    options: {
      baseline: {
        kind: 'text',
        value: 'FILE',
        help: 'JSON of an earlier run of compare, perplexity, eval glue or bench',
      },
      current: { kind: 'text', value: 'FILE', help: 'JSON of the same command now' },
      gates: {
        kind: 'text',
        value: 'FILE',
        help: 'rules; default: quality may worsen by 1 %, size by 5 %, speed only warns',
      },
      junit: { kind: 'text', value: 'FILE', help: 'write the verdicts as JUnit XML' },
    } as const,
    notes: [
      'Example of a rule: {"metric": "perplexity", "maxWorsening": 0.01, "relative": true, "confidence": 0.95, "leastEffect": 0.002}. ' +
      'Example of a file: {"rules": [RULE, …], "golden": ["texts.0", …]}; golden items must not change at all.',
      'Rules that could not fail are refused. Exit code 0 pass or warn, 1 refusal, 2 wrong usage, 3 regression, 4 golden item changed.',
    ],
    examples: [
      'ternspike gate --baseline base.json --current run.json',
      'ternspike gate --baseline base.json --current run.json --gates g.json --json',
    ],
  },
  async ({ values }, context) => {
    const { out, signal } = context;
    const path = need(values.baseline, '--baseline FILE');
    const [baseline, current] = [
      await readJson(path, signal),
      await readJson(need(values.current, '--current FILE'), signal),
    ];
    const gates = values.gates === undefined ? undefined : await gatesOf(values.gates, signal);
    const result = isSuiteResult(baseline) && isSuiteResult(current)
      ? judgeSuite(baseline, current, gates)
      : judge(baseline ?? {}, current, gates ?? defaultGates(baseline));
    if (values.junit !== undefined) await writeReport(values.junit, junitOf(result, `gate against ${path}`));
    await out.result(result, () => gateLines(result));
    await announce(result, '', context);
    return result.exitCode;
  },
);
