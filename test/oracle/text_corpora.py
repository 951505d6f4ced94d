"""Writes fixtures/text-corpora.json: what Keras makes of whole data sets, as counts, first ids and hashes.

Needs Python with keras 3 and a backend, and a folder with 20news/20_newsgroup.tar.gz, imdb/aclImdb_labelled.tar.gz,
glove/glove.6B.50d.first17664.txt.gz, vectors/news-imdb.ppmi-svd.100d.txt.gz and airline/Tweets.csv.gz:

    KERAS_BACKEND=torch python test/oracle/text_corpora.py <folder>

The steps are those of Keras' example pretrained_word_embeddings.py: headers cut, latin-1 text files, the Tokenizer
fitted on all posts with 20,000 words, pad_sequences to 1,000, a matrix of word vectors with zero rows for the rest.
"""

import collections
import csv
import gzip
import hashlib
import io
import json
import pathlib
import sys
import tarfile

import numpy as np
from keras.src.legacy.preprocessing.text import Tokenizer
from keras.utils import pad_sequences

FIXTURE = pathlib.Path(__file__).parent / "fixtures" / "text-corpora.json"
NUM_WORDS = 20000
MAX_LENGTH = 1000


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def documents(archive, folder, encoding):
    """Class names, texts and labels of <folder>/<class>/<file>, both sorted as strings."""
    contents = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = member.name.split("/")
            if member.isfile() and len(parts) == len(folder) + 2 and parts[: len(folder)] == folder:
                contents[tuple(parts[len(folder) :])] = tar.extractfile(member).read()
    keys = sorted(contents)
    names = sorted({name for name, _ in keys})
    texts = [io.TextIOWrapper(io.BytesIO(contents[key]), encoding=encoding).read() for key in keys]
    return names, texts, [names.index(name) for name, _ in keys], keys


def without_headers(text):
    i = text.find("\n\n")
    return text[i:] if 0 < i else text


def vector_case(path, word_index):
    vectors = {}
    # Cut at spaces and newlines alone: some words of these files are other white space (form feed, U+0085).
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            word, *numbers = line.rstrip("\n").split(" ")
            vectors[word] = np.asarray(numbers, dtype="float32")
    dimension = len(next(iter(vectors.values())))
    matrix = np.zeros((NUM_WORDS, dimension), dtype="float32")
    covered = 0
    for word, i in word_index.items():
        if i < NUM_WORDS and word in vectors:
            matrix[i] = vectors[word]
            covered += 1
    return {"size": len(vectors), "dimension": dimension, "covered": covered, "matrix": sha256(matrix.tobytes())}


def corpus_case(names, texts, labels, keys):
    tokenizer = Tokenizer(num_words=NUM_WORDS)
    tokenizer.fit_on_texts(texts)
    sequences = tokenizer.texts_to_sequences(texts)
    padded = pad_sequences(sequences, maxlen=MAX_LENGTH)
    case = {
        "documents": len(texts),
        "classNames": names,
        "perClass": [labels.count(i) for i in range(len(names))],
        "firstNames": ["/".join(key) for key in keys[:3]],
        "texts": sha256("\0".join(texts).encode("utf-8")),
        "tokens": len(tokenizer.word_index),
        "words": sum(tokenizer.word_counts.values()),
        "ids": sum(len(sequence) for sequence in sequences),
        "empty": sum(1 for sequence in sequences if not sequence),
        "commonest": list(tokenizer.word_index)[:12],
        "firstIds": {str(i): sequences[i][:10] for i in [0, 1, 2, len(texts) // 2, len(texts) - 1]},
        "padded": sha256(padded.astype("<i4").tobytes()),
    }
    return case, tokenizer.word_index


def main():
    folder = pathlib.Path(sys.argv[1])
    names, texts, labels, keys = documents(folder / "20news" / "20_newsgroup.tar.gz", ["20_newsgroup"], "latin-1")
    news, word_index = corpus_case(names, [without_headers(text) for text in texts], labels, keys)
    imdb, _ = corpus_case(*documents(folder / "imdb" / "aclImdb_labelled.tar.gz", ["aclImdb", "train"], "utf-8"))
    with gzip.open(folder / "airline" / "Tweets.csv.gz", "rt", encoding="utf-8", newline="") as file:
        tweets = list(csv.DictReader(file, strict=True))
    fixture = {
        "source": "test/oracle/text_corpora.py",
        "news": news,
        "imdb": imdb,
        "glove": vector_case(folder / "glove" / "glove.6B.50d.first17664.txt.gz", word_index),
        "vectors": vector_case(folder / "vectors" / "news-imdb.ppmi-svd.100d.txt.gz", word_index),
        "airline": {
            "rows": len(tweets),
            "labels": sorted(collections.Counter(row["airline_sentiment"] for row in tweets).items()),
            "texts": sha256("\0".join(row["text"] for row in tweets).encode("utf-8")),
        },
    }
    FIXTURE.write_text(json.dumps(fixture, indent=1) + "\n")


if __name__ == "__main__":
    main()
