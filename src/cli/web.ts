/**
 * `web`: the page of this package, on this machine.
 * @module
 */
import { openPage } from '../web/files.ts';
import { servePage } from '../web/serve.ts';
import { type Command, command } from './command.ts';
import { UsageError } from './args.ts';

/** Fixed, because a browser keeps models and settings by the address of a page. */
const DEFAULT_PORT = 8420;

export const webCommand: Command = command(
  {
    name: 'web',
    summary: 'Serve the page that shows a model write, spike by spike.',
    positionals: [],
    options: {
      port: { kind: 'integer', value: 'P', least: 0, help: `port; 0 takes any free one; default ${DEFAULT_PORT}` },
    } as const,
    notes: [
      'The page runs in the browser: the server sends files and nothing else, to this machine only. Ctrl+C ends it.',
      'The same files are in dist/web of the package; any host for static files can serve them.',
    ],
    examples: ['ternspike web', 'ternspike web --port 0 --json'],
  },
  async ({ values: { port = DEFAULT_PORT } }, { out, signal }) => {
    if (port > 65535) throw new UsageError(`--port is ${port}, expected a whole number in 0 … 65535`);
    const server = await servePage(await openPage(), port);
    await out.result({ url: server.url }, () => [`${server.url} (Ctrl+C ends it)`]);
    if (!signal.aborted) {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    }
    await server.close();
  },
);
