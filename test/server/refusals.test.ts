/** Requests that are refused, by the field and with the range; and their neighbours, which are answered. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Answer, chatModel, request, serving, stories } from './asking.ts';

const test = suite('refusals');
const PATH = '/v1/completions';
const SHORT = { prompt: 'One day', max_tokens: 2, temperature: 0 };

/** Of every field with a number: values that are refused, and some that are right. */
const NUMBERS: Readonly<Record<string, readonly [wrong: readonly unknown[], right: readonly unknown[]]>> = {
  n: [[0, -1, 1.5, 129, 2 ** 31, 1e308, '1', [], {}], [1, 2, null]],
  max_tokens: [[-1, 1.5, 1e308, '5', [], true], [0, 1, 2 ** 31, null]],
  temperature: [[-1, 101, 1e308, '1', [], 'NaN'], [0, 1e-9, 100, 1.5, null]],
  top_p: [[-0.1, 1.1, 1e308, '1', []], [0, 1, 0.5, null]],
  top_k: [[-1, 1.5, 2 ** 31, 1e308, '1'], [0, 1, 513, null]],
  min_p: [[-0.1, 1.1, '0'], [0, 1, null]],
  repeat_penalty: [[0, -1, 101, '1'], [0.5, 1.1, null]],
  repetition_penalty: [[0, 1e308], [1.1]],
  repeat_last_n: [[-2, 0.5, 1e308], [-1, 0, 64]],
  frequency_penalty: [[-101, 1e308, '0', []], [-2, 0, 2, null]],
  presence_penalty: [[-101, 1e308, '0', []], [-2, 0, 2, null]],
  seed: [[-1, 0.5, 2 ** 53, 1e308, '1', []], [0, 2 ** 53 - 1, null]],
  logprobs: [[-1, 21, 0.5, 'all'], [0, 5, null]],
  best_of: [[0, 129, 2], [1, null]],
  logit_bias: [[{ a: 1 }, { '-1': 1 }, { 1: 101 }, { 1: '1' }, { 99999: 1 }, [1], 5], [
    { 5: -100 },
    { 5: 100 },
    {},
    null,
  ]],
  stop: [[Array.from({ length: 17 }, String), 'x'.repeat(10_000), '', [''], 5, [5]], ['x', ['a', 'b'], [], null]],
  stream: [['yes', 1], [false, null]],
  stream_options: [[true, 5, { include_usage: 'yes' }], [{ include_usage: false }, null]],
  response_format: [[5, 'json', {}, { type: 'yaml' }, { type: 'json_schema' }], [{ type: 'text' }, null]],
  echo: [[1, 'yes'], [true, false, null]],
};

// case: S3 S4 S16
test('a field out of its range is refused by its name, its neighbours are answered', async () => {
  await serving(stories(), {}, async ({ json }) => {
    for (const [field, [wrong, right]] of Object.entries(NUMBERS)) {
      for (const value of wrong) {
        const { error } = await json(PATH, { ...SHORT, [field]: value }, 400);
        assert.ok(error.param?.startsWith(field), `${field} ${JSON.stringify(value)}: ${JSON.stringify(error)}`);
        assert.is(error.type, 'invalid_request_error');
        assert.ok(error.message.includes(field) && error.message.length < 400, error.message);
      }
      for (const value of right) {
        const { choices } = await json(PATH, { ...SHORT, [field]: value });
        assert.ok(choices.length > 0, field);
      }
    }
  });
});

// case: S2
test('a body that is no JSON object, or is one in several ways, is refused', async () => {
  await serving(stories(), {}, async ({ json, ask }) => {
    const deep = (n: number): string => `{"prompt":"a","metadata":${'['.repeat(n)}${']'.repeat(n)}}`;
    for (
      const body of [
        '',
        'x',
        '[]',
        '5',
        'null',
        '"a"',
        '{"prompt":"a"',
        '{"prompt":"a",}',
        '{"prompt":NaN}',
        deep(100),
        deep(100_000),
        '{"prompt":"a","__proto__":{"stream":true}}',
        '{"prompt":"a","metadata":{"__proto__":1}}',
        '{"prompt":"a","prompt":"b"}',
        '{"prompt":"a","metadata":{"k":1,"\\u006b":2}}',
        '{"prompt":"a","temperature":1e400}',
        '{"prompt":"\\ud800"}',
        '{"metadata":{"\\udc00":1},"prompt":"a"}',
      ]
    ) {
      const { error } = await json(PATH, body, 400);
      assert.is(error.code, 'invalid_json', body.slice(0, 60));
    }
    assert.is((await json(PATH, new Uint8Array([0x22, 0xff, 0x22]), 400)).error.code, 'invalid_json');
    for (const body of [deep(20), '{"prompt":"a \\ud83d\\ude00 \\" : {\\"a\\":1}","max_tokens":1}']) {
      assert.is((await ask(PATH, body)).status, 200, body.slice(0, 60));
    }
    assert.is(({} as { stream?: unknown }).stream, undefined);
  });
});

// case: S1
test('bodies are bounded, whether they say how long they are or not', async () => {
  await serving(stories(), { bodyBytes: 1000 }, async ({ app, json }) => {
    const { error } = await json(PATH, { prompt: 'x'.repeat(1000) }, 413);
    assert.is(error.code, 'request_too_large');
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 100;
        controller.enqueue(new Uint8Array(100).fill(0x20));
      },
    });
    const init = { method: 'POST', body: endless, duplex: 'half', headers: { 'content-type': 'application/json' } };
    assert.is((await app.fetch(new Request('http://localhost/v1/completions', init as RequestInit))).status, 413);
    assert.ok(sent < 10_000, `${sent} bytes were taken`);
    assert.is((await json(PATH, { prompt: 'x'.repeat(800), max_tokens: 1 })).choices.length, 1);
  });
});

// case: S8
test('only JSON is taken for a body', async () => {
  await serving(stories(), {}, async ({ ask }) => {
    const status = async (type: string): Promise<number> =>
      (await ask(PATH, SHORT, { headers: { 'content-type': type } })).status;
    for (
      const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/jsonp', '']
    ) {
      assert.is(await status(type), 415, type);
    }
    for (
      const type of [
        'application/json',
        'application/json; charset=utf-8',
        'Application/JSON',
        'application/problem+json',
      ]
    ) {
      assert.is(await status(type), 200, type);
    }
  });
});

// case: S9
test('paths and methods that there are not', async () => {
  await serving(stories(), {}, async ({ app, ask }) => {
    for (
      const path of [
        '/',
        '/v1',
        '/v1/../../etc/passwd',
        '/%2e%2e%2f%2e%2e%2fetc/passwd',
        '/..%5c..%5cwindows',
        '//',
        '//v1/models',
        '/v1/models/',
        '/v1/completions/',
        `/${'a'.repeat(10_000)}`,
        '/%00',
      ]
    ) {
      const response = await ask(path);
      assert.is(response.status, 404, path.slice(0, 60));
      assert.ok(((await response.json()) as Answer).error.message);
    }
    for (
      const [path, allowed] of [['/v1/completions', 'POST'], ['/v1/chat/completions', 'POST'], ['/tokenize', 'POST']]
    ) {
      const response = await ask(path);
      assert.equal([response.status, response.headers.get('allow')], [405, allowed]);
    }
    for (const path of ['/v1/models', '/health', '/metrics', '/v1/models/default']) {
      for (const method of ['DELETE', 'PUT', 'POST', 'PATCH']) {
        assert.is((await app.fetch(request(path, undefined, { method }))).status, 405, `${method} ${path}`);
      }
    }
  });
});

// case: S10
test('models are names that were given at the start: no path, no address', async () => {
  await serving(stories(), {}, async ({ json, ask }) => {
    for (
      const model of ['../../x.gguf', 'http://localhost/x.gguf', 'file:///etc/passwd', '/etc/passwd', 'constructor', '']
    ) {
      const { error } = await json(PATH, { ...SHORT, model }, 404);
      assert.equal([error.code, error.param], ['model_not_found', 'model'], model);
      if (model !== '') assert.is((await ask(`/v1/models/${encodeURIComponent(model)}`)).status, 404, model);
    }
    assert.is((await json(PATH, { ...SHORT, model: 'default' })).model, 'default');
    assert.is((await json('/v1/models/default')).id, 'default');
    assert.equal((await json('/v1/models')).data.map(({ id }: Answer) => id), ['default']);
  });
});

// case: S6 S7
test('names of other hosts and pages of other origins are refused', async () => {
  await serving(stories(), { origins: ['https://app.example'], hosts: ['server.example'] }, async ({ app, ask }) => {
    const status = async (url: string, headers: Record<string, string> = {}): Promise<number> =>
      (await app.fetch(new Request(url, { headers }))).status;
    for (const host of ['evil.com', 'localhost.evil.com', '127.0.0.1.nip.io']) {
      assert.is(await status(`http://${host}/v1/models`), 403, host);
    }
    for (const host of ['localhost:8080', '127.0.0.1:1', '[::1]:80', '192.168.0.4', 'server.example']) {
      assert.is(await status(`http://${host}/v1/models`), 200, host);
    }
    const post = (origin: string): Promise<Response> => ask(PATH, SHORT, { headers: { origin } });
    for (const origin of ['https://evil.com', 'null', 'http://localhost.evil.com', 'https://app.example.evil.com']) {
      const response = await post(origin);
      assert.is(response.status, 403, origin);
      assert.is(response.headers.get('access-control-allow-origin'), null);
      const preflight = await ask(PATH, undefined, { method: 'OPTIONS', headers: { origin } });
      assert.is(preflight.headers.get('access-control-allow-origin'), null);
    }
    const allowed = await post('https://app.example');
    assert.is(allowed.status, 200);
    assert.is(allowed.headers.get('access-control-allow-origin'), 'https://app.example');
    assert.is(allowed.headers.get('access-control-allow-credentials'), null);
    assert.is((await post('http://localhost')).status, 200, 'its own origin');
    const headers = { origin: 'https://app.example', 'access-control-request-headers': 'authorization, content-type' };
    const preflight = await ask(PATH, undefined, { method: 'OPTIONS', headers });
    assert.is(preflight.status, 204);
    assert.is(preflight.headers.get('access-control-allow-headers'), 'authorization,content-type');
  });
});

// case: S15
test('with keys, who brings none of them is refused; health is open', async () => {
  await serving(stories(), { apiKeys: ['sk-one', 'sk-two'] }, async ({ ask, log }) => {
    const status = async (path: string, authorization?: string): Promise<number> =>
      (await ask(path, undefined, { headers: authorization === undefined ? {} : { authorization } })).status;
    for (
      const wrong of [undefined, '', 'Bearer', 'Bearer sk', 'Bearer sk-oneX', 'sk-one', 'Basic sk-one', 'Bearer sk-öne']
    ) {
      if (wrong?.includes('ö')) continue; // no header can hold it
      assert.is(await status('/v1/models', wrong), 401, wrong);
    }
    assert.is(await status('/v1/models?api_key=sk-one'), 401);
    assert.is(await status('/metrics'), 401);
    assert.is(await status('/v1/models', 'Bearer sk-one'), 200);
    assert.is(await status('/v1/models', 'bearer sk-two'), 200);
    assert.is(await status('/health'), 200);
    assert.not.match(JSON.stringify(log), /sk-/);
    const { error } = await (await ask('/v1/models')).json() as Answer;
    assert.equal([error.type, error.code], ['authentication_error', 'invalid_api_key']);
  });
});

// case: S17
test('fields that change the answer are refused where they are not supported; others are ignored and named', async () => {
  await serving(stories(), {}, async ({ ask, json }) => {
    assert.is((await json(PATH, { ...SHORT, suffix: ' end' }, 400)).error.param, 'suffix');
    const response = await ask(PATH, {
      ...SHORT,
      user: 'me',
      metadata: { a: '1' },
      brand_new: 1,
      'a\nb': 2,
      suffix: null,
    });
    assert.is(response.status, 200);
    assert.is(response.headers.get('x-ternspike-ignored'), 'brand_new');
  });
  await serving(chatModel(), {}, async ({ json }) => {
    const messages = [{ role: 'user', content: 'a' }];
    const asked = { messages, max_tokens: 1 };
    for (
      const [field, value] of Object.entries({
        functions: [{}],
        function_call: 'auto',
        audio: {},
        modalities: ['audio'],
      })
    ) {
      assert.is((await json('/v1/chat/completions', { ...asked, [field]: value }, 400)).error.param, field);
    }
    const harmless = { functions: [], function_call: 'none', modalities: ['text'], store: true, service_tier: 'auto' };
    assert.is((await json('/v1/chat/completions', { ...asked, ...harmless })).choices.length, 1);
    for (
      const [wrong, param] of [
        [undefined, 'messages'],
        [[], 'messages'],
        ['hi', 'messages'],
        [[5], 'messages[0]'],
        [[{ role: 'robot', content: 'a' }], 'messages[0].role'],
        [[{ role: 'user' }], 'messages[0].content'],
        [[{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }], 'messages[0].content[0]'],
        [[{ role: 'assistant', tool_calls: [{}] }], 'messages[0].tool_calls[0]'],
        [Array(1025).fill(messages[0]), 'messages'],
      ] as const
    ) {
      assert.is((await json('/v1/chat/completions', { messages: wrong }, 400)).error.param, param, param);
    }
    for (
      const [field, value] of Object.entries({
        top_logprobs: 2,
        max_tokens: 0,
        max_completion_tokens: 0,
        tool_choice: 'required',
        tools: [{ type: 'function', function: { name: 'a b' } }],
        reasoning_effort: 'most',
        chat_template_kwargs: 5,
      })
    ) {
      assert.ok(
        (await json('/v1/chat/completions', { ...asked, [field]: value }, 400)).error.param?.startsWith(field),
        field,
      );
    }
  });
});

test.run();
