/**
 * Loops of many short awaited steps never let the host's events in by themselves: an interrupt would wait for
 * their end.
 * @module
 */
import { setImmediate } from 'node:timers/promises';

/** Longest time without a look at events. */
const STRETCH_MS = 20;

/** A function to await within a loop: lets events in when it is time, and throws when the signal was aborted. */
export function turns(signal: AbortSignal): () => Promise<void> {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < STRETCH_MS) return;
    await setImmediate();
    since = performance.now();
    signal.throwIfAborted();
  };
}
