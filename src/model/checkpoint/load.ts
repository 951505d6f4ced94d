import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { checkedOptions, choice, nonEmptyString } from '../../arguments.js';
import { InvalidFileError, SlimLstmError } from '../../errors.js';
import { withImplementation } from '../../layers/index.js';
import { implementations, type LstmImplementation } from '../../layers/lstm.js';
import { tokenizerFromJSON } from '../../text/tokenizer-json.js';
import { type Architecture, arrange, nativeSpecWithoutDraws, parameterShapes } from '../architecture.js';
import type { ModelCore } from '../model-core.js';
import { Model, type SequentialOptions } from '../sequential.js';
import { writeWeights } from '../weights.js';
import { readText } from './file-reading.js';
import { modelFiles } from './files.js';
import { parseModelFile, type SavedText } from './model-file.js';
import { previousFolder } from './replace-folder.js';
import { readSafetensors, readSafetensorsHeader } from './safetensors.js';
import { ITERATIONS, STATE } from './save.js';

export interface LoadOptions extends Pick<SequentialOptions, 'device' | 'threads' | 'precision'> {
  /** Whose LSTM computes every recurrent layer, in place of what was saved. */
  readonly implementation?: LstmImplementation;
}

// No model of this package comes near these.
const LARGEST_MODEL_FILE = 16 * 1024 * 1024;
const LARGEST_VOCABULARY_FILE = 512 * 1024 * 1024;

/**
 * The model that `save` wrote to the folder: the same predictions, and training goes on as if it had not been
 * interrupted (`fit` with the right `initialEpoch`). Its precision and the implementation of its recurrent layers are
 * those it was saved with, unless others are asked for: a model that was trained by cuDNN runs on any device with the
 * implementation `'auto'`. Nothing in the files is trusted.
 *
 * Where the folder is missing because a `save` was cut short at its last step, the model it was to replace is loaded.
 *
 * @throws FileAccessError for files that are missing or cannot be read.
 * @throws InvalidFileError for files that break their format, one code a violation, or do not belong together
 *   (`ERR_MODEL_WEIGHTS`, `ERR_MODEL_OPTIMIZER`).
 * @throws DeviceError, OutOfMemoryError as `sequential`.
 */
export async function loadModel(path: string, options?: LoadOptions): Promise<Model> {
  nonEmptyString(path, 'path');
  const given = checkedOptions(options, ['device', 'threads', 'precision', 'implementation'], 'loadModel');
  const folder = await existing(path);
  const modelPath = join(folder, modelFiles.model);
  const text = await readText(modelPath, LARGEST_MODEL_FILE, {
    tooLarge: 'ERR_MODEL_FILE_TOO_LARGE',
    encoding: 'ERR_MODEL_FILE_ENCODING',
  });
  const saved = parseModelFile(text, modelPath);
  const { implementation, precision = saved.precision, ...placement } = given;
  const architecture =
    implementation === undefined ? saved.architecture : reimplemented(saved.architecture, implementation);
  const weightsPath = join(folder, modelFiles.weights);
  await checkWeights(weightsPath, architecture);
  const spec = nativeSpecWithoutDraws(architecture);
  const model = new Model(architecture, { ...placement, precision, seed: saved.seed }, spec);
  try {
    const core = Model.coreOf(model);
    writeWeights(core.native, Object.fromEntries((await readSafetensors(weightsPath)).tensors));
    if (saved.training !== null) {
      const { optimizer, loss, metrics, learningRate } = saved.training;
      core.compile(optimizer, loss, metrics);
      core.learningRate = learningRate;
      await restoreOptimizer(join(folder, modelFiles.optimizer), core);
    }
    if (saved.text !== null) await restoreText(join(folder, modelFiles.vocabulary), model, saved.text);
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

function reimplemented({ layers, inputShape }: Architecture, implementation: LstmImplementation): Architecture {
  const checked = choice(implementation, 'implementation', implementations);
  return arrange(
    layers.map(({ layer, name }) => withImplementation(layer, name, checked)),
    inputShape,
  );
}

async function existing(path: string): Promise<string> {
  for (const folder of [path, previousFolder(path)]) {
    try {
      await access(folder);
      return folder;
    } catch {
      // The error of reading the folder itself tells more.
    }
  }
  return path;
}

/**
 * The arrays must be the model's, by name and shape. This comes before the model is made: so a small file that describes
 * an enormous model costs no memory.
 */
async function checkWeights(path: string, architecture: Architecture): Promise<void> {
  const { tensors } = await readSafetensorsHeader(path);
  const rest = new Set(tensors.keys());
  for (const { name, shape } of parameterShapes(architecture)) {
    const entry = tensors.get(name);
    if (entry === undefined) throw mismatch('WEIGHTS', path, `${JSON.stringify(name)} of the model is missing`);
    if (entry.dtype !== 'F32' || entry.shape.join() !== shape.join()) {
      throw mismatch(
        'WEIGHTS',
        path,
        `${JSON.stringify(name)} is ${entry.dtype} of shape [${entry.shape.join(', ')}] but the model has F32 of shape [${shape.join(', ')}]`,
      );
    }
    rest.delete(name);
  }
  const [unknown] = rest;
  if (unknown !== undefined) throw mismatch('WEIGHTS', path, `${JSON.stringify(unknown)} is no array of the model`);
}

function mismatch(kind: string, path: string, message: string): InvalidFileError {
  return new InvalidFileError(`ERR_MODEL_${kind}`, `${path} does not belong to its model: ${message}`);
}

async function restoreOptimizer(path: string, { native }: ModelCore): Promise<void> {
  const expected = native.readOptimizer().state.length;
  const { tensors: entries } = await readSafetensorsHeader(path);
  const entry = entries.get(STATE);
  if (entries.size !== 1 || entry?.dtype !== 'F32' || entry.shape.join() !== String(expected)) {
    throw mismatch('OPTIMIZER', path, `the optimizer's state must be one array of shape [${expected}]`);
  }
  const { metadata, tensors } = await readSafetensors(path);
  const iterations = metadata[ITERATIONS] ?? '';
  if (!/^(0|[1-9]\d{0,14})$/.test(iterations)) {
    throw mismatch('OPTIMIZER', path, `its number of ${ITERATIONS} is ${JSON.stringify(iterations)}`);
  }
  native.writeOptimizer(Number(iterations), tensors.get(STATE)?.data as Float32Array);
}

async function restoreText(path: string, model: Model, text: SavedText): Promise<void> {
  const json = await readText(path, LARGEST_VOCABULARY_FILE, {
    tooLarge: 'ERR_TOKENIZER_TOO_LARGE',
    encoding: 'ERR_TOKENIZER_ENCODING',
  });
  const tokenizer = tokenizerFromJSON(json);
  try {
    model.text = { tokenizer, ...text };
  } catch (cause) {
    if (!(cause instanceof SlimLstmError)) throw cause;
    throw mismatch('VOCABULARY', path, cause.message);
  }
}
