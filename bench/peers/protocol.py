"""How a contestant of `bench/peers.mjs` is asked: `<call> <JSON>` a line, answered by one line of JSON each."""

import json
import os
import sys
import time

import numpy as np


def serve(calls):
    """Answers with `calls[call](**details)` until standard input ends. Whatever else prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        call, details = line.split(" ", 1)
        try:
            answer = calls[call](**json.loads(details))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def milliseconds(step, samples):
    """Times of `samples` calls, after one that does not count."""
    step()
    times = []
    for _ in range(samples):
        begun = time.perf_counter()
        step()
        times.append((time.perf_counter() - begun) * 1e3)
    return times


def fastest(candidates, samples=5):
    """The step of the candidate with the least median, its name, and all medians by name in milliseconds."""
    medians = {name: float(np.median(milliseconds(step, samples))) for name, step in candidates.items()}
    best = min(medians, key=medians.get)
    return candidates[best], best, {name: round(value, 2) for name, value in medians.items()}


class PreparedSteps:
    """Training steps that wait to be timed, by the key of what they train."""

    def __init__(self):
        self.steps = {}

    def keep(self, key, candidates):
        """The fastest of the candidates."""
        self.steps[key], chosen, medians = fastest(candidates)
        return {"chosen": chosen, "tried": medians}

    def time(self, key, samples):
        return {"milliseconds": milliseconds(self.steps[key], samples)}

    def drop(self, key):
        del self.steps[key]
        return {}


def read_arrays(folder):
    with open(os.path.join(folder, "arrays.json")) as file:
        shapes = json.load(file)
    return {
        name: np.fromfile(os.path.join(folder, entry["file"]), "<i4" if entry["file"].endswith("i32") else "<f4").reshape(
            entry["shape"]
        )
        for name, entry in shapes.items()
    }


def largest_difference(ours, theirs):
    """Of gradients by name, each relative to the largest element of ours."""
    return max(float(np.abs(theirs[name] - ours[name]).max() / np.abs(ours[name]).max()) for name in theirs)


def resident_bytes(field):
    """`VmRSS` or `VmHWM` of this process."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))


def forget_peak():
    """The kernel counts VmHWM anew."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
