/**
 * `dashboard`: one page about results that are there already.
 * @module
 */
import { type CompareResult, dashboardOf, isSuiteResult } from '../entries/eval.ts';
import { IoError } from '../errors.ts';
import { UsageError } from './args.ts';
import { type Command, command, need } from './command.ts';
import { historyFile } from './history-file.ts';
import { readJson, writeReport } from './result-files.ts';

export const dashboardCommand: Command = command(
  {
    name: 'dashboard',
    summary: 'Write an HTML page about any number of comparisons and their history.',
    positionals: [{ name: 'RESULT', optional: true, repeated: true }],
    options: {
      html: { kind: 'text', value: 'FILE', help: 'page to write' },
      history: { kind: 'text', value: 'FILE', help: 'history whose trends to plot' },
      title: { kind: 'text', help: 'heading of the page; default: Comparisons' },
    } as const,
    notes: [
      'RESULT is the output of compare --json, for a pair or a suite. Models compared on the same data share charts.',
    ],
    examples: [
      'ternspike dashboard a.json b.json --html out.html',
      'ternspike dashboard --history runs.jsonl --html out.html',
    ],
  },
  async ({ values, positionals }, { out, signal }) => {
    const html = need(values.html, '--html FILE');
    if (positionals.length === 0 && values.history === undefined) {
      throw new UsageError('give a RESULT or --history FILE');
    }
    const results: CompareResult[] = [];
    for (const path of positionals) {
      const value = await readJson(path, signal);
      const found = isSuiteResult(value) ? Object.values(value.results) : [value as CompareResult];
      if (found.some((result) => (result as Partial<CompareResult> | null)?.ternspike !== 'compare')) {
        throw new IoError(
          'IO',
          `${path} is not a result of compare; write it with ternspike compare … --json > ${path}`,
        );
      }
      results.push(...found);
    }
    const { entries } = values.history === undefined ? { entries: [] } : await historyFile(values.history, signal);
    const page = await dashboardOf(results, { title: values.title ?? 'Comparisons', entries });
    await writeReport(html, page);
    await out.result({ html, bytes: page.length, comparisons: results.length, runs: entries.length }, () => [
      `${html}: ${results.length} comparisons, ${entries.length} runs`,
    ]);
  },
);
