/** Links between the pages of the project: each leads to a file and a heading that exist. */
import { existsSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkout } from '../house/checkout.ts';
import { anchors, links, pages } from './pages.ts';

const linked = suite('links');

/** Why a link of a page leads nowhere; undefined where it does not. */
function broken(page: string, target: string, all: ReadonlyMap<string, string>): string | undefined {
  if (/^[a-z]+:/i.test(target)) return undefined; // another site
  const [path, anchor] = target.split('#');
  const file = path === '' ? page : posix.join(posix.dirname(page), decodeURIComponent(path));
  const at = join(checkout(), file);
  if (!existsSync(at)) return `${page}: ${target} is not there`;
  if (anchor === undefined || statSync(at).isDirectory()) return undefined;
  const text = all.get(file);
  return text !== undefined && anchors(text).has(anchor) ? undefined : `${page}: ${target} names no heading`;
}

linked('every link leads to a file and a heading', () => {
  const all = pages();
  assert.ok(all.size > 20, `${all.size} pages`);
  const found = [...all].flatMap(([page, text]) => links(text).map((target) => broken(page, target, all)));
  assert.ok(found.length > 80, `${found.length} links`);
  assert.equal(found.filter((why) => why !== undefined), []);
});

linked('a link to a missing file or heading is seen', () => {
  const text = '# One two\n\n[a](b.md) [c](#one-two) `[d](e.md)`\n\n```\n[f](g.md)\n# no\n```\n## One `two`!\n';
  assert.equal(links(text), ['b.md', '#one-two']);
  assert.equal([...anchors(text)], ['one-two', 'one-two-1']);
  const all = new Map([['docs/design.md', text]]);
  assert.is(broken('docs/design.md', '#one-two', all), undefined);
  assert.match(broken('docs/design.md', '#three', all) ?? '', 'names no heading');
  assert.match(broken('docs/design.md', 'missing.md', all) ?? '', 'is not there');
  assert.is(broken('docs/design.md', '../LICENSE', all), undefined);
});

linked.run();
