/**
 * The dialog that opens a model: those that come with the page, those kept on this device, a file, a folder, an address.
 * @module
 */
import { bytes, h, reason } from './dom.ts';
import {
  bundled,
  canKeep,
  type Choice,
  forget,
  fromFiles,
  fromUrl,
  keep,
  kept,
  keptModels,
  type OpenModel,
  openModel,
} from './models.ts';

/** What a view wants to do with a model. */
export type Purpose = 'write' | 'classify';

let busy: AbortController | null = null;

/**
 * Asks for a model and opens it.
 * @returns null where the user changed their mind
 */
export function pickModel(purpose: Purpose, given?: Choice): Promise<OpenModel | null> {
  return new Promise((resolve) => {
    let chosen: OpenModel | null = null;
    const bar = h('progress', { max: 1, value: 0, 'aria-label': 'Loading' });
    const status = h('p', { role: 'status', class: 'soft' });
    const error = h('p', { role: 'alert', class: 'error' });
    const cancel = h('button', { type: 'button', onclick: () => busy?.abort() }, 'Cancel');
    const loading = h('div', { class: 'loading', hidden: true }, bar, cancel);
    const keepBox = h('input', { type: 'checkbox', name: 'keep' });
    const address = h('input', {
      type: 'url',
      name: 'address',
      required: true,
      placeholder: 'https://…/model.gguf or hf:org/repo',
    });
    const list = h('div', {});
    const take = async (choice: Choice, toKeep = false): Promise<void> => {
      busy?.abort();
      const controller = busy = new AbortController();
      const { signal } = controller;
      error.textContent = '';
      loading.hidden = false;
      bar.removeAttribute('value');
      const onProgress = (fraction: number): void => {
        bar.value = fraction;
      };
      try {
        if (toKeep) status.textContent = `Keeping ${choice.name} …`;
        const source = toKeep ? await keep(choice, { signal, onProgress }) : choice;
        status.textContent = `Opening ${choice.name} …`;
        const opened = await openModel(source, { signal, onProgress });
        if (opened.classifies !== (purpose === 'classify')) {
          opened.model.dispose();
          throw new Error(
            purpose === 'classify'
              ? `${choice.name} writes and does not classify; open it under Write`
              : `${choice.name} classifies and does not write; open it under Classify`,
          );
        }
        chosen = opened;
        dialog.close();
      } catch (thrown) {
        if (!signal.aborted) error.textContent = reason(thrown);
      } finally {
        if (busy === controller) {
          loading.hidden = true;
          status.textContent = '';
          void show();
        }
      }
    };
    const files = (input: HTMLInputElement): void => {
      const list = [...input.files ?? []];
      input.value = '';
      if (list.length > 0) void take(fromFiles(list), keepBox.checked && list.length === 1);
    };
    const chooser = (label: string, folder: boolean): HTMLElement => {
      const input = h('input', { type: 'file', multiple: true, class: 'hidden-input', onchange: () => files(input) });
      if (folder) input.webkitdirectory = true;
      return h('label', { class: 'button' }, input, label);
    };
    const row = (name: string, size: number, onopen: () => void, ondelete?: () => void): HTMLElement =>
      h(
        'li',
        {},
        h('span', { class: 'name' }, name),
        h('span', { class: 'soft' }, bytes(size)),
        h('button', { type: 'button', onclick: onopen, 'aria-label': `Open ${name}` }, 'Open'),
        ondelete && h('button', { type: 'button', onclick: ondelete, 'aria-label': `Delete ${name}` }, 'Delete'),
      );
    const show = async (): Promise<void> => {
      const own = await keptModels().catch(() => []);
      list.replaceChildren(
        h('h3', {}, 'With this page'),
        h(
          'ul',
          { class: 'models' },
          BUNDLED_MODELS.map(({ name, bytes }) => row(name, bytes, () => void take(bundled(name)))),
        ),
        ...(own.length > 0
          ? [
            h('h3', {}, 'Kept on this device'),
            h(
              'ul',
              { class: 'models' },
              own.map(({ name, bytes }) =>
                row(name, bytes, () => void take(kept(name)), () => void forget(name).then(show))
              ),
            ),
          ]
          : []),
      );
    };
    const byAddress = h(
      'form',
      {
        class: 'line',
        onsubmit: (event: Event) => {
          event.preventDefault();
          try {
            // what comes from a hub is stored anyway
            void take(fromUrl(address.value), keepBox.checked && !address.value.startsWith('hf:'));
          } catch (thrown) {
            error.textContent = reason(thrown);
          }
        },
      },
      h('label', { class: 'grow' }, h('span', {}, 'Address'), address),
      h('button', {}, 'Open'),
    );
    const dialog = h(
      'dialog',
      { 'aria-labelledby': 'picker-title', class: 'picker' },
      h(
        'div',
        { class: 'line' },
        h('h2', { id: 'picker-title', class: 'grow' }, 'Open a model'),
        h('button', { type: 'button', class: 'quiet', 'aria-label': 'Close', onclick: () => dialog.close() }, '✕'),
      ),
      h(
        'p',
        { class: 'soft' },
        'A GGUF file in one or several parts, or a folder from Hugging Face. It is read here and sent nowhere.',
      ),
      list,
      h('h3', {}, 'Yours'),
      h('div', { class: 'line' }, chooser('Choose files', false), chooser('Choose a folder', true)),
      byAddress,
      canKeep() && h('label', { class: 'check' }, keepBox, 'Keep it on this device'),
      loading,
      status,
      error,
    );
    dialog.addEventListener('close', () => {
      busy?.abort();
      dialog.remove();
      resolve(chosen);
    });
    void show();
    document.body.append(dialog);
    dialog.showModal();
    if (given) void take(given);
  });
}
