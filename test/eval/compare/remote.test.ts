/** Servers as sides: a small one of OpenAI's completions, run by this very engine, and servers that answer badly. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compare } from '../../../src/eval/compare/compare.ts';
import { Remote } from '../../../src/eval/compare/remote.ts';
import { glueTask } from '../../../src/eval/glue-tasks.ts';
import { open } from '../../../src/entries/index.ts';
import type { Model } from '../../../src/model/model.ts';
import { speakingModel } from '../../cli/cli.ts';
import { softmax } from '../../models.ts';
import { refuses } from '../../refusal.ts';

const remote = suite('comparing with a server');
const TEXT = 'hello world, hello again. '.repeat(10);
const quick = { text: TEXT, contextLength: 16, prompts: 1, tokens: 4, timed: 1 };

let model: Model;
let server: Server;
let url: string;
/** What the server does instead of answering well. */
let instead: ((request: IncomingMessage, response: ServerResponse) => boolean) | null = null;
/** Whether it takes ids for a prompt. */
let takesIds = true;
const seen: { path: string; key: string | undefined }[] = [];

interface Body {
  prompt: string | number[];
  max_tokens: number;
  temperature?: number;
  seed?: number;
  echo?: boolean;
  stream?: boolean;
}

/** Completions with echo and logprobs, as servers have them. */
async function complete(
  { prompt, max_tokens: maxTokens, temperature, seed, echo, stream }: Body,
  response: ServerResponse,
): Promise<void> {
  if (stream) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for await (const { text } of model.generate(prompt, { maxTokens, temperature })) {
      response.write(`data: ${JSON.stringify({ choices: [{ text }] })}\n\n`);
    }
    return void response.end('data: [DONE]\n\n');
  }
  if (!echo) {
    let text = '';
    for await (const chunk of model.generate(prompt, { maxTokens, temperature, seed })) text += chunk.text;
    return send(response, 200, { choices: [{ text }] });
  }
  if (typeof prompt !== 'string' && !takesIds) {
    return send(response, 400, { error: { message: 'prompt has to be a text' } });
  }
  const { tokenizer } = model;
  const ids = typeof prompt === 'string' ? tokenizer.encode(prompt) : prompt;
  const rows = await model.logits(ids);
  const word = (id: number): string => {
    const bytes = tokenizer.pieceBytes(id);
    const text = new TextDecoder().decode(bytes);
    const escaped = Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
    return text.includes('\ufffd') ? `bytes:${escaped}` : text;
  };
  const words = ids.map(word);
  const offsets = ids.map((_, i) => Math.max(0, words.slice(0, i).join('').length - 1));
  const best = (row: Float32Array): Record<string, number> => {
    const p = softmax(row);
    const order = Array.from(p, (_, i) => i).sort((x, y) => p[y] - p[x]).slice(0, 5);
    return Object.fromEntries(order.map((id) => [word(id), Math.log(p[id])]));
  };
  send(response, 200, {
    choices: [{
      text: `${words.join('')}x`,
      logprobs: {
        tokens: [...words, 'x'],
        token_logprobs: [null, ...ids.slice(1).map((id, i) => Math.log(softmax(rows[i])[id])), -1],
        top_logprobs: [null, ...rows.map(best)],
        text_offset: [...offsets, typeof prompt === 'string' ? prompt.length : words.join('').length],
      },
    }],
  });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

remote.before(async () => {
  model = await open(speakingModel({ seed: 1 }), { kv: 'f32' });
  server = createServer((request, response) => {
    seen.push({ path: request.url ?? '', key: request.headers.authorization });
    if (instead?.(request, response)) return;
    if (request.url === '/v1/models') return send(response, 200, { data: [{ id: 'small' }] });
    let text = '';
    request.setEncoding('utf8').on('data', (part: string) => (text += part)).on('end', () => {
      complete(JSON.parse(text) as Body, response).catch((error: unknown) => response.destroy(error as Error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
});
remote.before.each(() => {
  instead = null;
  takesIds = true;
  seen.length = 0;
});
remote.after(async () => {
  model.dispose();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
});

remote('with one vocabulary tokens are paired; what a server does not give is said to be missing', async () => {
  const local = await open(speakingModel({ seed: 2 }), { kv: 'f32' });
  const here = await compare(local, model, quick);
  const there = await compare(local, { url: `${url}/`, key: 'secret' }, quick);
  for (const name of ['a', 'b', 'lnRatio', 'error'] as const) {
    assert.ok(Math.abs(here.perplexity[name]! - there.perplexity[name]!) < 1e-6, `${name}: ${there.perplexity[name]}`);
  }
  assert.ok(Math.abs(here.deltaP!.rms - there.deltaP!.rms) < 1e-6);
  assert.is(there.sameTop1, here.sameTop1);
  assert.equal([there.kl, there.top5Overlap, there.b.kind, there.b.name, there.memory.weightsBytes.b], [
    null,
    null,
    'remote',
    'small',
    null,
  ]);
  for (const metric of ['kl', 'top5Overlap', 'memory', 'spikes', 'energy', 'speed.prefillTps']) {
    assert.ok(there.unavailable.some((item) => item.metric === metric && item.reason.length > 10), metric);
  }
  assert.ok(!there.unavailable.some(({ metric }) => metric === 'sameTop1'));
  assert.is(there.texts[0].b.text, here.texts[0].b.text);
  assert.is(there.texts[0].b.ids, null);
  assert.ok(there.speed!.decodeTps.b > 0 && there.speed!.firstTokenMs!.b > 0 && there.speed!.prefillTps === null);
  assert.ok(seen.every(({ key }) => key === 'Bearer secret'));
  // and the other way round
  const turned = await compare({ url }, local, quick);
  assert.ok(Math.abs(turned.perplexity.lnRatio! + there.perplexity.lnRatio!) < 1e-6);
  local.dispose();
});

remote('a server that takes no ids is compared by bits per byte', async () => {
  takesIds = false;
  const result = await compare(model, { url, name: 'mine' }, quick);
  assert.equal([result.sameTop1, result.deltaP, result.perplexity.lnRatio, result.b.name], [null, null, null, 'mine']);
  assert.ok(result.unavailable.some(({ metric, reason }) => metric === 'sameTop1' && reason.includes('ids')));
  // the server reads pieces without bos, so that it knows a little less
  assert.ok(Math.abs(result.bitsPerByte.a / result.bitsPerByte.b - 1) < 0.2, JSON.stringify(result.bitsPerByte));
});

remote('two servers are compared by bits per byte', async () => {
  const result = await compare({ url }, { url, model: 'small' }, quick);
  assert.equal([result.bitsPerByte.difference, result.kl, result.spikes, result.energy], [0, null, null, null]);
  assert.ok(result.texts.every(({ firstDifference }) => firstDifference === null));
});

remote('servers that answer badly are refused with their address', async () => {
  const local = model;
  const answer = (status: number, body: string | object, headers: Record<string, string> = {}) => {
    instead = (request, response) => {
      if (request.url !== '/v1/completions') return false;
      request.resume();
      response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
      return true;
    };
    return compare(local, { url }, quick);
  };
  await refuses(answer(500, 'out of\nmemory'), 'HTTP', url, '500', 'out of memory');
  await refuses(answer(200, 'hello'), 'HTTP', 'no JSON');
  await refuses(answer(200, {}), 'HTTP', 'echo', 'logprobs');
  await refuses(
    answer(200, { choices: [{ logprobs: { tokens: ['a', 'b'], token_logprobs: [null, 'x'] } }] }),
    'HTTP',
    'logprobs',
  );
  await refuses(
    answer(200, { choices: [{ logprobs: { tokens: ['a', 'b'], token_logprobs: [null] } }] }),
    'HTTP',
    'logprobs',
  );
  await refuses(answer(302, '', { location: 'http://127.0.0.1:1/' }), 'HTTP', 'cannot be reached');
  instead = (_, response) => (response.destroy(), true);
  await refuses(compare(local, { url }, quick), 'HTTP', 'models', 'cannot be reached');
  instead = (_, response) => (send(response, 200, { data: [] }), true);
  await refuses(compare(local, { url }, quick), 'HTTP', 'lists no model');
  await refuses(compare(local, { url }, { task: glueTask('sst2'), samples: [] }), 'HTTP');
});

remote('an answer without end is not read to its end', async () => {
  instead = (request, response) => {
    request.resume();
    response.writeHead(200);
    const more = (): void => {
      while (response.write(' '.repeat(1 << 20)));
      response.once('drain', more);
    };
    more();
    return true;
  };
  await refuses(new Remote({ url }).model(), 'HTTP', 'more than');
});

remote.run();
