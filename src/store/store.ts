/**
 * What a store of models does. Files are known by what is in them (`etag`: the hub's name of their content), and found by repository,
 * commit and path.
 * @module
 */
import type { ByteSource } from '../bytes/source.ts';

/** A file on a hub, as one commit has it. */
export interface HubFile {
  /** `org/repo`. */
  readonly repo: string;
  readonly commit: string;
  /** Path in the repository, with slashes. */
  readonly path: string;
  readonly size: number;
  /** The hub's name of the content: its sha256 for large files, the id of the git blob (sha1) for small ones. */
  readonly etag: string;
}

/** A run of bytes, the second number exclusive. */
export type ByteRange = readonly [start: number, end: number];

/** A file in the making, which one process at a time works on. */
export interface Draft {
  /** Ranges that an earlier attempt has stored. */
  readonly had: readonly ByteRange[];
  /** Where ranges are stored as wholes: they begin at multiples of this. Absent where bytes can be stored anywhere. */
  readonly span?: number;
  /** Stores bytes, which may be reused once it has settled. @throws {IoError} `STORE_FULL`, `IO` */
  write(bytes: Uint8Array, at: number): Promise<void>;
  /** Reads stored bytes back. */
  read(into: Uint8Array, at: number): Promise<number>;
  /** Notes which ranges are stored, so that the next attempt need not download them. */
  save(done: readonly ByteRange[]): Promise<void>;
  /** The file is whole and verified: gives it its name. */
  finish(): Promise<void>;
  /** Forgets everything: the bytes proved wrong. */
  discard(): Promise<void>;
  /** Lets go of it; what `save` noted stays. Harmless after `finish` and `discard`. */
  close(): Promise<void>;
}

/** A file of a store. */
export interface StoredFile {
  readonly path: string;
  readonly size: number;
}

/** What a store holds of one commit of a repository. */
export interface StoredSnapshot {
  readonly repo: string;
  readonly commit: string;
  /** Branches and tags that were at this commit when it was stored. */
  readonly revisions: readonly string[];
  readonly files: readonly StoredFile[];
  /** When the newest file was stored, as `Date.now()` counts. */
  readonly modified: number;
}

/** A download that is not finished. */
export interface StoredDraft {
  readonly repo: string;
  readonly path: string;
  /** Bytes that are there. */
  readonly bytes: number;
  readonly size: number;
}

/** While another process has a file in the making. */
export interface Waiting {
  readonly signal?: AbortSignal;
  /** Called now and then with the bytes that the other has stored. */
  readonly onWait?: (bytes: number) => void;
}

/** Where models are stored. */
export interface ModelStore {
  /** What errors call it: a folder, `OPFS`, `memory`. */
  readonly name: string;
  /** The commit that a branch or tag was at when it was last pulled; null where that is not known. */
  commit(repo: string, revision: string): Promise<string | null>;
  /** Notes it. */
  setCommit(repo: string, revision: string, commit: string): Promise<void>;
  /** Complete files of a commit. */
  files(repo: string, commit: string): Promise<readonly StoredFile[]>;
  /** Whether a file is there in full; one that another commit has is found by its content. */
  has(file: HubFile): Promise<boolean>;
  /** Opens a complete file: a path, or a source that finds the files beside it. */
  open(repo: string, commit: string, path: string): Promise<string | ByteSource>;
  /** Begins or resumes a file. Waits while another process works on it; null where that one has finished it. */
  begin(file: HubFile, waiting: Waiting): Promise<Draft | null>;
  /** Bytes that can still be stored; null where that is not known. */
  free(): Promise<number | null>;
  /** Everything there is. */
  list(): Promise<{ readonly snapshots: readonly StoredSnapshot[]; readonly drafts: readonly StoredDraft[] }>;
  /**
   * Removes files, of one commit or of all, and what is of no use without them.
   * @param which chooses among the files; without it the whole repository goes, or the whole commit
   * @returns bytes that became free
   */
  remove(repo: string, commit: string | null, which?: (path: string) => boolean): Promise<number>;
}
