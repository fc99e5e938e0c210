/**
 * Answers of one request: one or several, each in a place of its own, collected or as they come.
 * @module
 */
import type { GenerateChunk } from '../model/model.ts';
import type { Call } from './call.ts';
import type { Place, Served, Task } from './served.ts';
import type { AnswerFigures } from './metrics.ts';

/** A piece of one of the answers. */
export interface Piece {
  readonly index: number;
  readonly chunk: GenerateChunk;
}

/**
 * Everything that the answers say, as it comes. A further answer asks for a place when the one before it has begun to speak: so a
 * request with many takes turns with others, and its prompt is read once.
 * @param over is told what each took
 * @param first the place of the first; the others wait for theirs
 */
export async function* answers(
  served: Served,
  tasks: readonly Task[],
  first: Place,
  { signal, activity }: Call,
  over: (index: number, figures: AnswerFigures) => void,
): AsyncGenerator<Piece, void> {
  const seen = (index: number) => (figures: AnswerFigures): void => {
    activity.answer(served.name, figures);
    over(index, figures);
  };
  if (tasks.length === 1) {
    for await (const chunk of first.run(tasks[0], seen(0))) yield { index: 0, chunk };
    return;
  }
  const streams = new Map<number, AsyncGenerator<GenerateChunk, void>>();
  const waiting = new Map<number, Promise<{ index: number; next: IteratorResult<GenerateChunk, void> }>>();
  const step = async (index: number): Promise<{ index: number; next: IteratorResult<GenerateChunk, void> }> => ({
    index,
    next: await streams.get(index)!.next(),
  });
  const begin = (index: number, place: Place | null): void => {
    streams.set(index, inPlace(place, () => served.place(signal, false), tasks[index], seen(index)));
    waiting.set(index, step(index));
  };
  let begun = 0;
  try {
    begin(0, first);
    while (waiting.size > 0) {
      const { index, next } = await Promise.race(waiting.values());
      waiting.delete(index);
      if (index === begun && begun + 1 < tasks.length) begin(++begun, null);
      if (next.done) continue;
      yield { index, chunk: next.value };
      waiting.set(index, step(index));
    }
  } finally {
    for (const promise of waiting.values()) void promise.catch(() => {});
    await Promise.allSettled([...streams.values()].map((stream) => stream.return()));
  }
}

async function* inPlace(
  place: Place | null,
  wait: () => Promise<Place>,
  task: Task,
  seen: (figures: AnswerFigures) => void,
): AsyncGenerator<GenerateChunk, void> {
  yield* (place ?? await wait()).run(task, seen);
}
