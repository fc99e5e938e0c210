import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openFile } from '../../src/bytes/file.ts';
import { memorySource } from '../../src/bytes/memory.ts';
import { openContainer } from '../../src/container/open.ts';
import { describeLlama } from '../../src/architectures/llama/description.ts';
import { bytesOf, ggufBytes, utf8 } from '../builders.ts';
import { safetensorsBytes, torchBytes, torchTensor } from '../builders-torch.ts';
import { countingSource, trickle } from '../faults.ts';
import { refuses } from '../refusal.ts';
import { sharedTest } from '../shared.ts';

const opening = suite('open');

const GGUF = ggufBytes({ metadata: [['general.architecture', 'string', 'llama']] });
const SAFETENSORS = safetensorsBytes({ w: { dtype: 'F32', shape: [2], data_offsets: [0, 8] } }, 8);
const TORCH = torchBytes({ w: torchTensor({ shape: [2] }) }, { 0: new Uint8Array(8) });

// case: B9
opening('the format is chosen by content, whatever the name', async () => {
  for (const name of ['model.gguf', 'model.safetensors', 'pytorch_model.bin', '']) {
    assert.is((await openContainer(memorySource(GGUF, name))).metadata.get('general.architecture'), 'llama');
    assert.is((await openContainer(memorySource(SAFETENSORS, name))).format, 'safetensors');
    assert.is((await openContainer(memorySource(TORCH, name))).format, 'torch');
    await refuses(openContainer(memorySource(utf8('PK\x03\x04…'), name)), 'TRUNCATED', 'zip');
  }
  assert.is((await openContainer(trickle(memorySource(GGUF)))).format, 'gguf');
});

opening('known formats that cannot be read are named', async () => {
  const files: Array<[Uint8Array, ...string[]]> = [
    [bytesOf(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a), 'HDF5'],
    [utf8('lmgg\x01\0\0\0'), 'GGML', 'before GGUF'],
    [utf8('version https://git-lfs.github.com/spec/v1\noid sha256:00'), 'Git LFS pointer', 'git lfs pull'],
    [utf8('\n<!DOCTYPE html><html>'), 'web page'],
    [utf8('<html><head>'), 'web page'],
    [utf8('{\n  "architectures": []}'), 'JSON', 'no model'],
    [utf8('[1, 2, 3, {"a": 1}]'), 'no known format', 'safetensors', 'PyTorch'],
  ];
  for (const [bytes, ...words] of files) {
    await refuses(openContainer(memorySource(bytes, 'model')), 'UNKNOWN_FORMAT', 'model', ...words);
  }
});

// case: B9
opening('anything else is refused with its first bytes and what can be read', async () => {
  await refuses(openContainer(memorySource(bytesOf(1, 2, 3, 255), 'x')), 'UNKNOWN_FORMAT', 'x', '01 02 03 ff', 'GGUF');
  await refuses(openContainer(memorySource(utf8('gguf0000'))), 'UNKNOWN_FORMAT', '67 67 75 66');
  await refuses(openContainer(memorySource(new Uint8Array(4096))), 'UNKNOWN_FORMAT', '00 00 00 00');
});

// case: B1 B9
opening('no format has fewer than 4 bytes, and a broken GGUF file is never tried as something else', async () => {
  for (const length of [0, 1, 3]) {
    await refuses(openContainer(memorySource(GGUF.subarray(0, length))), 'TRUNCATED', 'magic', `${length} in all`);
  }
  await refuses(openContainer(memorySource(GGUF.subarray(0, 7))), 'TRUNCATED', 'version');
  await refuses(openContainer(memorySource(ggufBytes({ version: 9 }))), 'GGUF_VERSION');
});

opening('a file that is refused costs one small read', async () => {
  const source = countingSource(memorySource(new Uint8Array(10_000_000)));
  await refuses(openContainer(source), 'UNKNOWN_FORMAT');
  assert.ok(source.counts.bytes <= 64);
});

opening('what no llama can be is refused as such', async () => {
  for (const bytes of [SAFETENSORS, TORCH]) {
    const container = await openContainer(memorySource(bytes));
    const error = await refuses((async () => describeLlama(container))(), 'ARCHITECTURE', 'general.architecture');
    assert.ok(error.message.includes('llama'));
  }
});

opening('an abort ends opening with the reason given', async () => {
  const reason = new Error('enough');
  assert.is(
    await openContainer(memorySource(GGUF), { signal: AbortSignal.abort(reason) }).catch((error) => error),
    reason,
  );
});

const real: Array<[file: string, architecture: string, tensors: number, tokens: number]> = [
  ['models/stories260K.gguf', 'llama', 48, 512],
  ['conformance/llama/tiny-f32.gguf', 'llama', 30, 512],
  ['conformance/llama/tiny-f16.gguf', 'llama', 30, 512],
  ['conformance/llama/tiny-q8_0.gguf', 'llama', 30, 512],
  ['conformance/llama/tiny-tq1_0.gguf', 'llama', 30, 512],
  ['conformance/llama/tiny-tq2_0.gguf', 'llama', 30, 512],
  ['tokenizers/ggml-vocab-llama-spm.gguf', 'llama', 0, 32_000],
  ['tokenizers/ggml-vocab-phi-3.gguf', 'phi3', 0, 32_064],
  ['tokenizers/ggml-vocab-gpt-2.gguf', 'gpt2', 0, 50_257],
  ['tokenizers/ggml-vocab-bert-bge.gguf', 'bert', 0, 30_522],
];
for (const [file, architecture, tensorCount, tokenCount] of real) {
  sharedTest(opening, `${file} is read`, file, async (path) => {
    const source = await openFile(path);
    try {
      const { metadata, tensors, size } = await openContainer(source);
      assert.is(metadata.get('general.architecture'), architecture);
      assert.is(tensors.size, tensorCount);
      const tokens = metadata.get('tokenizer.ggml.tokens') as string[];
      assert.equal([tokens.length, new Set(tokens).size], [tokenCount, tokenCount]);
      const last = [...tensors.values()].at(-1);
      if (last !== undefined) assert.ok(size - (last.offset + last.byteLength) < 32);
    } finally {
      await source.close?.();
    }
  });
}

opening.run();
