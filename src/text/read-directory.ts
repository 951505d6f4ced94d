import type { Stats } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { boolean, checkedOptions, choice, nonEmptyString } from '../arguments.js';
import { InvalidArgumentError, InvalidDataError } from '../errors.js';
import { expectation } from '../expectation.js';
import { byteStream, readError } from './byte-stream.js';
import { type ClassFolder, classFolders, type FolderRules, mayBeDocument } from './class-folders.js';
import { decodeText, type Encoding, universalNewlines, withoutHeaders } from './decoding.js';
import {
  checkedClasses,
  checkedEmptyDocuments,
  type EmptyDocuments,
  type LabelledTexts,
  LabelledTextsBuilder,
} from './labelled-texts.js';
import { checkedLimits, type Limits, limitExceeded, type ReadLimits } from './limits.js';
import { runInSlices } from './slices.js';
import { tarFiles } from './tar.js';

export interface ReadDirectoryOptions {
  /** `'utf-8'` by default, which takes nothing that is not valid; `'latin1'` takes every byte. */
  encoding?: Encoding | undefined;
  /** `'universal'` (the default) reads `\r\n` and `\r` as `\n`, as Python 3's text files do; `'keep'` as Python 2's. */
  newlines?: 'universal' | 'keep' | undefined;
  /** Drops everything before a text's first empty line, as Keras' example does with posts; false by default. */
  skipHeaders?: boolean | undefined;
  /** Reads the class folders in this folder, such as `'train'`. */
  subset?: string | undefined;
  /** Reads these classes only and gives them their ids in this order. */
  classes?: readonly string[] | undefined;
  /** Reads files only whose names match, such as `/^\d+$/`. */
  match?: RegExp | undefined;
  /** What becomes of documents without any character but white space; `'keep'` by default. */
  emptyDocuments?: EmptyDocuments | undefined;
  limits?: ReadLimits | undefined;
  /** Rejects the promise with the signal's reason. */
  signal?: AbortSignal | undefined;
}

const OPTION_NAMES = [
  'encoding',
  'newlines',
  'skipHeaders',
  'subset',
  'classes',
  'match',
  'emptyDocuments',
  'limits',
  'signal',
] as const;

/**
 * Labelled documents from a folder, or a tar archive of one (packed with gzip or not), with one folder for each class:
 * `<class>/<file>`, or `<root>/<class>/<file>` where all lies in one root folder, or either with `subset` before the class.
 *
 * As in Keras' example `pretrained_word_embeddings.py`, class ids follow the names of the folders, documents stand by
 * class and within a class by file name, all sorted as strings. Names that begin with a dot, and files above the class
 * folders, are passed over. Links in a folder are followed; in an archive they are refused.
 *
 * @throws InvalidArgumentError for an unusable option.
 * @throws FileAccessError if something cannot be read.
 * @throws InvalidFileError if the archive breaks its format (see `tarFiles` for the codes), if it exceeds a limit
 *   (`ERR_LIMIT_...`), or if a document is not in the encoding (`ERR_TEXT_ENCODING`).
 * @throws InvalidDataError if there are no class folders with documents, or, if asked for, for an empty document.
 */
export async function readDirectory(path: string, options: ReadDirectoryOptions = {}): Promise<LabelledTexts> {
  const reading = checkedReading(path, options);
  let found: Stats;
  try {
    found = await stat(path);
  } catch (cause) {
    throw readError(path, cause);
  }
  return found.isDirectory() ? readFolder(path, reading) : readArchive(path, reading);
}

interface Reading extends FolderRules {
  readonly emptyDocuments: EmptyDocuments;
  readonly limits: Limits;
  readonly signal: AbortSignal | undefined;
  /** A document's bytes as its text. */
  readonly decode: (bytes: Buffer, where: string) => string;
}

function checkedReading(path: string, options: ReadDirectoryOptions): Reading {
  nonEmptyString(path, 'path');
  const { subset, match, signal, ...given } = checkedOptions(options, OPTION_NAMES, 'readDirectory');
  const encoding = choice(given.encoding ?? 'utf-8', 'encoding', ['utf-8', 'latin1']);
  const newlines = choice(given.newlines ?? 'universal', 'newlines', ['universal', 'keep']);
  const skipHeaders = boolean(given.skipHeaders ?? false, 'skipHeaders');
  if (subset !== undefined) nonEmptyString(subset, 'subset');
  if (match !== undefined && !(match instanceof RegExp)) {
    throw new InvalidArgumentError(expectation('a regular expression', 'match', match));
  }
  const steps: ((text: string) => string)[] = [];
  if (newlines === 'universal') steps.push(universalNewlines);
  if (skipHeaders) steps.push(withoutHeaders);
  return {
    subset: subset?.split('/').filter((folder) => folder !== '') ?? [],
    classes: checkedClasses(given.classes),
    match,
    emptyDocuments: checkedEmptyDocuments(given.emptyDocuments),
    limits: checkedLimits(given.limits),
    signal,
    decode: (bytes, where) => steps.reduce((text, step) => step(text), decodeText(bytes, encoding, where)),
  };
}

async function readArchive(path: string, reading: Reading): Promise<LabelledTexts> {
  const { limits, signal, decode } = reading;
  const paths: string[][] = [];
  const texts: string[] = [];
  const isWanted = (segments: readonly string[]) => mayBeDocument(segments, reading);
  for await (const { segments, content } of tarFiles(path, byteStream(path, limits, signal), limits, isWanted)) {
    paths.push(segments);
    texts.push(decode(content, `${segments.join('/')} in ${path}`));
  }
  const folders = await runInSlices(classFolders(path, paths, reading), signal);
  return gathered(path, folders, reading, async ({ files }) => files.map(({ position }) => texts[position] as string));
}

// Requests to the file system under way at once; Node's pool has four threads.
const AT_ONCE = 16;

async function readFolder(path: string, reading: Reading): Promise<LabelledTexts> {
  // Below the folder: a root, the subset, the class; one more to tell what lies too deep.
  const paths = (await filesBelow(path, [], 3 + reading.subset.length, reading)).filter((file) =>
    mayBeDocument(file, reading),
  );
  const { limits, signal, decode } = reading;
  const folders = await runInSlices(classFolders(path, paths, reading), signal);
  let total = 0;
  const readDocument = async (position: number) => {
    signal?.throwIfAborted();
    const file = join(path, ...(paths[position] as string[]));
    const { size } = await stat(file);
    total += size;
    if (size > limits.documentBytes) {
      throw limitExceeded('documentBytes', 'ERR_LIMIT_DOCUMENT', `${file} has more bytes`, limits);
    }
    if (total > limits.totalBytes) {
      throw limitExceeded('totalBytes', 'ERR_LIMIT_BYTES', `${path} holds more bytes`, limits);
    }
    return decode(await readFile(file), file);
  };
  return gathered(path, folders, reading, async ({ files }) => {
    const texts: string[] = [];
    for (let start = 0; start < files.length; start += AT_ONCE) {
      const some = files.slice(start, start + AT_ONCE);
      try {
        texts.push(...(await Promise.all(some.map(({ position }) => readDocument(position)))));
      } catch (cause) {
        throw readError((cause as NodeJS.ErrnoException).path ?? path, cause, signal);
      }
    }
    return texts;
  });
}

/** The paths of all files at most `depth` folders below `root`, links followed, as the parts of the path below it. */
async function filesBelow(root: string, folder: string[], depth: number, reading: Reading): Promise<string[][]> {
  const { limits, signal } = reading;
  signal?.throwIfAborted();
  const here = join(root, ...folder);
  const files: string[][] = [];
  try {
    const entries = await readdir(here, { withFileTypes: true });
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const path = [...folder, entry.name];
      const kind = entry.isSymbolicLink() ? await stat(join(here, entry.name)) : entry;
      if (kind.isFile()) files.push(path);
      else if (!kind.isDirectory())
        throw new InvalidDataError(`${join(here, entry.name)} is neither a file nor a folder`);
      else if (depth > 0) files.push(...(await filesBelow(root, path, depth - 1, reading)));
      if (files.length > limits.entries) {
        throw limitExceeded('entries', 'ERR_LIMIT_ENTRIES', `${root} holds more files`, limits);
      }
    }
  } catch (cause) {
    throw readError(here, cause, signal);
  }
  return files;
}

async function gathered(
  path: string,
  folders: readonly ClassFolder[],
  { emptyDocuments }: Reading,
  textsOf: (folder: ClassFolder) => Promise<string[]>,
): Promise<LabelledTexts> {
  const documents = new LabelledTextsBuilder(path, emptyDocuments);
  for (const [label, folder] of folders.entries()) {
    const texts = await textsOf(folder);
    texts.forEach((text, i) => {
      documents.add({ text, label, name: `${folder.name}/${folder.files[i]?.name}` });
    });
    await setImmediate();
  }
  return documents.finish(folders.map(({ name }) => name));
}
