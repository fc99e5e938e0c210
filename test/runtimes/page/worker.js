// The same checks inside a module worker. Whatever goes wrong is told to the page.
self.onmessage = async ({ data: { runtime, strict } }) => {
  try {
    const { runChecks } = await import('./checks.js');
    self.postMessage({ report: await runChecks(runtime, strict) });
  } catch (error) {
    self.postMessage({ error: `${error}\n${error?.stack ?? ''}` });
  }
};
