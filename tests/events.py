"""The files that `kiln train --tensorboard` writes, by a reader of their own: record checksums, and messages by the field numbers of
TensorFlow's event.proto, summary.proto, tensor.proto, graph.proto and attr_value.proto. Usage: events.py KILN
Prints a PASS or FAIL line for each test."""

import csv
import os
import resource
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx

import harness
from harness import KILN, MODELS, attempt, kiln, samples

# -- the reader --

TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    TABLE.append(byte)


def masked(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF


def records(path):
    data, at = Path(path).read_bytes(), 0
    while at < len(data):
        (length,), (crc,) = struct.unpack("<Q", data[at : at + 8]), struct.unpack("<I", data[at + 8 : at + 12])
        body, end = data[at + 12 : at + 12 + length], data[at + 12 + length : at + 16 + length]
        if len(body) != length or len(end) != 4:
            raise ValueError(f"{path}: the record at {at} is cut")
        if crc != masked(data[at : at + 8]) or struct.unpack("<I", end)[0] != masked(body):
            raise ValueError(f"{path}: the checksums of the record at {at} are wrong")
        yield body
        at += 16 + length


def varint(data, at):
    n = shift = 0
    while True:
        n, shift, at = n | (data[at] & 0x7F) << shift, shift + 7, at + 1
        if not data[at - 1] & 0x80:
            return n, at


def fields(data):
    """What a message has, each field by its number: a list of numbers or bytes."""
    found, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        size = {1: 8, 5: 4}.get(key & 7)
        if key & 7 == 2:
            size, at = varint(data, at)
        value, at = varint(data, at) if size is None else (data[at : at + size], at + size)
        found.setdefault(key >> 3, []).append(value)
    return found


def shape_of(message):
    dims = [fields(d).get(1, [0])[0] for d in fields(message).get(2, [])]
    return [d - (1 << 64) if d >> 63 else d for d in dims]


def array(message):
    t = fields(message)
    kind, field = {1: ("<f4", 5), 2: ("<f8", 6)}[t[1][0]]
    return np.frombuffer(b"".join(t[field]), kind).reshape(shape_of(t[2][0]))


def read(folder):
    """(step, tag, plugin, value) of all files in their order, and the graph's nodes by name: operator, inputs, shape."""
    events, graph = [], {}
    for path in sorted(Path(folder).glob("events.out.tfevents.*.v2"), key=lambda p: p.stat().st_mtime_ns):
        for k, record in enumerate(records(path)):
            e = fields(record)
            if abs(struct.unpack("<d", e[1][0])[0] - path.stat().st_mtime) > 600:
                raise ValueError("an event is of another time")
            if (k == 0) != (e.get(3) == [b"brain.Event:2"]):
                raise ValueError(f"record {k} is {e}")
            for node in (fields(e[4][0])[1] if 4 in e else []):
                n = fields(node)
                shapes = [fields(fields(fields(a)[2][0])[1][0])[7][0] for a in n.get(5, []) if fields(a)[1] == [b"_output_shapes"]]
                name = n[1][0].decode()
                if name in graph:
                    raise ValueError(f"two nodes are called {name}")
                graph[name] = n[2][0].decode(), [i.decode() for i in n.get(3, [])], shape_of(shapes[0]) if shapes else None
            for value in fields(e[5][0])[1] if 5 in e else []:
                v = fields(value)
                plugin = fields(fields(v[9][0])[1][0])[1][0].decode()
                events.append((e.get(2, [0])[0], v[1][0].decode(), plugin, array(v[8][0]), fields(v[9][0])[4][0]))
    return events, graph


def series(events, tag):
    return [(step, float(value)) for step, name, _, value, _ in events if name == tag]


# -- what is written --

RUN = ["train", MODELS / "fashion_cnn/bn.onnxtxt", "--data", "npz:data.npz", "--validation-split", 0.25, "--batch", 16, "--output", "m.onnx", "--quiet"]


def prepare():
    x, y = samples((1, 28, 28), 10, 60)
    np.savez("data.npz", x=x, y=y)


def rows(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


def scalars():
    """Those of the history, as Keras' callback calls and counts them."""
    prepare()
    kiln(*RUN, "--epochs", 3, "--history", "h.csv", "--tensorboard", "logs", "--optimizer", "adam:learning_rate=0.002")
    if sorted(os.listdir("logs")) != ["train", "validation"]:
        return f"there are {os.listdir('logs')}"
    train, validation = read("logs/train")[0], read("logs/validation")[0]
    for events, prefix in (train, ""), (validation, "val_"):
        for name in "loss", "accuracy":
            want = [float(r[prefix + name]) for r in rows("h.csv")]
            got = series(events, "epoch_" + name)
            if [step for step, _ in got] != [0, 1, 2] or not np.allclose([v for _, v in got], want, rtol=1e-6):
                return f"{prefix}{name}: {got}, the history has {want}"
            steps = series(events, f"evaluation_{name}_vs_iterations")
            if steps != ([(3 * k + 3, v) for k, v in got] if prefix else []):
                return f"{name} by iterations: {steps}"
    if not np.allclose(series(train, "epoch_learning_rate"), [(0, 0.002), (1, 0.002), (2, 0.002)]):
        return f"the learning rate is {series(train, 'epoch_learning_rate')}"
    wrong = [e for e in train + validation if e[2:3] + e[4:] != (("scalars", 1) if e[3].shape == () else ("histograms", 2))]
    return f"{wrong[0]}" if wrong else None


def histograms():
    """Of all parameters that are not frozen, running statistics among them: what NumPy counts of the model that is written."""
    prepare()
    kiln(*RUN, "--epochs", 3, "--tensorboard", "logs", "--freeze", "dense1*")
    values = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load("m.onnx").graph.initializer if t.data_type == onnx.TensorProto.FLOAT and t.dims}
    frozen = {"dense1.weight", "dense1.bias"}
    last = {tag.removesuffix("/histogram"): h for step, tag, plugin, h, _ in read("logs/train")[0] if plugin == "histograms" and step == 2}
    if set(last) != set(values) - frozen or not {"bn1.mean", "bn1.variance"} <= set(last):
        return f"of {sorted(last)}, there are {sorted(values)}"
    for name, h in last.items():
        counts, edges = np.histogram(values[name].astype(np.float64), 30)
        if h.shape != (30, 3) or not np.allclose(h[:, 0], edges[:-1], rtol=1e-12) or not np.allclose(h[:, 1], edges[1:], rtol=1e-12):
            return f"{name}: the edges are {h[:, :2].tolist()}, must be {edges.tolist()}"
        if h[:, 2].sum() != values[name].size or np.abs(h[:, 2] - counts).sum() > 2:  # an edge may fall on a value
            return f"{name}: counts {h[:, 2].tolist()}, must be {counts.tolist()}"
    for every, want in (2, {0, 2}), (0, set()):
        kiln(*RUN, "--epochs", 3, "--tensorboard", f"each/{every}", "--histogram-freq", every)
        got = {step for step, _, plugin, *_ in read(f"each/{every}/train")[0] if plugin == "histograms"}
        if got != want:
            return f"--histogram-freq {every}: after the epochs {got}"
    return None


def equal_values():
    """What is all the same lies in the last bucket, as in TensorBoard's own histograms."""
    np.savez("d.npz", x=np.zeros((8, 2), np.float32), y=np.zeros(8))
    Path("m.onnxtxt").write_text('<ir_version: 8, opset_import: ["": 17]> g (float[N, 2] x) => (float[N, 1] y) <float[2, 1] w = {3, 3}> { y = MatMul (x, w) }')
    kiln("train", "m.onnxtxt", "--data", "npz:d.npz", "--output", "m.onnx", "--loss", "mean_squared_error", "--tensorboard", "logs")
    h = [e[3] for e in read("logs/train")[0] if e[1] == "w/histogram"][0]
    return None if (h[:, :2] == 3).all() and h[:, 2].tolist() == [0] * 29 + [2] else f"{h.tolist()}"


def graph():
    """Every node of the model with its edges; names that TensorFlow has another meaning for, and twice the same."""
    prepare()
    kiln(*RUN, "--tensorboard", "logs")
    nodes = read("logs/train")[1]
    for n in onnx.load("m.onnx").graph.node:
        if n.op_type == "Constant":
            continue
        op, inputs, _ = nodes[n.name or n.output[0]]
        if op != n.op_type or len(inputs) != len([i for i in n.input if i]) or any(i not in nodes for i in inputs):
            return f"{n.name} is {op} of {inputs}"
    found = nodes["conv2"], nodes["image"], nodes["conv2.weight"]
    if found != (("Conv", ["bn1", "conv2.weight", "conv2.bias"], [-1, 32, 12, 12]), ("Placeholder", [], [-1, 1, 28, 28]), ("Variable", [], [32, 32, 4, 4])):
        return f"{found}"
    Path("odd.onnxtxt").write_text("""<ir_version: 8, opset_import: ["": 17]> g (float[N, 4] "x:0") => (float[N, 2] y) <float[2, 2] w = {1, 2, 3, 4}> {
        [same] a, b = Split <axis = 1> ("x:0") [same] c = MatMul (b, w) [w] y = Add (c, a) }""")
    np.savez("d.npz", x=np.ones((8, 4), np.float32), y=np.zeros((8, 2)))
    kiln("train", "odd.onnxtxt", "--data", "npz:d.npz", "--output", "o.onnx", "--loss", "mean_squared_error", "--tensorboard", "odd")
    nodes = read("odd/train")[1]
    split, product = (next(n for n in nodes if nodes[n][0] == op) for op in ("Split", "MatMul"))
    total, weight = (next(n for n in nodes if nodes[n][0] == op) for op in ("Add", "Variable"))
    want = {split: ["x_0"], product: [split + ":1", weight], total: [product, split], weight: [], "x_0": []}
    return None if {n: v[1] for n, v in nodes.items()} == want else f"{nodes}"


def resumed():
    """A training that goes on does so in a new file of the same directory; another one there is warned of."""
    prepare()
    words = [*RUN, "--history", "h.csv", "--tensorboard", "logs"]
    for more in (("--epochs", 2, "--checkpoint", "ck"), ("--epochs", 4, "--resume", "ck")):
        if [line for line in kiln(*words, *more).splitlines() if "running statistics" not in line]:  # of so short a training
            return "warns where a training goes on"
    train, validation = read("logs/train")[0], read("logs/validation")[0]
    want = [(k, float(np.float32(r["loss"]))) for k, r in enumerate(rows("h.csv"))]
    if len(os.listdir("logs/train")) != 2 or series(train, "epoch_loss") != want:
        return f"{os.listdir('logs/train')} have {series(train, 'epoch_loss')}, must be {want}"
    if [step for step, _ in series(validation, "evaluation_loss_vs_iterations")] != [3, 6, 9, 12]:
        return "the iterations are not counted on"
    said = kiln(*words)
    return None if "logs/train: the events of another training are there" in said else f"says {said}"


def full_disk():
    """Where it cannot be written, training ends with an error, and the file holds whole records."""
    np.savez("d.npz", x=np.ones((8, 2), np.float32), y=np.zeros(8))
    Path("m.onnxtxt").write_text('<ir_version: 8, opset_import: ["": 17]> g (float[N, 2] x) => (float[N, 1] y) <float[2, 1] w = {3, 3}> { y = MatMul (x, w) }')
    words = ["train", "m.onnxtxt", "--data", "npz:d.npz", "--output", "m.onnx", "--loss", "mean_squared_error", "--epochs", "100", "--tensorboard", "logs"]
    done = subprocess.run([KILN, *words], capture_output=True, text=True, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000)))
    if done.returncode != 7 or "events.out.tfevents" not in done.stderr or "cannot be written" not in done.stderr or "m.onnx holds" not in done.stderr:
        return f"ended with {done.returncode}: {done.stderr}"
    epochs = series(read("logs/train")[0], "epoch_loss")
    return None if 3 < len(epochs) < 100 and epochs == sorted(epochs, key=lambda e: e[0]) else f"{len(epochs)} epochs are there"


for test in (scalars, histograms, equal_values, graph, resumed, full_disk):
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        attempt(test.__name__, test)
        os.chdir("/")
sys.exit(harness.failures > 0)
