/**
 * Server-sent events: one event is made when the reader has room for it, so that who reads slowly slows down nobody's memory.
 * @module
 */

/** How a stream is kept. */
export interface StreamOptions {
  /** Milliseconds without an event until a comment shows that the server is there. */
  readonly pingMs: number;
  /** Milliseconds that the reader may take to ask for more. */
  readonly idleMs: number;
  /** Called when the reader went away or takes too long. */
  readonly abandon: (slow: boolean) => void;
  /** Called when a stream that was given up has ended. */
  readonly closed: () => void;
  /** The last event of a stream that failed. */
  readonly failed: (error: unknown) => string;
}

/** An event whose data is JSON: one line, whatever a text in it says. */
export const dataEvent = (data: object): string => `data: ${JSON.stringify(data)}\n\n`;

/** The end of OpenAI's streams. */
export const DONE = 'data: [DONE]\n\n';

const PING = ': ping\n\n';

/** The body of a response. */
export function eventStream(
  events: AsyncGenerator<string, void>,
  { pingMs, idleMs, abandon, closed, failed }: StreamOptions,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let waiting: Promise<IteratorResult<string, void>> | undefined;
  let idle: ReturnType<typeof setTimeout> | undefined;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      clearTimeout(idle);
      let ping: ReturnType<typeof setTimeout> | undefined;
      try {
        waiting ??= events.next();
        const late = new Promise<null>((resolve) => ping = setTimeout(() => resolve(null), pingMs));
        const next = await Promise.race([waiting, late]);
        if (next === null) return controller.enqueue(encoder.encode(PING));
        waiting = undefined;
        if (next.done) return controller.close();
        controller.enqueue(encoder.encode(next.value));
        idle = setTimeout(() => {
          abandon(true);
          void events.return().catch(() => {}).then(closed);
          controller.error(new Error('the reader took too long'));
        }, idleMs);
      } catch (error) {
        controller.enqueue(encoder.encode(failed(error)));
        controller.close();
      } finally {
        clearTimeout(ping);
      }
    },
    async cancel() {
      clearTimeout(idle);
      abandon(false);
      await events.return().catch(() => {}); // it ends with the signal that was just aborted
      closed();
    },
  }, { highWaterMark: 0 });
}
