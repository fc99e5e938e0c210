import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sectionsOf } from '../sections.mjs';

const link = (page) => `/${page.replace(/(index)?\.md$/, '')}`;

export default {
  title: 'ternspike',
  description: '1-bit, ternary and spiking language models in any JavaScript runtime',
  base: '/ternspike/',
  cleanUrls: true,
  lastUpdated: false,
  // angle brackets of the pages are text, such as <|endoftext|>
  // braces too, such as {"name": …}
  markdown: { html: false, attrs: { disable: true } },
  themeConfig: {
    search: { provider: 'local' },
    nav: [{ text: 'Guide', link: '/guide' }, { text: 'API', link: '/api/' }, { text: 'Errors', link: '/errors' }],
    sidebar: [
      ...sectionsOf(
        readdirSync(join(dirname(fileURLToPath(import.meta.url)), '..')).filter((name) => name.endsWith('.md')),
      ).map(({ title, pages }) => ({
        text: title,
        items: pages.map(([text, page]) => ({ text, link: link(page) })),
      })),
      { text: 'API', items: [{ text: 'ternspike', link: '/api/' }, { text: 'All entries', link: '/api/entries' }] },
    ],
    socialLinks: [{ icon: 'github', link: 'https://github.com/ternspike/ternspike' }],
  },
};
