import { boolean, checkedOptions, choice, dropoutRate, positiveInteger } from '../arguments.js';
import { cost } from '../cost.js';
import type { NativeBlock, NativeInitializer, NativeLstm, NativeParameterSpec } from '../native.js';
import {
  blocksWith,
  type Gate,
  type GateConstants,
  isConstantGate,
  resolveVariant,
  type Variant,
  type VariantDefinition,
  type VariantName,
  variants,
  weightShapes,
  withConstants,
} from '../variants.js';
import {
  type Compatibility,
  compatibilities,
  defaultRecurrentInitializer,
  defaultUnitForgetBias,
  drawnBlocks,
} from './compatibility.js';
import { checkedInitializer, type Initializer, nativeInitializer } from './initializers.js';
import {
  type BuiltLayer,
  checkedParameters,
  elements,
  type Features,
  frozen,
  Layer,
  type PresetWeights,
  sequenceShape,
} from './layer.js';
import { withoutBias } from './variant-without-bias.js';

/** What may stand for g, the nonlinearity of candidate and cell state; softmax is over the units. */
export type LstmActivation = 'tanh' | 'linear' | 'sigmoid' | 'relu' | 'softmax';

export type RecurrentActivation = 'sigmoid' | 'hardSigmoid';

/**
 * Whose LSTM computes the layer: `'slim'` is this package's, which every device has; `'cudnn'` is NVIDIA's, which CUDA
 * devices have for the standard LSTM; `'auto'` is this package's, unless NVIDIA's was measured to be the faster one.
 */
export type LstmImplementation = 'auto' | 'slim' | 'cudnn';

export const implementations: readonly LstmImplementation[] = ['auto', 'slim', 'cudnn'];

export interface LstmOptions {
  /** Width n of the state. */
  readonly units: number;
  /** A published variant by name, or one of `defineVariant`. Default `'LSTM'`. */
  readonly variant?: string | VariantDefinition;
  /** Other numbers for the constant gates of the variant: `{ forget: 0.59 }` for LSTM6 in place of its 0.4. */
  readonly constants?: GateConstants;
  /** Used twice: for the candidate and for the cell state. Default `'tanh'`. */
  readonly activation?: LstmActivation;
  /** Of the gates. Default `'sigmoid'`; the published runs use `'hardSigmoid'`, clip(0.2 x + 0.5, 0, 1). */
  readonly recurrentActivation?: RecurrentActivation;
  /** Rate at which inputs are dropped in training: a mask for each sequence and block, the same at all steps. Default 0. */
  readonly dropout?: number;
  /** The same for the state that the recurrent terms read. Default 0. */
  readonly recurrentDropout?: number;
  /** True: the forget gate's bias begins at 1, where the variant has one. Default true, but for `'slim22'`. */
  readonly unitForgetBias?: boolean;
  /** False: the variant without its biases. Default true. */
  readonly useBias?: boolean;
  /**
   * Whose conventions the initial weights follow: over which matrices the initializers draw, and the defaults of
   * `unitForgetBias` and `recurrentInitializer`; what is given beside it holds. Default `'keras'`. `'slim22'` is the
   * authors' code of 2019, `'lu2016'` that of Lu 2016.
   */
  readonly compatibility?: Compatibility;
  /** Default `'glorotUniform'`, over the packed array `[m, Gw·n]`, with `'lu2016'` over `[m, n]` for each block. */
  readonly kernelInitializer?: Initializer;
  /**
   * Default `'orthogonal'`: over the packed array `[n, Gu·n]` as Keras draws it. `recurrent_diagonal [Gd, n]` is drawn
   * by the same initializer over its own shape: orthogonal gives it orthonormal rows, entries of about 1/sqrt(n). With
   * `'slim22'` both are cut out of one draw `[n, Gu·n + Gd]`; with `'lu2016'` each block's `[n, n]` is a draw of its own
   * and the default has a gain of 1.1.
   */
  readonly recurrentInitializer?: Initializer;
  /** Default `'zeros'`. */
  readonly biasInitializer?: Initializer;
  /** True: the output is the state of every step, `[T, n]`; false (the default): that of the last one, `[n]`. */
  readonly returnSequences?: boolean;
  /** True: reads the sequence from its end. Default false. */
  readonly goBackwards?: boolean;
  /**
   * Default `'auto'`. `'cudnn'` wants a CUDA device with cuDNN, the variant `'LSTM'` (with or without all of its biases)
   * with its usual activations, no dropout within the layer, and input without a mask; a model of anything else is
   * refused when it is made. It does not promise the same bits each time. A saved model's may be replaced when it is
   * loaded, so one that was trained by cuDNN runs anywhere.
   */
  readonly implementation?: LstmImplementation;
  /** Default true. */
  readonly trainable?: boolean;
  readonly name?: string;
}

export interface LstmConfig {
  readonly units: number;
  /** The name of a published variant, otherwise its definition. */
  readonly variant: VariantName | Variant;
  readonly activation: LstmActivation;
  readonly recurrentActivation: RecurrentActivation;
  readonly dropout: number;
  readonly recurrentDropout: number;
  readonly unitForgetBias: boolean;
  readonly useBias: boolean;
  readonly compatibility: Compatibility;
  readonly kernelInitializer: Initializer;
  readonly recurrentInitializer: Initializer;
  readonly biasInitializer: Initializer;
  readonly returnSequences: boolean;
  readonly goBackwards: boolean;
  readonly implementation: LstmImplementation;
  readonly trainable: boolean;
}

/** One direction of a recurrence in its place in a model. */
export interface BuiltDirection {
  readonly spec: NativeLstm;
  readonly parameters: readonly NativeParameterSpec[];
  readonly presets: readonly PresetWeights[];
  /** For all steps of one sample. */
  readonly macs: number;
}

/**
 * `[T, m]` to `[n]`, with returnSequences to `[T, n]`. Arrays, those the variant has: `kernel [m, Gw·n]`,
 * `recurrent_kernel [n, Gu·n]`, `recurrent_diagonal [Gd, n]`, `bias [Gb·n]`, blocks in the order i, f, c, o.
 */
export class Lstm extends Layer<LstmConfig> {
  readonly kind = 'lstm';
  /** The terms of the cell, biases left out where `useBias` is false. */
  readonly variant: Variant;

  constructor(options: LstmOptions) {
    const given = checkedOptions(
      options,
      [
        'units',
        'variant',
        'constants',
        'activation',
        'recurrentActivation',
        'dropout',
        'recurrentDropout',
        'unitForgetBias',
        'useBias',
        'compatibility',
        'kernelInitializer',
        'recurrentInitializer',
        'biasInitializer',
        'returnSequences',
        'goBackwards',
        'implementation',
        'trainable',
        'name',
      ],
      'layers.lstm',
    );
    const { activation = 'tanh', recurrentActivation = 'sigmoid', dropout = 0, recurrentDropout = 0 } = given;
    const { useBias = true, kernelInitializer = 'glorotUniform', biasInitializer = 'zeros' } = given;
    const { returnSequences = false, goBackwards = false, implementation = 'auto', trainable = true } = given;
    const row = resolveVariant(given.variant ?? 'LSTM');
    const variant = given.constants === undefined ? row : withConstants(row, given.constants);
    const compatibility = choice(given.compatibility ?? 'keras', 'compatibility', compatibilities);
    const { unitForgetBias = defaultUnitForgetBias(compatibility, variant) } = given;
    const { recurrentInitializer = defaultRecurrentInitializer(compatibility) } = given;
    super(given.name, {
      units: positiveInteger(given.units, 'units'),
      variant: isPublished(variant) ? variant.name : variant,
      activation: choice(activation, 'activation', ['tanh', 'linear', 'sigmoid', 'relu', 'softmax']),
      recurrentActivation: choice(recurrentActivation, 'recurrentActivation', ['sigmoid', 'hardSigmoid']),
      dropout: dropoutRate(dropout, 'dropout'),
      recurrentDropout: dropoutRate(recurrentDropout, 'recurrentDropout'),
      unitForgetBias: boolean(unitForgetBias, 'unitForgetBias'),
      useBias: boolean(useBias, 'useBias'),
      compatibility,
      kernelInitializer: checkedInitializer(kernelInitializer, 'kernelInitializer'),
      recurrentInitializer: checkedInitializer(recurrentInitializer, 'recurrentInitializer'),
      biasInitializer: checkedInitializer(biasInitializer, 'biasInitializer'),
      returnSequences: boolean(returnSequences, 'returnSequences'),
      goBackwards: boolean(goBackwards, 'goBackwards'),
      implementation: choice(implementation, 'implementation', implementations),
      trainable: boolean(trainable, 'trainable'),
    });
    this.variant = this.config.useBias ? variant : withoutBias(variant);
  }

  override build(name: string, input: Features): BuiltLayer {
    const { units, returnSequences } = this.config;
    const [steps] = sequenceShape(input, name);
    const { spec, parameters, presets, macs } = this.buildDirection(name, input);
    const shape = returnSequences ? [steps, units] : [units];
    elements(shape, `the output of layer ${name}`);
    return {
      spec: { kind: this.kind, name, ...spec, parameters },
      output: { shape, tokens: false, maskedBy: returnSequences ? input.maskedBy : null },
      presets,
      macs,
    };
  }

  /** The recurrence under `prefix`, which is the layer's name, and the direction's where there are two. */
  buildDirection(prefix: string, input: Features, goBackwards: boolean = this.config.goBackwards): BuiltDirection {
    const [steps, inputSize] = sequenceShape(input, prefix);
    const { units, activation, recurrentActivation, dropout, recurrentDropout } = this.config;
    const { returnSequences, implementation, trainable } = this.config;
    const { inputMacs, recurrentMacs } = cost(this.variant, { inputSize, units });
    const parameters = weightShapes(this.variant, inputSize, units).map(({ name: array, shape }) => ({
      name: `${prefix}/${array}`,
      shape,
      initializer: array === 'bias' ? this.#biasInitializer() : this.#matrixInitializer(array),
      trainable,
    }));
    return {
      spec: {
        units,
        blocks: [
          nativeBlock(this.variant.input),
          nativeBlock(this.variant.forget),
          nativeBlock(this.variant.candidate),
          nativeBlock(this.variant.output),
        ],
        activation,
        recurrentActivation,
        dropout,
        recurrentDropout,
        returnSequences,
        goBackwards,
        implementation,
      },
      parameters: checkedParameters(parameters),
      presets: this.#forgetBiasPreset(prefix),
      macs: steps * (inputMacs + recurrentMacs),
    };
  }

  #matrixInitializer(array: 'kernel' | 'recurrent_kernel' | 'recurrent_diagonal'): NativeInitializer {
    const { compatibility, units, kernelInitializer, recurrentInitializer } = this.config;
    const initializer = nativeInitializer(array === 'kernel' ? kernelInitializer : recurrentInitializer);
    const drawn = drawnBlocks(compatibility, this.variant, units, array);
    return drawn === undefined ? initializer : { ...initializer, drawn };
  }

  /** The forget gate's place among the biases, where it begins at 1; null where it does not. */
  #unitBias(): { readonly from: number; readonly to: number } | null {
    const { unitForgetBias, units } = this.config;
    const position = blocksWith(this.variant, 'bias').indexOf('forget');
    return unitForgetBias && position >= 0 ? { from: position * units, to: (position + 1) * units } : null;
  }

  #biasInitializer(): NativeInitializer {
    const unit = this.#unitBias();
    const { biasInitializer } = this.config;
    if (unit === null || biasInitializer !== 'zeros') return nativeInitializer(biasInitializer);
    return { kind: 'lstmBias', onesFrom: unit.from, onesTo: unit.to };
  }

  /** As in Keras, a forget bias of 1 takes precedence over what the initializer draws for the other blocks. */
  #forgetBiasPreset(prefix: string): PresetWeights[] {
    const unit = this.#unitBias();
    if (unit === null || this.config.biasInitializer === 'zeros') return [];
    return [{ parameter: `${prefix}/bias`, offset: unit.from, values: new Float32Array(unit.to - unit.from).fill(1) }];
  }
}

function isPublished(variant: Variant): variant is Variant & { readonly name: VariantName } {
  return Object.hasOwn(variants, variant.name);
}

function nativeBlock(gate: Gate): NativeBlock {
  if (isConstantGate(gate)) return { constant: gate.constant };
  return { input: gate.input, recurrent: gate.recurrent, bias: gate.bias };
}

/**
 * A recurrent layer: the standard LSTM or any slim variant of it, `[N, T, m]` to `[N, units]`.
 *
 * @throws InvalidArgumentError for options that are missing, unknown or out of range, an unknown variant or activation
 *   (with the nearest name), constants for gates that have none, and a variant that has nothing left without its biases.
 */
export function lstm(options: LstmOptions): Lstm {
  return frozen(new Lstm(options));
}
