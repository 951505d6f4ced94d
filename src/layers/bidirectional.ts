import { checkedOptions, choice } from '../arguments.js';
import { InvalidArgumentError } from '../errors.js';
import { expectation } from '../expectation.js';
import { type BuiltLayer, elements, type Features, frozen, Layer, sequenceShape } from './layer.js';
import { Lstm, type LstmConfig } from './lstm.js';

/** How the two directions become one output: side by side, or unit by unit their sum, product or mean. */
export type MergeMode = 'concat' | 'sum' | 'mul' | 'ave';

export interface BidirectionalOptions {
  /** Default `'concat'`. */
  readonly mergeMode?: MergeMode;
  readonly name?: string;
}

export interface BidirectionalConfig {
  readonly layer: LstmConfig;
  readonly mergeMode: MergeMode;
}

/**
 * `[T, m]` to `[2n]` (`[n]` unless the merge mode is concat), with the layer's returnSequences to `[T, 2n]`. Arrays:
 * those of the layer as `<name>/forward/...` and again as `<name>/backward/...`.
 */
export class Bidirectional extends Layer<BidirectionalConfig> {
  readonly kind = 'bidirectional';
  readonly layer: Lstm;

  constructor(layer: Lstm, options?: BidirectionalOptions) {
    if (!(layer instanceof Lstm)) {
      throw new InvalidArgumentError(expectation('a layer made by layers.lstm', 'layer', layer));
    }
    const given = checkedOptions(options, ['mergeMode', 'name'], 'layers.bidirectional');
    super(given.name, {
      layer: layer.config,
      mergeMode: choice(given.mergeMode ?? 'concat', 'mergeMode', ['concat', 'sum', 'mul', 'ave']),
    });
    this.layer = layer;
  }

  override build(name: string, input: Features): BuiltLayer {
    const [steps] = sequenceShape(input, name);
    const { mergeMode } = this.config;
    const { units, returnSequences, goBackwards } = this.layer.config;
    const forward = this.layer.buildDirection(`${name}/forward`, input);
    const backward = this.layer.buildDirection(`${name}/backward`, input, !goBackwards);
    const width = mergeMode === 'concat' ? 2 * units : units;
    const shape = returnSequences ? [steps, width] : [width];
    elements(shape, `the output of layer ${name}`);
    return {
      spec: {
        kind: this.kind,
        name,
        forward: forward.spec,
        backward: backward.spec,
        mergeMode,
        parameters: [...forward.parameters, ...backward.parameters],
      },
      output: { shape, tokens: false, maskedBy: returnSequences ? input.maskedBy : null },
      presets: [...forward.presets, ...backward.presets],
      macs: forward.macs + backward.macs,
    };
  }
}

/**
 * Two copies of an lstm with weights of their own, of which one reads the sequence from its end.
 *
 * @throws InvalidArgumentError for a layer that is no lstm and unknown options.
 */
export function bidirectional(layer: Lstm, options?: BidirectionalOptions): Bidirectional {
  return frozen(new Bidirectional(layer, options));
}
