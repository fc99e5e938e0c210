/**
 * Many things at once, their results in the order of the things.
 * @module
 */

/** How many run, and how far ahead of the first that is not ready. */
export interface Breadth {
  readonly most: number;
  readonly ahead: number;
}

interface Started<R> {
  readonly result: Promise<R>;
  settled: boolean;
}

/**
 * Runs `work` on every item. What fails, fails in its turn: all results before it come out first.
 * @param signal is aborted for the work that is still under way when the reader stops
 */
export async function* inOrder<T, R>(
  items: AsyncIterator<T, void> | Iterator<T, void>,
  work: (item: T) => Promise<R>,
  { most, ahead }: Breadth,
): AsyncGenerator<R, void> {
  const queue: Started<R>[] = [];
  let running = 0;
  let ended = false;
  let wake: () => void = () => {};
  while (true) {
    while (!ended && running < most && queue.length < ahead) {
      const item = await items.next();
      if (item.done) {
        ended = true;
        break;
      }
      running++;
      const started: Started<R> = { result: work(item.value), settled: false };
      const settle = (): void => {
        running--;
        started.settled = true;
        wake();
      };
      started.result.then(settle, settle);
      queue.push(started);
    }
    const [head] = queue;
    if (!head) return;
    if (!head.settled) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      continue;
    }
    queue.shift();
    yield await head.result;
  }
}
