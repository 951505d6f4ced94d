/** The public face of slim-lstm. */

export { type Cost, cost, type ElementwiseCost, elementwiseCost, type LayerSize } from './cost.js';
export { type Device, devices } from './devices.js';
export {
  BusyError,
  DeviceError,
  DisposedError,
  FileAccessError,
  InvalidArgumentError,
  InvalidDataError,
  InvalidFileError,
  InvalidModelError,
  NativeLoadError,
  OutOfMemoryError,
  SlimLstmError,
} from './errors.js';
export * from './images/index.js';
export type { Activation, ActivationOptions } from './layers/activation.js';
export type { ActivationName } from './layers/activation-names.js';
export type { Bidirectional, BidirectionalOptions, MergeMode } from './layers/bidirectional.js';
export type { Compatibility } from './layers/compatibility.js';
export type { Conv1d, Conv1dOptions, ConvolutionPadding } from './layers/conv1d.js';
export type { Dense, DenseOptions } from './layers/dense.js';
export type { Dropout, DropoutOptions } from './layers/dropout.js';
export type { Embedding, EmbeddingOptions } from './layers/embedding.js';
export type { Flatten, FlattenOptions } from './layers/flatten.js';
export type { GlobalMaxPooling1d, GlobalMaxPooling1dOptions } from './layers/global-max-pooling1d.js';
export { layers } from './layers/index.js';
export type { Initializer, InitializerName } from './layers/initializers.js';
export type { Layer, LayerKind } from './layers/layer.js';
export type { Lstm, LstmActivation, LstmImplementation, LstmOptions, RecurrentActivation } from './layers/lstm.js';
export type { MaxPooling1d, MaxPooling1dOptions, PoolingPadding } from './layers/max-pooling1d.js';
export type { SpatialDropout1d } from './layers/spatial-dropout1d.js';
export type { Callback, EpochProgress, Training } from './model/callbacks/callback.js';
export type { EarlyStoppingOptions } from './model/callbacks/early-stopping.js';
export type { History } from './model/callbacks/history.js';
export { callbacks } from './model/callbacks/index.js';
export type { LearningRateSchedule } from './model/callbacks/learning-rate-scheduler.js';
export type { ModelCheckpointOptions } from './model/callbacks/model-checkpoint.js';
export type { MonitorMode, MonitorOptions } from './model/callbacks/monitor.js';
export type { ProgressLineOptions, ProgressStream } from './model/callbacks/progress-line.js';
export type { ReduceLROnPlateauOptions } from './model/callbacks/reduce-lr-on-plateau.js';
export { type LoadOptions, loadModel } from './model/checkpoint/load.js';
export type { FitOptions } from './model/fit.js';
export type { GradientOptions, JobOptions } from './model/inference.js';
export type { LossName } from './model/losses.js';
export type { Logs, Metric } from './model/metrics.js';
export {
  type AdamOptions,
  type AdamwOptions,
  type ClippingOptions,
  type Optimizer,
  type OptimizerKind,
  optimizers,
  type RmspropOptions,
  type SgdOptions,
} from './model/optimizers.js';
export { type CompileOptions, type Model, type SequentialOptions, sequential } from './model/sequential.js';
export type { SummaryOptions } from './model/summary.js';
export type { TextPipeline } from './model/text-pipeline.js';
export {
  type Confusion,
  type ConfusionMatrix,
  confusionMatrix,
  mostProbableClasses,
  worstConfusions,
} from './report/confusion.js';
export {
  type Float32Tensor,
  type Int32Tensor,
  type NestedArray,
  type Tensor,
  type TensorLike,
  takeRows,
} from './tensor.js';
export * from './text/index.js';
export type { PassFlops } from './timing/flops.js';
export { type LayerTiming, type LayerTimingOptions, type TimedTokens, timeLayer } from './timing/time-layer.js';
export {
  type ConstantGate,
  defineVariant,
  type Gate,
  type GateConstants,
  type GateTerms,
  type RecurrentTerm,
  type Variant,
  type VariantDefinition,
  type VariantName,
  variants,
  withConstants,
} from './variants.js';
