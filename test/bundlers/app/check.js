// What every bundle does: the bundled model on one and two threads, and in a worker; the text has to be the same.
import { open } from 'ternspike';
import { defaultModel } from 'ternspike/default-model';
import { open as openInWorker } from 'ternspike/worker';

const OPTIONS = { maxTokens: 24, temperature: 0.8, seed: 3 };

async function tell(model) {
  let all = '';
  for await (const { text } of model.generate('Once upon a time', OPTIONS)) all += text;
  const { threads } = await model.stats();
  await model.dispose();
  return { text: all, threads };
}

export async function check() {
  const notices = [];
  const onNotice = (notice) => notices.push(notice);
  const one = await tell(await open(defaultModel, { threads: 1, onNotice }));
  const two = await tell(await open(defaultModel, { threads: 2, onNotice }));
  const worker = await tell(await openInWorker(defaultModel, { threads: 1, onNotice }));
  return { one, two, worker, notices };
}
