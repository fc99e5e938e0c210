// The kernels are imported compiled, as Workers may not compile WebAssembly. One thread.
import { open } from 'ternspike/edge';
import { defaultModel } from 'ternspike/default-model';
import base from 'ternspike/wasm/base.wasm';
import relaxed from 'ternspike/wasm/relaxed.wasm';

let model; // one for all requests of this instance

export default {
  async fetch(request) {
    model ??= open(defaultModel, { module: [base, relaxed] });
    const prompt = new URL(request.url).searchParams.get('prompt') ?? 'Once upon a time';
    const encoder = new TextEncoder();
    const pieces = (await model).generate(prompt, { maxTokens: 60, temperature: 0.8 });
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
};
