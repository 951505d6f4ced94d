import { InvalidFileError } from '../errors.js';
import { ChunkReader } from './chunk-reader.js';
import { type Limits, limitExceeded } from './limits.js';
import { BLOCK, hasValidChecksum, isZeroBlock, parseHeader, parsePaxRecords, type TarHeader } from './tar-header.js';

export interface TarFile {
  /** The parts of the path; never `.` or `..`, never empty. */
  segments: string[];
  content: Buffer;
}

// Long names and pax records are short; more is an attack on memory.
const LARGEST_METADATA = 2 ** 20;

/**
 * The regular files of a tar archive (ustar, pax, GNU and the old V7 form), in the archive's order, of those that
 * `isWanted`. Nothing is ever written to disk; yet what has no place in an archive of documents is refused, so that an
 * archive means the same here and in other programs.
 *
 * @throws InvalidFileError with the code
 *   - `ERR_ARCHIVE_FORMAT`: this is no tar archive,
 *   - `ERR_ARCHIVE_CHECKSUM`, `ERR_ARCHIVE_HEADER`: a header is damaged,
 *   - `ERR_ARCHIVE_TRUNCATED`: the archive stops before its end mark,
 *   - `ERR_ARCHIVE_PATH`: a path is absolute, empty or leads out of the archive,
 *   - `ERR_ARCHIVE_LINK`, `ERR_ARCHIVE_DEVICE`, `ERR_ARCHIVE_ENTRY_TYPE`: an entry is a link, a device or pipe, or of a
 *     kind that is not known,
 *   - `ERR_LIMIT_ENTRIES`, `ERR_LIMIT_DOCUMENT`: more than `limits` allow.
 */
export async function* tarFiles(
  archive: string,
  chunks: AsyncIterable<Buffer>,
  limits: Limits,
  isWanted: (segments: readonly string[]) => boolean,
): AsyncGenerator<TarFile> {
  const reader = new ChunkReader(chunks);
  try {
    yield* filesIn(reader, archive, limits, isWanted);
  } finally {
    await reader.close();
  }
}

async function* filesIn(
  reader: ChunkReader,
  archive: string,
  limits: Limits,
  isWanted: (segments: readonly string[]) => boolean,
): AsyncGenerator<TarFile> {
  let override: Override = {};
  let entries = 0;
  for (;;) {
    const block = reader.takeAtHand(BLOCK) ?? (await reader.take(BLOCK));
    if (entries === 0) checkFirstBlock(block, archive);
    if (block.length < BLOCK) throw truncated(archive);
    if (isZeroBlock(block)) break;
    if (++entries > limits.entries) {
      throw limitExceeded('entries', 'ERR_LIMIT_ENTRIES', `${archive} holds more entries`, limits);
    }
    const header = parseHeader(block, archive);
    const metadata = METADATA[header.type];
    if (metadata !== undefined) {
      override = { ...override, ...metadata(await takeMetadata(reader, header, archive), archive) };
      continue;
    }
    const { name = header.name, size = header.size } = override;
    override = {};
    const segments = safeSegments(name, archive);
    checkType(header.type, name, archive);
    // A folder has no content; where it gives a size, that is a quota.
    if (header.type === '5') continue;
    if (!isWanted(segments)) {
      if ((await reader.skip(paddedSize(size))) < paddedSize(size)) throw truncated(archive);
      continue;
    }
    if (size > limits.documentBytes) {
      throw limitExceeded('documentBytes', 'ERR_LIMIT_DOCUMENT', `${name} in ${archive} has more bytes`, limits);
    }
    const content = reader.takeAtHand(paddedSize(size)) ?? (await reader.take(paddedSize(size)));
    if (content.length < paddedSize(size)) throw truncated(archive);
    yield { segments, content: content.subarray(0, size) };
  }
  // What follows the end mark is padding; it is read to the end so that a damaged compressed file is noticed.
  while ((await reader.skip(2 ** 20)) > 0);
}

function paddedSize(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

function truncated(archive: string): InvalidFileError {
  return new InvalidFileError('ERR_ARCHIVE_TRUNCATED', `${archive} stops before the end of the archive`);
}

function checkFirstBlock(block: Buffer, archive: string): void {
  const isTar = block.length === BLOCK && (isZeroBlock(block) || hasValidChecksum(block));
  if (!isTar) throw new InvalidFileError('ERR_ARCHIVE_FORMAT', `${archive} is no tar archive, packed or not`);
}

/** What a metadata entry says of the entry after it. */
interface Override {
  name?: string;
  size?: number;
}

/** The entries that are no files themselves, by type flag: pax's two headers, GNU's long name and long link name. */
const METADATA: Record<string, (content: Buffer, archive: string) => Override> = {
  x: paxOverride,
  g: (content, archive) => {
    const global = paxOverride(content, archive);
    if (Object.keys(global).length === 0) return {};
    throw new InvalidFileError(
      'ERR_ARCHIVE_HEADER',
      `A global pax header of ${archive} sets a path or size for all entries`,
    );
  },
  L: (content) => ({ name: content.toString('utf8').replace(/\0.*$/s, '') }),
  K: () => ({}),
};

async function takeMetadata(reader: ChunkReader, { size, name }: TarHeader, archive: string): Promise<Buffer> {
  if (size > LARGEST_METADATA) {
    throw new InvalidFileError('ERR_ARCHIVE_HEADER', `Header ${name} of ${archive} claims ${size} bytes`);
  }
  const content = await reader.take(paddedSize(size));
  if (content.length < paddedSize(size)) throw truncated(archive);
  return content.subarray(0, size);
}

function paxOverride(content: Buffer, archive: string): Override {
  const records = parsePaxRecords(content, archive);
  const override: Override = {};
  const path = records.get('path');
  if (path !== undefined) override.name = path;
  const size = records.get('size');
  if (size !== undefined) {
    override.size = Number(size);
    if (!/^[0-9]+$/.test(size) || !Number.isSafeInteger(override.size)) {
      throw new InvalidFileError('ERR_ARCHIVE_HEADER', `A pax header of ${archive} gives the size ${size}`);
    }
  }
  for (const keyword of records.keys()) {
    if (!keyword.startsWith('GNU.sparse.')) continue;
    throw new InvalidFileError(
      'ERR_ARCHIVE_ENTRY_TYPE',
      `${archive} holds a sparse file, which this reader cannot unfold`,
    );
  }
  return override;
}

function checkType(type: string, name: string, archive: string): void {
  if (type === '0' || type === '7' || type === '5') return;
  if (type === '1' || type === '2') {
    throw new InvalidFileError('ERR_ARCHIVE_LINK', `${name} in ${archive} is a link; only files and folders are read`);
  }
  if (type === '3' || type === '4' || type === '6') {
    throw new InvalidFileError(
      'ERR_ARCHIVE_DEVICE',
      `${name} in ${archive} is a device or pipe; only files and folders are read`,
    );
  }
  throw new InvalidFileError(
    'ERR_ARCHIVE_ENTRY_TYPE',
    `${name} in ${archive} is of the unknown type ${JSON.stringify(type)}`,
  );
}

function safeSegments(name: string, archive: string): string[] {
  const isAbsolute = /^([/\\]|[A-Za-z]:[/\\])/.test(name);
  const leadsOut = name.split(/[/\\]/).includes('..');
  if (name === '' || isAbsolute || leadsOut || name.includes('\0')) {
    throw new InvalidFileError(
      'ERR_ARCHIVE_PATH',
      `${archive} holds the path ${JSON.stringify(name)}, which leads out of the archive`,
    );
  }
  return name.split('/').filter((segment) => segment !== '' && segment !== '.');
}
