"""The network of Kent & Salem 2019 in Keras, as `src/experiments/kent-salem.ts` has it, with the standard LSTM."""

import keras
from keras import layers


def kent_salem(vectors, length, classes, jit_compile):
    """Compiled; vectors [words, width] are frozen."""
    model = keras.Sequential([keras.Input((length,), dtype="int32"), layers.Embedding(*vectors.shape, trainable=False)])
    for _ in range(3):
        model.add(layers.Conv1D(128, 5, activation="relu"))
        model.add(layers.MaxPooling1D(5))
        model.add(layers.Dropout(0.2))
    model.add(
        layers.Bidirectional(layers.LSTM(128, recurrent_activation="hard_sigmoid", dropout=0.2, recurrent_dropout=0.3))
    )
    model.add(layers.Dense(128, activation="relu"))
    model.add(layers.Dense(classes, activation="softmax"))
    model.layers[0].set_weights([vectors])
    model.compile(
        optimizer=keras.optimizers.RMSprop(1e-3),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=jit_compile,
    )
    return model
