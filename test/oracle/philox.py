"""Philox4x32-10 in numpy: the counter-based random words of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"
(SC 2011). `python philox.py` checks it against the known answers published with Random123."""

import numpy as np

MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL_0, WEYL_1 = 0x9E3779B9, 0xBB67AE85
LOW = np.uint64(0xFFFFFFFF)
WORD_BITS = np.uint64(32)


def philox4x32(key, counter):
    """Four arrays of words from a key of two ints and a counter of four arrays (or ints)."""
    c0, c1, c2, c3 = np.broadcast_arrays(*(np.asarray(c, dtype=np.uint64) for c in counter))
    k0, k1 = key
    for _ in range(10):
        p0, p1 = MULTIPLIER_0 * c0, MULTIPLIER_1 * c2
        c0, c1, c2, c3 = (
            (p1 >> WORD_BITS) ^ c1 ^ np.uint64(k0),
            p1 & LOW,
            (p0 >> WORD_BITS) ^ c3 ^ np.uint64(k1),
            p0 & LOW,
        )
        k0, k1 = (k0 + WEYL_0) & 0xFFFFFFFF, (k1 + WEYL_1) & 0xFFFFFFFF
    return c0, c1, c2, c3


def words(seed, step, stream, count):
    """Words 0 to count - 1 of a stream, as uint64 below 2**32."""
    block = np.arange((count + 3) // 4, dtype=np.uint64)
    four = philox4x32((seed & 0xFFFFFFFF, seed >> 32), (block & LOW, block >> WORD_BITS, step, stream))
    return np.stack(four, axis=1).reshape(-1)[:count]


def uniform(seed, stream, shape, scale):
    """Float32 values in (-scale, scale): element i is scale * (2 * (word + 1/2) / 2**32 - 1), computed in double."""
    count = int(np.prod(shape))
    word = words(seed, 0, stream, count).astype(np.float64)
    return (scale * (2.0 * ((word + 0.5) / 4294967296.0) - 1.0)).astype(np.float32).reshape(shape)


def dropout_mask(seed, step, stream, count, rate):
    """Inverted dropout: 0 where the word is below floor(rate * 2**32), else 1 / (1 - rate). The rate is a float32."""
    rate = float(np.float32(rate))
    threshold = int(rate * 4294967296.0)
    return np.where(words(seed, step, stream, count) < threshold, 0.0, 1.0 / (1.0 - rate))


# Lines "philox4x32 10" of kat_vectors in the Random123 distribution: counter, key, answer.
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def check():
    for counter, key, answer in KNOWN_ANSWERS:
        got = tuple(int(word) for word in philox4x32(key, counter))
        assert got == answer, f"counter {counter}, key {key}: {got} instead of {answer}"


if __name__ == "__main__":
    check()
    print(f"{len(KNOWN_ANSWERS)} known answers agree")
