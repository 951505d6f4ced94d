"""Cases over sizes and combinations of the recurrence; `layer_cases.py` has those of the other layers and the losses.

A case is a dict: `layers` as the package's factories take them, `inputShape` without the batch, `batch`, `loss`, and
optionally `tokens` (how padding lies in the token ids: 'none' or 'mixed'), `targets`, `training` (random masks on),
`scale` (a factor for all weights), `margin` (the least distance to a kink) and `biasScale`.
"""

from itertools import product

ACTIVATIONS = ("tanh", "linear", "sigmoid", "relu", "softmax")
PUBLISHED = ("LSTM", "LSTM1", "LSTM2", "LSTM3")
OTHERS = ("LSTM4", "LSTM4a", "LSTM5", "LSTM5a", "LSTM6", "LSTM10", "LSTM11", "LSTM_C6")

# Variants of a user's own, so chosen that each term stands alone in some block and each pair of terms meets.
CUSTOM = (
    {
        "name": "one of each",
        "input": {"input": True, "recurrent": "full", "bias": True},
        "forget": {"recurrent": "diagonal"},
        "candidate": {"input": True, "recurrent": "full"},
        "output": {"bias": True},
    },
    {
        "name": "negative forget",
        "input": {"input": True},
        "forget": {"constant": -0.5},
        "candidate": {"input": True, "recurrent": "diagonal"},
        "output": {"recurrent": "full"},
    },
    {
        "name": "candidate of bias alone",
        "input": {"input": True, "recurrent": "full"},
        "forget": {"input": True},
        "candidate": {"bias": True},
        "output": {"input": True, "recurrent": "diagonal", "bias": True},
    },
    {
        "name": "candidate of state alone",
        "input": {"input": True, "bias": True},
        "forget": {"constant": 0},
        "candidate": {"recurrent": "full", "bias": True},
        "output": {"constant": 0.5},
    },
    {
        "name": "no recurrent term",
        "input": {"input": True, "bias": True},
        "forget": {"bias": True},
        "candidate": {"input": True},
        "output": {"input": True},
    },
    {
        "name": "scan with input gates",
        "input": {"input": True, "recurrent": "diagonal", "bias": True},
        "forget": {"input": True, "recurrent": "diagonal", "bias": True},
        "candidate": {"input": True},
        "output": {"input": True, "recurrent": "diagonal"},
    },
    {
        "name": "full forget alone",
        "input": {"constant": 0.7},
        "forget": {"recurrent": "full"},
        "candidate": {"input": True, "recurrent": "full", "bias": True},
        "output": {"recurrent": "diagonal", "bias": True},
    },
)


def name_of(variant):
    return variant if isinstance(variant, str) else variant["name"]


def lstm(units, variant, **options):
    return {"type": "lstm", "units": units, "variant": variant, **options}


def tail_of(layer, masked):
    """What makes a vector of a sequence. A mask ends in a recurrent layer alone."""
    if not layer.get("returnSequences"):
        return []
    return [lstm(3, "LSTM3")] if masked else [{"type": "flatten"}]


def on_values(layer, steps, batch, inputs, **case):
    tail = tail_of(layer, False)
    return {"layers": [layer, *tail], "inputShape": [steps, inputs], "batch": batch, "loss": "meanSquaredError", **case}


def on_tokens(layer, steps, batch, inputs, mask_zero, vocabulary=11, **case):
    embedding = {"type": "embedding", "inputDim": vocabulary, "outputDim": inputs, "maskZero": mask_zero}
    tail = tail_of(layer, mask_zero)
    return {
        "layers": [embedding, layer, *tail], "inputShape": [steps], "batch": batch, "tokens": "mixed",
        "loss": "meanSquaredError", **case,
    }  # fmt: skip


def grid():
    """Every combination of variant, both activations, direction, dropout and masking, at one small odd shape."""
    cases = []
    for number, (variant, activation, recurrent, backwards, dropout, masking) in enumerate(
        product(PUBLISHED, ACTIVATIONS, ("sigmoid", "hardSigmoid"), (False, True), (False, True), (False, True))
    ):
        layer = lstm(5, variant, activation=activation, recurrentActivation=recurrent, goBackwards=backwards)
        # The last state alone and the whole sequence by turns, so that each meets every value of every option; but a
        # sequence that is given backwards no longer fits its mask, in Keras neither.
        if bin(number).count("1") % 2 and not (backwards and masking):
            layer["returnSequences"] = True
        if dropout:
            layer.update(dropout=0.25, recurrentDropout=0.4)
        words = [variant, activation, recurrent, "backward" if backwards else "forward"]
        words += [word for word, on in (("dropout", dropout), ("masking", masking)) if on]
        case = dict(name=", ".join(words), training=dropout, seed=2**40 + number if dropout else 0)
        cases.append(
            on_tokens(layer, 4, 3, 3, True, **case) if masking else on_values(layer, 4, 3, 3, **case)
        )  # fmt: skip
    return cases


def shapes():
    """Odd sizes: with each n every T, every B and every m; the direction, what is returned and dropout by turns."""
    units, steps, batches, widths = (1, 5, 17, 64, 130), (1, 2, 37), (1, 3, 33), (1, 7, 100)
    cases = []
    for v, variant in enumerate(PUBLISHED):
        for i, n in enumerate(units):
            for k in range(3):
                t, b, m = steps[k], batches[(k + i + v) % 3], widths[(k + 2 * i + v) % 3]
                turn = v + i + k
                layer = lstm(
                    n, variant, activation="sigmoid" if turn % 4 == 3 else "tanh", goBackwards=turn % 2 == 1,
                    returnSequences=(i + k) % 2 == 1,
                )  # fmt: skip
                dropout = (turn // 2) % 2 == 1
                if dropout:
                    layer.update(dropout=0.2, recurrentDropout=0.3)
                name = f"{variant}, n = {n}, T = {t}, B = {b}, m = {m}{', dropout' if dropout else ''}"
                cases.append(on_values(layer, t, b, m, name=name, training=dropout, seed=turn))
    return cases


def family():
    """The other published variants and variants of a user's own, over a thinner set of sizes and options."""
    cases = []
    for v, variant in enumerate((*OTHERS, *CUSTOM)):
        name = name_of(variant)
        for k, activation in enumerate(ACTIVATIONS):
            recurrent = ("sigmoid", "hardSigmoid")[(v + k) % 2]
            backwards, dropout, masking = (v + k // 2) % 2 == 1, (v + k) % 3 != 0, (v + 2 * k) % 3 == 0
            layer = lstm(5, variant, activation=activation, recurrentActivation=recurrent, goBackwards=backwards)
            if (v + k) % 4 < 2 and not (backwards and masking):
                layer["returnSequences"] = True
            if dropout:
                layer.update(dropout=0.25, recurrentDropout=0.4)
            words = [name, activation, recurrent, "backward" if backwards else "forward"]
            words += [word for word, on in (("dropout", dropout), ("masking", masking)) if on]
            case = dict(name=", ".join(words), training=dropout, seed=v * 10 + k)
            cases.append(on_tokens(layer, 5, 3, 3, True, **case) if masking else on_values(layer, 5, 3, 3, **case))
        for k, (n, t, b, m) in enumerate(((17, 2, 33, 1), (64, 37, 3, 7), (130, 2, 1, 100), (1, 37, 33, 7), (130, 37, 3, 17))):
            dropout = (v + k) % 2 == 1
            layer = lstm(n, variant, goBackwards=(v // 2 + k) % 2 == 1, returnSequences=(v + k) % 3 == 0)
            if dropout:
                layer.update(dropout=0.2, recurrentDropout=0.3)
            words = f"{name}, n = {n}, T = {t}, B = {b}, m = {m}{', dropout' if dropout else ''}"
            cases.append(on_values(layer, t, b, m, name=words, training=dropout, seed=v))
    return cases


def embedded():
    """Behind an embedding, where the input product may be computed once a token: few distinct tokens and many, padding
    seen or masked, both directions, with and without dropout."""
    cases = []
    for v, variant in enumerate(("LSTM", "LSTM2", "LSTM3", "LSTM4a", "LSTM10", "LSTM_C6", CUSTOM[0], CUSTOM[5])):
        for k, (vocabulary, t, b, m, n) in enumerate(((11, 37, 33, 7, 17), (997, 37, 3, 100, 64))):
            mask_zero, dropout = (v + k) % 2 == 0, (v // 2) % 2 == 1
            backwards = (v // 3 + k) % 2 == 1
            sequences = v % 3 == 0 and not (mask_zero and backwards)
            layer = lstm(n, variant, goBackwards=backwards, returnSequences=sequences)
            if dropout:
                layer.update(dropout=0.2, recurrentDropout=0.3)
            words = [name_of(variant), f"vocabulary {vocabulary}", f"n = {n}", f"T = {t}", f"B = {b}", f"m = {m}"]
            words += [word for word, on in (("dropout", dropout), ("masking", mask_zero)) if on]
            cases.append(
                on_tokens(layer, t, b, m, mask_zero, vocabulary, name=", ".join(words), training=dropout, seed=v)
            )
    return cases
