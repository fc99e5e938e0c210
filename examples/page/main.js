// The model runs in a worker, so the page stays free. Replace defaultModel by a URL or a chosen File to run another.
import { open } from './node_modules/ternspike/dist/worker.js';
import { defaultModel } from './node_modules/ternspike/dist/default-model.js';

const form = document.querySelector('form');
const story = document.getElementById('story');
const status = document.getElementById('status');

const model = await open(defaultModel);
status.textContent = 'Ready.';
form.querySelector('button').disabled = false;

let running = new AbortController();
form.onsubmit = async (event) => {
  event.preventDefault();
  running.abort();
  running = new AbortController();
  const { signal } = running;
  story.textContent = form.elements.prompt.value;
  try {
    for await (const { text, usage } of model.generate(story.textContent, { maxTokens: 100, signal })) {
      story.textContent += text;
      if (usage) status.textContent = `${usage.completionTokens} tokens in ${Math.round(usage.decodeMs)} ms.`;
    }
  } catch (error) {
    if (!signal.aborted) status.textContent = String(error);
  }
};
