// The worker that workerd runs: the portable checks against the edge bundle. It compiles no wasm by itself, which edge
// runtimes forbid: both builds come as modules.
import base from 'base.wasm';
import relaxed from 'relaxed.wasm';
import fixtures from 'fixtures.js';
import stories from 'stories-spiking.gguf';
import * as ternspike from './dist/edge.js';
import { main } from 'portable.js';

const modules = { base, relaxed: [base, relaxed] };

export default {
  async fetch(request) {
    try {
      const report = await main({
        runtime: 'workerd',
        open: (source, { build, ...options }) => ternspike.open(source, { ...options, module: modules[build] }),
        fixture: (path) => Promise.resolve(fixtures.has(path) ? new Uint8Array(fixtures.get(path)) : null),
        defaultModel: new Uint8Array(stories),
        builds: ['base', 'relaxed'],
        threads: [1],
        strict: new URL(request.url).searchParams.get('strict') === '1',
      });
      return Response.json(report);
    } catch (error) {
      return new Response(`${error}\n${error?.stack ?? ''}`, { status: 500 });
    }
  },
};
