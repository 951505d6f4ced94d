"""The operations of the package in PyTorch, written from their definitions and for no speed at all.

Shapes: B sequences, T steps, m inputs, n units; tensors are row-major as in the package. Semantics are Keras'; where
Keras has the operation, `check_reference.py` compares the two.

Operations with a kink report how near their arguments came to it (`Kinks`), so that the cases can be chosen away from
points where the gradient jumps.
"""

import math

import torch

BLOCKS = ("input", "forget", "candidate", "output")


class Kinks:
    """The smallest distance of any argument to a point where the derivative jumps."""

    def __init__(self):
        self.nearest = math.inf

    def see(self, distance):
        # An exact zero is no accident of rounding: it comes from zeros (a dead unit, a dropped element, the initial
        # state), which every precision computes alike.
        distance = distance[distance != 0]
        if distance.numel() > 0:
            self.nearest = min(self.nearest, distance.min().item())


def relu(x, kinks):
    kinks.see(x.detach().abs())
    return torch.relu(x)


def hard_sigmoid(x, kinks):
    """clip(0.2 x + 0.5, 0, 1) as in Keras 2; derivative 0 outside."""
    kinks.see((x.detach().abs() - 2.5).abs())
    return torch.clamp(0.2 * x + 0.5, 0.0, 1.0)


def activate(name, x, kinks):
    """Softmax is over the last axis."""
    if name == "linear":
        return x
    if name == "tanh":
        return torch.tanh(x)
    if name == "sigmoid":
        return torch.sigmoid(x)
    if name == "softmax":
        return torch.softmax(x, dim=-1)
    return {"relu": relu, "hardSigmoid": hard_sigmoid}[name](x, kinks)


# --- the recurrence ---------------------------------------------------------------------------------------------------

W, FULL, DIAGONAL, BIAS = "input", "full", "diagonal", "bias"
_whole = {W, FULL, BIAS}

# The blocks i, f, c, o as sets of terms, or a constant.
VARIANTS = {
    "LSTM": (_whole, _whole, _whole, _whole),
    "LSTM1": ({FULL, BIAS}, {FULL, BIAS}, _whole, {FULL, BIAS}),
    "LSTM2": ({FULL}, {FULL}, _whole, {FULL}),
    "LSTM3": ({BIAS}, {BIAS}, _whole, {BIAS}),
    "LSTM4": ({DIAGONAL}, {DIAGONAL}, _whole, {DIAGONAL}),
    "LSTM4a": ({DIAGONAL}, 0.96, _whole, 1.0),
    "LSTM5": ({DIAGONAL, BIAS}, {DIAGONAL, BIAS}, _whole, {DIAGONAL, BIAS}),
    "LSTM5a": ({DIAGONAL, BIAS}, 0.96, _whole, 1.0),
    "LSTM6": (1.0, 0.4, _whole, 1.0),
    "LSTM10": ({DIAGONAL}, {DIAGONAL}, {W, DIAGONAL, BIAS}, {DIAGONAL}),
    "LSTM11": ({DIAGONAL, BIAS}, {DIAGONAL, BIAS}, {W, DIAGONAL, BIAS}, {DIAGONAL, BIAS}),
    "LSTM_C6": (1.0, 0.4, {W, DIAGONAL, BIAS}, 1.0),
}


def cell_of(variant):
    """The four blocks of a published name or of a definition as the package's defineVariant takes it."""
    if isinstance(variant, str):
        return VARIANTS[variant]
    return tuple(_block(variant[block]) for block in BLOCKS)


def _block(definition):
    if "constant" in definition:
        return definition["constant"]
    terms = {term for term in (W, BIAS) if definition.get(term)}
    recurrent = definition.get("recurrent", "none")
    return terms | ({recurrent} if recurrent != "none" else set())


def blocks_with(cell, term):
    """Indices of the blocks that keep the term: the order of the packed arrays."""
    return [index for index, block in enumerate(cell) if isinstance(block, set) and term in block]


def weight_shapes(cell, inputs, units):
    shapes = {
        "kernel": (inputs, len(blocks_with(cell, W)) * units),
        "recurrent_kernel": (units, len(blocks_with(cell, FULL)) * units),
        "recurrent_diagonal": (len(blocks_with(cell, DIAGONAL)), units),
        "bias": (len(blocks_with(cell, BIAS)) * units,),
    }
    return {name: shape for name, shape in shapes.items() if 0 not in shape}


def _unpack(cell, weights, units):
    """Of each block the weights of its terms."""
    blocks = [{} for _ in cell]
    for name, term in (("kernel", W), ("recurrent_kernel", FULL), ("bias", BIAS)):
        for place, index in enumerate(blocks_with(cell, term)):
            blocks[index][term] = weights[name][..., place * units : (place + 1) * units]
    for place, index in enumerate(blocks_with(cell, DIAGONAL)):
        blocks[index][DIAGONAL] = weights["recurrent_diagonal"][place]
    return blocks


def recurrence(x, weights, cell, units, activation, recurrent_activation, kinks, reverse=False, mask=None,
               input_masks=None, recurrent_masks=None):
    """All states h in the order in which they are computed [B, T, n].

    x [B, T, m]; mask [B, T] bool: where it is false the state is copied; input_masks [B, 4, m] and recurrent_masks
    [B, 4, n]: dropout of x and h for each block, the same at every step.
    """
    batch, steps = x.shape[0], x.shape[1]
    blocks = _unpack(cell, weights, units)
    h = c = torch.zeros(batch, units, dtype=x.dtype)
    states = []
    for t in reversed(range(steps)) if reverse else range(steps):
        a = []
        for index, block in enumerate(blocks):
            x_t = x[:, t] if input_masks is None else x[:, t] * input_masks[:, index]
            h_t = h if recurrent_masks is None else h * recurrent_masks[:, index]
            total = torch.zeros(batch, units, dtype=x.dtype)
            if W in block:
                total = total + x_t @ block[W]
            if FULL in block:
                total = total + h_t @ block[FULL]
            if DIAGONAL in block:
                total = total + block[DIAGONAL] * h_t
            if BIAS in block:
                total = total + block[BIAS]
            a.append(total)
        i, f, o = (
            activate(recurrent_activation, a[index], kinks) if isinstance(cell[index], set) else cell[index]
            for index in (0, 1, 3)
        )
        next_c = f * c + i * activate(activation, a[2], kinks)
        next_h = o * activate(activation, next_c, kinks)
        if mask is not None:
            keep = mask[:, t, None]
            next_c, next_h = torch.where(keep, next_c, c), torch.where(keep, next_h, h)
        h, c = next_h, next_c
        states.append(h)
    return torch.stack(states, dim=1)


# --- the other layers -------------------------------------------------------------------------------------------------


def conv1d(x, kernel, bias, strides, padding, dilation):
    """x [B, T, C], kernel [taps, C, F]; a sum over taps, straight from the definition."""
    taps, steps = kernel.shape[0], x.shape[1]
    reach = dilation * (taps - 1) + 1
    if padding == "valid":
        before, out_steps = 0, (steps - reach) // strides + 1
    elif padding == "causal":
        before, out_steps = reach - 1, (steps - 1) // strides + 1
    else:
        before, out_steps = _same(steps, reach, strides)
    rows = []
    for t in range(out_steps):
        total = torch.zeros(x.shape[0], kernel.shape[2], dtype=x.dtype)
        for tap in range(taps):
            row = t * strides + tap * dilation - before
            if 0 <= row < steps:
                total = total + x[:, row] @ kernel[tap]
        rows.append(total)
    y = torch.stack(rows, dim=1)
    return y if bias is None else y + bias


def _same(steps, reach, strides):
    """TensorFlow's 'same': ceil(T / stride) outputs, the odd row of padding behind."""
    out_steps = -(-steps // strides)
    return max((out_steps - 1) * strides + reach - steps, 0) // 2, out_steps


def max_pooling1d(x, pool, strides, padding, kinks):
    steps = x.shape[1]
    before, out_steps = (0, (steps - pool) // strides + 1) if padding == "valid" else _same(steps, pool, strides)
    rows = []
    for t in range(out_steps):
        begin = t * strides - before
        window = x[:, max(begin, 0) : begin + pool]
        if window.shape[1] > 1:
            two = window.detach().topk(2, dim=1).values
            kinks.see(two[:, 0] - two[:, 1])
        # torch.max picks one winner, so that the gradient is not shared between equal values.
        rows.append(window.max(dim=1).values)
    return torch.stack(rows, dim=1)


# --- losses: means over the batch -------------------------------------------------------------------------------------

EPSILON = 1e-7


def categorical_crossentropy(probabilities, targets):
    """targets [B, C]. Keras divides by the sum, then clips."""
    p = probabilities / probabilities.sum(dim=-1, keepdim=True)
    return -(targets * p.clamp(EPSILON, 1 - EPSILON).log()).sum(dim=-1)


def categorical_crossentropy_of_logits(logits, targets):
    return -(targets * torch.log_softmax(logits, dim=-1)).sum(dim=-1)


def binary_crossentropy(probabilities, targets):
    p = probabilities.clamp(EPSILON, 1 - EPSILON)
    return -(targets * p.log() + (1 - targets) * (1 - p).log()).mean(dim=-1)


def binary_crossentropy_of_logits(logits, targets):
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(dim=-1)


def mean_squared_error(outputs, targets):
    return (outputs - targets).square().mean(dim=-1)
