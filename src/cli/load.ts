/**
 * Opening models for the commands: shared options, progress, notices.
 * @module
 */
import process from 'node:process';
import { readFileSync } from 'node:fs';
import type { ByteSource } from '../bytes/source.ts';
import { open } from '../entries/index.ts';
import type { Model } from '../model/model.ts';
import { GGUF_TYPES, type GgufType } from '../convert/options.ts';
import type { KvType } from '../description/plan.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { Build } from '../wasm/features.ts';
import type { ActivationType } from '../wasm/load-options.ts';
import type { Context } from './command.ts';
import { bytesText } from './output.ts';
import { bundledModel, DEFAULT_CLASSIFIER } from './package-folder.ts';
import { MODEL_HELP } from './stored.ts';

/** Options of every command that loads a model. */
export const MODEL_OPTIONS = {
  model: {
    kind: 'text',
    short: 'm',
    value: 'FILE',
    help: `model: ${MODEL_HELP}; default: the bundled story model` as string,
  },
  build: { kind: 'choice', choices: ['base', 'relaxed'], help: 'kernels to use; default the best this host has' },
  activations: {
    kind: 'choice',
    choices: ['int8', 'int16', 'f32'],
    help: 'inputs of int8 rows: quantised, or as they are; default int8, int16 for SymbolicLight',
  },
  offline: { kind: 'flag', help: 'use models of a hub only as they are stored, without any request' },
  threads: { kind: 'integer', short: 't', least: 1, help: 'threads; default what is fastest, 1 for small models' },
} as const;

interface TypeOption {
  readonly kind: 'choice';
  readonly choices: readonly GgufType[];
  readonly help: string;
}

/** `--model` of commands that classify. */
export const CLASSIFIER_MODEL: {
  readonly kind: 'text';
  readonly short: 'm';
  readonly value: string;
  readonly help: string;
} = {
  kind: 'text',
  short: 'm',
  value: 'FILE',
  help: 'classifier: the folder, file, URL or hf: name of a spiking or a dense BERT; default: the bundled one',
};

/** Options of commands that run decoders: types to load matrices in. */
export const TYPE_OPTIONS: Readonly<Record<'type' | 'embedding' | 'head', TypeOption>> = {
  type: {
    kind: 'choice',
    choices: GGUF_TYPES,
    help: 'quantise matrices of floats to this type while loading, as convert does',
  },
  embedding: { kind: 'choice', choices: GGUF_TYPES, help: 'type to load the embedding in; default as --head' },
  head: {
    kind: 'choice',
    choices: GGUF_TYPES,
    help: 'type to load embedding and head in; default as convert has it for --type',
  },
};

/** Options of commands whose session length matters. */
export const CONTEXT_OPTIONS = {
  ctx: {
    kind: 'integer',
    least: 1,
    help: 'tokens of prompt and answer together; default: as trained, 512 to 4096, more for a long prompt',
  },
  kv: { kind: 'choice', choices: ['f16', 'f32'], help: 'how keys and values are kept; default f16' },
} as const;

export interface LoadOptions {
  readonly type?: GgufType;
  readonly embedding?: GgufType;
  readonly head?: GgufType;
  readonly build?: Build;
  readonly activations?: ActivationType;
  readonly contextLength?: number;
  readonly kv?: KvType;
  readonly tokenizer?: Tokenizer;
  readonly forcedSparsity?: number;
  readonly threads?: number;
  readonly parallel?: number;
}

/** The model's path; without one, that of the bundled model. @throws {TernspikeError} `OPTION` */
export function modelPath(path: string | undefined): string {
  return path ?? bundledModel();
}

/** The path of a classifier; without one, that of the bundled classifier. @throws {TernspikeError} `OPTION` */
export function classifierPath(path: string | undefined): string {
  return path ?? bundledModel(DEFAULT_CLASSIFIER);
}

/** Most models are there before anyone wonders. */
const PROGRESS_AFTER_MS = 300;

/** Opens with a progress line. @throws what `open` throws */
export async function load(source: ByteSource, options: LoadOptions, { out, signal }: Context): Promise<Model> {
  const start = performance.now();
  const model = await open(source, {
    ...options,
    signal,
    onNotice: (notice) => out.note(notice),
    onProgress: ({ phase, loaded, total, fraction }) => {
      if (phase === 'weights' && performance.now() - start > PROGRESS_AFTER_MS) {
        out.progress(`loading ${Math.round(fraction * 100)} %  ${bytesText(loaded)} of ${bytesText(total)}`);
      }
    },
  });
  out.progress('');
  return model;
}

/** Largest resident memory of this process so far; null where the host does not tell. */
export function peakRssBytes(): number | null {
  try {
    const kibibytes = process.resourceUsage().maxRSS;
    if (kibibytes > 0) return kibibytes * 1024;
  } catch {
    // a host without it; Linux tells in another place too
  }
  try {
    const found = /^VmHWM:\s*(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'));
    return found ? Number(found[1]) * 1024 : null;
  } catch {
    return null;
  }
}

/** Sizes of a loaded model, for JSON. */
export function memoryOf(model: Model): { weightsBytes: number; stateBytes: number; peakRssBytes: number | null } {
  const { weightsBytes, stateBytes } = model.stats();
  return { weightsBytes, stateBytes, peakRssBytes: peakRssBytes() };
}

/** What this runs on: `node 20.20.2`. */
export function runtime(): string {
  const { versions } = process as { versions: Readonly<Record<string, string | undefined>> };
  const name = versions.deno ? 'deno' : versions.bun ? 'bun' : 'node';
  return `${name} ${versions[name]}`;
}
