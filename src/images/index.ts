/** The public names of this folder. */
export { type ReadIdxOptions, readIdx } from './idx.js';
export { type LabelledImages, type Mnist, type ReadMnistOptions, readMnist } from './mnist.js';
export { type PixelStatistics, pixelStatistics, standardized } from './pixel-statistics.js';
