// A Worker: the kernels are imported compiled.
import { open } from 'ternspike/edge';
import { defaultModel } from 'ternspike/default-model';
import base from 'ternspike/wasm/base.wasm';
import relaxed from 'ternspike/wasm/relaxed.wasm';

export default {
  async fetch() {
    const model = await open(defaultModel, { module: [base, relaxed] });
    let text = '';
    const options = { maxTokens: 24, temperature: 0.8, seed: 3 };
    for await (const piece of model.generate('Once upon a time', options)) text += piece.text;
    return Response.json({ text });
  },
};
