// A page of a bundle: the check, and sources that only pages have. The driver reads `__result`.
import { open } from 'ternspike';
import { defaultModel } from 'ternspike/default-model';
import { open as openInWorker } from 'ternspike/worker';
import { check } from './check.js';

async function sources() {
  const found = {};
  for (
    const [name, source] of Object.entries({
      'relative URL': './stories.gguf',
      File: new File([defaultModel], 'stories.gguf'),
      'set of Files': [new File(['{}'], 'readme.json'), new File([defaultModel], 'stories.gguf')],
      'object URL': URL.createObjectURL(new Blob([defaultModel])),
    })
  ) {
    for (const [where, opener] of [['page', open], ['worker', openInWorker]]) {
      const model = await opener(source, { threads: 1 });
      found[`${name}, ${where}`] = model.describe().architecture;
      model.dispose();
    }
  }
  return found;
}

async function run() {
  if (new URLSearchParams(location.search).has('refused')) {
    return await open(defaultModel, { threads: 1 }).then(
      () => 'opened',
      ({ code, message, name }) => [name, code, message],
    );
  }
  const parameters = new URLSearchParams(location.search);
  if (parameters.has('threads')) {
    const notices = [];
    const workerUrl = parameters.get('workerUrl') ?? undefined;
    const model = await open(defaultModel, { threads: 2, workerUrl, onNotice: (notice) => notices.push(notice) });
    return { threads: model.stats().threads, notices };
  }
  const result = await check();
  const more = new URLSearchParams(location.search).has('sources') ? await sources() : {};
  return { ...result, sources: more };
}

globalThis.__result = JSON.stringify(
  await run().catch((error) => ({ error: `${error}\n${error?.stack ?? ''}` })),
);
