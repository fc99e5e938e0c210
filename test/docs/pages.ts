/**
 * The pages of the project, and the sections and links in them.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { checkout } from '../house/checkout.ts';

/** Every page in Markdown that a reader of the repository meets: path from the root → text. */
export function pages(): Map<string, string> {
  const root = checkout();
  const below = (folder: string): string[] =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.md') && !/node_modules|\.vitepress|^site/.test(path))
      .map((path) => `${folder}/${path.split(sep).join('/')}`);
  const own = readdirSync(root).filter((name) => name.endsWith('.md'));
  return new Map(
    [...own, ...['docs', 'examples', 'models'].flatMap(below)].sort()
      .map((path) => [path, readFileSync(join(root, path), 'utf8')]),
  );
}

/** Text without code: what stands in blocks and between backticks is no link and no heading. */
const prose = (text: string): string => text.replace(/^ {0,3}```[\s\S]*?^ {0,3}```$/gm, '').replace(/`[^`\n]*`/g, '``');

/** Anchors of the headings of a page, as GitHub makes them. */
export function anchors(text: string): Set<string> {
  const found = new Set<string>();
  for (const [, heading] of text.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/^#{1,6} +(.+)$/gm)) {
    const slug = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').trim().toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-');
    let name = slug;
    for (let i = 1; found.has(name); i++) name = `${slug}-${i}`;
    found.add(name);
  }
  return found;
}

/** Targets of the links of a page, pictures included. */
export function links(text: string): string[] {
  return [...prose(text).matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)].map((match) => match[1]);
}
