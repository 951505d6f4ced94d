import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { checkedOptions, nonEmptyString } from '../arguments.js';
import { FileAccessError, InvalidDataError } from '../errors.js';
import type { Float32Tensor } from '../tensor.js';
import type { ReadLimits } from '../text/limits.js';
import { readIdx } from './idx.js';

/** Pictures with their classes. */
export interface LabelledImages {
  /** Grey values from 0 to 255, `[N, height, width]`. */
  readonly images: Float32Tensor;
  /** N class ids. */
  readonly labels: Int32Array;
}

export interface Mnist {
  readonly train: LabelledImages;
  readonly test: LabelledImages;
}

export interface ReadMnistOptions {
  limits?: ReadLimits | undefined;
  /** Rejects the promise with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * MNIST, or a data set in its form (Fashion-MNIST, KMNIST): a folder with the files `train-images-idx3-ubyte`,
 * `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each packed with gzip (`.gz`) or not.
 *
 * @throws FileAccessError if a file is missing or cannot be read.
 * @throws InvalidFileError for what is no idx file; see {@link readIdx}.
 * @throws InvalidDataError if images and labels are not as many, have other dimensions, or the two parts other sizes.
 */
export async function readMnist(folder: string, options: ReadMnistOptions = {}): Promise<Mnist> {
  nonEmptyString(folder, 'folder');
  const given = checkedOptions(options, ['limits', 'signal'], 'readMnist');
  const train = await readPart(folder, 'train', given);
  const test = await readPart(folder, 't10k', given);
  const [of, other] = [train, test].map(({ images }) => images.shape.slice(1).join(' x '));
  if (of !== other) {
    throw new InvalidDataError(
      `Expected images of one size in ${folder} but those of train have ${of}, of t10k ${other}`,
    );
  }
  return { train, test };
}

async function readPart(folder: string, part: string, options: ReadMnistOptions): Promise<LabelledImages> {
  const imagesPath = await present(folder, `${part}-images-idx3-ubyte`);
  const labelsPath = await present(folder, `${part}-labels-idx1-ubyte`);
  const images = await readImages(imagesPath, options);
  const { data: labels, shape } = await readIdx(labelsPath, { ...options, dataType: 'int32' });
  if (shape.length !== 1) {
    throw new InvalidDataError(`Expected labels of shape [N] in ${labelsPath} but found [${shape.join(', ')}]`);
  }
  const [count = 0] = images.shape;
  if (labels.length !== count) {
    throw new InvalidDataError(
      `Expected a label for each image but ${imagesPath} holds ${count} images and ${labelsPath} ${labels.length} labels`,
    );
  }
  return { images, labels };
}

/** Images of an idx file, `[N, height, width]`. Throws as {@link readMnist} does. */
export async function readImages(path: string, options: ReadMnistOptions = {}): Promise<Float32Tensor> {
  const images = await readIdx(path, { ...options, dataType: 'float32' });
  if (images.shape.length === 3) return images;
  throw new InvalidDataError(
    `Expected images of shape [N, height, width] in ${path} but found [${images.shape.join(', ')}]`,
  );
}

async function present(folder: string, name: string): Promise<string> {
  for (const file of [name, `${name}.gz`]) {
    const path = join(folder, file);
    if (
      await stat(path).then(
        (found) => found.isFile(),
        () => false,
      )
    ) {
      return path;
    }
  }
  throw new FileAccessError(`Cannot read ${join(folder, name)}: there is no such file, nor ${name}.gz`);
}
