/**
 * Files that were chosen together: an array of Files, or the FileList of a page's input. One is opened, the others lie
 * beside it.
 * @module
 */
import { IoError, OptionError } from '../errors.ts';
import { MAX_FILES } from '../limits.ts';
import { blobSource } from './blob.ts';
import { type ByteSource, readWhole, WEIGHT_FILES } from './source.ts';

/** Files, or the like of a FileList. */
export type FileSet = ArrayLike<File>;

/**
 * The weights among some files: those of a folder by name, else the first .gguf file by name.
 * @throws {OptionError} `OPTION` for things that are not Files, or too many
 * @throws {IoError} `IO` when no file is a model by its name
 */
export function fileSetSource(files: FileSet): ByteSource {
  if (files.length > MAX_FILES) {
    throw new OptionError('OPTION', `the source is ${files.length} files, at most ${MAX_FILES} are taken; choose one folder`);
  }
  const byName = new Map<string, File>();
  // a picker of folders lists what lies in folders of the folder too: of one name, the outermost file counts
  for (const file of Array.from(files).sort((a, b) => depth(a) - depth(b))) {
    if (typeof file?.name !== 'string' || typeof file.slice !== 'function') {
      throw new OptionError('OPTION', 'an array as a model source holds Files; one of its items is none');
    }
    if (!byName.has(file.name)) byName.set(file.name, file);
  }
  const name = WEIGHT_FILES.find((each) => byName.has(each)) ??
    [...byName.keys()].filter((each) => /\.gguf$/i.test(each)).sort()[0];
  const opened = byName.get(name ?? '') ?? (byName.size === 1 ? [...byName.values()][0] : undefined);
  if (opened === undefined) {
    throw new IoError('IO', `none of the ${files.length} files is ${WEIGHT_FILES.join(', ')} or a .gguf file`);
  }
  const find = (each: string): ByteSource | null => {
    const file = byName.get(each);
    return file === undefined ? null : blobSource(file);
  };
  return {
    ...blobSource(opened),
    async beside(each, most, signal) {
      const found = find(each);
      return found && await readWhole(found, most, signal);
    },
    file: (each) => Promise.resolve(find(each)),
  };
}

/** Folders above a file, where a picker of folders tells. */
function depth(file: File): number {
  const path: unknown = file?.webkitRelativePath;
  return typeof path === 'string' ? path.split('/').length : 0;
}
