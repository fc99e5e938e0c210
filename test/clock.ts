/**
 * Clocks for tests: nothing here depends on how busy a machine is.
 * @module
 */
import process from 'node:process';

/** Milliseconds that the processors worked for this process while `run` lasted; what other processes do is not counted. */
export function cpuMillis(run: () => unknown): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** The same for work that is waited for. */
export async function cpuMillisOf(run: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Time of our own. */
export interface Clock {
  /** Looks at it so far. */
  looks: number;
  /** Milliseconds that pass from one look to the next. */
  step: number;
}

/**
 * Runs with a clock that is a second later at every look: a call that lets events in "from time to time" does so at every
 * opportunity, and how much it does after an abort is counted in looks.
 */
export async function hurried<T>(run: (clock: Clock) => Promise<T>): Promise<T> {
  const real = performance.now;
  const clock: Clock = { looks: 0, step: 1000 };
  let now = real.call(performance);
  performance.now = () => {
    clock.looks++;
    return now += clock.step;
  };
  try {
    return await run(clock);
  } finally {
    performance.now = real;
  }
}

/** Waits until something is so, as long as a test file may take: the runner ends what never comes to pass. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10));
}
