"""Compares the reference with Keras itself, in float64: `python check_reference.py [group ...]`. Needs Python with
numpy, torch, keras and tensorflow.

Every case whose layers Keras has is run by both, without random masks: outputs, loss, gradients. The slim variants are
Keras' LSTM with the lacking weights at zero, diagonal terms as diagonal matrices, and, where the gates' activation is
hardSigmoid, constants as biases that give them.
"""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np
import tensorflow as tf
import torch

import philox
from generate import GROUPS, compute, relative_error, scales_of, targets_of, tokens_of, INPUT_STREAM
from network import Network
from reference import BIAS, DIAGONAL, FULL, W, blocks_with, cell_of

# Float64 rounding, but for targets that are shares of classes: TensorFlow takes their sum for 1, which float32 cannot
# quite give.
TOLERANCE = 1e-7
SEED = 1


# Bidirectional makes its layers anew from their configuration, where the function is a name.
@keras.saving.register_keras_serializable()
def hard_sigmoid_of_keras_2(x):
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def activation(name):
    return hard_sigmoid_of_keras_2 if name == "hardSigmoid" else name


class NotInKeras(Exception):
    pass


def keras_lstm(options):
    cell = cell_of(options.get("variant", "LSTM"))
    constants = [block for block in cell if not isinstance(block, set)]
    if constants and (options.get("recurrentActivation") != "hardSigmoid" or not all(0 <= c <= 1 for c in constants)):
        raise NotInKeras("constant gates behind a sigmoid")
    return keras.layers.LSTM(
        options["units"], activation=activation(options.get("activation", "tanh")),
        recurrent_activation=activation(options.get("recurrentActivation", "sigmoid")),
        return_sequences=options.get("returnSequences", False), go_backwards=options.get("goBackwards", False),
    )  # fmt: skip


def keras_layer(options):
    kind = options["type"]
    act = activation(options.get("activation", "linear"))
    if kind == "embedding":
        return keras.layers.Embedding(options["inputDim"], options["outputDim"], mask_zero=options.get("maskZero", False))
    if kind == "conv1d":
        return keras.layers.Conv1D(
            options["filters"], options["kernelSize"], strides=options.get("strides", 1),
            padding=options.get("padding", "valid"), dilation_rate=options.get("dilationRate", 1), activation=act,
            use_bias=options.get("useBias", True),
        )  # fmt: skip
    if kind == "maxPooling1d":
        return keras.layers.MaxPooling1D(
            options["poolSize"], strides=options.get("strides"), padding=options.get("padding", "valid")
        )
    if kind == "globalMaxPooling1d":
        return keras.layers.GlobalMaxPooling1D(keepdims=options.get("keepdims", False))
    if kind in ("dropout", "spatialDropout1d"):
        return {"dropout": keras.layers.Dropout, "spatialDropout1d": keras.layers.SpatialDropout1D}[kind](options["rate"])
    if kind == "lstm":
        return keras_lstm(options)
    if kind == "bidirectional":
        inner = options["layer"]
        turned = {**inner, "goBackwards": not inner.get("goBackwards", False)}
        return keras.layers.Bidirectional(
            keras_lstm(inner), backward_layer=keras_lstm(turned), merge_mode=options.get("mergeMode", "concat")
        )
    if kind == "dense":
        return keras.layers.Dense(options["units"], activation=act, use_bias=options.get("useBias", True))
    if kind == "activation":
        return keras.layers.Activation(act)
    return keras.layers.Flatten()


# --- slim weights as Keras' three arrays, and gradients the way back ---------------------------------------------------


def expand(cell, arrays, inputs, units):
    kernel, recurrent, bias = np.zeros((inputs, 4 * units)), np.zeros((units, 4 * units)), np.zeros(4 * units)
    for target, term, name in ((kernel, W, "kernel"), (recurrent, FULL, "recurrent_kernel"), (bias, BIAS, "bias")):
        for place, index in enumerate(blocks_with(cell, term)):
            target[..., index * units : (index + 1) * units] = arrays[name][..., place * units : (place + 1) * units]
    for place, index in enumerate(blocks_with(cell, DIAGONAL)):
        recurrent[:, index * units : (index + 1) * units] = np.diag(arrays["recurrent_diagonal"][place])
    for index, block in enumerate(cell):
        if not isinstance(block, set):
            bias[index * units : (index + 1) * units] = (block - 0.5) / 0.2
    return [kernel, recurrent, bias]


def contract(cell, gradients, units):
    kernel, recurrent, bias = gradients

    def pick(array, term):
        return [array[..., index * units : (index + 1) * units] for index in blocks_with(cell, term)]

    arrays = {}
    if blocks_with(cell, W):
        arrays["kernel"] = np.concatenate(pick(kernel, W), axis=-1)
    if blocks_with(cell, FULL):
        arrays["recurrent_kernel"] = np.concatenate(pick(recurrent, FULL), axis=-1)
    if blocks_with(cell, DIAGONAL):
        arrays["recurrent_diagonal"] = np.stack([np.diag(block) for block in pick(recurrent, DIAGONAL)])
    if blocks_with(cell, BIAS):
        arrays["bias"] = np.concatenate(pick(bias, BIAS), axis=-1)
    return arrays


def lstms_of(layer):
    if layer.options["type"] == "lstm":
        return [layer]
    return [layer.forward, layer.backward] if layer.options["type"] == "bidirectional" else []


def to_keras(layer, weights):
    if not lstms_of(layer):
        return [weights[name] for name in layer.weights]
    arrays = []
    for one in lstms_of(layer):
        own = {name: weights[f"{one.name}/{name}"] for name in one.shapes}
        inputs = next(shape[0] for name, shape in one.shapes.items() if name == "kernel")
        arrays += expand(one.cell, own, inputs, one.options["units"])
    return arrays


def from_keras(layer, gradients):
    if not lstms_of(layer):
        return dict(zip(layer.weights, gradients))
    found = {}
    for place, one in enumerate(lstms_of(layer)):
        own = contract(one.cell, gradients[3 * place : 3 * place + 3], one.options["units"])
        found |= {f"{one.name}/{name}": array for name, array in own.items()}
    return found


# --- the comparison ---------------------------------------------------------------------------------------------------

LOSSES = {
    "meanSquaredError": keras.losses.mean_squared_error,
    "binaryCrossentropy": keras.losses.binary_crossentropy,
    "categoricalCrossentropy": keras.losses.categorical_crossentropy,
}


def keras_loss(case, y, outputs):
    # Keras takes the argument of any final softmax or sigmoid for the logits of any cross-entropy, fitting or not: a
    # sigmoid's argument would go through softmax. We hold to the definition, so what does not fit is hidden from it.
    last = case["layers"][-1].get("activation")
    if last != ("sigmoid" if case["loss"] == "binaryCrossentropy" else "softmax"):
        outputs = tf.identity(outputs)
    if case["loss"] == "sparseCategoricalCrossentropy":
        return keras.losses.sparse_categorical_crossentropy(np.argmax(y, axis=1), outputs)
    return LOSSES[case["loss"]](y, outputs)


def by_keras(case, network, scales):
    weights = {
        name: philox.uniform(SEED, stream, shape, scales[name]).astype(np.float64)
        for stream, (name, shape) in enumerate(network.shapes.items())
    }
    layers = [keras_layer(options) for options in case["layers"]]
    if "tokens" in case:
        x = tf.constant(tokens_of(case, SEED))
    else:
        x = tf.Variable(philox.uniform(SEED, INPUT_STREAM, (case["batch"], *case["inputShape"]), 1.0).astype(np.float64))
    model = keras.Sequential([keras.Input(case["inputShape"], dtype=x.dtype), *layers])
    for ours, theirs in zip(network.layers, layers):
        theirs.set_weights(to_keras(ours, weights))
    y = targets_of(case, SEED, network.output_shape[-1])
    with tf.GradientTape() as tape:
        outputs = x
        mask = None
        for layer in layers:
            if isinstance(layer, (keras.layers.LSTM, keras.layers.Bidirectional)):
                outputs = layer(outputs, mask=mask)
                mask = mask if outputs.shape.rank == 3 else None
            else:
                mask = layer.compute_mask(outputs, mask) if isinstance(layer, keras.layers.Embedding) else mask
                outputs = layer(outputs)
        loss = tf.reduce_mean(keras_loss(case, y, outputs))
    variables = [variable.value for layer in layers for variable in layer.trainable_weights]
    gradients = tape.gradient(loss, [*variables, x] if isinstance(x, tf.Variable) else variables)
    gradients = [
        np.zeros(v.shape) if g is None else tf.convert_to_tensor(g).numpy() for g, v in zip(gradients, [*variables, x])
    ]
    results = {"output": outputs.numpy()}
    for ours, theirs in zip(network.layers, layers):
        count = len(theirs.trainable_weights)
        results |= from_keras(ours, gradients[:count])
        gradients = gradients[count:]
    if gradients:
        results["input"] = gradients[0]
    return float(loss), results


def compare(group):
    compared, skipped, worst = 0, 0, 0.0
    for case in GROUPS[group]():
        case = {**case, "training": False, "seed": 0}
        network = Network(case["layers"], case["inputShape"])
        scales = scales_of(case, network)
        try:
            keras_layers = [keras_layer(options) for options in case["layers"]]
        except NotInKeras:
            skipped += 1
            continue
        del keras_layers
        loss, results, _ = compute(case, network, SEED, scales, torch.float64)
        theirs_loss, theirs = by_keras(case, network, scales)
        assert results.keys() == theirs.keys(), (case["name"], results.keys(), theirs.keys())
        errors = {name: relative_error(results[name], theirs[name]) for name in results}
        errors["loss"] = abs(loss - theirs_loss) / abs(theirs_loss)
        bad = {name: error for name, error in errors.items() if not error <= TOLERANCE}
        if bad:
            print(f"{case['name']}: {bad}")
        worst = max(worst, *errors.values())
        compared += 1
    print(f"{group}: {compared} cases compared, {skipped} that Keras cannot do, largest relative error {worst:.1e}", flush=True)
    return worst <= TOLERANCE


if __name__ == "__main__":
    keras.config.set_floatx("float64")
    if not all([compare(group) for group in sys.argv[1:] or GROUPS]):
        sys.exit(1)
