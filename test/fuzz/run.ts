/**
 * One input after another: what came of each, and what may not come of any.
 * @module
 */
import { TernspikeError } from '../../src/errors.ts';
import { cpuMillisOf } from '../clock.ts';
import { Chance } from './chance.ts';
import { FILES } from './files.ts';
import { SESSIONS } from './sessions.ts';
import type { Target } from './target.ts';
import { TEXTS } from './texts.ts';

export const TARGETS: readonly Target[] = [...FILES, ...TEXTS, ...SESSIONS];

/** No input is worth more processor time: all are small. */
const MAX_CPU_MS = 4000;

/** Uses an input. @returns the code of the refusal, or `accepted` @throws what is a finding */
export async function outcome(target: Target, input: Uint8Array): Promise<string> {
  let code = 'accepted';
  const millis = await cpuMillisOf(async () => {
    try {
      await target.use(input);
    } catch (error) {
      if (!(error instanceof TernspikeError)) throw error;
      if (
        error.code !== 'TEMPLATE' &&
        /undefined|\[object|NaN at/.test(error.message.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""'))
      ) {
        throw new Error(`a message that says nothing: ${error.message}`);
      }
      code = error.code;
    }
  });
  if (millis > MAX_CPU_MS) throw new Error(`${millis.toFixed(0)} ms of processor time, at most ${MAX_CPU_MS}`);
  return code;
}

/** Makes the input that a seed and an index stand for. */
export async function inputOf(target: Target, seed: number, index: number): Promise<Uint8Array> {
  return await target.make(new Chance(seed, index));
}
