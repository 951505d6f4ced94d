"""Writes the fixture of the optimizers from Keras itself: `python optimizers.py`. Needs Python with numpy, keras and
tensorflow.

A network of two dense layers is trained in float64 for 12 steps of four new rows each. Stored are the changes of all
weights since the start, after steps 1, 3, 7 and 12. `flat` divides the inputs by a thousand: gradients so small that
the place of epsilon matters.
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

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
SHAPES = {"dense/kernel": (4, 5), "dense/bias": (5,), "dense_1/kernel": (5, 3), "dense_1/bias": (3,)}
ROWS, STOPS = 4, (1, 3, 7, 12)
SEED, INPUT_STREAM, TARGET_STREAM = 77, 1000, 1002

OPTIMIZERS = {"sgd": keras.optimizers.SGD, "rmsprop": keras.optimizers.RMSprop, "adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}  # fmt: skip
# Options by the names of the package; Keras' are the same with underscores.
RULES = [
    ("sgd", {}),
    ("sgd", {"momentum": 0.9}),
    ("sgd", {"momentum": 0.9, "nesterov": True}),
    ("rmsprop", {}),
    ("rmsprop", {"momentum": 0.8}),
    ("rmsprop", {"centered": True}),
    ("rmsprop", {"centered": True, "momentum": 0.8, "rho": 0.7, "epsilon": 1e-3}),
    ("adam", {}),
    ("adam", {"amsgrad": True}),
    ("adam", {"beta1": 0.7, "beta2": 0.9, "epsilon": 1e-3}),
    ("adamw", {}),
    ("adamw", {"amsgrad": True, "weightDecay": 0.3}),
]
# So chosen that some gradients are clipped and some are not.
CLIPS = [{}, {"clipnorm": 0.4}, {"clipvalue": 0.1}, {"globalClipnorm": 0.5}]
KERAS_NAMES = {"beta1": "beta_1", "beta2": "beta_2", "weightDecay": "weight_decay", "globalClipnorm": "global_clipnorm"}


def train(kind, options, flat):
    """The loss on all rows before training, and the changes of the weights at the stops."""
    steps = STOPS[-1]
    x = philox.uniform(SEED, INPUT_STREAM, (steps * ROWS, 4), 1e-3 if flat else 1.0).astype(np.float64)
    y = philox.uniform(SEED, TARGET_STREAM, (steps * ROWS, 3), 1.0).astype(np.float64)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(3)])
    start = [philox.uniform(SEED, k, shape, 0.8).astype(np.float64) for k, shape in enumerate(SHAPES.values())]
    model.set_weights(start)
    arguments = {KERAS_NAMES.get(name, name): value for name, value in options.items()}
    model.compile(optimizer=OPTIMIZERS[kind](learning_rate=0.02, **arguments), loss="mean_squared_error")
    loss = float(model.test_on_batch(x, y))
    changes = []
    for step in range(steps):
        model.train_on_batch(x[step * ROWS : (step + 1) * ROWS], y[step * ROWS : (step + 1) * ROWS])
        if step + 1 in STOPS:
            changes += [(now - then).reshape(-1) for now, then in zip(model.get_weights(), start)]
    return loss, np.concatenate(changes)


if __name__ == "__main__":
    keras.config.set_floatx("float64")
    philox.check()
    lines, values = [], []
    runs = [(kind, {**rule, **clip}, False) for kind, rule in RULES for clip in CLIPS]
    runs += [(kind, rule, True) for kind, rule in RULES if kind != "sgd"]
    for kind, options, flat in runs:
        words = ", ".join(f"{name} {json.dumps(value)}" for name, value in options.items())
        loss, changes = train(kind, options, flat)
        name = f"{kind}{' with ' if words else ''}{words}{' on small gradients' if flat else ''}"
        entry = {"name": name, "kind": kind, "options": options, "flat": flat, "initialLoss": loss}
        lines.append(json.dumps(entry, separators=(",", ":")))
        values.append(changes)
    about = {"rows": ROWS, "stops": STOPS, "dataSeed": SEED, "weightScale": 0.8, "learningRate": 0.02, "weights": SHAPES}
    head = json.dumps(about, separators=(",", ":"))[1:-1]
    (FIXTURES / "optimizers.json").write_text("{" + head + ',"cases":[\n' + ",\n".join(lines) + "\n]}\n")
    np.concatenate(values).astype("<f4").tofile(FIXTURES / "optimizers.f32")
    print(f"{len(lines)} runs, Keras {keras.__version__}")
