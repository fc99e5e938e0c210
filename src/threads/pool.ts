/**
 * A executor of several threads. The caller's thread is thread 0 where it may wait for others; in a window, which may not, every
 * thread is a worker and the caller is told of the end of each step.
 *
 *   boot ─▶ ready ─▶ step ⇄ idle ─▶ dispose            a thread threw, died or stays away: the call is refused, and the
 *    ▲                 │                               next one starts fresh threads
 *    └──── lost ◀──────┘
 *
 * Threads are held only while something is awaited of them: an idle pool keeps no process alive, and sleeps.
 * @module
 */
import { SessionError } from '../errors.ts';
import type { KernelModules } from '../wasm/instantiate.ts';
import { command, CONTROL_WORDS, fail, faultOf, PoolThread } from './control.ts';
import { type Executor, STEP_WORDS } from './executor.ts';
import { cores } from './host.ts';
import { type Program, SOLO } from './context.ts';
import type { StartThread, Thread } from './port.ts';
import type { Orders, Report } from './worker.ts';

/** Threads that are not at work after this are given up; slow machines take a second. */
const START_MS = 30_000;
/** How long lost threads are given to be gone before others take their place; some hosts cannot end a busy one. */
const STOP_MS = 1000;
/** About how long it is tried which number of threads is fastest. */
const TRIAL_MS = 50;
/** A larger number has to be faster by this factor: the processors have other work too. */
const TRIAL_GAIN = 1.1;

export interface TeamOptions {
  readonly threads: number;
  readonly memory: WebAssembly.Memory;
  readonly modules: KernelModules;
  /** Whether the caller's thread may wait, and so is thread 0. */
  readonly waits: boolean;
  /** How threads are started. */
  readonly start: StartThread;
  /** Told once if the executor has to go on with one thread. */
  readonly notice: (message: string) => void;
}

/** Some threads and what they agree by. A executor whose pool is lost gets another. */
class ThreadPool {
  readonly control: Int32Array = new Int32Array(new SharedArrayBuffer(4 * CONTROL_WORDS));
  readonly threads: Thread[] = [];
  /** Threads that are not at work yet. */
  missing: number;
  /** Settles what is awaited of the threads. */
  awaited: { resolve: () => void; reject: (error: unknown) => void } | null = null;

  constructor(count: number, start: StartThread) {
    this.missing = count;
    try {
      while (this.threads.length < count) {
        this.threads.push(start((report) => this.#hear(report as Report), (why) => this.lose(why)));
      }
    } catch (error) {
      this.lose(String(error)); // such as a policy that forbids workers
    }
  }

  /** Why it is lost, or null. */
  get fault(): string | null {
    return faultOf(this.control);
  }

  lose(why: string): void {
    fail(this.control, why);
    this.awaited?.reject(new Error(this.fault ?? why));
  }

  #hear(report: Report): void {
    if (typeof report === 'object') this.lose(report.fault);
    else if (report === 'done' || --this.missing === 0) this.awaited?.resolve();
  }

  /** Settles with the threads' next report; meanwhile they keep the process alive. */
  async hearing(ask: () => void, ms: number = 0): Promise<void> {
    const late = (): void => this.lose(`no answer within ${ms / 1000} s`);
    const timer = ms > 0 ? setTimeout(late, ms) : undefined;
    for (const thread of this.threads) thread.hold(true);
    try {
      await new Promise<void>((resolve, reject) => {
        this.awaited = { resolve, reject };
        if (this.fault !== null) reject(new Error(this.fault));
        else ask();
      });
    } finally {
      clearTimeout(timer);
      this.awaited = null;
      for (const thread of this.threads) thread.hold(false);
    }
  }

  /** Ends the threads from one on; all of them, and what is awaited, by default. */
  async stop(from: number = 0): Promise<void> {
    if (from === 0) fail(this.control, 'the pool was dismissed');
    await Promise.all(this.threads.splice(from).map((thread) => thread.stop()));
  }
}

/** Models that nobody disposed of give their threads back when they are collected. */
const forgotten = new FinalizationRegistry<{ pool: ThreadPool | null }>(({ pool }) => void pool?.stop());

export class PoolExecutor implements Executor {
  readonly size: number;
  readonly words: Int32Array = new Int32Array(new SharedArrayBuffer(4 * STEP_WORDS));
  #count: number;
  readonly #options: TeamOptions;
  /** The present pool; null on one thread. The registry holds it too, and nothing that leads back here. */
  readonly #held: { pool: ThreadPool | null };
  /** This thread's thread, where it has one. */
  #thread: PoolThread | null = null;
  #program: Program = () => {};
  #recipe: object = {};
  #disposed = false;
  /** Settles behind the last of the calls that take turns. */
  #turn: Promise<void> | null = null;

  /** Starts the threads; they wait for `ready`. */
  constructor(options: TeamOptions) {
    this.#options = options;
    this.size = this.#count = options.threads;
    this.#held = { pool: this.#boot() };
    forgotten.register(this, this.#held, this);
  }

  get count(): number {
    return this.#count;
  }

  share(bytes: number): SharedArrayBuffer {
    return new SharedArrayBuffer(bytes);
  }

  bind(program: Program, recipe: object): void {
    this.#program = program;
    this.#recipe = recipe;
  }

  /** Puts every thread to work. Where that fails, one thread is left, and `notice` is told. Never rejects. */
  async ready(): Promise<void> {
    const { pool } = this.#held;
    if (!pool) return;
    const { memory, modules, waits, notice } = this.#options;
    const { control, threads } = pool;
    const spins = this.#count <= cores();
    const first = waits ? 1 : 0;
    try {
      await pool.hearing(() => {
        threads.forEach((thread, i) => {
          const index = first + i;
          const more = { index, spins, reports: !waits, recipe: this.#recipe };
          thread.post({ memory, modules, control, words: this.words, ...more } satisfies Orders);
        });
      }, START_MS);
      this.#thread = waits ? new PoolThread(control, 0, spins) : null;
    } catch (error) {
      this.#alone();
      if (!this.#disposed) notice(`worker threads cannot be used here (${(error as Error).message}); running on one`);
    }
  }

  /** Runs the next steps on the first `threads` threads, or on all there are. */
  use(threads: number): void {
    const { pool } = this.#held;
    if (pool) this.#count = Math.min(threads, pool.threads.length + (this.#options.waits ? 1 : 0));
  }

  /** Keeps the number of threads that runs `trial` fastest, and ends the others. */
  async choose(trial: () => void | Promise<void>): Promise<void> {
    const times = new Map<number, number>();
    for (let threads = this.#count; threads >= 1; threads = threads >> 1) times.set(threads, Infinity);
    if (times.size === 1) return;
    try {
      await trial(); // the first one lets the host compile
      const end = performance.now() + TRIAL_MS;
      do {
        for (const [threads, least] of times) {
          this.use(threads);
          const start = performance.now();
          await trial();
          times.set(threads, Math.min(least, performance.now() - start));
        }
      } while (performance.now() < end);
      const bound = Math.min(...times.values()) * TRIAL_GAIN;
      this.use(Math.min(...[...times].filter(([, ms]) => ms <= bound).map(([threads]) => threads)));
      const rest = this.#threads();
      if (rest === 0) this.#alone();
      else void this.#held.pool?.stop(rest);
    } catch {
      this.#alone(); // threads that fail here are of no use
    }
  }

  run(steps: Iterable<unknown>): void | Promise<void> {
    const { pool } = this.#held;
    const here = pool === null || (this.#thread !== null && pool.fault === null);
    if (here && !this.#turn && !this.#disposed) return this.#here(steps);
    return this.#take(async () => {
      if (this.#held.pool && this.#held.pool.fault !== null) await this.#recover(this.#held.pool);
      if (this.#disposed) throw disposed();
      if (this.#held.pool && !this.#thread) await this.#away(this.#held.pool, steps);
      else this.#here(steps);
    });
  }

  between(action: () => void): void | Promise<void> {
    if (!this.#turn) return action();
    return this.#take(async () => action());
  }

  dispose(): void {
    this.#disposed = true;
    forgotten.unregister(this);
    const { pool } = this.#held;
    pool?.awaited?.reject(disposed());
    void pool?.stop();
  }

  /** One thread from now on. */
  #alone(): void {
    void this.#held.pool?.stop();
    this.#held.pool = this.#thread = null;
    this.#count = 1;
  }

  #boot(): ThreadPool | null {
    const threads = this.#threads();
    return threads > 0 ? new ThreadPool(threads, this.#options.start) : null;
  }

  #threads(): number {
    return this.#count - (this.#options.waits ? 1 : 0);
  }

  /** Fresh threads in place of lost ones. */
  async #recover(pool: ThreadPool): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([pool.stop(), new Promise((resolve) => (timer = setTimeout(resolve, STOP_MS)))]);
    clearTimeout(timer);
    this.#thread = null;
    this.#held.pool = this.#boot();
    await this.ready();
  }

  /** Runs with this thread as thread 0. */
  #here(steps: Iterable<unknown>): void {
    for (const _ of steps) {
      const thread = this.#thread;
      if (thread === null || this.#count === 1) this.#program(SOLO);
      else {
        try {
          thread.lead(this.#count);
          this.#program(thread);
          thread.barrier();
        } catch (error) {
          throw this.#lost(error);
        }
      }
    }
  }

  /** Runs on the workers alone. */
  async #away(pool: ThreadPool, steps: Iterable<unknown>): Promise<void> {
    for (const _ of steps) {
      try {
        await pool.hearing(() => command(pool.control, this.#count));
      } catch (error) {
        throw error instanceof SessionError ? error : this.#lost(error);
      }
    }
  }

  #lost(cause: unknown): SessionError {
    const { pool } = this.#held;
    pool?.lose(String(cause));
    return new SessionError(
      'WORKER_DIED',
      `a thread of ${this.#count} was lost: ${pool?.fault}; the session is unchanged, and the next call starts new threads`,
      { cause },
    );
  }

  /** Runs `work` behind the calls that are under way. */
  #take(work: () => Promise<void>): Promise<void> {
    const call = (this.#turn ?? Promise.resolve()).then(work);
    const turn = call.catch(() => {}).then(() => {
      if (this.#turn === turn) this.#turn = null;
    });
    this.#turn = turn;
    return call;
  }
}

function disposed(): SessionError {
  return new SessionError('DISPOSED', 'this model was disposed of; open it again');
}
