#!/usr/bin/env node
// The public types of all entries as one text, api/types.txt, from the declarations of dist/types. `node scripts/api.mjs` writes it;
// with --check it compares and ends with 1 where they differ. docs/compatibility.md says which changes need which version.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const FILE = 'api/types.txt';
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Entries that have types: `.` first, then by name. */
const entries = Object.entries(exports)
  .filter(([, target]) => typeof target === 'object' && target.types?.includes('/types/entries/'))
  .map(([name, { types }]) => [name === '.' ? 'ternspike' : `ternspike${name.slice(1)}`, join(root, types)])
  .sort(([a], [b]) => (a < b ? -1 : 1));

const program = ts.createProgram(entries.map(([, file]) => file), {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
  types: [],
  noLib: true,
});
const checker = program.getTypeChecker();
const printer = ts.createPrinter({ removeComments: true, newLine: ts.NewLineKind.LineFeed });
const within = join(root, 'dist', 'types');

/** A declaration as text, without what is private and without its place. */
function printed(declaration) {
  const node = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
  const text = printer.printNode(ts.EmitHint.Unspecified, node, declaration.getSourceFile());
  return text.replace(/^\s*(#private;|private [^\n]*;)\n/gm, '').replace(/^export (default )?/, '').replace(
    /^declare /,
    '',
  );
}

function report() {
  const known = new Map();
  const lines = [
    'Public types of all entries. Written by `npm run api`; a test fails when they change.',
    'Which changes need which version: docs/compatibility.md.',
  ];
  for (const [entry, file] of entries) {
    lines.push('', `=== ${entry}`);
    const module = checker.getSymbolAtLocation(program.getSourceFile(file));
    const symbols = checker.getExportsOfModule(module).sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const symbol of symbols) {
      const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      const first = known.get(target);
      if (first !== undefined) {
        lines.push('', `${symbol.name}: as ${first}`);
        continue;
      }
      known.set(target, `${entry} ${symbol.name}`);
      const own = (target.declarations ?? []).filter((one) =>
        !relative(within, one.getSourceFile().fileName).startsWith(`..${sep}`)
      );
      lines.push('', ...(own.length > 0 ? own.map(printed) : [`${symbol.name}: of another package`]));
    }
  }
  return `${lines.join('\n')}\n`;
}

const text = report();
const path = join(root, FILE);
if (process.argv.includes('--check')) {
  const now = text.split('\n');
  let before = [];
  try {
    before = readFileSync(path, 'utf8').split('\n');
  } catch { /* none yet: every line is new */ }
  const [had, has] = [new Set(before), new Set(now)];
  const changes = [
    ...before.filter((line) => !has.has(line)).map((line) => `- ${line}`),
    ...now.filter((line) => !had.has(line)).map((line) => `+ ${line}`),
  ];
  if (now.join('\n') !== before.join('\n')) {
    console.error(`The public types differ from ${FILE}:\n${changes.slice(0, 60).join('\n')}`);
    console.error(`If that is intended: npm run api, and commit ${FILE}.`);
    process.exit(1);
  }
} else {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  console.log(`${FILE}: ${entries.length} entries, ${text.split('\n').length} lines`);
}
