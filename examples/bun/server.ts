// bun run server.ts, or one program of it: bun build --compile server.ts --outfile stories
import { open } from 'ternspike';
import { defaultModel } from 'ternspike/default-model';

const model = await open(defaultModel);

const server = Bun.serve({
  port: Number(process.env.PORT ?? 3000),
  fetch(request) {
    const prompt = new URL(request.url).searchParams.get('prompt') ?? 'Once upon a time';
    const encoder = new TextEncoder();
    const pieces = model.generate(prompt, { maxTokens: 100, temperature: 0.8, signal: request.signal });
    const body = new ReadableStream({
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(encoder.encode(value.text));
      },
      cancel: () => void pieces.return(),
    });
    return new Response(body, { headers: { 'content-type': 'text/plain; charset=utf-8' } });
  },
});
console.log(`${server.url}?prompt=Once+upon+a+time`);
