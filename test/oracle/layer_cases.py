"""Cases of the layers besides the LSTM, of stacks of layers and of the losses; `cases.py` tells what a case is."""

from cases import CUSTOM, lstm, tail_of

FLATTEN = {"type": "flatten"}


def _conv(steps, channels, batch=3, name="", **options):
    """Convolution, flattened, on values."""
    layer = {"type": "conv1d", **options}
    return dict(
        name=f"conv1d {name}", layers=[layer, FLATTEN], inputShape=[steps, channels], batch=batch,
        loss="meanSquaredError",
    )  # fmt: skip


def convolutions():
    cases = []
    for padding in ("valid", "same", "causal"):
        for taps in (1, 2, 5):
            for stride in (1, 2, 3):
                use_bias = (taps + stride) % 2 == 0
                activation = ("linear", "tanh", "sigmoid", "relu", "hardSigmoid")[(taps + 2 * stride) % 5]
                cases.append(
                    _conv(
                        11, 4, name=f"{padding}, {taps} taps, stride {stride}, {activation}{'' if use_bias else ', no bias'}",
                        filters=7, kernelSize=taps, strides=stride, padding=padding, activation=activation, useBias=use_bias,
                    )
                )  # fmt: skip
    for padding in ("valid", "same", "causal"):
        cases.append(
            _conv(
                13, 5, name=f"{padding}, dilation 3", filters=6, kernelSize=3, dilationRate=3, padding=padding,
                activation="tanh",
            )
        )  # fmt: skip
    cases += [
        _conv(5, 1, batch=1, name="of a kernel as long as the sequence", filters=1, kernelSize=5),
        _conv(2, 3, name="same, wider than the sequence", filters=3, kernelSize=7, padding="same"),
        _conv(37, 100, batch=33, name="wide", filters=130, kernelSize=5, activation="tanh"),
        _conv(64, 17, batch=3, name="same, wide", filters=64, kernelSize=4, padding="same", activation="sigmoid"),
        _conv(9, 3, name="softmax over the filters", filters=5, kernelSize=2, activation="softmax"),
    ]
    for tokens, vocabulary, (t, m, f) in (("mixed", 11, (40, 7, 17)), ("none", 499, (40, 16, 64))):
        for padding, stride in (("valid", 1), ("same", 1), ("causal", 1), ("valid", 2)):
            cases.append(
                dict(
                    name=f"conv1d {padding}, stride {stride}, behind an embedding of {vocabulary}",
                    layers=[
                        {"type": "embedding", "inputDim": vocabulary, "outputDim": m},
                        {"type": "conv1d", "filters": f, "kernelSize": 5, "strides": stride, "padding": padding, "activation": "tanh"},
                        FLATTEN,
                    ],
                    inputShape=[t], batch=5, tokens=tokens, loss="meanSquaredError",
                )
            )  # fmt: skip
    return cases


def pooling():
    cases = []
    for padding in ("valid", "same"):
        for pool, stride in ((1, 1), (2, 2), (3, 2), (5, 5), (2, 3), (11, 1)):
            cases.append(
                dict(
                    name=f"maxPooling1d {padding}, {pool} rows, stride {stride}",
                    layers=[{"type": "maxPooling1d", "poolSize": pool, "strides": stride, "padding": padding}, FLATTEN],
                    inputShape=[11, 5], batch=3, loss="meanSquaredError",
                )
            )  # fmt: skip
    for keep in (False, True):
        tail = [FLATTEN] if keep else []
        cases.append(
            dict(
                name=f"globalMaxPooling1d{', dimensions kept' if keep else ''}",
                layers=[{"type": "globalMaxPooling1d", "keepdims": keep}, *tail],
                inputShape=[37, 7], batch=3, loss="meanSquaredError",
            )
        )  # fmt: skip
    cases.append(
        dict(
            name="maxPooling1d wide, behind a convolution",
            layers=[
                {"type": "conv1d", "filters": 64, "kernelSize": 5, "activation": "tanh"},
                {"type": "maxPooling1d", "poolSize": 5},
                FLATTEN,
            ],
            inputShape=[64, 7], batch=3, loss="meanSquaredError", margin=1e-5,
        )
    )  # fmt: skip
    return cases


def simple():
    """Embedding, dense, activation, flatten, dropout."""
    mse = dict(loss="meanSquaredError", batch=3)
    cases = [
        dict(
            name="embedding of more rows than tokens", inputShape=[7], tokens="none",
            layers=[{"type": "embedding", "inputDim": 1009, "outputDim": 5}, FLATTEN], **mse,
        ),
        dict(
            name="embedding with every token many times", inputShape=[37], tokens="mixed",
            layers=[{"type": "embedding", "inputDim": 4, "outputDim": 100}, FLATTEN], **mse,
        ),
    ]  # fmt: skip
    for activation in ("linear", "tanh", "sigmoid", "relu", "hardSigmoid", "softmax"):
        dense = {"type": "dense", "units": 7, "activation": activation}
        cases += [
            dict(name=f"dense {activation}", layers=[dense], inputShape=[5], **mse),
            dict(name=f"dense {activation} over sequences", layers=[dense, FLATTEN], inputShape=[4, 5], **mse),
            dict(
                name=f"activation {activation} over sequences", inputShape=[4, 5],
                layers=[{"type": "activation", "activation": activation}, FLATTEN], **mse,
            ),
        ]  # fmt: skip
    for k, n, b in ((1, 1, 1), (130, 64, 33), (17, 130, 3), (100, 5, 1), (500, 20, 33)):
        use_bias = k != 17
        cases.append(
            dict(
                name=f"dense, K = {k}, units = {n}, B = {b}{'' if use_bias else ', no bias'}",
                layers=[{"type": "dense", "units": n, "activation": "tanh", "useBias": use_bias}],
                inputShape=[k], batch=b, loss="meanSquaredError",
            )
        )  # fmt: skip
    for rate in (0.0, 0.1, 0.5, 0.9):
        cases += [
            dict(
                name=f"dropout {rate}", layers=[{"type": "dropout", "rate": rate}, {"type": "dense", "units": 5}],
                inputShape=[37], training=True, seed=7, **mse,
            ),
            dict(
                name=f"dropout {rate} of sequences", layers=[{"type": "dropout", "rate": rate}, FLATTEN],
                inputShape=[9, 5], training=True, seed=2**33 + 5, **mse,
            ),
            dict(
                name=f"spatialDropout1d {rate}", layers=[{"type": "spatialDropout1d", "rate": rate}, FLATTEN],
                inputShape=[6, 13], training=True, seed=3, **mse,
            ),
        ]  # fmt: skip
    cases.append(
        dict(
            name="two dropout layers have masks of their own", inputShape=[37], training=True, seed=11,
            layers=[{"type": "dropout", "rate": 0.3}, {"type": "dropout", "rate": 0.3}], **mse,
        )
    )  # fmt: skip
    return cases


def bidirectional():
    cases = []
    for k, merge in enumerate(("concat", "sum", "mul", "ave")):
        for sequences in (False, True):
            for masking in (False, True):
                dropout = (k + sequences + masking) % 2 == 1
                inner = lstm(5, ("LSTM", "LSTM1", "LSTM3", "LSTM11")[(k + 2 * masking + sequences) % 4], returnSequences=sequences)
                if dropout:
                    inner.update(dropout=0.25, recurrentDropout=0.4)
                layer = {"type": "bidirectional", "layer": inner, "mergeMode": merge}
                embedding = [{"type": "embedding", "inputDim": 11, "outputDim": 3, "maskZero": True}] if masking else []
                words = ["bidirectional", inner["variant"], merge]
                words += [word for word, on in (("sequences", sequences), ("masking", masking), ("dropout", dropout)) if on]
                case = dict(
                    name=", ".join(words), layers=[*embedding, layer, *tail_of(inner, masking)],
                    inputShape=[4] if masking else [4, 3], batch=3, loss="meanSquaredError", training=dropout, seed=k,
                )  # fmt: skip
                cases.append(case | ({"tokens": "mixed"} if masking else {}))
    for name, inner, (t, m, b) in (
        ("wide", lstm(64, "LSTM", returnSequences=True), (37, 17, 3)),
        ("wide, one step", lstm(130, "LSTM2"), (1, 7, 33)),
        ("wide scan", lstm(130, "LSTM10", dropout=0.2, recurrentDropout=0.3), (37, 7, 3)),
        ("of a variant of one's own", lstm(17, CUSTOM[0], returnSequences=True), (5, 4, 3)),
        ("round a backward layer", lstm(5, "LSTM3", goBackwards=True), (4, 3, 3)),
    ):
        layers = [{"type": "bidirectional", "layer": inner}, *tail_of(inner, False)]
        cases.append(
            dict(
                name=f"bidirectional {name}", layers=layers, inputShape=[t, m], batch=b, loss="meanSquaredError",
                training="dropout" in inner, seed=5,
            )
        )  # fmt: skip
    return cases


def stacks():
    """Layers on layers: what one leaves behind is what the next one reads, forward and backward."""

    def embedding(vocabulary, width, mask_zero):
        return {"type": "embedding", "inputDim": vocabulary, "outputDim": width, "maskZero": mask_zero}

    drops = dict(dropout=0.2, recurrentDropout=0.3)
    cases = [
        dict(
            name="three LSTM layers, masked, with dropout", inputShape=[6], tokens="mixed", training=True, seed=21,
            layers=[
                embedding(13, 7, True),
                {"type": "spatialDropout1d", "rate": 0.2},
                lstm(5, "LSTM", returnSequences=True, **drops),
                {"type": "dropout", "rate": 0.3},
                {"type": "bidirectional", "layer": lstm(4, "LSTM1", returnSequences=True, **drops), "mergeMode": "sum"},
                lstm(6, "LSTM3", goBackwards=True, **drops),
                {"type": "dense", "units": 4, "activation": "softmax"},
            ],
            batch=5, loss="sparseCategoricalCrossentropy",
        ),
        dict(
            name="dense over masked sequences", inputShape=[6], tokens="mixed",
            layers=[
                embedding(13, 7, True),
                {"type": "dense", "units": 5, "activation": "tanh"},
                lstm(5, "LSTM2", returnSequences=True),
                {"type": "activation", "activation": "sigmoid"},
                lstm(7, "LSTM"),
                {"type": "dense", "units": 3, "activation": "softmax"},
            ],
            batch=5, loss="categoricalCrossentropy",
        ),
        dict(
            name="the network of Kent and Salem, small", inputShape=[80], tokens="mixed", training=True, seed=31,
            layers=[
                embedding(50, 9, False),
                {"type": "conv1d", "filters": 8, "kernelSize": 3, "activation": "tanh"},
                {"type": "maxPooling1d", "poolSize": 2},
                {"type": "dropout", "rate": 0.2},
                {"type": "conv1d", "filters": 8, "kernelSize": 3, "activation": "tanh"},
                {"type": "maxPooling1d", "poolSize": 2},
                {"type": "dropout", "rate": 0.2},
                {"type": "conv1d", "filters": 8, "kernelSize": 3, "activation": "tanh"},
                {"type": "maxPooling1d", "poolSize": 2},
                {"type": "dropout", "rate": 0.2},
                {"type": "bidirectional", "layer": lstm(7, "LSTM3", **drops)},
                {"type": "dense", "units": 8, "activation": "tanh"},
                {"type": "dense", "units": 5, "activation": "softmax"},
            ],
            batch=5, loss="sparseCategoricalCrossentropy", margin=1e-6,
        ),
    ]  # fmt: skip
    return cases


def published_network():
    """The network of Kent and Salem at its own size but for the vocabulary. With a quarter of a million arguments of relu
    none of the data keeps clear of the kinks, so these cases ask for no margin and the tests allow them more."""
    cases = []
    for variant, activation in (("LSTM", "tanh"), ("LSTM1", "relu"), ("LSTM2", "sigmoid"), ("LSTM3", "linear"), ("LSTM3", "softmax")):
        inner = lstm(
            128, variant, activation=activation, recurrentActivation="hardSigmoid", dropout=0.2, recurrentDropout=0.3
        )
        layers = [{"type": "embedding", "inputDim": 300, "outputDim": 100}]
        for _ in range(3):
            layers.append({"type": "conv1d", "filters": 128, "kernelSize": 5, "activation": "relu"})
            layers.append({"type": "maxPooling1d", "poolSize": 5})
            layers.append({"type": "dropout", "rate": 0.2})
        layers += [
            {"type": "bidirectional", "layer": inner},
            {"type": "dense", "units": 128, "activation": "relu"},
            {"type": "dense", "units": 20, "activation": "softmax"},
        ]
        cases.append(
            dict(
                name=f"{variant}, {activation}", layers=layers, inputShape=[1000], batch=3, tokens="mixed", margin=0.0,
                loss="sparseCategoricalCrossentropy", training=True, seed=2018,
            )
        )  # fmt: skip
    return cases


def losses():
    def case(name, loss, units, activation, **more):
        layers = [{"type": "dense", "units": units, "activation": activation}]
        return dict(name=f"{loss}, {name}", loss=loss, layers=layers, inputShape=[6], batch=9, **more)

    cases = []
    for loss in ("sparseCategoricalCrossentropy", "categoricalCrossentropy"):
        cases += [
            case("softmax", loss, 5, "softmax"),
            case("softmax of large logits", loss, 5, "softmax", scale=40.0),
            case("softmax of two", loss, 2, "softmax"),
            case("from probabilities of a sigmoid", loss, 5, "sigmoid"),
            dict(
                name=f"{loss}, softmax as a layer of its own", loss=loss, inputShape=[6], batch=9,
                layers=[{"type": "dense", "units": 5}, {"type": "activation", "activation": "softmax"}],
            ),
            dict(
                name=f"{loss}, from probabilities of a recurrent softmax", loss=loss, inputShape=[3, 4], batch=5,
                layers=[lstm(5, "LSTM6", activation="softmax")],
            ),
        ]  # fmt: skip
    cases += [
        case("shares of classes", "categoricalCrossentropy", 5, "softmax", targets="shares"),
        case("sigmoid", "binaryCrossentropy", 1, "sigmoid"),
        case("sigmoid of large logits", "binaryCrossentropy", 1, "sigmoid", scale=40.0),
        case("sigmoid of several outputs", "binaryCrossentropy", 7, "sigmoid"),
        case("from probabilities, some of them clipped", "binaryCrossentropy", 3, "hardSigmoid", scale=2.0),
        case("from probabilities of a softmax", "binaryCrossentropy", 3, "softmax"),
        case("linear", "meanSquaredError", 3, "linear"),
        case("one output", "meanSquaredError", 1, "tanh"),
    ]
    return cases
