#!/usr/bin/env node
// Writes docs/reliability.md: what may go wrong, what happens then, and the tests that hold it. The cases are those of
// reliability-cases.txt; a test says which it holds by a comment before it: `// case: B3 G7`. With --check it says whether the page is stale or
// a case has neither test nor reason, and writes nothing.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const PAGE = 'docs/reliability.md';
/** Where tests are, and folders there that hold none. */
const FOLDERS = ['test'];
/** Cases of the server that none of its tests names. */
const SERVER = 'no test names it yet';
const TAG = /^\s*\/\/ case: ((?:[A-Z]\d+ ?)+)$/;

/** Sections and cases. */
function cases(text) {
  const rows = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('## ')) rows.push({ section: line.slice(3) });
    else if (line !== '' && !line.startsWith('#')) {
      const [id, happens, answer, reason] = line.split(' | ');
      rows.push({ id, happens, answer, reason });
    }
  }
  return rows;
}

/** The name of the test that follows a line: its text up to what is filled in. */
function nameAfter(lines, at) {
  const text = lines.slice(at + 1, at + 4).join('\n');
  const [, , name] = /^\s*[\w.]+\(\s*(?:\w+,\s*)?(['"`])((?:(?!\1)[^\n])+)\1/.exec(text) ?? [];
  return name?.replace(/\$\{[^}]*\}/g, '…');
}

/** Files below a folder, but for packages, which may link back to this checkout. */
function files(folder, below = '') {
  return readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    if (!entry.isDirectory()) return [join(below, entry.name)];
    return entry.name === 'node_modules' || entry.name === 'work' ? [] : files(folder, join(below, entry.name));
  });
}

/** Case → where it is tested. */
function tags() {
  const found = new Map();
  for (const folder of FOLDERS) {
    const paths = files(join(root, folder)).filter((path) => /\.(ts|mjs)$/.test(path)).sort();
    for (const path of paths) {
      const lines = readFileSync(join(root, folder, path), 'utf8').split('\n');
      lines.forEach((line, at) => {
        const ids = TAG.exec(line)?.[1].trim().split(' ') ?? [];
        const place = `${folder}/${path.split(sep).join('/')}`;
        for (const id of ids) found.set(id, [...(found.get(id) ?? []), { place, name: nameAfter(lines, at) }]);
      });
    }
  }
  return found;
}

const escaped = (text) => text.replaceAll('|', '\\|');

function page(rows, found) {
  const count = rows.filter(({ id }) => id).length;
  const tested = rows.filter(({ id }) => found.has(id)).length;
  const lines = [
    '# What may go wrong',
    '',
    'What users, files, networks, machines and attackers do to an engine like this one, what it answers, and the test that holds it. The',
    'cases come from public bug reports, advisories and the test suites of similar programs. `node scripts/reliability.mjs` writes this page from',
    '`scripts/reliability-cases.txt` and from the comments `// case: …` before tests; a test fails when it is stale.',
    '',
    `${count} cases, ${tested} with tests; the others say why they have none.`,
    '',
    'Beyond single cases, `npm run fuzz` changes files at random ([fuzzing.md](fuzzing.md)), and `node --expose-gc build/test/lives.js` opens and closes everything',
    'over and over and watches memory, handles and threads.',
  ];
  for (const row of rows) {
    if (row.section) {
      lines.push('', `## ${row.section}`, '', '| | what happens | what we do | held by |', '|---|---|---|---|');
      continue;
    }
    const held = (found.get(row.id) ?? []).map(({ place, name }) => `\`${place}\`${name ? `: ${escaped(name)}` : ''}`);
    lines.push(
      `| ${row.id} | ${escaped(row.happens)} | ${escaped(row.answer)} | ${
        held.join('; ') || (row.reason === 'server' ? SERVER : `no test: ${row.reason}`)
      } |`,
    );
  }
  return `${lines.join('\n')}\n`;
}

const rows = cases(readFileSync(join(root, 'scripts', 'reliability-cases.txt'), 'utf8'));
const found = tags();
const known = new Set(rows.map(({ id }) => id));
const wrong = [
  ...[...found].filter(([id]) => !known.has(id)).map(([id, [{ place }]]) => `${place}: there is no case ${id}`),
  ...rows.filter(({ id, reason }) => id && !found.has(id) && !reason).map(({ id }) =>
    `${id}: neither a test nor a reason`
  ),
  ...rows.filter(({ id, reason }) => found.has(id) && reason && reason !== 'server').map(({ id }) =>
    `${id}: has a test, and a reason to have none`
  ),
];
const text = page(rows, found);
if (process.argv.includes('--check')) {
  if (readFileSync(join(root, PAGE), 'utf8') !== text) wrong.push(`${PAGE} is stale: node scripts/reliability.mjs`);
} else writeFileSync(join(root, PAGE), text);
for (const line of wrong) console.error(line);
if (wrong.length > 0) process.exitCode = 1;
