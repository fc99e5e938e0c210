/**
 * Names of models on a hub: `hf:org/repo/file.gguf@revision`, `hf:org/repo:QUANT`, `hf:org/repo`, and `hf:org/repo/folder/` for a
 * folder of several files.
 * @module
 */
import { OptionError } from '../errors.ts';
import { MAX_HUB_NAME_CHARS } from '../limits.ts';

/** What a name says. */
export interface HubName {
  /** `org/repo`. */
  readonly repo: string;
  /** A branch, a tag or a commit; `main` where the name has none. */
  readonly revision: string;
  /** One file, by its path in the repository. */
  readonly file?: string;
  /** Files of one folder, which is '' for the outermost: `config.json`, vocabulary and weights. */
  readonly folder?: string;
  /** The quantisation of a GGUF model, such as `Q4_K_M`. */
  readonly quant?: string;
}

const SCHEME = /^hf:(?:\/\/)?/i;
const PART = /^[A-Za-z0-9][\w.-]*$/;
const FORMS = 'hf:org/repo, hf:org/repo:QUANT, hf:org/repo/file.gguf or hf:org/repo/, each with @revision or without';

/** Whether a text names a model on a hub rather than a path or a URL. */
export function isHubName(text: unknown): text is string {
  return typeof text === 'string' && SCHEME.test(text);
}

/**
 * Reads a name.
 * @throws {OptionError} `OPTION` for one that is malformed, or whose path leaves the repository
 * @example parseName('hf:org/repo:Q4_K_M@v1.0'); // { repo: 'org/repo', quant: 'Q4_K_M', revision: 'v1.0' }
 */
export function parseName(text: string): HubName {
  const refuse = (why: string): never => {
    throw new OptionError('OPTION', `${JSON.stringify(text.slice(0, 100))} ${why}; expected ${FORMS}`);
  };
  if (text.length > MAX_HUB_NAME_CHARS) refuse(`has ${text.length} characters, at most ${MAX_HUB_NAME_CHARS} are read`);
  const plain = text.replace(SCHEME, '');
  const at = plain.indexOf('@');
  const [path, revision = 'main'] = at < 0 ? [plain] : [plain.slice(0, at), plain.slice(at + 1)];
  if (!isSafePath(revision)) refuse(`has the revision ${JSON.stringify(revision.slice(0, 60))}, which cannot be one`);
  const [org, repoAndQuant = '', ...inner] = path.split('/');
  const [repo, quant, more] = inner.length > 0 ? [repoAndQuant] : repoAndQuant.split(':');
  for (const part of [org, repo]) {
    if (!PART.test(part) || /--|\.\.|\.git$/.test(part)) refuse('does not name a repository');
  }
  const common = { repo: `${org}/${repo}`, revision };
  if (more !== undefined || (quant !== undefined && !PART.test(quant))) refuse('has a quantisation that cannot be one');
  if (quant !== undefined) return { ...common, quant };
  if (inner.length === 0) return common;
  const last = inner.at(-1);
  const file = inner.join('/');
  const within = last === '' ? file.slice(0, -1) : file;
  if (within !== '' && !isSafePath(within)) refuse('has a path that leaves the repository or is malformed');
  return last === '' ? { ...common, folder: within } : { ...common, file };
}

/** The name that `parseName` reads so. */
export function nameText({ repo, revision, file, folder, quant }: HubName): string {
  const inner = file !== undefined ? `/${file}` : folder !== undefined ? `/${folder}${folder && '/'}` : '';
  return `hf:${repo}${inner}${quant === undefined ? '' : `:${quant}`}${revision === 'main' ? '' : `@${revision}`}`;
}

/**
 * Whether a path names a file below a folder on every system: no empty part, no `..`, no drive, no device, no control character. Paths
 * of a hub become paths on the disk.
 */
export function isSafePath(path: string): boolean {
  return path.length > 0 && path.length <= MAX_HUB_NAME_CHARS &&
    path.split('/').every((part) =>
      part.length > 0 && part.length <= 255 &&
      // deno-lint-ignore no-control-regex
      !/[\x00-\x1f\x7f\\:*?"<>|]|^\.{1,2}$|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(part)
    );
}

/** Whether a revision is a commit, whose files never change. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}
