"""PyTorch as a contestant of `bench/peers.mjs`: needs Python with torch and numpy.

    python bench/peers/torch_peer.py THREADS

Each contest is a training step: forward pass, gradient of the last state given, gradients of all weights. Inputs are
random, or token ids from files; several sets of them take turns. Where PyTorch offers several ways to the same numbers
they are measured first, and the fastest is the one that competes.
"""

import itertools
import sys

import torch
from protocol import PreparedSteps, forget_peak, largest_difference, read_arrays, resident_bytes, serve
from torch_handwritten import HANDWRITTEN

SETS = 4

prepared = PreparedSteps()


def turns(step, batches):
    """A step without arguments that works on the next of the batches at each call."""
    rotation = itertools.cycle(batches)
    return lambda: step(*next(rotation))


def gradients_of(forward, weights):
    return lambda x, dh: torch.autograd.grad(forward(x), weights, dh)


def prepare_layer(key, steps, batch, inputSize, units):
    candidates = {}
    for name, batch_first in (("[T, B, m]", False), ("[B, T, m]", True)):
        lstm = torch.nn.LSTM(inputSize, units, batch_first=batch_first)
        shape = (batch, steps, inputSize) if batch_first else (steps, batch, inputSize)
        batches = [(torch.randn(shape), torch.randn(batch, units)) for _ in range(SETS)]
        forward = lambda x, lstm=lstm: lstm(x)[1][0][-1]
        candidates[name] = turns(gradients_of(forward, list(lstm.parameters())), batches)
    return prepared.keep(key, candidates)


def prepare_handwritten(key, variant, steps, batch, inputSize, units):
    layer = HANDWRITTEN[variant](inputSize, units)
    batches = [(torch.randn(steps, batch, inputSize), torch.randn(batch, units)) for _ in range(SETS)]
    return prepared.keep(key, {"eager": turns(gradients_of(layer, list(layer.parameters())), batches)})


def prepare_embedding(key, folder, vocabulary, inputSize, units):
    candidates = {}
    batches = [torch.from_numpy(ids).long() for ids in read_arrays(folder)["ids"]]
    gradients = [torch.randn(len(batches[0]), units) for _ in batches]
    for gradient, batch_first in itertools.product(("dense", "sparse"), (False, True)):
        embedding = torch.nn.Embedding(vocabulary, inputSize, sparse=gradient == "sparse")
        lstm = torch.nn.LSTM(inputSize, units, batch_first=batch_first)
        ids = batches if batch_first else [tokens.t().contiguous() for tokens in batches]
        forward = lambda x, lstm=lstm, embedding=embedding: lstm(embedding(x))[1][0][-1]
        name = f"{gradient} gradient, {'[B, T]' if batch_first else '[T, B]'}"
        weights = [embedding.weight, *lstm.parameters()]
        candidates[name] = turns(gradients_of(forward, weights), list(zip(ids, gradients)))
    return prepared.keep(key, candidates)


def prepare_packed(key, folder, vocabulary, inputSize, units):
    """The same batches as sequences of their true lengths; empty ones count as one padding token."""
    embedding = torch.nn.Embedding(vocabulary, inputSize)
    lstm = torch.nn.LSTM(inputSize, units)
    batches = []
    for ids in read_arrays(folder)["ids"]:
        tokens = [torch.from_numpy(row[row != 0] if row.any() else row[:1]).long() for row in ids]
        lengths = torch.tensor([len(row) for row in tokens])
        batches.append(((torch.nn.utils.rnn.pad_sequence(tokens), lengths), torch.randn(len(ids), units)))

    def forward(x):
        tokens, lengths = x
        packed = torch.nn.utils.rnn.pack_padded_sequence(embedding(tokens), lengths, enforce_sorted=False)
        return lstm(packed)[1][0][-1]

    weights = [embedding.weight, *lstm.parameters()]
    prepared.steps[key] = turns(gradients_of(forward, weights), batches)
    return {"chosen": "packed"}


def set_weights(lstm, arrays):
    """Keras' layout and order i, f, c, o is PyTorch's, transposed; PyTorch adds two biases."""
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(torch.from_numpy(arrays["kernel"].T.copy()))
        lstm.weight_hh_l0.copy_(torch.from_numpy(arrays["recurrent_kernel"].T.copy()))
        lstm.bias_ih_l0.copy_(torch.from_numpy(arrays["bias"]))
        lstm.bias_hh_l0.zero_()


def check(variant, folder):
    """Loss and gradients of the mean squared error of the last state, beside those in the folder."""
    arrays = read_arrays(folder)
    x, y = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"])
    if variant == "LSTM":
        units, width = arrays["recurrent_kernel"].shape[0], arrays["kernel"].shape[0]
        lstm = torch.nn.LSTM(width, units, batch_first=True)
        set_weights(lstm, arrays)
        table = torch.from_numpy(arrays["embeddings"]).requires_grad_() if "embeddings" in arrays else None
        rows = x if table is None else torch.nn.functional.embedding(x.long(), table)
        loss = torch.nn.functional.mse_loss(lstm(rows)[1][0][-1], y)
        loss.backward()
        theirs = {
            "gradient_kernel": lstm.weight_ih_l0.grad.T,
            "gradient_recurrent_kernel": lstm.weight_hh_l0.grad.T,
            "gradient_bias": lstm.bias_ih_l0.grad,
        }
        if table is not None:
            theirs["gradient_embeddings"] = table.grad
    else:
        layer = HANDWRITTEN[variant](*arrays["kernel"].shape)
        layer.set_weights(arrays)
        loss = torch.nn.functional.mse_loss(layer(x.transpose(0, 1).contiguous()), y)
        loss.backward()
        theirs = layer.gradients()
    return {
        "loss": abs(loss.item() / arrays["loss"].item() - 1),
        "gradient": largest_difference(arrays, {name: value.numpy() for name, value in theirs.items()}),
    }


def memory(steps, batch, inputSize, units):
    """Bytes that a training step adds at its peak: data, weights, what the backward pass keeps, the update."""

    def train(sizes, repeats):
        steps, batch, inputs, units = sizes
        lstm = torch.nn.LSTM(inputs, units, batch_first=True)
        optimizer = torch.optim.SGD(lstm.parameters(), 0.01)
        x, y = torch.randn(batch, steps, inputs), torch.randn(batch, units)
        for _ in range(repeats):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(lstm(x)[1][0][-1], y).backward()
            optimizer.step()

    train((2, 2, 8, 8), 2)
    before = resident_bytes("VmRSS")
    forget_peak()
    train((steps, batch, inputSize, units), 3)
    return {"bytes": resident_bytes("VmHWM") - before}


def describe():
    return {"PyTorch": torch.__version__}


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[1]))
    torch.manual_seed(0)
    serve(
        {
            "describe": describe,
            "layer": prepare_layer,
            "handwritten": prepare_handwritten,
            "embedding": prepare_embedding,
            "packed": prepare_packed,
            "time": prepared.time,
            "drop": prepared.drop,
            "check": check,
            "memory": memory,
        }
    )
