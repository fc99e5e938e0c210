/** Many clients at once: the same answers as alone, places and queue, and what becomes of those who go away. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Model } from '../../src/entries/index.ts';
import { type Answer, chatModel, moment, request, type Server, serving, stories } from './asking.ts';

const test = suite('load');
const PATH = '/v1/completions';
/** Its end token is banned: it goes on to its last token. */
const LONG = { prompt: 'Once upon a time', seed: 1, max_tokens: 2000, logit_bias: { 1: -100 } };

/** Clients of all kinds: short and long, cold and warm, with penalties, with several answers. */
const CLIENTS = Array.from({ length: 32 }, (_, i) => ({
  prompt: ['Once upon a time', 'One day, Tom', 'Lily had a dog. '.repeat(1 + i % 5), 'The'][i % 4],
  seed: i,
  max_tokens: 1 + (i * 7) % 24,
  temperature: i % 5 === 0 ? 0 : 1,
  ...(i % 6 === 1 && { frequency_penalty: 1, presence_penalty: 0.5 }),
  ...(i % 7 === 2 && { n: 2 }),
  ...(i % 9 === 3 && { logprobs: 3 }),
  stream: i % 3 === 0,
}));

/** What an answer says, whole or streamed, without its id, its time and how long it took. */
async function said(response: Response): Promise<unknown> {
  assert.is(response.status, 200);
  const text = await response.text();
  if (!text.startsWith('data: ')) {
    const { choices, usage } = JSON.parse(text) as Answer;
    return { choices, tokens: usage.completion_tokens };
  }
  return text.split('\n\n').filter((event) => event.startsWith('data: {'))
    .map((event) => (JSON.parse(event.slice(6)) as Answer).choices)
    .sort(([a], [b]) => a.index - b.index); // of several answers, the order in which they come is no promise
}

const MODELS: Readonly<Record<string, () => Promise<Model>>> = {
  spiking: () => stories({ parallel: 6 }),
  llama: () => chatModel({ parallel: 6 }),
};

for (const [name, open] of Object.entries(MODELS)) {
  // case: S18 S21
  test(`32 clients at once have the answers that each has alone: ${name}`, async () => {
    const alone: unknown[] = [];
    await serving(open(), { cacheBytes: 0 }, async ({ ask }) => {
      for (const client of CLIENTS) alone.push(await said(await ask(PATH, client)));
    });
    for (const cacheBytes of [0, 20 << 20]) {
      await serving(open(), { cacheBytes, queue: 100 }, async ({ ask, app }) => {
        for (let round = 0; round < (cacheBytes === 0 ? 1 : 2); round++) {
          // others come and go meanwhile
          const leaving = Array.from({ length: 8 }, async (_, i) => {
            const controller = new AbortController();
            setTimeout(() => controller.abort(), i * 7);
            const asked = { ...LONG, stream: i % 2 === 0, max_tokens: 200, prompt: 'Tom and Lily '.repeat(10 + i) };
            const response = await ask(PATH, asked, { signal: controller.signal });
            await response.text().catch(() => {});
          });
          const together = await Promise.all(CLIENTS.map(async (client) => said(await ask(PATH, client))));
          assert.equal(together, alone, `cache of ${cacheBytes} bytes, round ${round}`);
          await Promise.all(leaving);
        }
        await settled(app, 0);
      });
    }
  });
}

/** Waits until a model has nothing to do, but not for long. */
async function settled(app: Server['app'], running: number): Promise<void> {
  for (let i = 0; i < 200 && app.load().default.running !== running; i++) await moment();
  const { running: found, waiting } = app.load().default;
  assert.equal([found, waiting], [running, 0]);
}

// case: S14 S20
test('places are as many as sessions; more wait in their order, and no more than the queue takes', async () => {
  await serving(stories({ parallel: 2 }), { queue: 3 }, async ({ ask, app, json }) => {
    const controllers = Array.from({ length: 2 }, () => new AbortController());
    const running = await Promise.all(
      controllers.map(({ signal }) => ask(PATH, { ...LONG, max_tokens: 100_000, stream: true }, { signal })),
    );
    assert.is(app.load().default.running, 2);
    const order: number[] = [];
    const waiting = [0, 1, 2].map(async (i) => {
      const { choices } = await json(PATH, { prompt: 'One day', seed: i, max_tokens: 3 });
      order.push(i);
      return choices[0].text;
    });
    await moment();
    assert.is(app.load().default.waiting, 3);
    const full = await ask(PATH, LONG);
    assert.is(full.status, 429);
    assert.is(full.headers.get('retry-after'), '1');
    assert.equal((await full.json() as Answer).error.code, 'queue_full');
    const health = await ask('/health');
    assert.is(health.status, 200);
    const figures = await (await ask('/metrics')).text();
    assert.ok(figures.length > 100 && !figures.includes('One day'), 'figures, and nothing that was asked');
    controllers[0].abort();
    await Promise.all(waiting);
    assert.equal(order, [0, 1, 2]);
    controllers[1].abort();
    await Promise.allSettled(running.map((response) => response.text()));
    await settled(app, 0);
  });
});

// case: S14
test('a thousand requests: each is answered or told to come again, and none is lost', async () => {
  await serving(stories({ parallel: 4 }), { queue: 32 }, async ({ ask, app }) => {
    const asked = Array.from({ length: 1000 }, (_, i) => ask(PATH, { prompt: 'The', seed: i % 3, max_tokens: 2 }));
    const answers = await Promise.all(asked);
    const counts = new Map<number, number>();
    for (const { status } of answers) counts.set(status, (counts.get(status) ?? 0) + 1);
    assert.is((counts.get(200) ?? 0) + (counts.get(429) ?? 0), 1000);
    assert.ok((counts.get(200) ?? 0) >= 36, `${counts.get(200)} were answered`);
    await settled(app, 0);
  });
});

// case: S11 X3
test('who goes away frees the place: in the queue, while a prompt is read, between tokens, in the middle of a stream', async () => {
  await serving(stories({ parallel: 1 }), {}, async ({ app, ask, json, log }) => {
    const expected = (await json(PATH, { ...LONG, max_tokens: 5 })).choices[0].text;
    const leave = async (body: object, ms: number): Promise<void> => {
      const controller = new AbortController();
      const asked = ask(PATH, body, { signal: controller.signal });
      await moment(ms);
      controller.abort();
      await settled(app, 0);
      const response = await asked;
      assert.ok([499, 200].includes(response.status), String(response.status));
      await response.text().catch(() => {});
    };
    const prompt = 'Tom had a big red ball. '.repeat(300);
    await leave({ prompt, max_tokens: 5 }, 30); // read
    await leave({ ...LONG, max_tokens: 100_000 }, 60); // said
    await leave({ ...LONG, max_tokens: 100_000, stream: true }, 60);
    // a reader that has some, and then no more
    const response = await ask(PATH, { ...LONG, max_tokens: 100_000, stream: true });
    const reader = response.body!.getReader();
    for (let i = 0; i < 5; i++) await reader.read();
    assert.is(app.load().default.running, 1);
    // one that waits for it and leaves, and one that stays
    const controller = new AbortController();
    const gone = ask(PATH, LONG, { signal: controller.signal });
    const stays = json(PATH, { ...LONG, max_tokens: 5 });
    await moment();
    assert.is(app.load().default.waiting, 2);
    controller.abort();
    assert.is((await gone).status, 499);
    assert.is(app.load().default.waiting, 1);
    await reader.cancel();
    assert.is((await stays).choices[0].text, expected);
    await settled(app, 0);
    assert.ok(log.some(({ status }) => status === 499));
  });
});

// case: S12
test('a reader that takes nothing holds back its answer, and then loses it', async () => {
  await serving(stories({ parallel: 1 }), { idleMs: 80 }, async ({ app, ask, log, json }) => {
    const response = await ask(PATH, { ...LONG, max_tokens: 100_000, stream: true });
    const reader = response.body!.getReader();
    await reader.read();
    const other = json(PATH, { ...LONG, max_tokens: 3 });
    await moment(20);
    assert.is(app.load().default.running, 1);
    await other; // gets the place
    await settled(app, 0);
    const entry = log.find(({ status }) => status === 408);
    assert.ok(entry && (entry.completionTokens ?? 0) < 10, JSON.stringify(log));
    await reader.read().catch(() => {});
  });
});

// case: X6
test('a request that takes too long is broken off, whole and streamed', async () => {
  await serving(stories({ parallel: 1 }), { timeoutMs: 60 }, async ({ app, json, ask }) => {
    const { error } = await json(PATH, { ...LONG, max_tokens: 100_000 }, 504);
    assert.is(error.code, 'deadline_exceeded');
    const text = await (await ask(PATH, { ...LONG, max_tokens: 100_000, stream: true })).text();
    assert.match(text, /data: \{"error":\{"message":"not finished after 60 ms"[^\n]*\}\n\n$/);
    await settled(app, 0);
  });
});

test('a server that ends refuses what is new, finishes what it has begun, and breaks off what takes too long', async () => {
  await serving(stories({ parallel: 2 }), {}, async ({ app, ask, json }) => {
    const short = json(PATH, { ...LONG, max_tokens: 30 });
    const long = ask(PATH, { ...LONG, max_tokens: 1_000_000, stream: true }).then((response) => response.text());
    await moment();
    const over = app.drain(300);
    assert.is((await json(PATH, LONG, 503)).error.code, 'shutting_down');
    assert.is((await short).usage.completion_tokens, 30);
    await over;
    const left = await long;
    assert.match(left.slice(-300), /"code":"shutting_down"/, left.slice(-300));
    await settled(app, 0);
  });
});

// case: S19
test('a failure in the middle of a stream ends it with an error; the log has its stack, the client has not', async () => {
  const model = await stories();
  const generate = model.generate.bind(model);
  Object.assign(model, {
    async *generate(...args: Parameters<typeof generate>) {
      let n = 0;
      for await (const chunk of generate(...args)) {
        if (++n === 3) throw new Error('secret of the house');
        yield chunk;
      }
    },
  });
  await serving(model, {}, async ({ app, ask, json, log }) => {
    const text = await (await ask(PATH, { ...LONG, stream: true })).text();
    assert.match(text, /data: \{"error":\{"message":"the server failed[^\n]*\}\n\n$/);
    assert.not.match(text, /secret|at async/);
    assert.match(log.at(-1)?.stack ?? '', /secret of the house/);
    const { error } = await json(PATH, LONG, 500);
    assert.not.match(JSON.stringify(error), /secret/);
    await settled(app, 0);
  });
});

test('a model that is loading is said to be, and others answer meanwhile', async () => {
  const { createApp } = await import('../../src/entries/server.ts');
  let arrive: (model: Model) => void = () => {};
  const [first, second] = [await stories(), await stories()];
  const app = createApp({ slow: new Promise<Model>((resolve) => arrive = resolve), quick: first });
  const asked = (model: string): Promise<Response> => app.fetch(request(PATH, { model, prompt: 'One', max_tokens: 1 }));
  assert.is((await app.fetch(request('/health'))).status, 503);
  const loading = await asked('slow');
  assert.equal([loading.status, loading.headers.get('retry-after')], [503, '2']);
  assert.is((await asked('quick')).status, 200);
  arrive(second);
  await app.ready;
  assert.is((await app.fetch(request('/health'))).status, 200);
  assert.is((await asked('slow')).status, 200);
  await app.drain(0);
  first.dispose();
  second.dispose();
});

test.run();
