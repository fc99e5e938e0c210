/**
 * Which files of a repository a name means: one GGUF model, in one file or several, or a folder of transformers.
 * @module
 */
import { WEIGHT_FILES } from '../bytes/source.ts';
import { IoError } from '../errors.ts';
import { MAX_PARTS, MAX_TOKENIZER_BYTES } from '../limits.ts';
import { type HubName, nameText } from './name.ts';

interface Listed {
  readonly path: string;
  readonly size: number;
}

/** What belongs to a model. */
export interface Choice<F extends Listed> {
  /** The file that `open` is given. */
  readonly main: string;
  readonly files: readonly F[];
  /** A list of further files, which has to be read first. */
  readonly index?: string;
}

/** Taken where a name says nothing, in this order: as llama.cpp does, then the types that this engine is made for. */
const PREFERRED: readonly string[] = ['Q4_K_M', 'Q4_0', 'TQ2_0', 'I2_S', 'Q2_0', 'TQ1_0', 'Q1_0', 'Q8_0'];
/** Files beside weights that say how they are used. */
const SIDE = /^(?:[^/]+\.(?:json|txt|jinja|tiktoken|model)|\d+_[A-Za-z]+\/config\.json)$/;
const NOT_SIDE = /\.index\.json$|^(README|LICENSE|NOTICE)/i;
const SPLIT = /-(\d{5})-of-(\d{5})\.gguf$/i;
/** Choices that an error lists. */
const SHOWN = 40;

/**
 * Chooses.
 * @throws {IoError} `HUB_MISSING` where there is no such file, or where several are meant; the message lists what there is
 */
export function choose<F extends Listed>(name: HubName, files: readonly F[]): Choice<F> {
  const { file, folder, quant } = name;
  if (file !== undefined) return chooseFile(name, file, files);
  if (folder !== undefined) return chooseFolder(name, folder, files);
  const models = ggufModels(files);
  if (quant === undefined && models.size === 0) return chooseFolder(name, '', files);
  return ggufChoice(name, chooseQuant(name, [...models.keys()]), models);
}

/** What the index of a model in several files names. @throws {IoError} `HUB_MISSING` for a file that is not there */
export function chooseShards<F extends Listed>(name: HubName, index: string, text: string, files: readonly F[]): F[] {
  let map: unknown;
  try {
    map = (JSON.parse(text) as { weight_map?: unknown }).weight_map;
  } catch {
    map = undefined;
  }
  if (typeof map !== 'object' || map === null) throw missing(name, `${index} is not a list of weight files`);
  const shards = [...new Set(Object.values(map).map(String))];
  if (shards.length > MAX_PARTS) {
    throw missing(name, `${index} names ${shards.length} files, at most ${MAX_PARTS} are read`);
  }
  const within = index.slice(0, index.lastIndexOf('/') + 1);
  return shards.map((shard) => find(name, within + shard, files));
}

function chooseFile<F extends Listed>(name: HubName, file: string, files: readonly F[]): Choice<F> {
  const found = find(name, file, files);
  if (SPLIT.test(file)) return ggufChoice(name, key(file), ggufModels(files));
  const within = file.slice(0, file.lastIndexOf('/') + 1);
  const base = file.slice(within.length);
  if (base === 'tokenizer.json') {
    return { main: file, files: [found, ...files.filter(({ path }) => path === `${within}tokenizer_config.json`)] };
  }
  if (!/\.(safetensors|bin|pt|pth)$|\.index\.json$/.test(base)) return { main: file, files: [found] };
  return {
    main: file,
    files: [found, ...sides(within, files)],
    ...(base.endsWith('.index.json') && { index: file }),
  };
}

function chooseFolder<F extends Listed>(name: HubName, folder: string, files: readonly F[]): Choice<F> {
  const within = folder === '' ? '' : `${folder}/`;
  const weights = WEIGHT_FILES.map((own) => within + own).find((path) => files.some((file) => file.path === path));
  if (weights !== undefined) return chooseFile(name, weights, files);
  throw missing(
    name,
    `has neither a GGUF file nor ${WEIGHT_FILES.join(', ')}${within && ` in ${within}`}; it holds ${listed(files)}`,
  );
}

function sides<F extends Listed>(within: string, files: readonly F[]): F[] {
  return files.filter(({ path, size }) => {
    const own = path.startsWith(within) ? path.slice(within.length) : '';
    return SIDE.test(own) && !NOT_SIDE.test(own) && size <= MAX_TOKENIZER_BYTES;
  });
}

/** GGUF models by their name without the number of a part. */
export function ggufModels<F extends Listed>(files: readonly F[]): Map<string, F[]> {
  const models = new Map<string, F[]>();
  for (const file of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    // a projector of images and a matrix of importances are no models
    if (!/\.gguf$/i.test(file.path) || /(^|[/._-])(mmproj|imatrix)/i.test(file.path)) continue;
    models.set(key(file.path), [...(models.get(key(file.path)) ?? []), file]);
  }
  return models;
}

const key = (path: string): string => path.replace(SPLIT, '.gguf');

function chooseQuant(name: HubName, models: readonly string[]): string {
  const { quant } = name;
  for (const wanted of quant === undefined ? PREFERRED : [quant]) {
    const found = withQuant(models, wanted);
    if (found.length === 1) return found[0];
    if (found.length > 1) throw missing(name, `means ${found.length} models; name one of them: ${offers(name, found)}`);
  }
  if (quant === undefined && models.length === 1) return models[0];
  const why = quant === undefined
    ? 'has several models and none of the usual types'
    : `has no GGUF model of type ${quant}`;
  throw missing(
    name,
    `${why}; name ${models.length > 0 ? `one of them: ${offers(name, models)}` : 'another repository'}`,
  );
}

/** Models whose name has the type as a word of its own. Where that of one is just this type, variants such as `UD-Q4_K_M` are not meant. */
function withQuant(models: readonly string[], quant: string): string[] {
  const escaped = quant.replace(/[.]/g, '\\.');
  const word = new RegExp(`(?:^|[-._/])${escaped}(?=[-.]|$)`, 'i');
  const found = models.filter((path) => word.test(path.replace(/\.gguf$/i, '').replace(/^.*\//, '')));
  const plain = found.filter((path) => !new RegExp(`(?:^|[-._/])(?:UD|i1)-${escaped}(?=[-.]|$)`, 'i').test(path));
  return plain.length > 0 ? plain : found;
}

function ggufChoice<F extends Listed>(
  name: HubName,
  model: string,
  models: ReadonlyMap<string, readonly F[]>,
): Choice<F> {
  const parts = models.get(model) ?? [];
  const count = Number(SPLIT.exec(parts[0]?.path ?? '')?.[2] ?? 1);
  if (count > MAX_PARTS) throw missing(name, `${model} has ${count} parts, at most ${MAX_PARTS} are read`);
  const whole = parts.filter(({ path }) => Number(SPLIT.exec(path)?.[2] ?? 1) === count);
  if (whole.length !== count) {
    throw missing(name, `${whole.length} of the ${count} parts of ${model} are there: ${listed(parts)}`);
  }
  return { main: whole[0].path, files: whole };
}

function find<F extends Listed>(name: HubName, path: string, files: readonly F[]): F {
  const found = files.find((file) => file.path === path);
  if (found) return found;
  throw missing(name, `has no file ${path.slice(0, 200)}; it holds ${listed(files)}`);
}

function missing(name: HubName, why: string): IoError {
  return new IoError(
    'HUB_MISSING',
    `${nameText({ ...name, file: undefined, folder: undefined, quant: undefined })} ${why}`,
  );
}

const offers = ({ repo, revision }: HubName, models: readonly string[]): string =>
  cut(models.map((file) => nameText({ repo, revision, file })));

const listed = (files: readonly Listed[]): string =>
  files.length === 0 ? 'nothing' : cut(files.map(({ path }) => path));

const cut = (names: readonly string[]): string =>
  names.slice(0, SHOWN).join(', ') + (names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '');
