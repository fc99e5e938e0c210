// First in the window, then in a worker; the driver reads `window.__result`, JSON of a list of reports or of an error.
const parameters = new URLSearchParams(location.search);
const strict = parameters.get('strict') === '1';
const kind = globalThis.crossOriginIsolated ? 'isolated' : 'plain';

function inWorker(runtime) {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => data.report ? resolve(data.report) : reject(new Error(data.error));
    worker.onerror = (event) => reject(new Error(event.message ?? 'the worker could not be loaded'));
    worker.postMessage({ runtime, strict });
  }).finally(() => worker.terminate());
}

async function run() {
  if (parameters.get('isolated') === '1' && kind !== 'isolated') {
    throw new Error('this page is not cross-origin isolated');
  }
  const { runChecks } = await import('./checks.js');
  return { reports: [await runChecks(`${kind} window`, strict), await inWorker(`${kind} worker`)] };
}

let result;
try {
  result = await run();
} catch (error) {
  result = { error: `${error}\n${error?.stack ?? ''}` };
}
globalThis.__result = JSON.stringify(result);
document.getElementById('report').textContent = JSON.stringify(result, null, 2);
