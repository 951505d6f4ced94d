"""Writes fixtures/text.json: what Keras and Python make of awkward text.

Needs Python with keras 3 (its legacy Tokenizer is Keras 2's, unchanged) and a backend, such as torch:

    KERAS_BACKEND=torch python test/oracle/text.py

The other script, text_corpora.py, does the same for whole data sets.
"""

import csv
import io
import itertools
import json
import pathlib
import sys
import unicodedata

import philox
from keras.src.legacy.preprocessing.text import Tokenizer
from keras.utils import pad_sequences

FIXTURE = pathlib.Path(__file__).parent / "fixtures" / "text.json"

AWKWARD = [
    "The cat's whiskers, the cat's pyjamas: the CAT!",
    "",
    "   \t\n  ",
    "tabs\tand\nnewlines\r\nand\rcarriage returns\x0bvertical\x0cform\x85next\xa0no-break",
    "'quoted' don't 'n' rock'n'roll ''",
    "\xc9T\xc9 \xe9t\xe9 \xd1and\xfa \xdf \xd8re \xb5 \xaa \xba \xd7 \xf7 Stra\xdfe STRASSE",
    "\u0130stanbul I\u0307 \u0131 \u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03a3 \u039f\u0394\u039f\u03a3 A\u03a3'B \u03a3 \u03a3.\u03a3 \u1e9e \u01c5 \u2160",
    "emoji \U0001f600\U0001f600 and \U0001d400 \U00010400 \u65e5\u672c\u8a9e\u3000\u30c6\u30ad\u30b9\u30c8 \ufeffmark",
    "tie1 tie2 tie3 tie4 tie2 tie1 tie4 tie3",
    "tie4 tie3 tie2 tie1 __proto__ constructor toString hasOwnProperty",
    "a.b,c;d:e!f?g-h_i=j+k*l/m\\n|o~p`q^r&s%t$u#v@w(x)y[z]{aa}<bb>\"cc\"",
    "one  two   three    ",
    "incomprehensibilities of internationalization, INCOMPREHENSIBILITIES",
    "unk unk <OOV> oov",
]

UNSEEN = ["the unseen cat's word", "tie1 nothing tie4", "", "CAT incomprehensibilities \xc9t\xe9 never", "unk oov <OOV>"]

TOKENIZERS = [
    {},
    {"num_words": 1},
    {"num_words": 2},
    {"num_words": 5},
    {"num_words": 10, "oov_token": "<OOV>"},
    {"num_words": 1, "oov_token": "unk"},
    {"oov_token": "unk"},
    {"oov_token": "oov", "num_words": 12},
    {"lower": False},
    {"filters": ""},
    {"filters": "aeiou"},
    {"filters": "\U0001f600\xe9"},
    {"split": "t"},
    {"split": "\n", "filters": " "},
    {"split": "th"},
    {"split": "\U0001f600", "filters": "x"},
    {"split": "."},
    {"char_level": True},
    {"char_level": True, "num_words": 8, "oov_token": "?"},
]


def tokenizer_case(options):
    tokenizer = Tokenizer(**options)
    tokenizer.fit_on_texts(AWKWARD[:7])
    tokenizer.fit_on_texts(AWKWARD[7:])
    sequences = tokenizer.texts_to_sequences(AWKWARD + UNSEEN)
    return {
        "options": options,
        "wordIndex": list(tokenizer.word_index.items()),
        "wordCounts": list(tokenizer.word_counts.items()),
        "sequences": sequences,
        "texts": tokenizer.sequences_to_texts(sequences + [[0, 3, 100000]]),
    }


def word_list_case(options):
    lists = [["The", "cat's,", "WHISKERS"], ["the", "the", ""], []]
    tokenizer = Tokenizer(**options)
    tokenizer.fit_on_texts(lists)
    return {
        "options": options,
        "lists": lists,
        "wordIndex": list(tokenizer.word_index.items()),
        "sequences": tokenizer.texts_to_sequences(lists),
    }


def padding_cases():
    sequences = [[1, 2, 3, 4, 5], [], [6], [7, 8, 9], [-1, 2**31 - 1, -(2**31)]]
    for maxlen, padding, truncating, value in itertools.product(
        [None, 1, 3, 7], ["pre", "post"], ["pre", "post"], [0, -7]
    ):
        padded = pad_sequences(sequences, maxlen=maxlen, padding=padding, truncating=truncating, value=value)
        yield {
            "sequences": sequences,
            "options": {"maxLength": maxlen, "padding": padding, "truncating": truncating, "value": value},
            "padded": padded.tolist(),
        }


def lower_case():
    """Every character that str.lower changes, and all of Latin-1."""
    return [
        [code, chr(code).lower()]
        for code in range(sys.maxunicode + 1)
        if not 0xD800 <= code <= 0xDFFF and (code < 256 or chr(code).lower() != chr(code))
    ]


DOCUMENTS = [
    b"Subject: a\nFrom: b\n\nbody\n\nmore",
    b"\n\nbegins with an empty line\n\nand another",
    b"no empty line\nat all",
    b"Subject: a\r\nFrom: b\r\n\r\nbody\rmore\r\r\nend",
    b"Subject: \xe9\xff\x80\n\n\xa0body \xdf",
    b"",
]


def document_cases():
    """The rule of Keras' example pretrained_word_embeddings.py on a file as Python 3 reads it, and on raw bytes."""

    def without_headers(text):
        i = text.find("\n\n")
        return text[i:] if 0 < i else text

    for document in DOCUMENTS:
        universal = io.TextIOWrapper(io.BytesIO(document), encoding="latin-1").read()
        raw = document.decode("latin-1")
        yield {
            "bytes": list(document),
            "universal": without_headers(universal),
            "keep": without_headers(raw),
            "whole": raw,
        }


CSV = [
    'text,label\n"plain, with comma",a\n"two\nlines",b\n"a ""quoted"" word",a\n,b\n',
    'text,label\r\n"ends\r\nhere",a\r\n"",b\r\n\r\nlast,b',
    'text,label\n"""",a\n"\n",b\n" spaced ",a\n\xe9t\xe9 \u65e5\u672c,b\n"x"\n',
    'text,label\n"tail",a\n""""',
]


def csv_cases():
    for content in CSV:
        rows = [row for row in csv.reader(io.StringIO(content, newline=""), strict=True) if row]
        yield {"content": content, "rows": rows}


SPLIT_STREAM = 0xFFFFFFFE


def shuffled(count, seed):
    """Fisher and Yates' shuffle; draws below a bound take the words in turn and pass over those that would favour some."""
    words = iter(philox.words(seed, 0, SPLIT_STREAM, 4 * count).tolist())
    order = list(range(count))
    for last in range(count - 1, 0, -1):
        bound = last + 1
        usable = 2**32 - 2**32 % bound
        chosen = next(word for word in words if word < usable) % bound
        order[last], order[chosen] = order[chosen], order[last]
    return order


def main():
    fixture = {
        "source": f"test/oracle/text.py; Unicode {unicodedata.unidata_version}",
        "texts": AWKWARD,
        "unseen": UNSEEN,
        "tokenizers": [tokenizer_case(options) for options in TOKENIZERS],
        "wordLists": [word_list_case(options) for options in [{}, {"lower": False}, {"char_level": True}]],
        "padding": list(padding_cases()),
        "lowerCase": lower_case(),
        "documents": list(document_cases()),
        "csv": list(csv_cases()),
        "shuffles": [
            {"count": count, "seed": seed, "order": shuffled(count, seed)}
            for count, seed in [(8, 0), (100, 1), (33, 2**40 + 5), (5, 2**53 - 1)]
        ],
        "sorted": sorted(["b", "a", "B", "10", "9", "\xe9", "e", "\U0001f600", "\uff5a", "", "ab", "a b", "\U0001f600a"]),
    }
    FIXTURE.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
