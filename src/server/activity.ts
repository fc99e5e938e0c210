/**
 * What a request did, gathered for its line in the log and for the metrics.
 * @module
 */
import type { AnswerFigures, Metrics } from './metrics.ts';
import type { LogEntry } from './types.ts';

export class ActivityLog {
  readonly id: string = `req_${crypto.randomUUID().replaceAll('-', '')}`;
  readonly #metrics: Metrics;
  readonly #log: ((entry: LogEntry) => void) | undefined;
  readonly #request: { readonly method: string; readonly path: string };
  readonly #start = performance.now();
  #model: string | undefined;
  #figures: AnswerFigures | undefined;
  #error: { readonly error: string; readonly stack?: string } | undefined;
  #over = false;

  constructor(
    request: { readonly method: string; readonly path: string },
    metrics: Metrics,
    log?: (entry: LogEntry) => void,
  ) {
    this.#request = request;
    this.#metrics = metrics;
    this.#log = log;
  }

  /** Tokens and times of all answers so far. */
  get figures(): AnswerFigures | undefined {
    return this.#figures;
  }

  answer(model: string, figures: AnswerFigures): void {
    this.#metrics.answer(model, figures);
    this.#model = model;
    const so = this.#figures;
    this.#figures = so
      ? {
        ...so,
        promptTokens: so.promptTokens + figures.promptTokens,
        cachedTokens: so.cachedTokens + figures.cachedTokens,
        completionTokens: so.completionTokens + figures.completionTokens,
      }
      : figures;
  }

  /** Notes a failure. @param cause is shown in the log where the server itself is at fault */
  failed(code: string, cause?: unknown): void {
    this.#error = { error: code, ...(cause instanceof Error && { stack: cause.stack }) };
  }

  /** The request is over. @param route as the routes spell its path */
  over(route: string, status: number): void {
    if (this.#over) return;
    this.#over = true;
    this.#metrics.request(route, status);
    const figures = this.#figures;
    this.#log?.({
      time: new Date().toISOString(),
      id: this.id,
      ...this.#request,
      status,
      ms: Math.round(performance.now() - this.#start),
      ...(this.#model !== undefined && { model: this.#model }),
      ...(figures && {
        promptTokens: figures.promptTokens,
        cachedTokens: figures.cachedTokens,
        completionTokens: figures.completionTokens,
        queueMs: Math.round(figures.queueMs),
        ...(figures.firstTokenMs !== null && { firstTokenMs: Math.round(figures.firstTokenMs) }),
      }),
      ...this.#error,
    });
  }
}
