import { nonEmptyString } from '../../arguments.js';
import type { Tensor } from '../../tensor.js';
import type { ModelCore } from '../model-core.js';
import type { TextPipeline } from '../text-pipeline.js';
import { weightSnapshot } from '../weights.js';
import { modelFiles } from './files.js';
import { describeModel } from './model-file.js';
import { replaceFolder } from './replace-folder.js';
import { safetensorsBytes } from './safetensors.js';

/** The metadata under which `optimizer.safetensors` holds the number of steps done; the array `state` holds the rest. */
export const ITERATIONS = 'iterations';
export const STATE = 'state';

/** What is written is the model of this moment, whatever happens to it before the disk is done. */
export async function saveModel(path: string, core: ModelCore, text: Required<TextPipeline> | null): Promise<void> {
  nonEmptyString(path, 'path');
  core.gate.checkIdle('save');
  const files = new Map<string, readonly Uint8Array[]>([
    [modelFiles.model, [Buffer.from(describeModel(core, text))]],
    [modelFiles.weights, safetensorsBytes(weightSnapshot(core.native))],
  ]);
  if (core.compiled !== null) files.set(modelFiles.optimizer, optimizerBytes(core));
  if (text !== null) files.set(modelFiles.vocabulary, [Buffer.from(JSON.stringify(text.tokenizer))]);
  await replaceFolder(path, Object.values(modelFiles), async (writeFile) => {
    for (const [name, pieces] of files) await writeFile(name, pieces);
  });
}

function optimizerBytes({ native }: ModelCore): Uint8Array[] {
  const { iterations, state } = native.readOptimizer();
  const tensors = new Map<string, Tensor>([[STATE, { data: state, shape: [state.length] }]]);
  return safetensorsBytes(tensors, { [ITERATIONS]: String(iterations) });
}
