/**
 * The directory of a zip archive whose files are stored as they are, as `torch.save` writes them. zip64 is read, so
 * that an archive and its files may exceed 4 GiB.
 *
 *     local header, name, data │ local header, name, data │ … │ directory │ [zip64 end, its locator] │ end
 *
 * Places and sizes are taken from the directory, and every local header must agree with it. Everything is where it has
 * to be: the first file at 0, no two files on the same bytes, the directory behind them and the end records right
 * behind the directory. Checksums are not verified, as that would take a pass over all weights.
 * @module
 */
import { Reader } from '../bytes/reader.ts';
import { type ByteSource, readFully } from '../bytes/source.ts';
import { type ErrorCode, IoError, ModelFileError } from '../errors.ts';
import { MAX_ZIP_DIRECTORY_BYTES, MAX_ZIP_ENTRIES } from '../limits.ts';
import { quote } from './gguf-types.ts';

/** A file in an archive. */
export interface ZipEntry {
  readonly name: string;
  /** Position of its first byte in the source. */
  readonly offset: number;
  readonly byteLength: number;
}

/** A file as the directory has it. */
interface Listed {
  readonly name: string;
  readonly nameBytes: number;
  readonly flags: number;
  readonly byteLength: number;
  /** Position of its local header. */
  readonly header: number;
}

const LOCAL = 0x04034b50;
const LISTED = 0x02014b50;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const LOCAL_BYTES = 30;
const LISTED_BYTES = 46;
const END_BYTES = 22;
const END_64_BYTES = 56;
const LOCATOR_64_BYTES = 20;
/** A comment may follow the end record. */
const MAX_COMMENT_BYTES = 0xffff;

/** Headers that lie within this are read at once, with the data between them, */
const LOOK_BYTES = 16 << 10;
/** and this many looks side by side: over a network each takes as long as a journey. */
const LOOKS = 8;
/** What `torch.save` pads a header with, so that data begins at a multiple of 64. */
const PADDING_BYTES = 64;

/** Sizes stand behind the data and are 0 in the local header. */
const SIZES_FOLLOW = 1 << 3;
/** Encrypted, strongly encrypted, local header masked. */
const ENCRYPTED = (1 << 0) | (1 << 6) | (1 << 13);
/** In 16 and 32 bits: the value stands in a zip64 field. */
const IN_64_16 = 0xffff;
const IN_64_32 = 0xffffffff;
const EXTRA_64 = 0x0001;

/**
 * Reads the directory and the local headers, and no data.
 * @throws {ModelFileError} `ZIP_METHOD` for a compressed or encrypted file; `ZIP_LAYOUT` for an archive that
 *   contradicts itself or is beyond a limit
 * @throws {IoError} `TRUNCATED` when there is no end record; what the source throws
 */
export async function readZip(
  source: ByteSource,
  options: { signal?: AbortSignal } = {},
): Promise<ReadonlyMap<string, ZipEntry>> {
  return await new Archive(source, options.signal).read();
}

class Archive {
  readonly #source: ByteSource;
  readonly #signal: AbortSignal | undefined;

  constructor(source: ByteSource, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#signal = signal;
  }

  async read(): Promise<Map<string, ZipEntry>> {
    const { start, bytes, count } = await this.#end();
    const listed = await this.#directory(start, bytes, count);
    listed.sort((a, b) => a.header - b.header);
    const entries = new Map<string, ZipEntry>();
    let end = 0;
    for await (const [file, view] of this.#headers(listed)) {
      if (file.header < end || (end === 0 && file.header !== 0)) {
        const why = end === 0 ? 'something precedes it' : 'it overlaps the one before';
        throw this.#error('ZIP_LAYOUT', `file ${quote(file.name)} begins at ${file.header}, expected ${end}: ${why}`);
      }
      const offset = await this.#local(file, view);
      end = offset + file.byteLength;
      if (end > start) {
        throw this.#error('ZIP_LAYOUT', `file ${quote(file.name)} ends at ${end}, the directory begins at ${start}`);
      }
      entries.set(file.name, { name: file.name, offset, byteLength: file.byteLength });
    }
    return entries;
  }

  /** Where the directory is, by the end records, of which there must be exactly one. */
  async #end(): Promise<{ start: number; bytes: number; count: number }> {
    const { size } = this.#source;
    const tailStart = Math.max(0, size - END_64_BYTES - LOCATOR_64_BYTES - END_BYTES - MAX_COMMENT_BYTES);
    const tail = await this.#read(tailStart, size - tailStart, 'the end of a zip archive');
    const found: number[] = [];
    for (let at = tail.byteLength - END_BYTES; at >= 0; at--) {
      const fits = tail.getUint8(at) === 0x50 && tail.getUint32(at, true) === END &&
        at + END_BYTES + tail.getUint16(at + 20, true) === tail.byteLength;
      if (fits) found.push(at);
    }
    if (found.length === 0) {
      throw new IoError(
        'TRUNCATED',
        `${this.#source.name}: a zip archive ends with a directory, and this one does not; is the download complete?`,
      );
    }
    if (found.length > 1) throw this.#error('ZIP_LAYOUT', `there are ${found.length} end records`);
    const at = found[0];
    let end = tailStart + at;
    let count = tail.getUint16(at + 10, true);
    let bytes = tail.getUint32(at + 12, true);
    let start = tail.getUint32(at + 16, true);
    const disks = [tail.getUint16(at + 4, true), tail.getUint16(at + 6, true)];
    let onThisDisk = tail.getUint16(at + 8, true);

    const locatorAt = at - LOCATOR_64_BYTES;
    if (locatorAt >= 0 && tail.getUint32(locatorAt, true) === LOCATOR_64) {
      const at64 = locatorAt - END_64_BYTES;
      const record = uint64(tail, locatorAt + 8);
      const inPlace = at64 >= 0 && record === tailStart + at64 && tail.getUint32(at64, true) === END_64 &&
        uint64(tail, at64 + 4) === END_64_BYTES - 12;
      if (!inPlace) throw this.#error('ZIP_LAYOUT', 'the zip64 end record is not where it should be');
      const wide = [uint64(tail, at64 + 32), uint64(tail, at64 + 40), uint64(tail, at64 + 48)];
      const agree = (count === IN_64_16 || count === wide[0]) && (bytes === IN_64_32 || bytes === wide[1]) &&
        (start === IN_64_32 || start === wide[2]);
      if (!agree) throw this.#error('ZIP_LAYOUT', 'the two end records disagree');
      [count, bytes, start] = wide;
      onThisDisk = uint64(tail, at64 + 24);
      disks.push(tail.getUint32(at64 + 16, true), tail.getUint32(at64 + 20, true), tail.getUint32(locatorAt + 4, true));
      end = record;
    }
    if (disks.some((disk) => disk !== 0) || onThisDisk !== count) {
      throw this.#error('ZIP_LAYOUT', 'the archive is one part of several; put it together first');
    }
    if (start + bytes !== end) {
      throw this.#error(
        'ZIP_LAYOUT',
        `the directory takes bytes ${start}..${start + bytes}, the end record is at ${end}`,
      );
    }
    if (count > MAX_ZIP_ENTRIES || bytes > MAX_ZIP_DIRECTORY_BYTES || count * LISTED_BYTES > bytes) {
      throw this.#error(
        'ZIP_LAYOUT',
        `the directory has ${count} files in ${bytes} bytes; ` +
          `at most ${MAX_ZIP_ENTRIES} in ${MAX_ZIP_DIRECTORY_BYTES} are read, of at least ${LISTED_BYTES} bytes each`,
      );
    }
    return { start, bytes, count };
  }

  async #directory(start: number, bytes: number, count: number): Promise<Listed[]> {
    const reader = new Reader(this.#source, { start, windowBytes: Math.max(bytes, 1), signal: this.#signal });
    const listed = new Map<string, Listed>();
    for (let i = 0; i < count; i++) {
      const what = `file ${i} of the zip directory`;
      await reader.ensure(LISTED_BYTES, what);
      if (reader.u32() !== LISTED) throw this.#error('ZIP_LAYOUT', `${what} does not begin as it should`);
      reader.u32(); // versions
      const flags = reader.u16();
      const method = reader.u16();
      reader.u32(); // time
      reader.u32(); // checksum
      const packed = reader.u32();
      const plain = reader.u32();
      const nameBytes = reader.u16();
      const extraBytes = reader.u16();
      const commentBytes = reader.u16();
      const disk = reader.u16();
      reader.u16(); // attributes
      reader.u32();
      const header = reader.u32();
      await reader.ensure(nameBytes + extraBytes + commentBytes, what);
      const name = reader.utf8(nameBytes, true);
      if (!name || name.includes('\0')) {
        throw this.#error('ZIP_LAYOUT', `${what} has a name that is empty, not UTF-8, or has a NUL character`);
      }
      const label = `file ${quote(name)}`;
      if (listed.has(name)) throw this.#error('ZIP_LAYOUT', `${label} occurs twice`);
      this.#checkMethod(label, method, flags);
      const wide = this.#wide(label, reader.bytes(extraBytes), [plain, packed, header]);
      reader.bytes(commentBytes);
      if (wide[0] !== wide[1]) {
        throw this.#error('ZIP_LAYOUT', `${label} is stored, and takes ${wide[1]} bytes instead of ${wide[0]}`);
      }
      if (disk !== 0) throw this.#error('ZIP_LAYOUT', `${label} is in another part of the archive`);
      if (wide[2] + LOCAL_BYTES + nameBytes + wide[0] > start) {
        throw this.#error('ZIP_LAYOUT', `${label} of ${wide[0]} bytes at ${wide[2]} reaches beyond ${start}`);
      }
      listed.set(name, { name, nameBytes, flags, byteLength: wide[0], header: wide[2] });
    }
    if (reader.position !== start + bytes) {
      throw this.#error('ZIP_LAYOUT', `the directory ends at ${reader.position}, expected ${start + bytes}`);
    }
    return [...listed.values()];
  }

  /** Files in order, each with the bytes from its local header on: fields and name, and often what follows. */
  async *#headers(listed: readonly Listed[]): AsyncGenerator<readonly [Listed, DataView]> {
    const looks: { start: number; end: number; files: Listed[] }[] = [];
    for (const file of listed) {
      const end = Math.min(file.header + LOCAL_BYTES + file.nameBytes + PADDING_BYTES, this.#source.size);
      const last = looks.at(-1);
      if (last && end - last.start <= LOOK_BYTES) {
        last.files.push(file);
        last.end = Math.max(last.end, end);
      } else looks.push({ start: file.header, end, files: [file] });
    }
    for (let i = 0; i < looks.length; i += LOOKS) {
      const read = looks.slice(i, i + LOOKS).map(async ({ start, end, files }) => {
        const { buffer } = await this.#read(start, end - start, `the header of file ${quote(files[0].name)}`);
        return files.map((file) => [file, new DataView(buffer, file.header - start)] as const);
      });
      // the first failure is the one that is reported, and no read outlives it
      await Promise.allSettled(read);
      for (const views of read) yield* await views;
    }
  }

  /** Checks the local header of a file, which begins with `view`. @returns the position of its data */
  async #local({ name, nameBytes, flags, byteLength, header }: Listed, view: DataView): Promise<number> {
    const label = `file ${quote(name)}`;
    if (view.getUint32(0, true) !== LOCAL) throw this.#error('ZIP_LAYOUT', `${label} does not begin as it should`);
    const localFlags = view.getUint16(6, true);
    this.#checkMethod(label, view.getUint16(8, true), localFlags);
    const nameStart = view.byteOffset + LOCAL_BYTES;
    const sameName = view.getUint16(26, true) === nameBytes &&
      new TextDecoder('utf-8', { ignoreBOM: true }).decode(new Uint8Array(view.buffer, nameStart, nameBytes)) === name;
    if (!sameName || ((flags ^ localFlags) & SIZES_FOLLOW) !== 0) {
      throw this.#error(
        'ZIP_LAYOUT',
        `${label} has another name or other flags in its own header than in the directory`,
      );
    }
    const extraBytes = view.getUint16(28, true);
    const offset = header + LOCAL_BYTES + nameBytes + extraBytes;
    let sizes = [view.getUint32(22, true), view.getUint32(18, true)];
    if (sizes.includes(IN_64_32)) {
      const at = LOCAL_BYTES + nameBytes;
      const extra = at + extraBytes <= view.byteLength
        ? new DataView(view.buffer, view.byteOffset + at, extraBytes)
        : await this.#read(offset - extraBytes, extraBytes, `the header of ${label}`);
      sizes = this.#wide(label, new Uint8Array(extra.buffer, extra.byteOffset, extraBytes), sizes);
    }
    const unknown = (localFlags & SIZES_FOLLOW) !== 0 && sizes.every((size) => size === 0);
    if (!unknown && sizes.some((size) => size !== byteLength)) {
      throw this.#error(
        'ZIP_LAYOUT',
        `${label} has ${sizes[0]} bytes by its own header and ${byteLength} by the directory`,
      );
    }
    return offset;
  }

  /** Fills in values that stand in the zip64 field, in the order in which the format has them. */
  #wide(label: string, extra: Uint8Array, values: number[]): number[] {
    if (!values.includes(IN_64_32)) return values;
    const view = new DataView(extra.buffer, extra.byteOffset, extra.byteLength);
    for (let at = 0; at + 4 <= view.byteLength;) {
      const end = at + 4 + view.getUint16(at + 2, true);
      if (end > view.byteLength) break;
      if (view.getUint16(at, true) === EXTRA_64) {
        let next = at + 4;
        const wide = values.map((value) => {
          if (value !== IN_64_32) return value;
          next += 8;
          return next <= end ? uint64(view, next - 8) : NaN;
        });
        if (wide.every((value) => Number.isSafeInteger(value))) return wide;
        break;
      }
      at = end;
    }
    throw this.#error('ZIP_LAYOUT', `${label} needs a zip64 field, and has none that fits`);
  }

  #checkMethod(label: string, method: number, flags: number): void {
    if (method === 0 && (flags & ENCRYPTED) === 0) return;
    const how = method === 0 ? 'is encrypted' : `is compressed (method ${method})`;
    throw this.#error(
      'ZIP_METHOD',
      `${label} ${how}; torch.save stores files as they are: unpack and zip it again with -0`,
    );
  }

  async #read(offset: number, bytes: number, what: string): Promise<DataView> {
    const into = new Uint8Array(bytes);
    await readFully(this.#source, into, offset, what, this.#signal);
    return new DataView(into.buffer);
  }

  #error(code: ErrorCode, why: string): ModelFileError {
    return new ModelFileError(code, `${this.#source.name}: ${why}`);
  }
}

/** Infinity beyond 2^53, which no comparison with a size lets through. */
function uint64(view: DataView, at: number): number {
  const value = view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
  return Number.isSafeInteger(value) ? value : Infinity;
}
