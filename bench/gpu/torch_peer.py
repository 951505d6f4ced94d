"""PyTorch's nn.LSTM (cuDNN) and the network of Kent & Salem in PyTorch on this GPU; needs Python with torch.

    python3 bench/gpu/torch_peer.py '<task as JSON>'

Prints a line of JSON for each result. Times are between events on the device, after warm-up; batches take turns, so that
none is in the cache from the run before. float32 is measured with tf32 products (PyTorch's default for its recurrent
layers) and without, and float16 beside it."""

import json
import sys

import torch
from torch import nn

PRECISIONS = {
    "tf32": (torch.float32, True),
    "fp32": (torch.float32, False),
    "fp16": (torch.float16, True),
}
BATCHES = 4


def tell(**line):
    print(json.dumps(line), flush=True)


def milliseconds(run, rounds, warmups):
    for i in range(warmups):
        run(i)
    torch.cuda.synchronize()
    times = []
    for i in range(rounds):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run(i)
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return times


def allow_tf32(allowed):
    torch.backends.cudnn.allow_tf32 = allowed
    torch.backends.cuda.matmul.allow_tf32 = allowed


def without_gradients(layer):
    for parameter in layer.parameters():
        parameter.grad = None


def layer_times(shape, precision, rounds, warmups):
    dtype, tf32 = PRECISIONS[precision]
    allow_tf32(tf32)
    size = (shape["steps"], shape["batch"])
    layer = nn.LSTM(shape["inputSize"], shape["units"]).cuda().to(dtype)
    options = {"device": "cuda", "dtype": dtype}
    inputs = [torch.randn(*size, shape["inputSize"], **options, requires_grad=True) for _ in range(BATCHES)]
    gradients = [torch.randn(*size, shape["units"], **options) for _ in range(BATCHES)]

    def forward(i):
        with torch.no_grad():
            layer(inputs[i % BATCHES])

    def training(i):
        without_gradients(layer)
        inputs[i % BATCHES].grad = None
        layer(inputs[i % BATCHES])[0].backward(gradients[i % BATCHES])

    return {"forward": milliseconds(forward, rounds, warmups), "training": milliseconds(training, rounds, warmups)}


def packed_times(shape, lengths, vocabulary, precision, padded, rounds, warmups):
    """A frozen embedding and the layer, whose last states are the result; the sequences are sorted by their lengths
    outside of what is timed."""
    dtype, tf32 = PRECISIONS[precision]
    allow_tf32(tf32)
    batch, steps = shape["batch"], shape["steps"]
    embedding = nn.Embedding(vocabulary, shape["inputSize"]).cuda().to(dtype).requires_grad_(False)
    layer = nn.LSTM(shape["inputSize"], shape["units"], batch_first=True).cuda().to(dtype)
    batches = []
    for first in range(0, len(lengths), batch):
        part = sorted(lengths[first : first + batch], reverse=True) if padded else [steps] * batch
        ids = torch.randint(1, vocabulary, (batch, steps), device="cuda")
        batches.append((ids, torch.tensor(part)))
    gradient = torch.randn(1, batch, shape["units"], device="cuda", dtype=dtype)

    def states(i):
        ids, part = batches[i % len(batches)]
        values = embedding(ids)
        if padded:
            values = nn.utils.rnn.pack_padded_sequence(values, part, batch_first=True)
        return layer(values)[1][0]

    def forward(i):
        with torch.no_grad():
            states(i)

    def training(i):
        without_gradients(layer)
        states(i).backward(gradient)

    return {"forward": milliseconds(forward, rounds, warmups), "training": milliseconds(training, rounds, warmups)}


class Network(nn.Module):
    """Three convolutions with pooling, a bidirectional LSTM, two dense layers; word vectors are frozen. cuDNN has no
    dropout of the recurrent operand, so that is left out here."""

    def __init__(self, words, classes):
        super().__init__()
        self.embedding = nn.Embedding(words, 100).requires_grad_(False)
        stages = []
        for channels in (100, 128, 128):
            stages += [nn.Conv1d(channels, 128, 5), nn.ReLU(), nn.MaxPool1d(5), nn.Dropout(0.2)]
        self.convolutions = nn.Sequential(*stages)
        self.input_dropout = nn.Dropout(0.2)
        self.lstm = nn.LSTM(128, 128, bidirectional=True)
        self.dense = nn.Sequential(nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, classes))

    def forward(self, tokens):
        features = self.convolutions(self.embedding(tokens).transpose(1, 2))
        _, (last, _) = self.lstm(self.input_dropout(features.permute(2, 0, 1)))
        return self.dense(last.transpose(0, 1).flatten(1))


def network_times(batch, steps, words, classes, precision, rounds, warmups):
    _, tf32 = PRECISIONS[precision]
    allow_tf32(tf32)
    torch.backends.cudnn.benchmark = True
    half = precision == "fp16"
    model = Network(words, classes).cuda()
    optimizer = torch.optim.RMSprop([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    scaler = torch.amp.GradScaler("cuda", enabled=half)
    batches = [
        (torch.randint(words, (batch, steps), device="cuda"), torch.randint(classes, (batch,), device="cuda"))
        for _ in range(BATCHES)
    ]

    def step(i):
        tokens, labels = batches[i % BATCHES]
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.float16, enabled=half):
            loss = nn.functional.cross_entropy(model(tokens), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    return {"training": milliseconds(step, rounds, warmups)}


def main():
    task = json.loads(sys.argv[1])
    kind = task.pop("task")
    shapes, precisions = task.pop("shapes", [None]), task.pop("precisions")
    measure = {"layer": layer_times, "lengths": packed_times, "network": network_times}[kind]
    tell(
        gpu=torch.cuda.get_device_name(),
        torch=torch.__version__,
        cudnn=torch.backends.cudnn.version(),
        cuda=torch.version.cuda,
    )
    for shape in shapes:
        for precision in precisions:
            for padded in [False, True] if kind == "lengths" else [None]:
                line = {"precision": precision}
                if shape is not None:
                    line["shape"] = shape
                arguments = dict(task) if shape is None else {"shape": shape, **task}
                if padded is not None:
                    line["padded"] = arguments["padded"] = padded
                try:
                    line.update(measure(precision=precision, **arguments))
                except Exception as error:  # what cuDNN refuses is a result too
                    line["error"] = str(error)[:300]
                tell(**line)


main()
