"""Kiln beside PyTorch and Keras on whole networks, from equal weights and batches; run by hand. Usage: run.py KILN [FRAMEWORK | FRAMEWORK.NETWORK]...
Needs onnx and onnxruntime; torch, torchvision, transformers and onnxscript; tensorflow-cpu, keras and tf2onnx (in one environment or in turn: a
framework that is not there is left out, and said to be); and minutes. README.md has the table that it prints, and what its columns are."""

import csv
import importlib
import os
import re
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
import harness  # noqa: E402
from harness import attempt, kiln  # noqa: E402
from network import STEPS  # noqa: E402

RATE = 1024.0  # of the single steps: the weights' rounding must not cover the gradient
OFF = 1e-7  # how far from the weights the second run of the framework begins
CHAOTIC = 100 * OFF
CLOSE, LOSS_CLOSE, GRADIENT_CLOSE, STATISTICS_CLOSE = 1e-4, 1e-6, 1e-4, 1e-5
FRAMEWORKS = ("pytorch", "keras")
OPTIMIZERS = {"sgd": "sgd:learning_rate=0.01", "adam": "adam:learning_rate=0.001"}


# -- the model's file --


def readers(graph):
    """Names of the nodes that read each value."""
    out = {}
    for node in graph.node:
        for name in node.input:
            out.setdefault(name, []).append(node.name)
    return out


def bind(path, network):
    """Which initializer each variable of the network is, and whether transposed: by name, by value, or by the layer that reads it."""
    graph = onnx.load(path).graph
    values = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    reads, bound, left = readers(graph), {}, dict(values)
    for name, want in network.state.items():
        same = [(k, turned) for k in ([name] if name in left else left) for turned in (False, True) if equal(left[k], want, turned)]
        near = [(k, False) for k in left if left[k].size == want.size and network.belongs(name, [k, *reads.get(k, [])])]
        found = same or near
        if not found:
            raise RuntimeError(f"no initializer is {name}")
        bound[name] = found[0]
        del left[found[0][0]]
    return bound


def equal(a, want, turned):
    return a.size == want.size and np.array_equal((a.T if turned else a).ravel(), want.ravel())


def put(source, bound, state, path):
    """The model with these values."""
    model = onnx.load(source)
    at = {i.name: i for i in model.graph.initializer}
    for name, (k, turned) in bound.items():
        dims = tuple(at[k].dims)
        a = state[name].reshape(dims[::-1]).T if turned else state[name].reshape(dims)
        at[k].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(a), k))
    onnx.save(model, path)


def take(path, bound):
    values = {i.name: numpy_helper.to_array(i) for i in onnx.load(path).graph.initializer}
    return {name: (values[k].T if turned else values[k]).ravel() for name, (k, turned) in bound.items()}


# -- Kiln --


def train(path, network, x, y, optimizer, *options):
    """Kiln's losses and how many parameters it trains; the model is in end.onnx."""
    np.savez("data.npz", x=x, y=y)
    axis = ["--class-axis", 1] if y.ndim == 3 else []
    said = kiln(
        *("train", path, "--data", "npz:data.npz", "--no-shuffle", "--batch", network.batch, "--optimizer", optimizer, "--seconds", 600),
        *("--loss", network.loss, "--step-log", "steps.csv", "--output", "end.onnx", *axis, *options),
    )
    with open("steps.csv", newline="") as f:
        losses = np.array([float(row["loss"]) for row in csv.DictReader(f)])
    return losses, int(re.search(r"(\d+) parameters to train", said)[1])


# -- judging --


def apart(pairs):
    """The distance of what is got to what is wanted, relative to the latter's length."""
    distance = length = 0.0
    for got, want in pairs:
        distance += float(np.sum((got.ravel().astype(float) - want.ravel()) ** 2))
        length += float(np.sum(want.astype(float) ** 2))
    return (distance / length) ** 0.5


def single_step(network, bound, i, before, after):
    """Step i from the framework's state: distances to float64 of the loss, Kiln's and the framework's, and of the gradient; and of the new statistics
    to the framework's."""
    put("start.onnx", bound, before, "step.onnx")
    loss, _ = train("step.onnx", network, *network.step(i), f"sgd:learning_rate={RATE}", "--exact")
    end = take("end.onnx", bound)
    single, single_gradient = network.gradient(before, i, False)
    true, true_gradient = network.gradient(before, i, True)
    mine = (((before[k].ravel().astype(float) - end[k]) / RATE, true_gradient[k]) for k in network.trained)
    theirs = ((single_gradient[k], true_gradient[k]) for k in network.trained)
    lost = [np.max(np.abs(end[k] - after[k].ravel()) / np.maximum(1, np.abs(after[k].ravel()))) for k in network.statistics]
    return abs(loss[0] / true - 1), abs(single / true - 1), apart(mine), apart(theirs), max(lost, default=np.nan)


def off(network):
    random = np.random.default_rng(9)
    return {k: (a * (1 + OFF * random.normal(size=a.shape))).astype(np.float32) for k, a in network.state.items()}


def row(name, network, bound, which):
    """Prints it; says what is wrong."""
    everything = sum(network.state[k].size for k in network.trained)
    put("start.onnx", bound, network.state, "free.onnx")
    mine, trained = train("free.onnx", network, network.x, network.y, OPTIMIZERS[which])
    theirs, states = network.follow(which, network.state, {j for i in network.single for j in ((i, i + 1) if network.statistics else (i,))})
    again, _ = network.follow(which, off(network), ())
    run, itself = np.max(np.abs(mine / theirs - 1)), np.max(np.abs(again / theirs - 1))
    each = np.array([single_step(network, bound, i, states[i], states.get(i + 1)) for i in network.single])
    loss, gradient, statistics = each[:, :2].max(0), np.median(each[:, 2:4], 0), each[:, 4].max()
    chaotic = itself > CHAOTIC
    print(
        f"{name:22} {which:5} {trained:9} {run:9.1e} {itself:9.1e} {'yes' if chaotic else 'no':8} {loss[0]:9.1e} / {loss[1]:7.1e} "
        f"{gradient[0]:9.1e} / {gradient[1]:7.1e} {'-' if np.isnan(statistics) else format(statistics, '.1e'):>10}",
        flush=True,
    )
    wrong = [f"{trained} of {everything} parameters train"] if trained != everything else []
    wrong += ["the runs are apart"] if not chaotic and not run <= CLOSE else []
    wrong += ["the losses of single steps are apart"] if not loss[0] <= max(LOSS_CLOSE, 3 * loss[1]) else []
    wrong += ["the gradients are apart"] if not network.kinks and not gradient[0] <= max(GRADIENT_CLOSE, 3 * gradient[1]) else []
    wrong += ["the statistics are apart"] if statistics > STATISTICS_CLOSE else []
    return ", ".join(f"{which}: {w}" for w in wrong)


def beside(name, make):
    network = make()
    network.export("start.onnx")
    bound = bind("start.onnx", network)
    return " ".join(filter(None, (row(name, network, bound, which) for which in OPTIMIZERS)))


def chosen(words):
    """Names and what makes the network."""
    for framework in FRAMEWORKS:
        wanted = [w for w in words if w.split(".")[0] == framework]
        if words and not wanted:
            continue
        try:
            networks = importlib.import_module(f"on_{framework}").NETWORKS
        except ImportError as e:
            print(f"{framework} is left out: {e}")
            continue
        for name, make in networks.items():
            if not words or framework in wanted or f"{framework}.{name}" in wanted:
                yield f"{framework}.{name}", make


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        print(f"{'network':22} {'':5} {'trained':>9} {'apart':>9} {'itself':>9} {'chaotic':8}", end="")
        print(f"{'loss of a step':>20} {'its gradient':>19} {'statistics':>10}")
        for name, make in chosen(sys.argv[2:]):
            attempt(name, beside, name, make)
    sys.exit(harness.failures != 0)
