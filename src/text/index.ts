/** The public names of this folder. */
export type { LabelledTexts } from './labelled-texts.js';
export type { ReadLimits } from './limits.js';
export { type PadOptions, padSequences, padSequencesAsync, type Sequence } from './pad-sequences.js';
export { type ReadCsvOptions, readCsv } from './read-csv.js';
export { type ReadDirectoryOptions, readDirectory } from './read-directory.js';
export { type ReadJsonlOptions, readJsonl } from './read-jsonl.js';
export { type SplitOptions, shuffledIndices, trainValidationSplit } from './split.js';
export { type Text, type Tokenizer, type TokenizerOptions, tokenizer } from './tokenizer.js';
export { tokenizerFromJSON } from './tokenizer-json.js';
export { type WordVectors, type WordVectorsOptions, wordVectors } from './word-vectors.js';
