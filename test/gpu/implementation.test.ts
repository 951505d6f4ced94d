/** cuDNN's LSTM in place of this package's, beside the CPU. */

import { describe, expect, it } from 'vitest';
import { DeviceError, InvalidModelError, type Layer, layers } from '../../src/index.js';
import type { LstmOptions } from '../../src/layers/lstm.js';
import { loadNative } from '../../src/load-native.js';
import { apart, CLASSES, compiled, describeOnGpu, GPU, noGpu, onBoth, tokenRows, VOCABULARY } from './gpu.js';

const STEPS = 17;
const { x, y } = tokenRows(37, STEPS, VOCABULARY, CLASSES, 3);

const cudnn = loadNative()
  .cuda()
  .libraries.find(({ name }) => name === 'cuDNN');
const hasCudnn = cudnn?.reason === null;

const embedding = (maskZero = false) => layers.embedding({ inputDim: VOCABULARY, outputDim: 12, maskZero });
const classes = () => layers.dense({ units: CLASSES, activation: 'softmax' });

/** The same layers on both devices, cuDNN's where the device is the GPU. */
function networks(device: string): Record<string, Layer[]> {
  const implementation = device === 'cpu' ? 'auto' : 'cudnn';
  const lstm = (options: LstmOptions) => layers.lstm({ ...options, implementation });
  return {
    'behind an embedding': [embedding(), lstm({ units: 24 }), classes()],
    'without biases': [embedding(), lstm({ units: 24, useBias: false }), classes()],
    'in reverse': [embedding(), lstm({ units: 24, goBackwards: true }), classes()],
    'wider than the small kernels': [embedding(), lstm({ units: 200 }), classes()],
    'in both directions, stacked': [
      embedding(),
      layers.bidirectional(lstm({ units: 9, returnSequences: true })),
      lstm({ units: 7, returnSequences: true, goBackwards: true }),
      layers.bidirectional(lstm({ units: 5 }), { mergeMode: 'sum' }),
      classes(),
    ],
  };
}

describe.skipIf(noGpu || !hasCudnn)("implementation 'cudnn'", () => {
  it.each(Object.keys(networks('cpu')))('a layer %s is as the CPU has it', async (name) => {
    const [own, theirs] = await onBoth(
      (device) => compiled(networks(device)[name] ?? [], { steps: STEPS, device }),
      // The last batch is smaller.
      async (model) => ({ output: await model.predict(x, { batchSize: 16 }), ...(await model.gradients(x, y)) }),
    );
    expect(apart(own, theirs, 1e-5)).toEqual([]);
  });

  it('trains to the weights that the CPU trains to', async () => {
    const [own, theirs] = await onBoth(
      (device) => compiled(networks(device)['behind an embedding'] ?? [], { steps: STEPS, device, optimizer: 'adam' }),
      async (model) => {
        await model.fit(x, y, { epochs: 3, batchSize: 16, verbose: 0 });
        return model.weights();
      },
    );
    expect(apart(own, theirs, 1e-4)).toEqual([]);
  });

  it.each<[string, LstmOptions, boolean, RegExp]>([
    ['another variant', { units: 4, variant: 'LSTM1' }, false, /the standard LSTM alone/],
    ['another activation', { units: 4, activation: 'relu' }, false, /the activations tanh and sigmoid alone/],
    ['another activation of the gates', { units: 4, recurrentActivation: 'hardSigmoid' }, false, /tanh and sigmoid/],
    ['dropout', { units: 4, dropout: 0.1 }, false, /no dropout within the layer/],
    ['recurrent dropout', { units: 4, recurrentDropout: 0.1 }, false, /no dropout within the layer/],
    ['a mask', { units: 4 }, true, /takes no mask/],
  ])('%s is refused when the model is made', (_, options, masked, reason) => {
    const layer = layers.lstm({ ...options, implementation: 'cudnn', name: 'theirs' });
    const refused = () => compiled([embedding(masked), layer, classes()], { steps: STEPS, device: GPU });
    expect(refused).toThrow(InvalidModelError);
    expect(refused).toThrow(reason);
    expect(refused).toThrow(/\(layer theirs\)$/);
  });
});

describeOnGpu("implementation 'cudnn' without cuDNN", () => {
  it.skipIf(hasCudnn)('is refused with what became of the search for it', () => {
    const refused = () => compiled(networks(GPU)['in reverse'] ?? [], { steps: STEPS, device: GPU });
    expect(refused).toThrow(DeviceError);
    expect(refused).toThrow(cudnn?.reason ?? 'cuDNN');
  });
});
