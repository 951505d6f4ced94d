"""A stack of layers, described as the package's layer factories take it, run through the operations of `reference.py`.

A layer is a dict: `type` is the factory's name, the rest its options. Random masks are those of the package: a layer at
position p of the list uses the streams 16 p + purpose at the step of the training iteration.
"""

import numpy as np
import torch

import philox
import reference as ref

# Purposes of streams, as in the package.
DROPOUT, INPUT, RECURRENT, BACKWARD_INPUT, BACKWARD_RECURRENT = range(5)


class Run:
    """What one pass through the network knows besides its input."""

    def __init__(self, training, seed, step=0, dtype=torch.float64):
        self.training, self.seed, self.step, self.dtype = training, seed, step, dtype
        self.kinks = ref.Kinks()

    def mask(self, position, purpose, shape, rate):
        mask = philox.dropout_mask(self.seed, self.step, position * 16 + purpose, int(np.prod(shape)), rate)
        return torch.tensor(mask.reshape(shape), dtype=self.dtype)


class Layer:
    def __init__(self, options, position, name):
        self.options, self.position, self.name = options, position, name
        self.weights = {}  # full name -> shape

    def build(self, shape):
        """Declares the weights for inputs of a shape without the batch; gives the shape of the outputs."""
        return shape

    def declare(self, name, shape):
        self.weights[f"{self.name}/{name}"] = tuple(shape)

    def weight(self, weights, name):
        return weights[f"{self.name}/{name}"]

    def call(self, x, mask, weights, run):
        """Outputs and the mask that belongs to them."""
        raise NotImplementedError(self.options["type"])


class Embedding(Layer):
    def build(self, shape):
        self.declare("embeddings", (self.options["inputDim"], self.options["outputDim"]))
        return (*shape, self.options["outputDim"])

    def call(self, x, mask, weights, run):
        return self.weight(weights, "embeddings")[x], x != 0 if self.options.get("maskZero") else None


class Conv1d(Layer):
    def build(self, shape):
        steps, channels = shape
        filters, taps = self.options["filters"], self.options["kernelSize"]
        self.declare("kernel", (taps, channels, filters))
        if self.options.get("useBias", True):
            self.declare("bias", (filters,))
        stride, dilation = self.options.get("strides", 1), self.options.get("dilationRate", 1)
        reach = dilation * (taps - 1) if self.options.get("padding", "valid") == "valid" else 0
        return ((steps - reach - 1) // stride + 1, filters)

    def call(self, x, mask, weights, run):
        bias = self.weight(weights, "bias") if self.options.get("useBias", True) else None
        y = ref.conv1d(
            x, self.weight(weights, "kernel"), bias, self.options.get("strides", 1),
            self.options.get("padding", "valid"), self.options.get("dilationRate", 1),
        )  # fmt: skip
        return ref.activate(self.options.get("activation", "linear"), y, run.kinks), mask


class MaxPooling1d(Layer):
    def build(self, shape):
        steps, channels = shape
        pool = self.options["poolSize"]
        outside = pool - 1 if self.options.get("padding", "valid") == "valid" else 0
        return ((steps - outside - 1) // self.options.get("strides", pool) + 1, channels)

    def call(self, x, mask, weights, run):
        pool = self.options["poolSize"]
        padding = self.options.get("padding", "valid")
        return ref.max_pooling1d(x, pool, self.options.get("strides", pool), padding, run.kinks), None


class GlobalMaxPooling1d(Layer):
    def build(self, shape):
        return (1, shape[1]) if self.options.get("keepdims") else shape[1:]

    def call(self, x, mask, weights, run):
        y = ref.max_pooling1d(x, x.shape[1], x.shape[1], "valid", run.kinks)
        return (y if self.options.get("keepdims") else y[:, 0]), None


class Dropout(Layer):
    def call(self, x, mask, weights, run):
        if run.training:
            x = x * run.mask(self.position, DROPOUT, x.shape, self.options["rate"])
        return x, mask


class SpatialDropout1d(Layer):
    def call(self, x, mask, weights, run):
        if run.training:
            x = x * run.mask(self.position, DROPOUT, (x.shape[0], 1, x.shape[2]), self.options["rate"])
        return x, mask


class Lstm(Layer):
    input_purpose, recurrent_purpose = INPUT, RECURRENT

    def build(self, shape):
        self.cell = ref.cell_of(self.options.get("variant", "LSTM"))
        units = self.options["units"]
        self.shapes = ref.weight_shapes(self.cell, shape[1], units)
        for name, array in self.shapes.items():
            self.declare(name, array)
        return (shape[0], units) if self.options.get("returnSequences") else (units,)

    def states(self, x, mask, weights, run):
        """All states in the order of the walk."""
        units, batch = self.options["units"], x.shape[0]

        def masks(rate, purpose, width):
            if not run.training or not rate:
                return None
            return run.mask(self.position, purpose, (batch, 4, width), rate)

        return ref.recurrence(
            x, {name: self.weight(weights, name) for name in self.shapes}, self.cell, units,
            self.options.get("activation", "tanh"), self.options.get("recurrentActivation", "sigmoid"), run.kinks,
            reverse=self.options.get("goBackwards", False), mask=mask,
            input_masks=masks(self.options.get("dropout", 0), self.input_purpose, x.shape[2]),
            recurrent_masks=masks(self.options.get("recurrentDropout", 0), self.recurrent_purpose, units),
        )  # fmt: skip

    def call(self, x, mask, weights, run):
        states = self.states(x, mask, weights, run)
        return (states, mask) if self.options.get("returnSequences") else (states[:, -1], None)


class BackwardLstm(Lstm):
    input_purpose, recurrent_purpose = BACKWARD_INPUT, BACKWARD_RECURRENT


class Bidirectional(Layer):
    """The backward layer is the forward one with goBackwards turned round; its sequence is turned back. Where a
    sequence is masked Keras gives zeros, not the copied state that an LSTM alone gives."""

    def build(self, shape):
        inner = self.options["layer"]
        turned = {**inner, "goBackwards": not inner.get("goBackwards", False)}
        self.forward = Lstm(inner, self.position, f"{self.name}/forward")
        self.backward = BackwardLstm(turned, self.position, f"{self.name}/backward")
        out = self.forward.build(shape)
        self.backward.build(shape)
        self.weights = {**self.forward.weights, **self.backward.weights}
        return (*out[:-1], 2 * out[-1]) if self.options.get("mergeMode", "concat") == "concat" else out

    def call(self, x, mask, weights, run):
        sequences = self.options["layer"].get("returnSequences")
        a, b = self.forward.states(x, mask, weights, run), self.backward.states(x, mask, weights, run)
        if sequences and mask is not None:
            walk = mask.flip(1) if self.forward.options.get("goBackwards") else mask
            a, b = a * walk[:, :, None], b * walk.flip(1)[:, :, None]
        a, b = (a, b.flip(1)) if sequences else (a[:, -1], b[:, -1])
        merged = {
            "concat": lambda: torch.cat((a, b), dim=-1),
            "sum": lambda: a + b,
            "mul": lambda: a * b,
            "ave": lambda: (a + b) / 2,
        }[self.options.get("mergeMode", "concat")]()
        return merged, mask if sequences else None


class Dense(Layer):
    def build(self, shape):
        units = self.options["units"]
        self.declare("kernel", (shape[-1], units))
        if self.options.get("useBias", True):
            self.declare("bias", (units,))
        return (*shape[:-1], units)

    def logits(self, x, weights):
        y = x @ self.weight(weights, "kernel")
        return y + self.weight(weights, "bias") if self.options.get("useBias", True) else y

    def call(self, x, mask, weights, run):
        return ref.activate(self.options.get("activation", "linear"), self.logits(x, weights), run.kinks), mask


class Activation(Layer):
    def logits(self, x, weights):
        return x

    def call(self, x, mask, weights, run):
        return ref.activate(self.options["activation"], x, run.kinks), mask


class Flatten(Layer):
    def build(self, shape):
        return (int(np.prod(shape)),)

    def call(self, x, mask, weights, run):
        return x.reshape(x.shape[0], -1), None


LAYERS = {
    "embedding": Embedding, "conv1d": Conv1d, "maxPooling1d": MaxPooling1d, "globalMaxPooling1d": GlobalMaxPooling1d,
    "dropout": Dropout, "spatialDropout1d": SpatialDropout1d, "lstm": Lstm, "bidirectional": Bidirectional,
    "dense": Dense, "activation": Activation, "flatten": Flatten,
}  # fmt: skip

# Keras' names where they are not the factory's.
BASE_NAMES = {
    "maxPooling1d": "max_pooling1d", "globalMaxPooling1d": "global_max_pooling1d", "spatialDropout1d": "spatial_dropout1d",
}  # fmt: skip


class Network:
    def __init__(self, layers, input_shape):
        seen = {}
        self.layers = []
        shape = tuple(input_shape)
        for position, options in enumerate(layers):
            base = BASE_NAMES.get(options["type"], options["type"])
            count = seen[base] = seen.get(base, -1) + 1
            layer = LAYERS[options["type"]](options, position, options.get("name") or (f"{base}_{count}" if count else base))
            shape = layer.build(shape)
            self.layers.append(layer)
        self.output_shape = shape
        self.shapes = {name: s for layer in self.layers for name, s in layer.weights.items()}

    def outputs(self, x, weights, run):
        return self._walk(self.layers, x, weights, run)[0]

    @staticmethod
    def _walk(layers, x, weights, run):
        mask = None
        for layer in layers:
            x, mask = layer.call(x, mask, weights, run)
        return x, mask

    def losses(self, loss, x, y, weights, run):
        """The loss of each sample. A final softmax (sigmoid, for the binary loss) is left to the logarithm, which is
        exact where the probabilities themselves would be clipped or lose digits."""
        last = self.layers[-1]
        fused = {"softmax": "categorical", "sigmoid": "binary"}.get(last.options.get("activation"))
        if loss == "meanSquaredError":
            return ref.mean_squared_error(self.outputs(x, weights, run), y)
        kind = "binary" if loss == "binaryCrossentropy" else "categorical"
        if fused == kind and isinstance(last, (Dense, Activation)):
            logits = last.logits(self._walk(self.layers[:-1], x, weights, run)[0], weights)
            function = ref.categorical_crossentropy_of_logits if kind == "categorical" else ref.binary_crossentropy_of_logits
            return function(logits, y)
        function = ref.categorical_crossentropy if kind == "categorical" else ref.binary_crossentropy
        return function(self.outputs(x, weights, run), y)
