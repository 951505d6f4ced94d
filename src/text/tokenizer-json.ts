import { InvalidFileError, SlimLstmError } from '../errors.js';
import { runAtOnce } from './slices.js';
import {
  checkedRules,
  JSON_FORMAT,
  JSON_VERSION,
  reservedIds,
  Tokenizer,
  type TokenizerOptions,
  type TokenizerRules,
} from './tokenizer.js';
import { Vocabulary } from './vocabulary.js';

/**
 * The tokenizer that `toJSON` described; `json` is its text or what `JSON.parse` made of it.
 *
 * @throws InvalidFileError with the code
 *   `ERR_TOKENIZER_JSON` (no JSON), `ERR_TOKENIZER_FORMAT` (not a tokenizer of this package, or a field missing or
 *   unknown), `ERR_TOKENIZER_VERSION`, `ERR_TOKENIZER_OPTIONS`, `ERR_TOKENIZER_DOCUMENTS`, `ERR_TOKENIZER_WORDS` (no
 *   string, or twice the same) or `ERR_TOKENIZER_COUNTS` (no positive integer, or not one for each word).
 */
export function tokenizerFromJSON(json: unknown): Tokenizer {
  const fields = fieldsOf(typeof json === 'string' ? parsed(json) : json);
  const rules = rulesOf(fields.options);
  const { documentCount } = fields;
  if (!Number.isSafeInteger(documentCount) || (documentCount as number) < 0) {
    throw violation('DOCUMENTS', `documentCount must be a count of texts but is ${String(documentCount)}`);
  }
  const vocabulary = vocabularyOf(fields.words, fields.counts);
  runAtOnce(vocabulary.rank(reservedIds(rules)));
  return new Tokenizer(rules, vocabulary, documentCount as number);
}

function violation(kind: string, message: string, cause?: unknown): InvalidFileError {
  return new InvalidFileError(`ERR_TOKENIZER_${kind}`, `Not a saved tokenizer: ${message}`, { cause });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw violation('JSON', (cause as Error).message, cause);
  }
}

const FIELDS = ['format', 'version', 'options', 'documentCount', 'words', 'counts'] as const;

function fieldsOf(value: unknown): Record<(typeof FIELDS)[number], unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw violation('FORMAT', 'it is no object');
  const fields = value as Record<string, unknown>;
  if (fields.format !== JSON_FORMAT) throw violation('FORMAT', `its format is not '${JSON_FORMAT}'`);
  if (fields.version !== JSON_VERSION) {
    throw violation(
      'VERSION',
      `its version is ${JSON.stringify(fields.version)}; this package reads version ${JSON_VERSION}`,
    );
  }
  for (const name of FIELDS) if (!Object.hasOwn(fields, name)) throw violation('FORMAT', `${name} is missing`);
  const known: readonly string[] = FIELDS;
  for (const name of Object.keys(fields)) if (!known.includes(name)) throw violation('FORMAT', `${name} is unknown`);
  return fields;
}

function rulesOf(options: unknown): TokenizerRules {
  try {
    return checkedRules(options as TokenizerOptions);
  } catch (cause) {
    if (cause instanceof SlimLstmError) throw violation('OPTIONS', cause.message, cause);
    throw cause;
  }
}

function vocabularyOf(words: unknown, counts: unknown): Vocabulary {
  if (!Array.isArray(words)) throw violation('WORDS', 'words is no array');
  if (!Array.isArray(counts) || counts.length !== words.length) {
    throw violation('COUNTS', `counts must be an array of ${words.length} numbers, one for each word`);
  }
  const vocabulary = new Vocabulary();
  for (let i = 0; i < words.length; i++) {
    const word: unknown = words[i];
    const count: unknown = counts[i];
    if (typeof word !== 'string' || word === '') throw violation('WORDS', `words[${i}] is no word`);
    if (!Number.isSafeInteger(count) || (count as number) < 1) throw violation('COUNTS', `counts[${i}] is no count`);
    if (!vocabulary.addNew(word, count as number))
      throw violation('WORDS', `words[${i}] stands there twice: '${word}'`);
  }
  return vocabulary;
}
