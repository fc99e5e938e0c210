/**
 * Files of models: GGUF, safetensors, PyTorch checkpoints, configurations of folders.
 * @module
 */
import { memorySource } from '../../src/bytes/memory.ts';
import { openContainer } from '../../src/container/open.ts';
import { open } from '../../src/entries/index.ts';
import type { BuiltTensor, GgufParts, MetaEntry } from '../builders.ts';
import { ggufBytes } from '../builders.ts';
import {
  legacyTorchBytes,
  pickleBytes,
  PickleCode,
  safetensorsBytes,
  torchBytes,
  torchTensor,
} from '../builders-torch.ts';
import { bertFolder, FAMILIES, vocabulary } from '../bert-folder.ts';
import { speakingFile } from '../cli/cli.ts';
import { countingSource } from '../faults.ts';
import type { FileType } from '../llama-files.ts';
import type { Chance } from './chance.ts';
import { bytesChanged, jsonChanged, textChanged, WHOLE } from './mutate.ts';
import { expected, type Target, textOf, utf8 } from './target.ts';

/** A model this small needs far less; one that asks for more is refused. */
const MAX_MEMORY_BYTES = 64 << 20;
/** Set aside beyond the file by a reader. */
const SPARE_BYTES = 1_000_000;

const TYPES: readonly FileType[] = ['F32', 'Q8_0', 'TQ2_0'];
const ARCHITECTURES = ['llama', 'qwen2', 'qwen3', 'bitnet', 'bitnet-b1.58', 'gemma3', 'bert', 'symboliclight', 'mamba'];

/** Another value of the same kind, as its type can hold it. */
function entryChanged(c: Chance, [key, type, value]: MetaEntry): MetaEntry {
  if (c.once(8)) return [textChanged(c, key), type, value];
  if (typeof value === 'string') return [key, type, c.once(2) ? c.pick(ARCHITECTURES) : textChanged(c, value)];
  if (typeof value === 'number') {
    const float = type === 'float32' || type === 'float64';
    return [
      key,
      type,
      float ? c.pick([0, -1, NaN, Infinity, 1e-45, 3e38, 0.5]) : c.pick(WHOLE) % 256 ** (/8/.test(type) ? 1 : 4),
    ];
  }
  if (Array.isArray(value) && value.length > 0) {
    const list = [...value] as unknown[];
    for (let n = 1 + c.below(3); n > 0; n--) {
      const at = c.below(list.length);
      if (c.once(3)) list.splice(at, 1);
      else if (typeof list[at] === 'string') list[at] = textChanged(c, list[at]);
      else if (typeof list[at] === 'number') list[at] = c.pick([0, 1, 3, 6, 7, 200, NaN]);
    }
    return [key, type, list as never];
  }
  return [key, type, value];
}

function tensorChanged(c: Chance, tensor: BuiltTensor): BuiltTensor {
  switch (c.below(6)) {
    case 0:
      return { ...tensor, type: c.below(48) };
    case 1:
      return { ...tensor, dims: [...tensor.shape].reverse().map((n) => (c.once(2) ? c.pick(WHOLE) : n)) };
    case 2:
      return { ...tensor, dimCount: c.pick(WHOLE) };
    case 3:
      return { ...tensor, offset: c.pick(WHOLE) * c.pick([1, 32]) };
    case 4:
      return { ...tensor, name: textChanged(c, String(tensor.name)) };
    default: {
      const data = tensor.data && new Uint8Array(tensor.data.buffer.slice(0) as ArrayBuffer);
      return data && data.length > 0 ? { ...tensor, data: bytesChanged(c, data).slice(0, data.length) } : tensor;
    }
  }
}

function changedSome<T>(c: Chance, list: readonly T[], change: (c: Chance, item: T) => T): T[] {
  const out = [...list];
  for (let n = c.below(3); n > 0 && out.length > 0; n--) {
    const at = c.below(out.length);
    if (c.once(6)) out.splice(at, 1);
    else if (c.once(8)) out.push(out[at]);
    else out[at] = change(c, out[at]);
  }
  return out;
}

const bases = new Map<string, ReturnType<typeof speakingFile>>();

/** A good model; its numbers take longer to draw than all that happens to it. */
function base(type: FileType, tied: boolean): ReturnType<typeof speakingFile> {
  const key = `${type} ${tied}`;
  const width = type === 'TQ2_0' ? 256 : 64;
  const shape = { layers: 1, width, hidden: width, heads: 4, kvHeads: 4, headDim: width / 4 };
  const file = bases.get(key) ?? speakingFile({ type, tied, biases: tied, shape });
  bases.set(key, file);
  return file;
}

const gguf: Target = {
  name: 'gguf',
  make(c) {
    const file = base(c.pick(TYPES), c.once(2));
    const parts: GgufParts = {
      metadata: changedSome(c, file.metadata, entryChanged),
      tensors: changedSome(c, file.tensors, tensorChanged),
      ...(c.once(20) && { version: c.pick(WHOLE) }),
      ...(c.once(20) && { tensorCount: c.pick(WHOLE) }),
      ...(c.once(20) && { entryCount: c.pick(WHOLE) }),
    };
    const bytes = ggufBytes(parts);
    return c.once(3) ? bytesChanged(c, bytes, 0, c.pick([64, 2000, 16_000]), 3) : bytes;
  },
  async use(input) {
    const source = countingSource(memorySource(input, 'fuzz.gguf'));
    try {
      await using model = await open(source, {
        contextLength: 16,
        threads: 1,
        maxMemoryBytes: MAX_MEMORY_BYTES,
        onNotice: () => {},
      });
      if ('generate' in model) await model.complete([1, 2, 3], { maxTokens: 2, temperature: 0 });
    } finally {
      expected(source.counts.largest <= input.length + SPARE_BYTES, `${source.counts.largest} bytes were set aside`);
    }
  },
};

async function contained(input: Uint8Array): Promise<void> {
  const source = countingSource(memorySource(input, 'fuzz.file'));
  try {
    const { tensors } = await openContainer(source);
    for (const { offset, byteLength, stored } of tensors.values()) {
      if (stored !== undefined) continue; // read as another type, from places of its own
      expected(offset >= 0 && byteLength >= 0 && offset + byteLength <= input.length, 'a tensor lies outside its file');
    }
  } finally {
    expected(source.counts.largest <= input.length + SPARE_BYTES, `${source.counts.largest} bytes were set aside`);
  }
}

const HEADER = {
  '__metadata__': { format: 'pt' },
  'a.weight': { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] },
  'b': { dtype: 'BF16', shape: [4], data_offsets: [24, 32] },
  'none': { dtype: 'I8', shape: [0], data_offsets: [32, 32] },
  'c': { dtype: 'F8_E4M3', shape: [2, 2, 2], data_offsets: [32, 40] },
};

const safetensors: Target = {
  name: 'safetensors',
  make(c) {
    const header = c.once(3) ? HEADER : jsonChanged(c, HEADER);
    const text = c.once(3)
      ? textChanged(c, JSON.stringify(header), ['"', '{', '}', ',', ':', '1e3', '-1', '\\u0000', '['])
      : JSON.stringify(header);
    const bytes = safetensorsBytes(text, 40, c.once(8) ? c.pick(WHOLE) : undefined);
    return c.once(3) ? bytesChanged(c, bytes) : bytes;
  },
  use: contained,
};

const torch: Target = {
  name: 'torch',
  make(c) {
    const number = (usual: number): number => (c.once(24) ? c.pick(WHOLE) : usual);
    const tensor = (key: string): PickleCode =>
      torchTensor({
        shape: [number(2), number(3)],
        storage: c.pick([
          ...new Array<string>(9).fill('FloatStorage'),
          'HalfStorage',
          'DoubleStorage',
          'UntypedStorage',
          'x',
        ]),
        key,
        offset: number(0),
        ...(c.once(8) && { stride: [number(3), number(1)] }),
        ...(c.once(8) && { elements: number(6) }),
      });
    const root = {
      config: { width: number(4), name: 'a', list: [1, 2], deep: { on: true, off: null } },
      model: { 'a.weight': tensor('0'), 'b.weight': tensor(c.pick(['0', '1', '1', '1', '1', '2', '../x'])) },
    };
    const storages = { 0: new Uint8Array(24), 1: new Uint8Array(24) };
    if (c.once(4)) return bytesChanged(c, legacyTorchBytes(root as never, storages as never) as Uint8Array);
    const pickle = pickleBytes(root as never, c.pick([2, 3, 4]));
    const bytes = torchBytes(c.once(3) ? bytesChanged(c, pickle, 0, pickle.length, 2) : pickle, storages);
    return c.once(3) ? bytesChanged(c, bytes, 0, bytes.length, 2) : bytes;
  },
  use: contained,
};

/** A folder of a BERT with other files in it. */
const config: Target = {
  name: 'config',
  make(c) {
    const family = c.pick(Object.keys(FAMILIES));
    const changed = {
      architectures: [family],
      ...FAMILIES[family].config,
      ...(c.once(3) && { model_type: c.pick(ARCHITECTURES) }),
    };
    return utf8(JSON.stringify({ family, config: jsonChanged(c, changed) ?? null }));
  },
  async use(input) {
    const { family, config } = JSON.parse(textOf(input)) as { family: string; config: unknown };
    const { source } = bertFolder(family, { 'config.json': JSON.stringify(config), 'vocab.txt': vocabulary() });
    await using model = await open(source, { threads: 1, maxMemoryBytes: MAX_MEMORY_BYTES });
    await model.embed('a text');
  },
};

export const FILES: readonly Target[] = [gguf, safetensors, torch, config];
