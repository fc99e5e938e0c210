/**
 * The scripts of the page, as they are sent: a search through tables of samples, and following a running evaluation.
 * Everything is there without them.
 * @module
 */

/** Hides the rows that do not contain what was typed, and says how many are left. */
export const SEARCH_SCRIPT: string = `'use strict';
document.addEventListener('input', (event) => {
  const box = event.target.closest('[data-search]');
  if (!box) return;
  const wanted = event.target.value.toLowerCase();
  let shown = 0;
  for (const row of box.querySelectorAll('tbody tr')) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
    if (!row.hidden) shown++;
  }
  box.querySelector('output').textContent = shown + (shown === 1 ? ' sample' : ' samples');
});
`;

/** Replaces the sections that have changed; one that has the focus is left until it loses it. */
export const LIVE_SCRIPT: string = `const follow = async () => {
  const page = new DOMParser().parseFromString(await (await fetch('/', { cache: 'no-store' })).text(), 'text/html');
  const main = document.getElementById('main');
  const fresh = page.getElementById('main');
  const keep = (node) => node.id && main.querySelector('#' + CSS.escape(node.id));
  const held = document.activeElement && document.activeElement.closest('section');
  const nodes = [...fresh.children].map((node) => {
    const old = keep(node);
    if (old && (old === held || old.isEqualNode(node))) return old;
    const added = document.importNode(node, true);
    if (old) {
      const open = new Set([...old.querySelectorAll('details[open] summary')].map((summary) => summary.textContent));
      for (const details of added.querySelectorAll('details')) {
        details.open = open.has(details.querySelector('summary').textContent);
      }
    }
    return added;
  });
  main.replaceChildren(...nodes);
};
const events = new EventSource('/events');
const status = document.getElementById('status');
events.addEventListener('progress', (event) => { status.textContent = event.data; });
events.addEventListener('page', () => void follow());
events.addEventListener('end', (event) => { status.textContent = event.data; events.close(); });
`;
