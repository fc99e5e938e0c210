/**
 * Assertions about refusals: that an error is one of ours, carries the code, and speaks of what it should.
 * @module
 */
import * as assert from 'uvu/assert';
import { type ErrorCode, TernspikeError } from '../src/errors.ts';

/** Awaits a refusal with `code` whose message has every one of `words`; returns it. */
export async function refuses(work: Promise<unknown>, code: ErrorCode, ...words: string[]): Promise<TernspikeError> {
  let error: unknown;
  try {
    await work;
  } catch (caught) {
    error = caught;
  }
  if (error === undefined) assert.unreachable(`expected ${code}, nothing was refused`);
  if (!(error instanceof TernspikeError)) throw error;
  assert.is(error.code, code, error.message);
  for (const word of words) assert.ok(error.message.includes(word), `${error.message}\n  does not mention ${word}`);
  return error;
}
