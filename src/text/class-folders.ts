import { InvalidDataError } from '../errors.js';
import { nearestName } from '../nearest-name.js';
import { sortByCodePoint } from './ordering.js';
import type { Work } from './slices.js';

/** Which files of a tree are documents: those in class folders. */
export interface FolderRules {
  /** The folder above the class folders, such as `train`, as the parts of its path; empty for none. */
  readonly subset: readonly string[];
  /** The classes to read, in the order of their ids; all, sorted by name, if undefined. */
  readonly classes: readonly string[] | undefined;
  /** What a file's name has to match. */
  readonly match: RegExp | undefined;
}

/** A class with its documents: the names of the files in order, each with its position in the list given. */
export interface ClassFolder {
  name: string;
  files: { name: string; position: number }[];
}

/** Whether a file may turn out to be a document, told from its own path alone. */
export function mayBeDocument(path: readonly string[], { subset, match }: FolderRules): boolean {
  const name = path.at(-1);
  if (name === undefined || path.some((segment) => segment.startsWith('.'))) return false;
  if (match !== undefined && name.search(match) === -1) return false;
  // With a subset the class folder lies below it, with or without a root folder above.
  return subset.length === 0 || startsWith(path, subset, 0) || startsWith(path, subset, 1);
}

// Paths looked at between two yields.
const STRETCH = 1024;

/**
 * The class folders among `paths`, the paths of all files that {@link mayBeDocument}.
 *
 * A document's path is `<class>/<file>`, `<root>/<class>/<file>` where all files lie below one root folder, or
 * either with the subset before the class. Files that lie higher (a README) are no documents.
 *
 * @throws InvalidDataError if there is none, if files lie deeper, if a class of `rules.classes` is missing.
 */
export function* classFolders(
  source: string,
  paths: readonly (readonly string[])[],
  rules: FolderRules,
): Work<ClassFolder[]> {
  const depth = yield* classDepth(paths, rules);
  const folders = new Map<string, Map<string, number>>();
  const tooDeep = new Set<string>();
  for (let position = 0; position < paths.length; position++) {
    if (position % STRETCH === 0) yield;
    const path = paths[position] as readonly string[];
    if (!startsWith(path, rules.subset, depth - rules.subset.length)) continue;
    if (path.length > depth + 2) tooDeep.add(path[depth] as string);
    if (path.length !== depth + 2) continue;
    const className = path[depth] as string;
    const fileName = path[depth + 1] as string;
    if (rules.classes !== undefined && !rules.classes.includes(className)) continue;
    const files = folders.get(className) ?? new Map<string, number>();
    if (files.has(fileName)) throw new InvalidDataError(`${source} holds ${path.join('/')} twice`);
    files.set(fileName, position);
    folders.set(className, files);
  }
  if (tooDeep.size > 0 && rules.classes === undefined) throw nestedTooDeep(source, [...tooDeep]);
  if (folders.size === 0) throw noDocuments(source, rules);
  const names = rules.classes ?? sortByCodePoint([...folders.keys()]);
  const ordered: ClassFolder[] = [];
  for (const name of names) {
    const files = folders.get(name);
    if (files === undefined) throw missingClass(source, name, [...folders.keys()]);
    const fileNames = sortByCodePoint([...files.keys()]);
    ordered.push({ name, files: fileNames.map((file) => ({ name: file, position: files.get(file) as number })) });
    yield;
  }
  return ordered;
}

/** How many folders stand above the class folders. */
function* classDepth(paths: readonly (readonly string[])[], { subset }: FolderRules): Work<number> {
  const root = paths[0]?.[0];
  let haveOneRoot = root !== undefined;
  let haveTopSubset = false;
  let deepest = 0;
  for (let position = 0; position < paths.length; position++) {
    if (position % STRETCH === 0) yield;
    const path = paths[position] as readonly string[];
    haveOneRoot &&= path[0] === root;
    haveTopSubset ||= startsWith(path, subset, 0);
    deepest = Math.max(deepest, path.length);
  }
  if (subset.length === 0) return haveOneRoot && deepest > 2 ? 1 : 0;
  return haveTopSubset ? subset.length : subset.length + 1;
}

function startsWith(path: readonly string[], folders: readonly string[], from: number): boolean {
  return from >= 0 && folders.every((folder, i) => path[from + i] === folder);
}

function nestedTooDeep(source: string, folders: readonly string[]): InvalidDataError {
  const some = sortByCodePoint([...folders])
    .slice(0, 5)
    .join(', ');
  return new InvalidDataError(
    `Expected folders of files in ${source} but found folders within ${some}; if those are parts of the data set, choose one with the option subset`,
  );
}

function noDocuments(source: string, { subset, match }: FolderRules): InvalidDataError {
  const where = subset.length > 0 ? ` below ${subset.join('/')}` : '';
  const which = match === undefined ? '' : ` whose names match ${match}`;
  return new InvalidDataError(`Expected class folders with files${which} in ${source}${where} but found none`);
}

function missingClass(source: string, name: string, found: readonly string[]): InvalidDataError {
  return new InvalidDataError(
    `${source} has no documents of the class ${name}; the nearest of its classes is ${nearestName(name, found)}`,
  );
}
