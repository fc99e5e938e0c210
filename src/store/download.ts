/**
 * One file of a hub, downloaded by ranges, several at a time, into a draft. Its bytes are read back and hashed as they arrive, so that
 * the file is verified when its last byte is there.
 * @module
 */
import { judge, type Version } from '../bytes/http-answer.ts';
import { Body } from '../bytes/http-body.ts';
import { networkError, Patience } from '../bytes/http-request.ts';
import { IoError } from '../errors.ts';
import { verifierOf } from './hash.ts';
import { fileUrl } from './hub.ts';
import type { Meter } from './progress.ts';
import { Ranges } from './ranges.ts';
import { type HubClient, hubError, pieces, type Sent } from './request.ts';
import type { Draft, HubFile } from './store.ts';

export interface DownloadOptions {
  readonly connections: number;
  readonly meter: Meter;
  readonly signal?: AbortSignal;
}

/** A range that one request asks for: 1/64 of a file within these bounds. Each costs a round trip; a short one is done again sooner. */
const MIN_SPAN_BYTES = 4 << 20;
const MAX_SPAN_BYTES = 64 << 20;
/** A download that has come so far since it last broke off may break off as often again. */
const PROGRESS_BYTES = 1 << 20;
/** Finished ranges are noted after so many milliseconds: a kill loses no more than came in that time. */
const SAVE_MS = 1000;
const HASH_BYTES = 1 << 20;

/**
 * Downloads what is missing, verifies all of it, and finishes the draft. After a failure the draft keeps what came.
 * @throws {IoError} `CHECKSUM` for content that is not what the hub promised, which is removed; `CHANGED`, `HTTP_RANGE`, `HUB` for
 *   answers that belong to another file; `HTTP`, `HUB_ACCESS`, `HUB_MISSING`, `STORE_FULL`, `IO`; the signal's reason
 */
export async function download(hub: HubClient, file: HubFile, draft: Draft, options: DownloadOptions): Promise<void> {
  try {
    await new Download(hub, file, draft, options).run();
    await draft.finish();
  } catch (error) {
    if (error instanceof IoError && error.code === 'CHECKSUM') await draft.discard();
    throw error;
  } finally {
    await draft.close();
  }
}

class Download {
  readonly #hub: HubClient;
  readonly #file: HubFile;
  readonly #draft: Draft;
  readonly #options: DownloadOptions;
  readonly #done: Ranges;
  readonly #stop: AbortController = new AbortController();
  /** Where the hub's redirect led to; asked for again when it does not serve any more. */
  #location: string | null = null;
  #version: Version | null = null;
  #waiting: (() => void)[] = [];
  #saved = performance.now();
  #saving: Promise<void> | null = null;

  constructor(hub: HubClient, file: HubFile, draft: Draft, options: DownloadOptions) {
    this.#hub = hub;
    this.#file = file;
    this.#draft = draft;
    this.#options = options;
    this.#done = new Ranges(draft.had);
  }

  async run(): Promise<void> {
    const { signal, meter, connections } = this.#options;
    const { path, size } = this.#file;
    const abort = (): void => this.#stop.abort(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    meter.begin(path, this.#done.bytes);
    const span = this.#draft.span ?? Math.min(Math.max(Math.ceil(size / 64), MIN_SPAN_BYTES), MAX_SPAN_BYTES);
    const queue = this.#done.missing(size, span);
    const guarded = async (work: Promise<void>): Promise<void> => {
      try {
        await work;
      } catch (error) {
        if (!this.#stop.signal.aborted) this.#stop.abort(error);
        this.#wake();
      }
    };
    const workers = [guarded(this.#verify())];
    const work = async (): Promise<void> => {
      for (let next = queue.shift(); next; next = queue.shift()) await this.#fetch(next[0], next[1], more);
    };
    // the first answer says whether ranges are served at all
    const more = (): void => {
      while (this.#version?.ranges && workers.length <= connections && queue.length > 0) workers.push(guarded(work()));
    };
    workers.push(guarded(work()));
    try {
      for (let i = 0; i < workers.length; i++) await workers[i];
      this.#stop.signal.throwIfAborted();
    } finally {
      signal?.removeEventListener('abort', abort);
      await this.#saving?.catch(() => {});
      await this.#draft.save(this.#done.all).catch((error: unknown) => {
        // the first failure is the one to report
        if (!this.#stop.signal.aborted) throw error;
      });
    }
  }

  /** Downloads one range. @param more begins more requests once the first was answered */
  async #fetch(start: number, end: number, more: () => void): Promise<void> {
    if (this.#done.runFrom(start) >= end) return; // a server without ranges has sent everything
    const { signal } = this.#stop;
    const { size } = this.#file;
    const url = fileUrl(this.#hub, this.#file);
    const place = { href: url, name: url, headers: {} };
    let patience = new Patience(this.#hub.options);
    let progress = 0;
    for (let [at, to] = [start, end]; at < to;) {
      try {
        const body = await this.#connect(at, to, patience);
        if (!this.#version!.ranges) [at, to] = [0, size];
        more();
        for await (const piece of pieces(body, this.#hub.options, signal)) {
          if (at + piece.length > to) throw hubError(place.name, `sends more than the ${size} bytes that the file has`);
          await this.#draft.write(piece, at);
          const before = this.#done.bytes;
          this.#done.add(at, at + piece.length);
          at += piece.length;
          progress += piece.length;
          this.#options.meter.add(this.#done.bytes - before);
          this.#wake();
          this.#saveNow();
        }
        if (at < to && !this.#version!.ranges) throw new Error(`the answer ended at byte ${at} of ${size}`);
      } catch (cause) {
        if (signal.aborted) throw signal.reason;
        if (cause instanceof IoError) throw cause;
        if (progress >= PROGRESS_BYTES) patience = new Patience(this.#hub.options);
        progress = 0;
        await patience.wait(networkError(place, `downloading byte ${at} on failed`, cause), signal);
      }
    }
  }

  /** Asks for bytes from `at` to `end`, at the storage that the hub named before, else at the hub. */
  async #connect(at: number, end: number, patience: Patience): Promise<Body> {
    const { signal } = this.#stop;
    let range: string | null = this.#version?.ranges === false ? null : `bytes=${at}-${end - 1}`;
    for (;;) {
      const known = this.#location;
      const headers: Record<string, string> = range === null ? {} : { range };
      let sent: Sent;
      try {
        sent = known === null
          ? await this.#hub.send('GET', fileUrl(this.#hub, this.#file), headers, signal, patience)
          : await this.#hub.send('GET', known, headers, signal, new Patience({ retries: 0 }));
      } catch (error) {
        // addresses of storage expire, and the hub gives another
        if (known === null || signal.aborted) throw error;
        if (this.#location === known) this.#location = null;
        continue;
      }
      const { answer, place } = sent;
      try {
        if (known === null) this.#checkPromise(sent);
        const held = judge(
          place,
          answer.response,
          range,
          [range === null ? 0 : at, range === null ? null : end - 1],
          this.#version,
        );
        if (held === null) {
          answer.cancel();
          range = null;
          continue;
        }
        this.#checkSize(sent, held.version.size);
        if (this.#version?.ranges && !held.version.ranges) {
          throw new Error('the server ignores ranges, which it served before');
        }
        this.#version = { ...held.version, size: this.#file.size };
        if (known === null && answer.response.url !== '' && place.href !== fileUrl(this.#hub, this.#file)) {
          this.#location = place.href;
        }
        return new Body(answer, place.name, held.start, held.version.ranges ? held.end : held.version.size ?? null);
      } catch (error) {
        answer.cancel();
        throw error;
      }
    }
  }

  /** What the hub says of the file must be what it said at first. @throws {IoError} `CHANGED`, `HUB` */
  #checkPromise({ first, answer: { response }, place }: Sent): void {
    const { commit, etag, path } = this.#file;
    if (/^text\/html\b/.test(response.headers.get('content-type') ?? '') && !/\.html?$/.test(path)) {
      throw hubError(place.name, `sends a web page instead of ${path}; is it a login page or a portal of the network?`);
    }
    const plain = (text: string | null): string | null => text && text.replace(/^W\//, '').replace(/^"|"$/g, '');
    const isHash = (text: string): boolean => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
    const linked = plain(first.headers.get('x-linked-etag'));
    const own = first === response && !response.redirected ? plain(response.headers.get('etag')) : null;
    // mirrors have names of their own for a content, which say nothing about its hash
    const now = linked ?? (own !== null && (isHash(own) || !isHash(etag)) ? own : etag);
    const at = first.headers.get('x-repo-commit') ?? commit;
    if (now === etag && at === commit) return;
    throw new IoError(
      'CHANGED',
      `${place.name} changed while it was downloaded: its content is ${now.slice(0, 80)} of commit ${
        at.slice(0, 40)
      }, at first ` +
        `${etag} of ${commit}; nothing of the two was joined; try again`,
    );
  }

  #checkSize({ place }: Sent, size: number | null): void {
    if (size === null || size === this.#file.size) return;
    throw hubError(place.name, `has ${size} bytes, but the hub lists ${this.#file.size} for ${this.#file.path}`);
  }

  /** Hashes the bytes in order, as soon as they are there. @throws {IoError} `CHECKSUM` */
  async #verify(): Promise<void> {
    const hash = await verifierOf(this.#file);
    const { size, etag, path } = this.#file;
    const buffer = new Uint8Array(Math.min(HASH_BYTES, size));
    for (let at = 0; at < size;) {
      this.#stop.signal.throwIfAborted();
      const end = Math.min(this.#done.runFrom(at), at + buffer.length);
      if (end === at) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
        continue;
      }
      if (hash === null) {
        at = end;
        continue;
      }
      const got = await this.#draft.read(buffer.subarray(0, end - at), at);
      if (got === 0) throw new IoError('IO', `${path}: byte ${at}, which was stored, cannot be read back`);
      hash.update(buffer.subarray(0, got));
      at += got;
      if (this.#done.bytes === size && at < size) this.#options.meter.verify();
    }
    const found = hash?.hex() ?? etag;
    if (found === etag) return;
    throw new IoError(
      'CHECKSUM',
      `${path} has the hash ${found}, the hub promised ${etag}; what was downloaded is damaged and was removed; try again`,
    );
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Notes finished ranges from time to time, without holding up the download. */
  #saveNow(): void {
    if (this.#saving || performance.now() - this.#saved < SAVE_MS) return;
    this.#saving = this.#draft.save(this.#done.all).then(
      () => {
        this.#saved = performance.now();
        this.#saving = null;
      },
      (error: unknown) => {
        this.#saving = null;
        if (!this.#stop.signal.aborted) this.#stop.abort(error);
        this.#wake();
      },
    );
  }
}
