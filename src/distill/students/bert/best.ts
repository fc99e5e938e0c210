/**
 * The state with the best measurement of a run, kept in its folder.
 * @module
 */
import { memorySource } from '../../../bytes/memory.ts';
import { readSafetensors } from '../../../container/safetensors.ts';
import { DistillError } from '../../../errors.ts';
import type { RunFolder } from '../../folder.ts';
import type { Measured } from '../../run.ts';
import { safetensorsParts } from '../../safetensors-write.ts';
import type { StateTensor, TrainerState } from '../../types.ts';

/** A measurement. */
export interface Best {
  readonly step: number;
  readonly score: number | null;
  readonly loss: number;
}

const BEST = 'best.safetensors';

/** Keeps the weights of the best measurement in the folder of the run: the higher score, or the lower loss of equal scores. */
export class BestKeeper {
  readonly #folder: RunFolder;
  #at: Best | null = null;

  constructor(folder: RunFolder) {
    this.#folder = folder;
  }

  /** What is kept, or null. @throws {DistillError} `CHECKPOINT` where it cannot be read */
  async load(): Promise<{ readonly at: Best; readonly tensors: ReadonlyMap<string, StateTensor> } | null> {
    const bytes = await this.#folder.read(BEST);
    if (bytes === null) return null;
    const { metadata, tensors } = await readSafetensors(memorySource(bytes, BEST));
    const stated = metadata.get('best');
    if (typeof stated !== 'string') throw new DistillError('CHECKPOINT', `${BEST} has no measurement`);
    const state = new Map<string, StateTensor>();
    for (const { name, shape, offset, byteLength } of tensors.values()) {
      state.set(name, { shape, data: new Float32Array(bytes.slice(offset, offset + byteLength).buffer) });
    }
    this.#at = JSON.parse(stated) as Best;
    return { at: this.#at, tensors: state };
  }

  async see({ score = null, loss }: Measured, state: () => Promise<TrainerState>): Promise<void> {
    const better = this.#at === null || (score ?? -1) > (this.#at.score ?? -1) ||
      (score === this.#at.score && loss < this.#at.loss);
    if (!better) return;
    const { step, tensors } = await state();
    const at = { step, score, loss };
    const weights = new Map([...tensors].filter(([key]) => !key.startsWith('adam.')));
    await this.#folder.replace(
      BEST,
      safetensorsParts(weights, { format: 'ternspike-distill', best: JSON.stringify(at) }),
    );
    this.#at = at;
  }
}
