/** The files of a saved model. */
export const modelFiles = {
  model: 'model.json',
  weights: 'weights.safetensors',
  optimizer: 'optimizer.safetensors',
  vocabulary: 'vocabulary.json',
} as const;
