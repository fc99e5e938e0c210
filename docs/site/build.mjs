#!/usr/bin/env node
// The site of the documentation: pages of docs/, the API from the doc comments, llms.txt and llms-full.txt. `npm run docs` runs it
// after a build of the package; the result is docs/site/dist. A dead link fails it.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { sectionsOf } from './sections.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');
const work = join(here, 'work');
const REPOSITORY = 'https://github.com/ternspike/ternspike/blob/main/';
const SITE = 'https://ternspike.github.io/ternspike/';

/** Pages of the site: file of the repository → file of the site. */
const pages = new Map([
  ['README.md', 'index.md'],
  ['CONTRIBUTING.md', 'contributing.md'],
  ['SECURITY.md', 'security.md'],
  ['examples/README.md', 'examples.md'],
  ['models/README.md', 'models.md'],
  ...readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md')).map((name) => [`docs/${name}`, name]),
]);

/** Links to pages of the site stay in it; those to other files lead to the repository. */
function moved(text, from) {
  return text.replace(/\]\(([^)\s]+)\)/g, (link, target) => {
    if (/^([a-z]+:|#)/i.test(target)) return link;
    const [path, anchor] = target.split('#');
    const file = posix.join(posix.dirname(from), path);
    if (file.startsWith('docs/images/')) return `](/${file.slice('docs/'.length)})`;
    const page = pages.get(file);
    return `](${page === undefined ? REPOSITORY + file : `/${page}`}${anchor === undefined ? '' : `#${anchor}`})`;
  });
}

/** The first paragraph, as one line of plain text. */
function summary(text) {
  const [paragraph = ''] = text.replace(/^#.*\n+/, '').split(/\n\n/);
  return paragraph.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/\s+/g, ' ').trim().slice(0, 240);
}

rmSync(work, { recursive: true, force: true });
mkdirSync(join(work, 'public'), { recursive: true });
for (const [from, to] of pages) writeFileSync(join(work, to), moved(readFileSync(join(root, from), 'utf8'), from));
cpSync(join(here, '.vitepress'), join(work, '.vitepress'), {
  recursive: true,
  filter: (path) => !/cache|[\\/]dist$/.test(path),
});
cpSync(join(here, 'sections.mjs'), join(work, 'sections.mjs'));
if (existsSync(join(root, 'docs', 'images'))) {
  cpSync(join(root, 'docs', 'images'), join(work, 'public', 'images'), { recursive: true });
}

// llms.txt names every page with a line about it; llms-full.txt is all of them; beside each page lies its Markdown
const index = ['# ternspike', '', `> ${summary(readFileSync(join(root, 'README.md'), 'utf8'))}`];
const full = [];
for (const { title, pages: own } of sectionsOf([...pages.values()])) {
  index.push('', `## ${title}`, '');
  for (const [name, page] of own) {
    const text = readFileSync(join(work, page), 'utf8');
    writeFileSync(join(work, 'public', page), text);
    index.push(`- [${name}](${SITE}${page}): ${summary(text)}`);
    full.push(text);
  }
}
writeFileSync(join(work, 'public', 'llms.txt'), `${index.join('\n')}\n`);
writeFileSync(join(work, 'public', 'llms-full.txt'), full.join('\n\n'));

const run = (file, ...args) =>
  execFileSync(process.execPath, [join(here, 'node_modules', file), ...args], { stdio: 'inherit', cwd: here });
const entries = readdirSync(join(root, 'dist', 'types', 'entries')).filter((name) => !name.includes('generated'))
  .map((name) => join(root, 'dist', 'types', 'entries', name));
run(
  'typedoc/bin/typedoc',
  '--options',
  join(here, 'typedoc.json'),
  '--out',
  join(work, 'api'),
  ...entries.flatMap((entry) => ['--entryPoints', entry]),
);
run('vitepress/bin/vitepress.js', 'build', work, '--outDir', join(here, 'dist'));
