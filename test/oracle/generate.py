"""Writes the fixtures of the operation tests: `python generate.py [group ...]`. Needs Python with numpy and torch.

See README.md for what a fixture holds. Inputs and weights come from counter-based formulas that the tests repeat, so
that only results are stored. The seed of a case's data is the first for which the case is fair: no argument within the
margin of a kink, and PyTorch's own float32 within FAIR of its float64.
"""

import json
import pathlib
import sys

import numpy as np
import torch

import cases
import layer_cases
import philox
from network import Network, Run

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
GROUPS = {
    "recurrence-grid": cases.grid,
    "recurrence-shapes": cases.shapes,
    "recurrence-family": cases.family,
    "recurrence-embedded": cases.embedded,
    "convolution": layer_cases.convolutions,
    "pooling": layer_cases.pooling,
    "simple-layers": layer_cases.simple,
    "bidirectional": layer_cases.bidirectional,
    "stacks": layer_cases.stacks,
    "published-network": layer_cases.published_network,
    "losses": layer_cases.losses,
}

FAIR = 3e-6
MARGIN = 1e-4
WHOLE = 256  # results of more elements than this are stored as a sketch
PROJECTIONS = 64
SKETCH_SEED = 0x5EED
INPUT_STREAM, PADDING_STREAM, TARGET_STREAM = 1000, 1001, 1002  # weights have streams 0, 1, 2, ...


# --- data by formula --------------------------------------------------------------------------------------------------


def tokens_of(case, seed):
    """Ids from 1; with 'mixed' padding, every third row is padded in front, every third is empty, every third has gaps."""
    (steps,) = case["inputShape"]
    batch, vocabulary = case["batch"], case["layers"][0]["inputDim"]
    ids = 1 + (philox.words(seed, 0, INPUT_STREAM, batch * steps) % np.uint64(vocabulary - 1)).astype(np.int64)
    ids = ids.reshape(batch, steps)
    if case["tokens"] == "mixed":
        ids[0::3, : steps // 2] = 0
        ids[1::3] = 0
        ids[2::3, 1::3] = 0
    return ids


def targets_of(case, seed, outputs):
    """Float64 [B, C] whatever the form in which the package takes them."""
    batch = case["batch"]
    if case["loss"] == "meanSquaredError":
        return philox.uniform(seed, TARGET_STREAM, (batch, outputs), 1.0).astype(np.float64)
    if case.get("targets") == "shares":
        shares = np.abs(philox.uniform(seed, TARGET_STREAM, (batch, outputs), 1.0).astype(np.float64))
        return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32).astype(np.float64)
    if case["loss"] == "binaryCrossentropy":
        word = philox.words(seed, 0, TARGET_STREAM, batch * outputs)
        return (word & np.uint64(1)).astype(np.float64).reshape(batch, outputs)
    word = philox.words(seed, 0, TARGET_STREAM, batch)
    return np.eye(outputs)[(word % np.uint64(outputs)).astype(np.int64)]


def scales_of(case, network):
    """Uniform weights whose products neither vanish nor explode: variance about 1 / 3 of that which keeps the variance."""
    factor = case.get("scale", 1.0)
    scales = {}
    for name, shape in network.shapes.items():
        fan_in = int(np.prod(shape[:-1]))
        array = name.rsplit("/", 1)[1]
        if array == "embeddings":
            scale = 1.0
        elif array == "bias":
            scale = 0.5 * factor
        elif array == "recurrent_diagonal":
            scale = 0.8 * factor
        else:
            scale = factor / np.sqrt(fan_in)
        scales[name] = float(np.float32(round(scale, 6)))
    return scales


# --- results ----------------------------------------------------------------------------------------------------------


def compute(case, network, seed, scales, dtype):
    """Everything a case promises, and how near it came to a kink."""
    torch.set_default_dtype(dtype)
    weights = {
        name: torch.tensor(philox.uniform(seed, stream, shape, scales[name]), dtype=dtype, requires_grad=True)
        for stream, (name, shape) in enumerate(network.shapes.items())
    }
    wanted = dict(weights)
    if "tokens" in case:
        x = torch.tensor(tokens_of(case, seed))
    else:
        shape = (case["batch"], *case["inputShape"])
        x = torch.tensor(philox.uniform(seed, INPUT_STREAM, shape, 1.0), dtype=dtype, requires_grad=True)
        wanted["input"] = x
    y = torch.tensor(targets_of(case, seed, network.output_shape[-1]), dtype=dtype)

    inference = Run(training=False, seed=case["seed"], dtype=dtype)
    with torch.no_grad():
        results = {"output": network.outputs(x, weights, inference)}
        loss = network.losses(case["loss"], x, y, weights, inference).mean().item()
    run = Run(training=case["training"], seed=case["seed"], dtype=dtype)
    network.losses(case["loss"], x, y, weights, run).mean().backward()
    for name, array in wanted.items():
        results[name] = torch.zeros_like(array) if array.grad is None else array.grad
    results = {name: array.detach().numpy().astype(np.float64) for name, array in results.items()}
    return loss, results, min(inference.kinks.nearest, run.kinks.nearest)


def relative_error(a, b):
    norm = np.linalg.norm(b)
    return np.linalg.norm(a - b) / norm if norm > 0 else float(np.linalg.norm(a))


def fair(case, network, scales):
    """The first seed of data for which the case tests the package and not the luck of rounding, and its results."""
    for seed in range(1, 400):
        loss, results, kink = compute(case, network, seed, scales, torch.float64)
        if kink < case.get("margin", MARGIN):
            continue
        loss32, results32, _ = compute(case, network, seed, scales, torch.float32)
        worst = max(relative_error(results32[name], array) for name, array in results.items())
        if max(worst, abs(loss32 - loss) / abs(loss)) <= FAIR:
            return seed, loss, results
    raise RuntimeError(f"no fair data for {case['name']}")


_signs = {}


def signs(size):
    """[64, size] of ±1: projection p of element i is + where bit p mod 32 of word 2 i + p div 32 is set."""
    if size not in _signs:
        word = philox.words(SKETCH_SEED, 0, 0, 2 * size).reshape(size, 2)
        bits = (word[:, :, None] >> np.arange(32, dtype=np.uint64)) & np.uint64(1)
        _signs[size] = bits.reshape(size, PROJECTIONS).T.astype(np.float64) * 2 - 1
    return _signs[size]


def stored(array):
    """The array itself, or its projections and its norm."""
    flat = array.reshape(-1)
    if flat.size <= WHOLE:
        return flat
    return np.append(signs(flat.size) @ flat, np.linalg.norm(flat))


def write(group):
    lines, values = [], []
    for case in GROUPS[group]():
        case = {"training": False, "seed": 0, **case}
        network = Network(case["layers"], case["inputShape"])
        scales = scales_of(case, network)
        seed, loss, results = fair(case, network, scales)
        entry = {key: case[key] for key in ("name", "layers", "inputShape", "batch", "loss", "training", "seed")}
        entry |= {key: case[key] for key in ("tokens", "targets") if key in case}
        entry |= {
            "dataSeed": seed,
            "weights": [[name, list(shape), scales[name]] for name, shape in network.shapes.items()],
            "outputShape": list(network.output_shape),
            "expectedLoss": loss,
            "results": [[name, array.size] for name, array in results.items()],
        }
        lines.append(json.dumps(entry, separators=(",", ":")))
        values += [stored(array) for array in results.values()]
    FIXTURES.mkdir(exist_ok=True)
    (FIXTURES / f"{group}.json").write_text('{"cases":[\n' + ",\n".join(lines) + "\n]}\n")
    np.concatenate(values).astype("<f4").tofile(FIXTURES / f"{group}.f32")
    sizes = [(FIXTURES / f"{group}.{ending}").stat().st_size for ending in ("json", "f32")]
    print(f"{group}: {len(lines)} cases, {sizes[0] + sizes[1]} bytes", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    philox.check()
    for group in sys.argv[1:] or GROUPS:
        write(group)
