/**
 * What is stored, and removing it.
 * @module
 */
import { choose, ggufModels } from './choose.ts';
import { IoError } from '../errors.ts';
import { defaultStore } from './default-store.ts';
import { nameText, parseName } from './name.ts';
import { checkStoreOptions, type StoreOptions } from './settings.ts';
import type { StoredDraft } from './store.ts';

/** A model that is stored. */
export interface StoredModel {
  /** Its name, which `pull`, `open` by `resolve`, and `remove` take. */
  readonly name: string;
  readonly repo: string;
  readonly commit: string;
  /** Branches and tags that were at this commit when it was pulled. */
  readonly revisions: readonly string[];
  readonly files: number;
  readonly bytes: number;
  /** When its newest file was stored, in ISO 8601. */
  readonly modified: string;
}

/** What a store holds. */
export interface StoredModels {
  /** Where. */
  readonly store: string;
  readonly models: readonly StoredModel[];
  /** Downloads that are not finished; pulling the model again resumes them. */
  readonly unfinished: readonly StoredDraft[];
}

/** Lists models: each GGUF model of a repository, and everything else of it as one. Python's files are among them. */
export async function list(options: StoreOptions = {}): Promise<StoredModels> {
  checkStoreOptions('list', options);
  const store = options.store ?? await defaultStore(options);
  const { snapshots, drafts } = await store.list();
  const models = snapshots.flatMap(({ repo, commit, revisions, files, modified }): StoredModel[] => {
    const revision = revisions.includes('main') ? 'main' : revisions[0] ?? commit;
    const own = ggufModels(files);
    const rest = files.filter((file) => ![...own.values()].some((parts) => parts.includes(file)));
    const weights = rest.some(({ path }) => /\.(safetensors|bin|pt|pth)$/.test(path)) || own.size === 0;
    const row = (name: string, parts: readonly { readonly size: number }[]): StoredModel => ({
      name,
      repo,
      commit,
      revisions,
      files: parts.length,
      bytes: parts.reduce((sum, { size }) => sum + size, 0),
      modified: new Date(modified).toISOString(),
    });
    return [
      ...[...own.values()].map((parts) => row(nameText({ repo, revision, file: parts[0].path }), parts)),
      ...(weights ? [row(nameText({ repo, revision, ...(own.size > 0 && { folder: '' }) }), rest)] : []),
    ];
  });
  return { store: store.name, models, unfinished: drafts };
}

/** What was removed. */
export interface Removed {
  readonly name: string;
  /** Bytes that became free. */
  readonly bytes: number;
}

/**
 * Removes a model: of `hf:org/repo` everything, of `hf:org/repo/file.gguf` and `hf:org/repo:QUANT` its files, of a name with a revision
 * only what that commit has. Contents that other commits share stay.
 * @throws {IoError} `OFFLINE` for what is not stored, `BUSY` while it is downloaded, `IO`
 */
export async function remove(text: string, options: StoreOptions = {}): Promise<Removed> {
  checkStoreOptions('remove', options);
  const name = parseName(text);
  const { repo, revision, file, quant, folder } = name;
  const store = options.store ?? await defaultStore(options);
  const { snapshots, drafts } = await store.list();
  const given = /@/.test(text);
  const commit = given ? await store.commit(repo, revision) : null;
  const all = snapshots.filter((one) => one.repo === repo && (!given || one.commit === commit));
  const missing = (): IoError => new IoError('OFFLINE', `${nameText(name)} is not in ${store.name}`);
  const whole = file === undefined && quant === undefined && (folder === undefined || folder === '');
  const begun = given ? [] : drafts.filter((draft) => draft.repo === repo);
  const candidates = [...all.map(({ files }) => files), ...(begun.length > 0 ? [begun] : [])];
  if (candidates.length === 0) throw missing();
  if (whole) return { name: nameText(name), bytes: await store.remove(repo, commit) };
  const paths = new Set<string>();
  for (const files of candidates) {
    try {
      const chosen = folder === undefined
        ? choose(name, files).files
        : files.filter(({ path }) => path.startsWith(`${folder}/`));
      for (const { path } of chosen) paths.add(path);
    } catch (error) {
      if (candidates.length === 1) throw error; // it says what there is
    }
  }
  if (paths.size === 0) throw missing();
  return { name: nameText(name), bytes: await store.remove(repo, commit, (path) => paths.has(path)) };
}
