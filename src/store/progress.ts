/**
 * How far a download is: bytes, speed, time left.
 * @module
 */

/** Progress of a pull. */
export interface StoreProgress {
  /** `waiting`: another process downloads the same file. */
  readonly phase: 'downloading' | 'verifying' | 'waiting';
  /** The file that is worked on, by its path in the repository. */
  readonly file: string;
  /** Bytes of all files of the model that are stored; those of earlier attempts count. */
  readonly loaded: number;
  /** Bytes of all files of the model that are known of. */
  readonly total: number;
  /** Over the last seconds; 0 at first. */
  readonly bytesPerSecond: number;
  /** Null while the speed is not known. */
  readonly secondsLeft: number | null;
}

/** Seconds over which the speed is measured. */
const WINDOW_SECONDS = 10;
/** Milliseconds between two reports. */
const EVERY_MS = 100;

/** Reports on one pull. */
export class Meter {
  readonly #report: ((progress: StoreProgress) => void) | undefined;
  readonly #marks: { time: number; bytes: number }[] = [];
  #phase: StoreProgress['phase'] = 'downloading';
  #file = '';
  #loaded = 0;
  #total = 0;
  #came = 0;
  #last = -Infinity;

  constructor(report: ((progress: StoreProgress) => void) | undefined) {
    this.#report = report;
  }

  /** More bytes belong to the model. */
  expect(bytes: number): void {
    this.#total += bytes;
  }

  /** @param loaded bytes of this file that are stored already */
  begin(file: string, loaded: number): void {
    this.#file = file;
    this.#loaded += loaded;
    this.#say('downloading', true);
  }

  /** Bytes came; a negative number where some have to come again. */
  add(bytes: number): void {
    this.#loaded += bytes;
    this.#came += Math.max(bytes, 0);
    this.#say('downloading', false);
  }

  /** @param more bytes of the present file that another process has stored beyond what was counted */
  wait(file: string, more: number): void {
    this.#file = file;
    this.#loaded += more;
    this.#say('waiting', true);
  }

  verify(): void {
    this.#say('verifying', true);
  }

  #say(phase: StoreProgress['phase'], now: boolean): void {
    const time = performance.now();
    if (!now && this.#phase === phase && time - this.#last < EVERY_MS && this.#loaded < this.#total) return;
    this.#phase = phase;
    this.#last = time;
    this.#marks.push({ time, bytes: this.#came });
    while (this.#marks.length > 2 && time - this.#marks[0].time > WINDOW_SECONDS * 1000) this.#marks.shift();
    const [first] = this.#marks;
    const seconds = (time - first.time) / 1000;
    const speed = seconds > 0.2 ? (this.#came - first.bytes) / seconds : 0;
    this.#report?.({
      phase,
      file: this.#file,
      loaded: this.#loaded,
      total: this.#total,
      bytesPerSecond: Math.round(speed),
      secondsLeft: speed > 0 ? Math.max(0, this.#total - this.#loaded) / speed : null,
    });
  }
}
