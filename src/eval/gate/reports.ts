/**
 * The verdict of a gate for machines that build: JUnit, Markdown and the annotations of GitHub.
 * @module
 */
import { escapeMarkdown } from '../compare/report.ts';
import type { GateResult } from './gate.ts';

/** One line for each rule and golden item, for people. */
export function gateLines({ verdict, rules, golden }: GateResult): string[] {
  return [
    ...rules.map((rule) => `${rule.verdict.padEnd(4)}  ${rule.message}`),
    ...golden.map(({ item, changed }) =>
      `${changed ? 'fail' : 'pass'}  ${item} ${changed ? 'has changed' : 'is as it was'}`
    ),
    `verdict: ${verdict}`,
  ];
}

/** A test case for each rule and golden item. */
export function junitOf({ rules, golden }: GateResult, name: string): string {
  const cases = [
    ...rules.map(({ metric, verdict, message }) => ({
      name: metric,
      failed: verdict === 'fail',
      skipped: verdict === 'warn',
      message,
    })),
    ...golden.map(({ item, changed }) => ({
      name: `golden ${item}`,
      failed: changed,
      skipped: false,
      message: changed ? `${item} has changed` : '',
    })),
  ];
  const count = (test: (item: typeof cases[number]) => boolean): number => cases.filter(test).length;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="${xml(name)}" tests="${cases.length}" failures="${count((c) => c.failed)}" skipped="${
      count((c) => c.skipped)
    }">`,
    ...cases.map((item) => {
      const inside = item.failed
        ? `<failure message="${xml(item.message)}"/>`
        : item.skipped
        ? `<skipped message="${xml(item.message)}"/>`
        : '';
      return `  <testcase classname="${xml(name)}" name="${xml(item.name)}">${inside}</testcase>`;
    }),
    '</testsuite>',
    '',
  ].join('\n');
}

/** Text within an attribute of XML 1.0, which has no place for most control characters. */
function xml(text: string): string {
  const names: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd').replace(
    /[&<>"]/g,
    (c) => names[c],
  );
}

/** Annotations as a workflow of GitHub reads them from the output of a step. */
export function annotationsOf({ rules, golden }: GateResult): string[] {
  const line = (kind: string, title: string, message: string): string =>
    `::${kind} title=${data(title).replace(/:/g, '%3A').replace(/,/g, '%2C')}::${data(message)}`;
  return [
    ...rules.filter(({ verdict }) => verdict !== 'pass').map(({ verdict, metric, message }) =>
      line(verdict === 'fail' ? 'error' : 'warning', metric, message)
    ),
    ...golden.filter(({ changed }) => changed).map(({ item }) =>
      line('error', item, `golden item ${item} has changed`)
    ),
  ];
}

const data = (text: string): string => text.replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A');

/** A table for the summary of a step. */
export function gateMarkdown({ verdict, rules, golden }: GateResult): string {
  return [
    `### Gate: ${verdict}`,
    '',
    '| | figure | |',
    '|---|---|---|',
    ...rules.map(({ metric, verdict, message }) =>
      `| ${verdict} | ${escapeMarkdown(metric)} | ${escapeMarkdown(message)} |`
    ),
    ...golden.map(({ item, changed }) =>
      `| ${changed ? 'fail' : 'pass'} | ${escapeMarkdown(item)} | golden, ${changed ? 'has changed' : 'as it was'} |`
    ),
    '',
  ].join('\n');
}
