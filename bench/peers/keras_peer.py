"""Keras on TensorFlow as a contestant of `bench/peers.mjs`: needs Python with keras and tensorflow.

    python bench/peers/keras_peer.py THREADS

Where Keras offers several ways to the same numbers (graph, XLA, unrolled) they are measured first, and the fastest is the
one that competes.
"""

import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import itertools

import keras
import keras_handwritten
import numpy as np
import tensorflow as tf
from keras_network import kent_salem
from protocol import PreparedSteps, largest_difference, read_arrays, serve

SETS = 4

prepared = PreparedSteps()
networks = {}


def gradient_step(model, jit_compile):
    @tf.function(jit_compile=jit_compile)
    def step(x, dh):
        with tf.GradientTape() as tape:
            h = model(x, training=True)
        return tape.gradient(h, model.trainable_variables, output_gradients=dh)

    return step


def prepare_handwritten(key, variant, steps, batch, inputSize, units):
    batches = [(tf.random.normal((batch, steps, inputSize)), tf.random.normal((batch, units))) for _ in range(SETS)]

    def contestant(unroll, jit_compile):
        model = keras_handwritten.handwritten(variant, steps, inputSize, units, unroll)
        step = gradient_step(model, jit_compile)
        rotation = itertools.cycle(batches)
        # Reading a value waits for the work behind it.
        return lambda: [gradient.numpy() for gradient in step(*next(rotation))]

    candidates = {
        "graph": contestant(unroll=False, jit_compile=False),
        "XLA": contestant(unroll=False, jit_compile=True),
        "graph, unrolled": contestant(unroll=True, jit_compile=False),
    }
    return prepared.keep(key, candidates)


def check(variant, folder):
    """Loss and gradients of the mean squared error of the last state, beside those in the folder."""
    arrays = read_arrays(folder)
    x, y = tf.constant(arrays["x"]), tf.constant(arrays["y"])
    model = keras_handwritten.handwritten(variant, x.shape[1], *arrays["kernel"].shape)
    keras_handwritten.set_weights(model, variant, arrays)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(x) - y))
    gradients = [gradient.numpy() for gradient in tape.gradient(loss, model.trainable_variables)]
    theirs = keras_handwritten.named_gradients(variant, gradients)
    return {"loss": abs(float(loss) / arrays["loss"].item() - 1), "gradient": largest_difference(arrays, theirs)}


class PostsPerSecond(keras.callbacks.Callback):
    """Of the batches of an epoch alone, without what Keras does before and after them."""

    def on_epoch_begin(self, epoch, logs=None):
        self.begun = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.ended = time.perf_counter()


def posts_per_second(model, x, y, batch_size):
    clock = PostsPerSecond()
    model.fit(x, y, batch_size=batch_size, epochs=1, callbacks=[clock], verbose=0)
    return len(x) / (clock.ended - clock.begun)


def prepare_network(key, folder, batchSize):
    """The network of Kent & Salem on posts of the folder; the way of compiling is chosen on the first eight batches."""
    arrays = read_arrays(folder)
    few = 8 * batchSize
    speeds = {}
    for name, jit_compile in (("graph", False), ("XLA", True)):
        model = kent_salem(arrays["vectors"], arrays["x"].shape[1], int(arrays["y"].max()) + 1, jit_compile)
        posts_per_second(model, arrays["x"][: 2 * batchSize], arrays["y"][: 2 * batchSize], batchSize)
        speeds[name] = posts_per_second(model, arrays["x"][:few], arrays["y"][:few], batchSize)
        networks[name] = model
    chosen = max(speeds, key=speeds.get)
    networks[key] = (networks[chosen], arrays["x"], arrays["y"], batchSize)
    return {"chosen": chosen, "tried": {name: round(speed) for name, speed in speeds.items()}}


def time_network(key):
    return {"postsPerSecond": [posts_per_second(*networks[key])]}


def describe():
    return {"Keras": keras.__version__, "TensorFlow": tf.__version__}


if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
    keras.utils.set_random_seed(0)
    serve(
        {
            "describe": describe,
            "handwritten": prepare_handwritten,
            "network": prepare_network,
            "time": prepared.time,
            "time-network": time_network,
            "drop": prepared.drop,
            "check": check,
        }
    )
