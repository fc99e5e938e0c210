/**
 * `ternspike/server`: an OpenAI-compatible server as one `fetch` handler, for every runtime that has `Request` and `Response`.
 *
 * @example
 * import { open } from 'ternspike';
 * import { createApp } from 'ternspike/server';
 * import { defaultModel } from 'ternspike/default-model';
 * const app = createApp({ stories: await open(defaultModel, { parallel: 4 }) });
 * export default { fetch: app.fetch }; // Deno, Bun, workers; Node: serve({ fetch: app.fetch }) of @hono/node-server
 * @module
 */
export { createApp } from '../server/app.ts';
export { hostAllowed, isLoopback } from '../server/hosts.ts';
export type { App, LogEntry, ModelLoad, ServedModels, ServerOptions } from '../server/types.ts';
