/**
 * What a hub says: which commit a revision is, which files it has, and what is in them.
 * @module
 */
import { IoError } from '../errors.ts';
import { MAX_DOWNLOAD_BYTES, MAX_HUB_FILES, MAX_HUB_PAGES } from '../limits.ts';
import { isCommit, isSafePath } from './name.ts';
import { type HubClient, hubError } from './request.ts';
import type { HubFile } from './store.ts';

/** The files of one commit. */
export interface Listing {
  readonly commit: string;
  readonly files: readonly HubFile[];
}

/** A path as a part of a URL, its slashes kept. */
const escaped = (path: string): string => path.split('/').map(encodeURIComponent).join('/');

/** The address of a file. */
export function fileUrl({ endpoint }: HubClient, { repo, commit, path }: Omit<HubFile, 'size' | 'etag'>): string {
  return `${endpoint}/${repo}/resolve/${encodeURIComponent(commit)}/${escaped(path)}`;
}

/**
 * What the hub says of one file.
 * @returns null where the host does not show a redirect's headers, as browsers do not
 * @throws {IoError} as `HubClient.send`; `HUB` for an answer without commit, content name or size
 */
export async function statFile(
  hub: HubClient,
  repo: string,
  revision: string,
  path: string,
  signal?: AbortSignal,
): Promise<HubFile | null> {
  const url = fileUrl(hub, { repo, commit: revision, path });
  const { answer, first } = await hub.send('HEAD', url, {}, signal);
  answer.cancel();
  if (first.type === 'opaqueredirect' || (first === answer.response && first.redirected)) return null;
  const { headers } = answer.response;
  const found = fileOf(repo, {
    path,
    commit: first.headers.get('x-repo-commit') ?? (isCommit(revision) ? revision : null),
    etag: first.headers.get('x-linked-etag') ?? first.headers.get('etag') ?? headers.get('etag'),
    size: first.headers.get('x-linked-size') ?? headers.get('content-length'),
  });
  if (typeof found !== 'string') return found;
  const type = headers.get('content-type') ?? '';
  const page = /^text\/html\b/.test(type) && !/\.html?$/.test(path) ? '; it answers with a web page' : '';
  throw hubError(new URL(url).origin, `does not answer as a hub for ${path}: ${found}${page}; is the endpoint right?`);
}

/** The commit of a branch or tag, and names of files where the hub lists them. */
async function commitOf(
  hub: HubClient,
  repo: string,
  revision: string,
  signal?: AbortSignal,
): Promise<{ commit: string; names: readonly string[] }> {
  const url = `${hub.endpoint}/api/models/${repo}/revision/${encodeURIComponent(revision)}`;
  const { value } = await hub.json(url, signal);
  const { sha, siblings } = (value ?? {}) as { sha?: unknown; siblings?: unknown };
  if (typeof sha !== 'string' || !isCommit(sha)) throw hubError(url, 'names no commit; is it the address of a hub?');
  const names = (Array.isArray(siblings) ? siblings : []).map((item) => (item as { rfilename?: unknown })?.rfilename);
  return { commit: sha, names: names.filter((name): name is string => typeof name === 'string') };
}

/**
 * The files of a revision. What is no name of a file on every system is left out.
 * @throws {IoError} as `HubClient.send`; `HUB` for a list that is malformed or does not end
 */
export async function listFiles(
  hub: HubClient,
  repo: string,
  revision: string,
  signal?: AbortSignal,
): Promise<Listing> {
  const { commit, names } = await commitOf(hub, repo, revision, signal);
  const start = `${hub.endpoint}/api/models/${repo}/tree/${commit}?recursive=true`;
  const files: HubFile[] = [];
  let url: string | null = start;
  for (let page = 0; url !== null; page++) {
    if (page >= MAX_HUB_PAGES) throw hubError(start, `has more than ${MAX_HUB_PAGES} pages of files`);
    let answer: Awaited<ReturnType<HubClient['json']>>;
    try {
      answer = await hub.json(url, signal);
    } catch (error) {
      // some mirrors list names only
      if (page > 0 || names.length === 0 || (error as IoError).code !== 'HUB_MISSING') throw error;
      return { commit, files: await statAll(hub, repo, commit, names, signal) };
    }
    if (!Array.isArray(answer.value)) throw hubError(start, 'answers with something else than a list of files');
    for (
      const item of answer.value as {
        type?: unknown;
        path?: unknown;
        size?: unknown;
        oid?: unknown;
        lfs?: { oid?: unknown; size?: unknown };
      }[]
    ) {
      if (item?.type !== 'file' || typeof item.path !== 'string' || !isSafePath(item.path)) continue;
      const found = fileOf(repo, {
        commit,
        path: item.path,
        etag: item.lfs?.oid ?? item.oid,
        size: item.lfs?.size ?? item.size,
      });
      if (typeof found === 'string') throw hubError(start, `lists ${item.path.slice(0, 100)}: ${found}`);
      files.push(found);
    }
    if (files.length > MAX_HUB_FILES) throw hubError(start, `lists more than ${MAX_HUB_FILES} files`);
    url = nextPage(answer.headers.get('link'), url, hub.endpoint);
  }
  return { commit, files };
}

/** Files of a mirror that lists names without sizes. */
async function statAll(
  hub: HubClient,
  repo: string,
  commit: string,
  names: readonly string[],
  signal?: AbortSignal,
): Promise<HubFile[]> {
  if (names.length > MAX_HUB_FILES) throw hubError(hub.endpoint, `lists more than ${MAX_HUB_FILES} files`);
  const files: HubFile[] = [];
  for (
    const name of names.filter((path) =>
      isSafePath(path) && /\.(gguf|safetensors|bin|json|txt|model|jinja)$/.test(path)
    )
  ) {
    const found = await statFile(hub, repo, commit, name, signal);
    if (found) files.push(found);
  }
  return files;
}

/** The address of the next page of a list; null for the last. It has to be the hub's own. */
function nextPage(link: string | null, from: string, endpoint: string): string | null {
  const next = /<([^<>]{1,4096})>\s*;\s*rel="?next"?/.exec(link ?? '')?.[1];
  if (next === undefined) return null;
  const url = URL.canParse(next, from) ? new URL(next, from) : null;
  if (url?.origin === new URL(endpoint).origin) return url.href;
  throw hubError(from, `continues its list at ${next.slice(0, 100)}, which is another host`);
}

/** A file, or why it cannot be one. Its content's name becomes that of a file on the disk. */
function fileOf(
  repo: string,
  { path, commit, etag, size }: { path: string; commit: unknown; etag: unknown; size: unknown },
): HubFile | string {
  const name = typeof etag === 'string' ? etag.replace(/^W\//, '').replace(/^"|"$/g, '') : '';
  const bytes = typeof size === 'string' && /^\d{1,15}$/.test(size) ? Number(size) : size;
  if (typeof commit !== 'string' || !isCommit(commit)) return 'the commit (X-Repo-Commit) is missing or malformed';
  if (!/^[\w][\w.-]{0,199}$/.test(name)) return 'the name of its content (X-Linked-Etag, ETag) is missing or malformed';
  if (!Number.isSafeInteger(bytes) || (bytes as number) < 0) return 'the size is missing or malformed';
  if ((bytes as number) > MAX_DOWNLOAD_BYTES) {
    return `it has ${bytes} bytes, at most ${MAX_DOWNLOAD_BYTES} are downloaded`;
  }
  return { repo, path, commit, etag: name, size: bytes as number };
}
