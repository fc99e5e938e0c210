/** A model that is not supported is refused in the words of its own format. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { open } from '../../src/entries/index.ts';
import { utf8 } from '../builders.ts';
import { refuses } from '../refusal.ts';

/** A safetensors file of one vector. */
function weights(): Uint8Array<ArrayBuffer> {
  const header = JSON.stringify({ 'h.0.ln_1.bias': { dtype: 'F32', shape: [2], data_offsets: [0, 8] } }).padEnd(80);
  const bytes = new Uint8Array(8 + header.length + 8);
  new DataView(bytes.buffer).setUint32(0, header.length, true);
  bytes.set(utf8(header), 8);
  return bytes;
}

const folder = (config?: object): File[] => [
  new File([weights()], 'model.safetensors'),
  ...(config ? [new File([JSON.stringify(config)], 'config.json')] : []),
];

const test = suite('unknown models');

test('a Hugging Face folder is refused by its model_type and architectures, and no GGUF key is named', async () => {
  const cases: [object | undefined, ...string[]][] = [
    [{ model_type: 'gpt2', architectures: ['GPT2LMHeadModel'] }, 'GPT2LMHeadModel', 'gpt2', 'LlamaForCausalLM'],
    [{ model_type: 'gpt2' }, 'model_type', 'gpt2', 'LlamaForCausalLM'],
    [{ architectures: ['GPT2LMHeadModel'] }, 'GPT2LMHeadModel', 'LlamaForCausalLM'],
    [{ hidden_size: 4 }, 'neither model_type nor architectures', 'llama'],
    [undefined, 'nor a config.json', 'llama'],
  ];
  for (const [config, ...words] of cases) {
    const error = await refuses(open(folder(config)), 'ARCHITECTURE', ...words);
    assert.not.match(error.message, 'general.architecture');
  }
});

test.run();
