"""Writes the fixture of fit and evaluate from Keras itself: `python fit.py`. Needs Python with numpy, keras and
tensorflow.

Small networks are trained in float64 with plain SGD, without shuffling, on rows that do not divide into whole batches:
class weights, several epochs, validation, a frozen embedding. Stored are the changes of the weights, what `fit` reports
of each epoch and what `evaluate` says in the end.
"""

import json
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np

import philox
from check_reference import from_keras, keras_layer, to_keras
from generate import INPUT_STREAM, scales_of, targets_of, tokens_of
from network import Network

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
SEED = 5


def _dense(units, activation):
    return [{"type": "dense", "units": 8, "activation": "tanh"}, {"type": "dense", "units": units, "activation": activation}]


SPARSE, DENSE, BINARY = "sparseCategoricalCrossentropy", "categoricalCrossentropy", "binaryCrossentropy"
CASES = [
    dict(name="sparse classes", layers=_dense(7, "softmax"), loss=SPARSE, metrics=["accuracy", "top3"]),
    dict(name="sparse classes with class weights", layers=_dense(3, "softmax"), loss=SPARSE, classWeight=[0.25, 1, 3]),
    dict(name="one-hot classes", layers=_dense(7, "softmax"), loss=DENSE, metrics=["accuracy", "top3"]),
    dict(name="one-hot classes with class weights", layers=_dense(3, "softmax"), loss=DENSE, classWeight=[2, 0, 0.5]),
    dict(name="one binary output", layers=_dense(1, "sigmoid"), loss=BINARY),
    dict(name="one binary output with class weights", layers=_dense(1, "sigmoid"), loss=BINARY, classWeight=[0.5, 4]),
    dict(name="several binary outputs", layers=_dense(5, "sigmoid"), loss=BINARY),
    dict(name="values", layers=_dense(3, "linear"), loss="meanSquaredError", metrics=[]),
    dict(
        name="a frozen embedding under an LSTM of two directions", loss=SPARSE, inputShape=[6], tokens="mixed",
        layers=[
            {"type": "embedding", "inputDim": 13, "outputDim": 4, "maskZero": True, "trainable": False},
            {"type": "bidirectional", "layer": {"type": "lstm", "units": 5}},
            {"type": "dense", "units": 4, "activation": "softmax"},
        ],
    ),
]  # fmt: skip


def keras_targets(case, y):
    return np.argmax(y, axis=1) if case["loss"] == SPARSE else y


def keras_metrics(case):
    sparse = case["loss"] == SPARSE
    function = keras.metrics.sparse_top_k_categorical_accuracy if sparse else keras.metrics.top_k_categorical_accuracy

    def top3(targets, outputs):
        # TensorFlow's operation knows no float64.
        return function(targets, keras.ops.cast(outputs, "float32"), k=3)

    # What Keras calls "accuracy" of several binary outputs compares their largest; ours is the share that is right.
    accuracy = "accuracy"
    if case["loss"] == BINARY:
        accuracy = keras.metrics.BinaryAccuracy(name="accuracy")
    return [
        keras.metrics.MeanMetricWrapper(top3, name="top3") if metric == "top3" else accuracy for metric in case["metrics"]
    ]


def train(case):
    network = Network(case["layers"], case["inputShape"])
    scales = scales_of(case, network)
    start = {
        name: philox.uniform(SEED, stream, shape, scales[name]).astype(np.float64)
        for stream, (name, shape) in enumerate(network.shapes.items())
    }
    layers = [keras_layer(options) for options in case["layers"]]
    for options, layer in zip(case["layers"], layers):
        layer.trainable = options.get("trainable", True)
    if "tokens" in case:
        x = tokens_of(case, SEED)
    else:
        x = philox.uniform(SEED, INPUT_STREAM, (case["batch"], *case["inputShape"]), 1.0).astype(np.float64)
    y = keras_targets(case, targets_of(case, SEED, network.output_shape[-1]))
    model = keras.Sequential([keras.Input(case["inputShape"], dtype=x.dtype), *layers])
    for ours, theirs in zip(network.layers, layers):
        theirs.set_weights(to_keras(ours, start))
    loss = {SPARSE: "sparse_categorical_crossentropy", DENSE: "categorical_crossentropy", BINARY: "binary_crossentropy"}
    model.compile(
        optimizer=keras.optimizers.SGD(case["learningRate"]), loss=loss.get(case["loss"], "mean_squared_error"),
        metrics=keras_metrics(case),
    )  # fmt: skip
    train_rows = case["trainRows"]
    history = model.fit(
        x[:train_rows], y[:train_rows], epochs=case["epochs"], batch_size=case["batchSize"], shuffle=False, verbose=0,
        validation_data=(x[train_rows:], y[train_rows:]),
        class_weight=dict(enumerate(case["classWeight"])) if "classWeight" in case else None,
    )  # fmt: skip
    scores = model.evaluate(x, y, batch_size=case["batchSize"], verbose=0, return_dict=True)
    changes = []
    for ours, theirs in zip(network.layers, layers):
        now = from_keras(ours, theirs.get_weights())
        changes += [(now[name] - start[name]).reshape(-1) for name in ours.weights]
    return network, scales, history.history, scores, np.concatenate(changes)


if __name__ == "__main__":
    keras.config.set_floatx("float64")
    philox.check()
    lines, values = [], []
    for case in CASES:
        case = {
            "inputShape": [6], "batch": 23, "trainRows": 17, "batchSize": 5, "epochs": 3, "learningRate": 0.3,
            "metrics": ["accuracy"], **case,
        }  # fmt: skip
        network, scales, history, scores, changes = train(case)
        entry = {
            **case, "dataSeed": SEED,
            "weights": [[name, list(shape), scales[name]] for name, shape in network.shapes.items()],
            "outputShape": list(network.output_shape), "history": history, "scores": scores,
        }  # fmt: skip
        lines.append(json.dumps(entry, separators=(",", ":")))
        values.append(changes)
    (FIXTURES / "fit.json").write_text('{"cases":[\n' + ",\n".join(lines) + "\n]}\n")
    np.concatenate(values).astype("<f4").tofile(FIXTURES / "fit.f32")
    print(f"{len(lines)} runs, Keras {keras.__version__}")
