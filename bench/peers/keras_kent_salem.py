"""The Kent & Salem network in Keras on TensorFlow, on the real 20 Newsgroups: the peer that `bench/` compares with.

Needs Python with keras and tensorflow. Reads posts, fits the vocabulary, pads and splits as Keras'
`pretrained_word_embeddings.py` of 2017 did; prints one JSON line per epoch and one at the end.

    python bench/peers/keras_kent_salem.py --data 20_newsgroup.tar.gz --vectors vectors.txt.gz --epochs 2
"""

import argparse
import gzip
import json
import os
import resource
import tarfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def read_posts(path):
    """Posts, labels and group names, classes and files in the order of their names, headers skipped."""
    by_class = {}
    with tarfile.open(path) as archive:
        for entry in archive:
            parts = entry.name.strip("./").split("/")
            if entry.isfile() and parts[-1].isdigit():
                text = archive.extractfile(entry).read().decode("latin-1")
                body = text.find("\n\n")
                by_class.setdefault(parts[-2], []).append((parts[-1], text[body:] if body > 0 else text))
    names = sorted(by_class)
    texts, labels = [], []
    for label, name in enumerate(names):
        for _, text in sorted(by_class[name]):
            texts.append(text)
            labels.append(label)
    return texts, labels, names


def read_vectors(path, word_index, words, dimension):
    import numpy as np

    matrix = np.zeros((words, dimension), np.float32)
    with (gzip.open(path, "rt", encoding="utf-8") if path.endswith(".gz") else open(path, encoding="utf-8")) as lines:
        for line in lines:
            word, *values = line.rstrip().split(" ")
            index = word_index.get(word)
            if index is not None and index < words:
                matrix[index] = np.array(values, np.float32)
    return matrix


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--vectors", required=True)
    parser.add_argument("--dimension", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=0, help="0: TensorFlow's own choice")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=0, help="train on this many posts only (0: all)")
    options = parser.parse_args()

    import keras
    import numpy as np
    import tensorflow as tf
    from keras.src.legacy.preprocessing.text import Tokenizer

    if options.threads:
        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
        tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    keras.utils.set_random_seed(options.seed)

    texts, labels, names = read_posts(options.data)
    tokenizer = Tokenizer(num_words=20000)
    tokenizer.fit_on_texts(texts)
    x = keras.utils.pad_sequences(tokenizer.texts_to_sequences(texts), maxlen=1000)
    y = np.array(labels)
    order = np.random.permutation(len(x))
    x, y = x[order], y[order]
    held_out = int(0.2 * len(x))
    xt, yt, xv, yv = x[:-held_out], y[:-held_out], x[-held_out:], y[-held_out:]
    if options.limit:
        xt, yt = xt[: options.limit], yt[: options.limit]
    vectors = read_vectors(options.vectors, tokenizer.word_index, 20000, options.dimension)

    layers = keras.layers
    model = keras.Sequential([keras.Input((1000,), dtype="int32"), layers.Embedding(20000, options.dimension, trainable=False)])
    for _ in range(3):
        model.add(layers.Conv1D(128, 5, activation="relu"))
        model.add(layers.MaxPooling1D(5))
        model.add(layers.Dropout(0.2))
    model.add(
        layers.Bidirectional(layers.LSTM(128, recurrent_activation="hard_sigmoid", dropout=0.2, recurrent_dropout=0.3))
    )
    model.add(layers.Dense(128, activation="relu"))
    model.add(layers.Dense(len(names), activation="softmax"))
    model.layers[0].set_weights([vectors])
    model.compile(
        optimizer=keras.optimizers.RMSprop(options.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )

    class Report(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.begun = time.perf_counter()
            self.batches_done = None

        def on_train_batch_end(self, batch, logs=None):
            self.batches_done = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            training = self.batches_done - self.begun
            print(json.dumps({"epoch": epoch + 1, "seconds": training, "postsPerSecond": len(xt) / training, **logs}), flush=True)

    model.fit(xt, yt, batch_size=options.batch_size, epochs=options.epochs, validation_data=(xv, yv), callbacks=[Report()], verbose=0)
    print(
        json.dumps(
            {
                "keras": keras.__version__,
                "tensorflow": tf.__version__,
                "peakMemoryMB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
