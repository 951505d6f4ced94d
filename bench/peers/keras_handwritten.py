"""Slim variants as one writes them in Keras: a cell for `keras.layers.RNN`, behind a dense layer that makes the input
product of all steps at once."""

import keras
import numpy as np
from keras import ops


class SlimCell(keras.layers.Layer):
    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units
        self.state_size = [units, units]
        self.output_size = units


class Lstm3Cell(SlimCell):
    """Gates of a bias alone."""

    def build(self, shape):
        self.recurrent_kernel = self.add_weight(shape=(self.units, self.units), initializer="orthogonal")
        self.gates = self.add_weight(shape=(3, self.units), initializer="ones")

    def call(self, row, states, training=None):
        h, c = states
        gates = ops.sigmoid(self.gates)
        c = gates[1] * c + gates[0] * ops.tanh(row + ops.matmul(h, self.recurrent_kernel))
        h = gates[2] * ops.tanh(c)
        return h, [h, c]


class Lstm10Cell(SlimCell):
    """Gates of a diagonal term alone, and a diagonal one in the candidate."""

    def build(self, shape):
        self.recurrent_diagonal = self.add_weight(shape=(4, self.units), initializer="ones")

    def call(self, row, states, training=None):
        h, c = states
        i, f, candidate, o = (self.recurrent_diagonal[block] for block in range(4))
        c = ops.sigmoid(f * h) * c + ops.sigmoid(i * h) * ops.tanh(row + candidate * h)
        h = ops.sigmoid(o * h) * ops.tanh(c)
        return h, [h, c]


CELLS = {"LSTM3": Lstm3Cell, "LSTM10": Lstm10Cell}


def handwritten(variant, steps, inputs, units, unroll=False):
    return keras.Sequential(
        [keras.Input((steps, inputs)), keras.layers.Dense(units), keras.layers.RNN(CELLS[variant](units), unroll=unroll)]
    )


def set_weights(model, variant, arrays):
    """Of arrays named and packed as this project does, blocks in the order i, f, c, o."""
    units = arrays["kernel"].shape[1]
    if variant == "LSTM3":
        i, f, candidate, o = arrays["bias"].reshape(4, units)
        model.set_weights([arrays["kernel"], candidate, arrays["recurrent_kernel"], np.stack([i, f, o])])
    else:
        model.set_weights([arrays["kernel"], arrays["bias"], arrays["recurrent_diagonal"]])


def named_gradients(variant, gradients):
    """The inverse of `set_weights`, for the gradients in the order of the weights."""
    if variant == "LSTM3":
        kernel, candidate, recurrent, (i, f, o) = gradients
        bias = np.concatenate([i, f, candidate, o])
        return {"gradient_kernel": kernel, "gradient_recurrent_kernel": recurrent, "gradient_bias": bias}
    kernel, bias, diagonal = gradients
    return {"gradient_kernel": kernel, "gradient_bias": bias, "gradient_recurrent_diagonal": diagonal}
