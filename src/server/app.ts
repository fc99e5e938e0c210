/**
 * The server without sockets: routes, and who may use them.
 * @module
 */
import { type Context, Hono } from 'hono';
import { bearerAuth } from 'hono/bearer-auth';
import { cors } from 'hono/cors';
import { HTTPException } from 'hono/http-exception';
import { MAX_REQUEST_BYTES } from '../limits.ts';
import { CALL, checkOptions, LIST, OBJECT, type Rules, whole } from '../options.ts';
import { ActivityLog } from './activity.ts';
import { Call, type Settings } from './call.ts';
import { chatCompletions } from './chat-completions.ts';
import { completions } from './completions.ts';
import { classify } from './classify.ts';
import { embeddings } from './embeddings.ts';
import { ApiError } from './errors.ts';
import { hostAllowed, originAllowed } from './hosts.ts';
import { Metrics } from './metrics.ts';
import { applyTemplate, detokenize, health, listModels, oneModel, props, tokenize } from './plain.ts';
import { Models } from './registry.ts';
import { responses } from './responses.ts';
import type { App, ServedModels, ServerOptions } from './types.ts';

const DEFAULTS = {
  queue: 32,
  cacheBytes: 256 << 20,
  timeoutMs: 600_000,
  idleMs: 60_000,
  pingMs: 15_000,
  bodyBytes: MAX_REQUEST_BYTES,
  apiKeys: [],
  origins: [],
  hosts: [],
} as const;

const RULES: Rules<ServerOptions> = {
  parallel: whole(1),
  queue: whole(0),
  cacheBytes: whole(0),
  timeoutMs: whole(1, 2 ** 31 - 1),
  idleMs: whole(1, 2 ** 31 - 1),
  pingMs: whole(1, 2 ** 31 - 1),
  bodyBytes: whole(1),
  apiKeys: LIST,
  origins: LIST,
  hosts: { expected: 'a list of names, or any', holds: (value) => value === 'any' || Array.isArray(value) },
  date: OBJECT,
  log: CALL,
};

type Handler = (call: Call, name: string) => Response | Promise<Response>;

/** Every path, its method, and what answers it. */
const ROUTES: readonly (readonly [method: 'GET' | 'POST', path: string, handler: Handler])[] = [
  ['POST', '/v1/chat/completions', chatCompletions],
  ['POST', '/v1/completions', completions],
  ['POST', '/v1/responses', responses],
  ['POST', '/v1/embeddings', embeddings],
  ['POST', '/v1/classify', classify],
  ['GET', '/v1/models', listModels],
  ['GET', '/v1/models/:name{.+}', oneModel],
  ['POST', '/tokenize', tokenize],
  ['POST', '/detokenize', detokenize],
  ['POST', '/apply-template', applyTemplate],
  ['GET', '/props', props],
  ['GET', '/health', health],
  ['GET', '/v1/health', health],
];

/** Paths that need no key. */
const OPEN: readonly string[] = ['/health', '/v1/health'];

/**
 * An OpenAI-compatible server of these models, as one `fetch` handler: for Node through `@hono/node-server`, and as it is for Deno,
 * Bun and workers. The same request with the same seed has the same answer, whatever else the server is doing. The models stay
 * the caller's, who disposes of them after `drain`.
 * @param models models by the names that requests call them by; the first answers requests that name none
 * @throws {OptionError} `OPTION`
 * @example
 * const app = createApp({ stories: await open(defaultModel, { parallel: 4 }) });
 * const response = await app.fetch(new Request('http://localhost/v1/models'));
 */
export function createApp(models: ServedModels, options: ServerOptions = {}): App {
  checkOptions('createApp', options, RULES);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const settings: Settings = { ...DEFAULTS, ...given };
  const registry = new Models(models, settings);
  const metrics = new Metrics(() => registry.load());
  const active = new Set<Call>();
  let draining = false;
  let idle = (): void => {};

  const hono = new Hono({ strict: true });
  /** Carries a request through, as long as its answer lasts. */
  const answer = async (context: Context, route: string, handler: Handler): Promise<Response> => {
    const { raw, method, path } = context.req;
    const activity = new ActivityLog({ method, path: path.slice(0, 200) }, metrics, settings.log);
    const call = new Call(raw, route, { activity, models: registry, settings });
    active.add(call);
    call.ended(() => {
      active.delete(call);
      if (active.size === 0) idle();
    });
    try {
      if (draining && !OPEN.includes(route)) throw closing();
      return await handler(call, context.req.param('name') ?? '');
    } catch (error) {
      return call.refuse(call.signal.aborted ? call.signal.reason : error);
    }
  };
  const refused = (context: Context, error: ApiError): Promise<Response> =>
    answer(context, 'refused', () => {
      throw error;
    });

  hono.use(async (context, next) => {
    const host = context.req.header('host') ?? new URL(context.req.url).host;
    if (settings.hosts !== 'any' && !hostAllowed(host, settings.hosts)) {
      return refused(
        context,
        new ApiError(403, 'this server does not answer to that host', { code: 'host_not_allowed' }),
      );
    }
    const origin = context.req.header('origin');
    if (origin !== undefined && !originAllowed(origin, host, settings.origins) && context.req.method !== 'GET') {
      return refused(context, new ApiError(403, 'pages of that origin may not call', { code: 'origin_not_allowed' }));
    }
    return await next();
  });
  hono.use(cors({
    origin: (origin) => settings.origins.includes(origin) ? origin : null,
    allowMethods: ['GET', 'POST'],
    exposeHeaders: ['x-request-id', 'x-ternspike-ignored', 'retry-after'],
    maxAge: 600,
  }));
  if (settings.apiKeys.length > 0) {
    const auth = bearerAuth({ token: [...settings.apiKeys] });
    hono.use(async (context, next) => OPEN.includes(context.req.path) ? await next() : await auth(context, next));
  }
  for (const [method, path, handler] of ROUTES) {
    const route = path.replace(/\{.*\}/, '');
    hono.on(method, path, (context) => answer(context, route, handler));
  }
  hono.get('/metrics', (context) =>
    answer(context, '/metrics', async (call) => {
      const { text, type } = await metrics.text();
      return call.text(text, type);
    }));
  for (const [method, path] of [...ROUTES, ['GET', '/metrics'] as const]) {
    hono.all(path, async (context) => {
      const wrong = new ApiError(405, `${path.replace(/\{.*\}/, '')} takes ${method}`, { code: 'method_not_allowed' });
      const response = await refused(context, wrong);
      response.headers.set('allow', method);
      return response;
    });
  }
  hono.notFound((context) =>
    refused(context, new ApiError(404, 'there is nothing at this path', { code: 'not_found' }))
  );
  hono.onError((error, context) => {
    if (!(error instanceof HTTPException)) {
      return refused(context, new ApiError(500, 'the server failed', { cause: error }));
    }
    const wrong = new ApiError(401, 'a valid key is needed: Authorization: Bearer KEY', {
      type: 'authentication_error',
      code: 'invalid_api_key',
    });
    return refused(context, wrong);
  });

  return {
    fetch: async (request) => await hono.fetch(request),
    ready: registry.ready,
    load: () => registry.load(),
    async drain(graceMs) {
      draining = true;
      if (active.size === 0) return;
      const over = new Promise<void>((resolve) => idle = resolve);
      const timer = setTimeout(() => {
        for (const call of active) call.stop(closing());
      }, graceMs);
      await over;
      clearTimeout(timer);
    },
  };
}

const closing = (): ApiError =>
  new ApiError(503, 'the server is shutting down', { type: 'unavailable_error', code: 'shutting_down', retryAfter: 5 });
