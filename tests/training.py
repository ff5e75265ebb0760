"""Training through the command, and what it exports in onnxruntime. Usage: training.py KILN
Prints a PASS or FAIL line for each test."""

import csv
import json
import os
import re
import shutil
import struct
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import onnx

import harness
from harness import MODELS, attempt, difference, kiln, outside, samples


def rows(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


def score(*words):
    """The numbers that `kiln eval` prints."""
    return {name: float(number) for name, number in re.findall(r"^(.*(?:loss|accuracy)) ([0-9.e+-]+)$", kiln("eval", *words), re.M)}


def every_network(text):
    """Weights are drawn, a few steps are taken, and onnxruntime makes of the export what Kiln makes of it."""
    kiln("init", text, "--output", "start.onnx")
    model = onnx.load("start.onnx")
    shape = tuple(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)[1:]
    classes = model.graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    x, y = samples(shape, classes)
    np.savez("data.npz", x=x, y=y)
    kiln("train", "start.onnx", "--data", "npz:data.npz", "--batch", 10, "--epochs", 2, "--output", "end.onnx", "--step-log", "steps.csv", "--optimizer", "sgd:learning_rate=0.001")
    if len(rows("steps.csv")) != 6:
        return f"{len(rows('steps.csv'))} rows in the step log, must be 6: 10 + 10 + 4 samples, twice"
    p = outside("end.onnx", x)[0].astype(np.float64)
    if classes and abs(p.sum(axis=1) - 1).max() > 1e-4:  # logits
        p = np.exp(p - p.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
    said = score("end.onnx", "--data", "npz:data.npz:train", "--batch", 24)
    loss, accuracy = -np.log(p[np.arange(len(y)), y]).mean(), (p.argmax(axis=1) == y).mean()
    if abs(said["loss"] / loss - 1) > 1e-5 or abs(said["accuracy"] - accuracy) > 1e-6:
        return f"onnxruntime: loss {loss}, accuracy {accuracy}; Kiln: {said}"
    return None


def keras_export(folder):
    """An export of Keras: recovered without changing what it computes, trained, and still a model for onnxruntime."""
    x, want = np.load(folder / "keras.in.npy"), np.load(folder / "keras.out.npy")
    np.savez("data.npz", x=x, y=np.arange(len(x)))
    kiln("convert", folder / "keras.onnx", "--output", "recovered.onnx", "--trainable", "--calibrate", "npz:data.npz")
    apart = difference(outside("recovered.onnx", x)[0], want)
    if apart > 1e-5:
        return f"differs from Keras by {apart:.1e}"
    before = [n.op_type for n in onnx.load(folder / "keras.onnx").graph.node].count("BatchNormalization")
    after = [n.op_type for n in onnx.load("recovered.onnx").graph.node].count("BatchNormalization")
    if before or not after:
        return f"{before} BatchNormalization nodes before and {after} after"
    np.savez("unlabelled.npz", x=x)  # to measure on, samples alone will do
    kiln("adapt", folder / "keras.onnx", "--output", "unlabelled.onnx", "--calibrate", "npz:unlabelled.npz")
    if onnx.load("unlabelled.onnx").graph != onnx.load("recovered.onnx").graph:
        return "without labels another network comes out"
    if any(p.key.startswith("kiln.loss.") for p in onnx.load("unlabelled.onnx").metadata_props):
        return "without labels a loss is said"
    kiln("train", "recovered.onnx", "--data", "npz:unlabelled.npz", "--output", "none.onnx", code=5)
    kiln("train", "recovered.onnx", "--data", "npz:data.npz", "--epochs", 2, "--output", "trained.onnx")
    return "the training changed nothing" if difference(outside("trained.onnx", x)[0], want) == 0 else None


def threads_and_seeds():
    """The same bytes whatever the number of threads, other ones for another seed."""
    x, y = samples((1, 28, 28), 10, 70)
    np.savez("data.npz", x=x, y=y)
    files = {}
    for name, words in {"1": ["--threads", 1], "2": ["--threads", 2], "4": ["--threads", 4], "seed": ["--seed", 8]}.items():
        kiln("train", MODELS / "fashion_cnn/bn.onnxtxt", "--data", "npz:data.npz", "--batch", 32, "--epochs", 2, "--output", "m.onnx", "--quiet", *words)
        files[name] = Path("m.onnx").read_bytes()
    if not files["1"] == files["2"] == files["4"]:
        return "1, 2 and 4 threads differ"
    return "another seed gives the same" if files["seed"] == files["1"] else None


def augmented():
    """What is trained with is augmented, whatever the number of threads and wherever it stops; what validates is not."""
    x, y = samples((1, 28, 28), 10, 70)
    np.savez("data.npz", x=x, y=y)
    recipe = ["--augment", "rotation_range=20,zoom_range=0.2,horizontal_flip=1,channel_shift_range=1", "--batch", 32]
    files = {}
    for name, words in {"1": [*recipe, "--threads", 1], "2": [*recipe, "--threads", 2], "4": [*recipe, "--threads", 4], "plain": ["--batch", 32]}.items():
        said = kiln("train", MODELS / "mnist_mlp/leaky.onnxtxt", "--data", "npz:data.npz", "--validation", "npz:data.npz:train", "--epochs", 3, "--output", "m.onnx", "--history", "h.csv", *words)
        if f"\naugment    {recipe[1]}\n" not in said and name != "plain":
            return f"says {said.strip()}"
        files[name] = Path("m.onnx").read_bytes()
        validated, loss = float(rows("h.csv")[-1]["val_loss"]), score("m.onnx", "--data", "npz:data.npz:train", "--batch", 32)["loss"]
        if abs(validated / loss - 1) > 1e-5:
            return f"validated as {validated}, but the samples as they are have {loss}"
    if not files["1"] == files["2"] == files["4"] != files["plain"]:
        return "1, 2 and 4 threads differ, or nothing is augmented"
    words = [MODELS / "mnist_mlp/leaky.onnxtxt", "--data", "npz:data.npz", "--output", "m.onnx", "--quiet", *recipe]
    kiln("train", *words, "--epochs", 1, "--checkpoint", "kept")
    kiln("train", *words, "--epochs", 3, "--resume", "kept")
    return None if Path("m.onnx").read_bytes() == files["1"] else "a break changes the result"


def logs():
    """History, step log, figure and best model of one run agree with each other."""
    x, y = samples((1, 28, 28), 10, 60)
    np.savez("data.npz", x=x, y=y)
    said = kiln("train", MODELS / "mnist_mlp/bn_before.onnxtxt", "--data", "npz:data.npz", "--validation-split", 0.25, "--batch", 16, "--epochs", 4, "--output", "m.onnx",
                "--history", "h.csv", "--step-log", "s.csv", "--figure", "f.svg", "--save-best", "val_loss")  # fmt: skip
    history, steps = rows("h.csv"), rows("s.csv")
    if "45 samples" not in said or "15 to validate" not in said or "because the model ends in Softmax" not in said:
        return f"says {said}"
    if len(history) != 4 or len(steps) != 12:
        return f"{len(history)} epochs and {len(steps)} steps, must be 4 and 12"
    for epoch in history:
        mine = [float(s["loss"]) for s in steps if s["epoch"] == epoch["epoch"]]
        mean = (16 * mine[0] + 16 * mine[1] + 13 * mine[2]) / 45
        if abs(mean / float(epoch["loss"]) - 1) > 1e-6:
            return f"epoch {epoch['epoch']}: loss {epoch['loss']}, the steps say {mean}"
    best = min(float(e["val_loss"]) for e in history)
    loss = score("m.onnx", "--data", "npz:data.npz:train[45:60]")["loss"]
    if abs(loss / best - 1) > 1e-5:
        return f"the saved model has a loss of {loss}, the best was {best}"
    svg = Path("f.svg").read_text()
    measured = [c for c in history[0] if history[0][c] and c not in ("epoch", "seconds")]
    if not {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(measured):
        return f"the history has {measured}"
    if not svg.startswith("<svg") or svg.count("<path fill") != len(measured):
        return f"the figure has not a curve for each of {measured}"
    kiln("figure", "--output", "two.svg", "a=h.csv", "b=h.csv")
    return None if Path("two.svg").read_text().count("<path fill") == 2 * len(measured) else "the figure of two runs has not twice as many curves"


def json_lines():
    """The same history as lines of JSON: what CSV leaves empty is null, names are as they are."""
    x, y = samples((4,), 3)
    text = '<ir_version: 8, opset_import: ["": 17]> g (float[N, 4] x) => (float[N, 1] "a\\\\b\\"", float[N, 1] c) <float[4, 1] w = {1, 2, 3, 4}> { "a\\\\b\\"" = MatMul (x, w) c = Neg ("a\\\\b\\"") }'
    Path("m.onnxtxt").write_text(text)
    name = onnx.parser.parse_model(text).graph.output[0].name
    np.savez("d.npz", **{"x": x, name: y[:, None] * 1.0, "c": y[:, None] * 1.0})
    words = ["train", "m.onnxtxt", "--data", "npz:d.npz", "--loss", "mean_squared_error", "--epochs", 3, "--validation-split", 0.3, "--validation-freq", 2, "--output", "m.onnx"]
    for history in "h.csv", "h.jsonl":
        kiln(*words, "--history", history)
    table, objects = rows("h.csv"), [json.loads(line) for line in Path("h.jsonl").read_text().splitlines()]
    if len(objects) != 3 or list(objects[0]) != list(table[0]) or f"{name}_loss" not in objects[0] or objects[0]["val_loss"] is not None:
        return f"{objects[0]} stands for {table[0]}"
    wrong = [(k, r[k], o[k]) for r, o in zip(table, objects) for k in r if k != "seconds" and (o[k] is not None if r[k] == "" else float(r[k]) != o[k])]
    kiln(*words[:-1], "none.onnx", "--epochs", 0, "--history", "none.jsonl")
    if Path("none.jsonl").read_bytes():
        return "there are lines of no epoch"
    return f"{wrong}" if wrong else None


def pixels_of(path):
    """Of a PNG of eight bits and no interlacing (https://www.w3.org/TR/png-3/): [height, width, channels]."""
    data, at, body = Path(path).read_bytes(), 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind == b"IHDR":
            width, height, depth, color = struct.unpack(">IIBB", data[at + 8 : at + 18])
        body += data[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    n = {2: 3, 6: 4}[color] if depth == 8 else 0
    lines = np.frombuffer(zlib.decompress(body), np.uint8).reshape(height, 1 + width * n)
    out = np.zeros((height + 1, width + 1, n), int)
    for y, line in enumerate(lines):
        for x, pixel in enumerate(line[1:].reshape(width, n).astype(int)):
            a, b, c = out[y + 1, x], out[y, x + 1], out[y, x]
            p = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
            paeth = np.where((p[0] <= p[1]) & (p[0] <= p[2]), a, np.where(p[1] <= p[2], b, c))
            out[y + 1, x + 1] = pixel + (0, a, b, (a + b) // 2, paeth)[line[0]] & 255
    return out[1:, 1:]


def pictures():
    """A figure as PNG has the curves that the one as SVG has, where it has them."""
    Path("h.csv").write_text("epoch,loss,accuracy,val_loss,val_accuracy,seconds\n1,4,,2,,1\n2,3,,3,,1\n3,2,,4,,1\n")
    for form in "svg", "png":
        kiln("figure", "--output", f"f.{form}", "a=h.csv")
    svg, png = Path("f.svg").read_text(), pixels_of("f.png")
    size = re.search(r'width="(\d+)" height="(\d+)"', svg)
    if png.shape[:2] != (2 * int(size[2]), 2 * int(size[1])):
        return f"the PNG has {png.shape[1]} x {png.shape[0]} pixels"
    if (png[0, 0] != 255).any():
        return "the background is not white"
    blue = (png == np.array([0x00, 0x72, 0xB2])).all(axis=2)
    for x, y in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', svg):
        if not blue[round(2 * float(y)), round(2 * float(x)) - 1]:
            return f"there is no dot at {x}, {y}"
    dark = (png < 64).all(axis=2)
    texts = re.findall(r'<text x="([\d.]+)" y="([\d.]+)"([^>]*)>([^<]+)', svg)
    if len(texts) < 10:
        return f"the texts are {texts}"
    for x, y, how, text in texts:  # where nothing else is
        x, y = round(2 * float(x)), round(2 * float(y))
        columns = np.flatnonzero(dark[y - 18 : y, max(0, x - 100) : x + (8 if "end" in how else 100)].any(axis=0)) + max(0, x - 100)
        at = ("no place", -1) if not len(columns) else ("the middle", columns[[0, -1]].mean()) if "middle" in how else ("the end", columns[-1]) if "end" in how else ("the start", columns[0])
        if abs(at[1] - x) > 5:
            return f"'{text}' has {at[0]} at {at[1]}, must be at {x}"
    return None


def learning_rate():
    """Of a parabola it is known where descent diverges. Nothing is written but the figure."""
    np.savez("d.npz", x=np.ones((640, 1), np.float32), y=np.full((640, 1), 5.0))
    Path("m.onnxtxt").write_text('<ir_version: 8, opset_import: ["": 17]> g (float[N, 1] x) => (float[N, 1] y) <float[1, 1] w = {0}> { y = MatMul (x, w) }')
    words = ["train", "m.onnxtxt", "--data", "npz:d.npz", "--loss", "mean_squared_error", "--optimizer", "sgd", "--batch", 10]
    before = {*os.listdir(), "f.svg"}
    said = kiln(*words, "--find-learning-rate", "1e-4:100", "--figure", "f.svg")  # (w - 5)^2: more than 1 makes it worse
    if set(os.listdir()) != before:
        return f"there are {os.listdir()}"
    table = [(float(a), float(b)) for a, b in re.findall(r"^(\d\.\d\de[-+]\d\d) +([\d.]+)$", said, re.M)]
    diverged, (suggested, fall) = (float(re.search(r"^diverged +at (\S+)$", said, re.M)[1]),
                                   map(float, re.search(r"learning_rate=(\S+): .* by (\S+) for 10 times", said).groups()))  # fmt: skip
    if not 15 < len(table) < 23 or table[0][0] != 1e-4 or abs(table[0][1] - 25) > 0.5 or not 1 < diverged < 10:
        return f"says {said}"
    # What the steps do: w goes to 5 by 2 * rate of what is left; the rate rises by 10 ** (6 / 63).
    rates, left = 1e-4 * 10 ** (np.arange(64) * 6 / 63), [25.0]
    for rate in rates[:-1]:
        left.append(left[-1] * (1 - 2 * rate) ** 2)
    steepest = rates[np.argmin(np.gradient(np.array(left)[rates < 0.5]))]
    if not 0.5 < suggested / steepest < 2 or not 10 < fall < 40:
        return f"suggests {suggested}, the losses fall fastest at {steepest}; {said}"
    svg = Path("f.svg").read_text()
    if svg.count("<path fill") != 2 or ">learning rate<" not in svg or ">1e-2<" not in svg or f"> {suggested:.2g}<" not in svg:
        return "the figure has not both curves over the rate"
    if max(float(x) for x in re.findall(r'<text x="([\d.]+)"', svg)) > float(re.search(r'width="(\d+)"', svg)[1]):
        return "a text is outside of the figure"
    if kiln(*words, "--find-learning-rate", "1e-4:100", "--quiet").splitlines()[-1] != said.splitlines()[-1]:
        return "--quiet suggests something else"
    said = kiln(*words, "--find-learning-rate", "1e-9:1e-7")
    if "suggested  nothing" not in said or "diverged" in said:
        return f"says {said}"
    said = kiln(*words, "--find-learning-rate", "1e-4:1e-2")
    if "the end: with a greater one it may fall faster" not in said:
        return f"says {said}"
    np.savez("d.npz", x=np.ones((640, 1), np.float32), y=np.full((640, 1), 1e18))
    said = kiln(*words, "--find-learning-rate", "1e-20:1e20", "--steps-per-epoch", 21)  # from one step to the next the loss is infinite
    return None if "diverged   at 1e+02" in said and "kiln:" not in said and set(os.listdir()) == before else f"says {said}"


def frozen():
    x, y = samples((1, 28, 28), 10)
    np.savez("data.npz", x=x, y=y)
    kiln("init", MODELS / "fashion_cnn/bn.onnxtxt", "--output", "a.onnx")
    kiln("train", "a.onnx", "--data", "npz:data.npz", "--output", "b.onnx", "--freeze", "conv*", "--freeze", "bn1.*")
    a, b = ({i.name: i.raw_data for i in onnx.load(f).graph.initializer} for f in ("a.onnx", "b.onnx"))
    same = {n for n in a if a[n] == b[n]}
    want = {n for n in a if n.startswith(("conv", "bn1."))}
    return None if same == want else f"{sorted(same ^ want)} should not"


def decayed():
    """By a rate that leaves nothing of what decays; what a pattern names learns as without decay."""
    x, y = samples((1, 28, 28), 10)
    np.savez("data.npz", x=x[:8], y=y[:8])
    kiln("init", MODELS / "mnist_mlp/leaky.onnxtxt", "--output", "a.onnx")
    train = "train", "a.onnx", "--data", "npz:data.npz", "--batch", 8, "--no-shuffle", "--optimizer"
    kiln(*train, "sgd:learning_rate=0.5", "--output", "b.onnx")
    kiln(*train, "sgd:learning_rate=0.5,weight_decay=2", "--exclude-from-weight-decay", "*.bias", "--output", "c.onnx")
    a, b, c = ({i.name: onnx.numpy_helper.to_array(i) for i in onnx.load(f).graph.initializer} for f in ("a.onnx", "b.onnx", "c.onnx"))
    for name in b:
        want = b[name] if name.endswith(".bias") else b[name] - a[name]
        if np.abs(c[name] - want).max() > 1e-6:
            return f"{name} differs by {np.abs(c[name] - want).max()}"
    return None


def pixels():
    """A class for each pixel: as numbers and as one-hot rows it is the same loss, with the Softmax before the Transpose."""
    Path("pixels.onnxtxt").write_text('''<ir_version: 8, opset_import: ["": 17]> g (float[N, 3, 4, 4] x) => (float[N, 4, 4, 2] y)
        <float[2, 3, 1, 1] w = {0.1, -0.2, 0.3, 0.2, 0.1, -0.4}, float[2] b = {0.1, 0}>
        { z = Conv (x, w, b) p = Softmax <axis = 1> (z) y = Transpose <perm = [0, 2, 3, 1]> (p) }''')
    x = np.random.default_rng(1).normal(size=(20, 3, 4, 4)).astype(np.float32)
    y = (x.sum(axis=1) > 0).astype(np.int64)
    np.savez("numbers.npz", x=x, y=y)
    np.savez("rows.npz", x=x, y=np.eye(2, dtype=np.float32)[y])
    for data, loss in ("numbers", "sparse_categorical_crossentropy"), ("rows", "categorical_crossentropy"):
        said = kiln("train", "pixels.onnxtxt", "--data", f"npz:{data}.npz", "--loss", loss, "--batch", 5, "--epochs", 30, "--optimizer", "adam:learning_rate=0.05", "--output", f"{data}.onnx")
        if "accuracy 0." not in said or said.count("epoch ") != 30:
            return f"says {said}"
    if onnx.load("numbers.onnx").graph != onnx.load("rows.onnx").graph:  # the metadata name the losses
        return "the two learn differently"
    accuracy = score("numbers.onnx", "--data", "npz:numbers.npz:train", "--loss", "sparse_categorical_crossentropy")["accuracy"]
    return None if accuracy > 0.95 else f"accuracy is {accuracy}"


SEVERAL = """<ir_version: 8, opset_import: ["": 17]>
g (float[N, 4, 4, 1] image, int64[N, 3] ids) => (float[N, 3] kind, float[N, 1] "years, all")
<float[16, 8] w1 = {%s}, float[5, 2] table = {%s}, float[6, 8] w2 = {%s}, float[8, 3] wk = {%s}, float[8, 1] wa = {%s}, int64[2] flat = {0, -1}>
{ a = Reshape (image, flat) b = MatMul (a, w1) e = Gather (table, ids) f = Reshape (e, flat) h = MatMul (f, w2)
  s = Add (b, h) r = Relu (s) k = MatMul (r, wk) kind = Softmax (k) "years, all" = MatMul (r, wa) }"""


def several():
    """Two inputs and two outputs: columns by name, losses with weights, each measured; the file is what was learned."""
    random = np.random.default_rng(2)
    Path("two.onnxtxt").write_text(SEVERAL % tuple(", ".join(f"{v:.4f}" for v in random.normal(size=n) / 3) for n in (128, 10, 48, 24, 8)))
    kind, ids = random.integers(0, 3, 90), random.integers(0, 5, (90, 3))
    images = (random.normal(size=(90, 4, 4)) * 20 + 40 * kind[:, None, None] + 100).clip(0, 255).astype(np.uint8)
    years = (ids[:, :1] * 2 - kind[:, None]).astype(np.float32)
    data = {"image": images, "ids": ids, "kind": kind, "years, all": years}
    np.savez("data.npz", **data)
    np.savez("parts.npz", **{f"{n}_train": v[:60] for n, v in data.items()}, **{f"{n}_test": v[60:] for n, v in data.items()})
    words = ["--normalize", "unit", "--loss", "years, all=mean_squared_error", "--loss-weight", "years, all=0.125"]
    said = kiln("train", "two.onnxtxt", "--data", "npz:parts.npz", "--validation", "npz:parts.npz", *words, "--epochs", 40, "--batch", 10, "--optimizer", "adam:learning_rate=0.02",
                "--output", "m.onnx", "--history", "h.csv", "--figure", "f.svg", "--save-best", "val_kind_accuracy", "--early-stop", "val_years, all_loss:40")  # fmt: skip
    for line in (
        "60 samples of 'image', 'ids' for 'kind', 'years, all', 30 to validate",
        "normalize  unit: 'image', 'ids' stays as it is",
        "loss       of 'kind': sparse_categorical_crossentropy from logits, because the model ends in Softmax\n",
        "loss       of 'years, all': mean_squared_error from the output, as asked, counted 0.125 times\n",
    ):
        if line not in said:
            return f"says {said}, not {line}"
    history = rows("h.csv")
    last = {name: float(value) for name, value in history[-1].items() if value}
    if abs(last["kind_loss"] + 0.125 * last["years, all_loss"] - last["loss"]) > 1e-5 * last["loss"] or "years, all_accuracy" in last:
        return f"the last epoch has {last}"
    if last["val_kind_accuracy"] < 0.9 or last["years, all_loss"] > float(history[0]["years, all_loss"]) / 4:
        return f"learned {last}"
    kiln("figure", "--output", "again.svg", "a=h.csv")
    if [Path(f).read_text().count("<path fill") for f in ("f.svg", "again.svg")] != [8, 8]:
        return "the figure has not eight curves"
    scores = score("m.onnx", "--data", "npz:parts.npz", *words)
    kinds, ages = outside("m.onnx", (data["image"][60:, :, :, None] / 255).astype(np.float32), ids[60:])
    if abs(scores["kind_accuracy"] - (kinds.argmax(1) == kind[60:]).mean()) > 1e-6:
        return f"says {scores}, others have {(kinds.argmax(1) == kind[60:]).mean()}"
    if abs(scores["years, all_loss"] / ((ages - years[60:]) ** 2).mean() - 1) > 1e-5:
        return f"says {scores}, others have {((ages - years[60:]) ** 2).mean()}"
    np.savez("one.npz", image=images, ids=ids, y=years)
    said = kiln("train", "two.onnxtxt", "--data", "npz:one.npz", "--loss", "years, all=mean_squared_error", "--output", "one.onnx")
    if "loss       of 'years, all': mean_squared_error" not in said or "'wk' leads to no output that learns" not in said:
        return f"says {said}"
    np.savez("one.npz", image=images, ids=ids, y=kind)
    said = kiln("train", "two.onnxtxt", "--data", "npz:one.npz", "--output", "one.onnx")
    if "loss       of 'kind', the model's first output: " not in said:
        return f"says {said}"
    for names, words, says in (
        (("image", "kind"), [], "an array 'ids' is needed for an input of the model, there are: image, kind"),
        (("image", "ids", "kind"), ["--loss", "years, all=mean_squared_error"], "1 outputs are named by options, the data have something for 0 of them"),
        (("image", "ids"), [], "one array 'y' is needed, there are: image, ids"),
    ):
        np.savez("few.npz", **{n: data[n] for n in names})
        said = kiln("train", "two.onnxtxt", "--data", "npz:few.npz", "--output", "never.onnx", *words, code=2 if words else 5)
        if says not in said:
            return f"{names}: says {said}"
    np.savez("kinds.npz", image=images, ids=ids, kind=kind)
    for words, says in (
        (["--loss-weight", "kind=2", "--loss-weight", "kind=2"], "it is the output's second one"),
        (["--loss-weight", "kind=-2"], "must be a number above 0"),
        (["--loss-weight", "kind=1e-60"], "must be 0, or a float"),
    ):
        said = kiln("train", "two.onnxtxt", "--data", "npz:data.npz", "--output", "never.onnx", *words, "--loss", "years, all=mean_squared_error", code=2)
        if says not in said:
            return f"{words}: says {said}"
    said = kiln("train", "two.onnxtxt", "--data", "npz:data.npz", "--output", "one.onnx", "--train-output", "years, all", "--loss", "mean_squared_error")
    if "loss       of 'years, all': mean_squared_error" not in said or "of 'kind'" in said:
        return f"says {said}"
    said = kiln("eval", "two.onnxtxt", "--data", "npz:kinds.npz", "--train-output", "kind")
    if "warning" in said or "years" in said:
        return f"says {said}"
    decided = Path("two.onnxtxt").read_text().replace('17]>', '17], metadata_props: ["kiln.trains.kind": "yes"]>')
    Path("decided.onnxtxt").write_text(decided)
    for words, trains in (
        ([], "kind"),
        (["--loss-weight", "kind=2"], "kind"),
        (["--train-output", "years, all"], "years, all"),
        (["--loss", "years, all=mean_squared_error"], "both"),
        (["--train-output", "kind", "--loss", "years, all=mean_squared_error"], "kind"),
    ):
        said = kiln("train", "decided.onnxtxt", "--data", "npz:data.npz", "--output", "one.onnx", *words)
        if ("of 'kind': " in said, "of 'years, all': " in said) != (trains != "years, all", trains != "kind"):
            return f"{words}: says {said}"
    Path("rows.csv").write_text("1,2,0\n")
    said = kiln("train", "two.onnxtxt", "--data", "csv:rows.csv", "--output", "never.onnx", code=3)
    return None if "2 inputs without a value ('image', 'ids'), data of format csv are for 1; `kiln init`" in said else f"says {said}"


def many_outputs():
    """More outputs than options can name; one of integers, which does not learn, and one that nothing leads to."""
    names = [f"o{k}" for k in range(70)]
    Path("many.onnxtxt").write_text('<ir_version: 8, opset_import: ["": 17]> g (float[N, 2] x) => (%s, int64[N] best, float[N, 2] same) <%s> { best = ArgMax <axis = 1, keepdims = 0> (x) same = Identity (x) %s }' % (
        ", ".join(f"float[N, 1] {n}" for n in names), ", ".join(f"float[2, 1] w{n} = {{1, 2}}" for n in names), " ".join(f"{n} = MatMul (x, w{n})" for n in names)))
    x = np.random.default_rng(3).normal(size=(12, 2)).astype(np.float32)
    np.savez("many.npz", x=x, best=x.argmax(1), **{n: np.full((12, 1), k, np.float32) for k, n in enumerate(names)})
    said = kiln("train", "many.onnxtxt", "--data", "npz:many.npz", "--loss", "mean_squared_error", "--output", "m.onnx", "--history", "h.csv", "--loss-weight", "o69=0.5")
    if said.count("loss       of 'o") != 70 or "of 'o69': mean_squared_error from the output, as asked, counted 0.5 times" not in said:
        return f"says {said}"
    last = {name: float(value) for name, value in rows("h.csv")[-1].items() if value}
    if abs(sum(last[f"o{k}_loss"] for k in range(69)) + last["o69_loss"] / 2 - last["loss"]) > 1e-4 * last["loss"]:
        return f"the sum of losses is {last['loss']}"
    said = kiln("train", "many.onnxtxt", "--data", "npz:many.npz", "--output", "m.onnx", "--loss", "mean_squared_error")
    if "output 'best' is of a type that cannot learn: what the data have for it is left out" not in said:
        return f"says {said}"
    np.savez("same.npz", x=x, y=x)
    said = kiln("eval", "many.onnxtxt", "--data", "npz:same.npz", "--train-output", "same", "--loss", "mean_squared_error")
    return None if "\nloss 0\n" in said else f"says {said}"


def regression():
    """A training set with fractions tells that whole numbers beside it, negative ones too, are numbers."""
    Path("line.onnxtxt").write_text('<ir_version: 8, opset_import: ["": 17]> g (float[N, 1] x) => (float[N, 1] r) <float[1, 1] w = {1}> { r = MatMul (x, w) }')
    x = np.arange(6, dtype=np.float32)[:, None]
    np.savez("halves.npz", x=x, r=x - 2.5)
    np.savez("whole.npz", x=x, r=x - 3)
    kiln("train", "line.onnxtxt", "--data", "npz:halves.npz", "--validation", "npz:whole.npz", "--output", "m.onnx")
    loss = score("line.onnxtxt", "--data", "npz:halves.npz", "--normalize", "center", "--fit", "npz:whole.npz")["loss"]
    return None if abs(loss - ((x - x.mean() - (x - 2.5)) ** 2).mean()) < 1e-6 else f"the loss is {loss}"


def mistakes():
    """Each is refused with a code and a line of its own, and nothing is written."""
    np.savez("data.npz", x=np.zeros((4, 1, 28, 28), np.float32), y=np.array([0, 1, 2, 3]))
    np.savez("rows.npz", x=np.zeros((4, 784), np.float32), y=np.array([0, 1, 2, 3]))
    model = MODELS / "mnist_mlp/leaky.onnxtxt"
    for words, code, says in (
        (["--optimizer", "adam:lr=0.1"], 2, "has no option 'lr'"),
        (["--optimizer", "sgd:learning_rate=nan"], 2, "'learning_rate' is nan"),
        (["--loss", "beauty"], 2, "loss 'beauty' is unknown"),
        (["--freeze", "conv*"], 2, "names no trainable parameter"),
        (["--exclude-from-weight-decay", "conv*", "--optimizer", "adamw"], 2, "names no trainable parameter"),
        (["--optimizer", "adam:clipnorm=1,clipvalue=1"], 2, "'clipnorm', 'clipvalue' and 'global_clipnorm' are given, must be one of them"),
        (["--save-best", "val_loss"], 2, "needs validation data"),
        (["--save-best", "beauty"], 2, "metric 'beauty' is unknown, must be loss, accuracy, with val_ before it or without"),
        (["--early-stop", "beauty:3"], 2, "metric 'beauty' is unknown"),
        (["--early-stop", "loss"], 64, "needs a number of epochs"),
        (["--loss", "none=mean_squared_error"], 2, "the model has no such output, it has '"),
        (["--loss", "Identity:0=mean_squared_error"], 2, "the model has no such output"),
        (["--loss-weight", "none=2"], 2, "the model has no such output"),
        (["--train-output", "none"], 2, "the model has no such output"),
        (["--loss", "mean_squared_error", "--loss", "hinge"], 2, "a second one must name its output"),
        (["--batch", "0"], 64, "--batch is '0'"),
        (["--augment", "rotation=3"], 2, "augmentation of 'images' has no option 'rotation', but rotation_range"),
        (["--augment", "zoom_range=3"], 2, "'zoom_range' is -2, must be at least 0"),
        (["--augment", "cval=1", "--data", "npz:rows.npz"], 5, "augmentation needs images"),
        (["--data", "npz:none.npz"], 7, "cannot be opened"),
        (["--optimizer", "sgd:learning_rate=1e20"], 9, "has become infinite"),
    ):
        epochs = ["--epochs", 50] if code == 9 else []
        if "--data" not in words:
            words = ["--data", "npz:data.npz", *words]
        said = kiln("train", model, "--output", "never.onnx", *epochs, *words, code=code)
        if says not in said:
            return f"{words}: says {said.strip()}"
        kept = "never.onnx holds the model of epoch " in said  # of one that ended before the mistake showed
        if Path("never.onnx").exists() != kept:
            return f"{words}: wrote a model"
        Path("never.onnx").unlink(missing_ok=True)
    return None


OUTPUTS = "--output", "--history", "--step-log", "--figure", "--profile"


def data_files():
    """A data set of each kind, and the files that it is read from."""
    x, y = np.zeros((4, 1, 28, 28), np.uint8), np.array([0, 1, 2, 3])
    np.savez("data.npz", x=x, y=y)
    Path("data.csv").write_text("".join("0," * 784 + f"{label}\n" for label in y))
    Path("images").write_bytes(np.array([0x803, 4, 28, 28], ">i4").tobytes() + x.tobytes())
    Path("labels").write_bytes(np.array([0x801, 4], ">i4").tobytes() + y.astype(np.uint8).tobytes())
    Path("pictures/cifar-10-batches-bin").mkdir(parents=True)
    pictures = [Path(f"pictures/cifar-10-batches-bin/data_batch_{k}.bin") for k in range(1, 6)]
    for picture in pictures:
        picture.write_bytes(bytes(3073 * 2))
    return {"npz:data.npz": ["data.npz"], "csv:data.csv": ["data.csv"], "idx:images,labels": ["images", "labels"], "cifar10:pictures": pictures[::4]}


def over_inputs():
    """No output is written over data, nor over the model but for the model itself; it is said before the work."""
    leaky, cifar = MODELS / "mnist_mlp/leaky.onnxtxt", MODELS / "cifar10_convnet/bn_before.onnxtxt"
    for data, files in data_files().items():
        model = cifar if "cifar" in data else leaky
        for file in files:
            os.symlink(Path(file).resolve(), "soft")
            os.link(file, "hard")
            before = Path(file).read_bytes()
            for option in OUTPUTS:
                for way in file, "soft", "hard":
                    output = [] if option == "--output" else ["--output", "never.onnx"]
                    said = kiln("train", model, "--data", data, option, way, *output, code=2)
                    if " is read" not in said or "epoch" in said:
                        return f"{data}, {option} {way}: says {said.strip()}"
                    if Path(file).read_bytes() != before or Path("never.onnx").exists():
                        return f"{data}, {option} {way}: something was written"
            os.unlink("soft")
            os.unlink("hard")
    for words in ["--validation", "npz:other.npz", "--history", "other.npz"], ["--history", "m.onnxtxt"], ["--step-log", "m.onnxtxt"]:
        shutil.copy("data.npz", "other.npz")
        shutil.copy(leaky, "m.onnxtxt")
        before = Path(words[-1]).read_bytes()
        said = kiln("train", "m.onnxtxt", "--data", "npz:data.npz", "--output", "never.onnx", *words, code=2)
        if "is read" not in said or Path(words[-1]).read_bytes() != before:
            return f"{words}: says {said.strip()}"
    said = kiln("convert", MODELS / "fashion_cnn/keras.onnx", "--trainable", "--calibrate", "npz:data.npz", "--output", "data.npz", code=2)
    if "is read" not in said:
        return f"convert: says {said.strip()}"
    kiln("train", "m.onnxtxt", "--data", "npz:data.npz", "--output", "m.onnxtxt", "--epochs", 3, "--save-best", "loss")
    kiln("train", "m.onnxtxt", "--data", "npz:data.npz", "--output", "m.onnxtxt")
    return None


def two_outputs():
    """Each output needs a file of its own, whether it is there or not."""
    x, y = samples((1, 28, 28), 10)
    np.savez("data.npz", x=x, y=y)
    os.makedirs("folder")
    os.symlink("folder", "link")
    words = ["train", MODELS / "mnist_mlp/leaky.onnxtxt", "--data", "npz:data.npz"]
    for there in False, True:
        for k, one in enumerate(OUTPUTS):
            for other in OUTPUTS[k + 1 :]:
                output = [] if one == "--output" else ["--output", "never.onnx"]
                if there:
                    Path("folder/file").write_text("old")
                said = kiln(*words, *output, one, "folder/file", other, "link/file", code=2)
                if "are the same file" not in said or "epoch" in said:
                    return f"{one} and {other}: says {said.strip()}"
                if Path("never.onnx").exists() or os.listdir("folder") != (["file"] if there else []):
                    return f"{one} and {other}: something was written"
    said = kiln(*words, "--quiet", "--output", "m.onnx", "--step-log", "/dev/stdout", "--history", "folder/h.csv", "--figure", "folder/f.svg", "--profile", "folder/p.json")
    return None if said.startswith("step,epoch,loss\n1,1,") else f"the log on standard output says {said}"


def recomputed():
    """What is made again in place of being kept: the same bytes."""
    x, y = samples((1, 28, 28), 10)
    np.savez("data.npz", x=x, y=y)
    for words, to in ([], "kept.onnx"), (["--recompute"], "again.onnx"):
        kiln("train", MODELS / "fashion_cnn/bn.onnxtxt", "--data", "npz:data.npz", "--batch", 12, "--epochs", 2, "--output", to, *words)
    return None if Path("kept.onnx").read_bytes() == Path("again.onnx").read_bytes() else "another model"


def truncated():
    """Stretches as long as the sequence are no truncation, shorter ones make another model; without a sequence a warning says so."""
    x, y = samples((3, 2), 4)
    np.savez("data.npz", x=x, y=y)
    weights = ", ".join(f"{0.1 * (k % 7 - 3):.1f}" for k in range(32))
    Path("sequence.onnxtxt").write_text(f"""<ir_version: 8, opset_import: ["": 17]>
g (float[N, 3, 2] x) => (float[N, 4] y) <float[1, 16, 2] w = {{{weights}}}, float[1, 16, 4] r = {{{weights}, {weights}}}, int64[1] front = {{0}}> {{
    t = Transpose <perm = [1, 0, 2]> (x)  all, last = LSTM <hidden_size = 4> (t, w, r)  y = Squeeze (last, front)
}}""")
    for n in 0, 2, 3:
        kiln("train", "sequence.onnxtxt", "--data", "npz:data.npz", "--output", f"{n}.onnx", *(["--bptt", n] if n else []))
    whole, short, long = (Path(f"{n}.onnx").read_bytes() for n in (0, 2, 3))
    return "--bptt 3 cuts three steps" if long != whole else short == whole and "--bptt 2 does not"


def says_itself(path):
    """A softmax regression whose training_info says: cross-entropy, and Adam with Keras' order of things; 0 is where it begins."""
    h, t = onnx.helper, onnx.TensorProto
    preview = "ai.onnx.preview.training"
    names = ["w", "b"]
    start = {"w": np.linspace(-0.5, 0.5, 12, dtype=np.float32).reshape(4, 3), "b": np.zeros(3, np.float32)}
    zeros = {f"{s}_{n}": np.zeros_like(start[n]) for s in "mv" for n in names}

    def tensors(values):
        return [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in values.items()]

    def info(name, *shape, kind=t.FLOAT):
        return h.make_tensor_value_info(name, kind, shape)

    graph = h.make_graph([h.make_node("Gemm", ["x", "w", "b"], ["z"]), h.make_node("Softmax", ["z"], ["p"])], "g", [info("x", "N", 4)], [info("p", "N", 3)], tensors(start))
    states = [f"{s}_{n}" for s in "mv" for n in names]
    nodes = [
        h.make_node("SoftmaxCrossEntropyLoss", ["z", "labels"], ["loss"]),
        h.make_node("Gradient", [*names, "x", "labels"], [f"d_{n}" for n in names], domain=preview, xs=names, zs=["x", "labels"], y="loss"),
        h.make_node("Add", ["step", "one"], ["next_step"]),
        h.make_node("Adam", ["rate", "next_step", *names, *(f"d_{n}" for n in names), *states], [f"next_{n}" for n in names + states], domain=preview, epsilon=1e-7),
    ]
    out = ["loss", "next_step", *(f"next_{n}" for n in names + states)]
    extra = {**zeros, "step": np.int64(0), "one": np.int64(1), "rate": np.float32(0.05)}
    algorithm = h.make_graph(nodes, "a", [info("labels", "N", kind=t.INT64)], [onnx.ValueInfoProto(name=n) for n in out], tensors(extra))
    draw = [h.make_node("RandomNormal", [], ["w0"], shape=[4, 3]), h.make_node("Constant", [], ["step0"], value_int=0)]
    initialization = h.make_graph(draw, "i", [], [info("w0", 4, 3), info("step0", kind=t.INT64)])
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17), h.make_opsetid(preview, 1)], ir_version=8)
    one = model.training_info.add()
    one.algorithm.CopyFrom(algorithm)
    one.initialization.CopyFrom(initialization)
    for key, value in ("w", "w0"), ("step", "step0"):
        one.initialization_binding.add(key=key, value=value)
    for n in ["step", *names, *states]:
        one.update_binding.add(key=n, value=f"next_{n}")
    onnx.save(model, path)
    return start


def as_the_file_says():
    """Steps of a training_info against the same in double; its state goes on in the file that is written."""
    p = {k: v.astype(np.float64) for k, v in says_itself("m.onnx").items()}
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(10, 4)).astype(np.float32), rng.integers(0, 3, 10)
    np.savez("data.npz", x=x, y=y)
    m, v = ({k: np.zeros_like(a) for k, a in p.items()} for _ in range(2))
    step, losses = 0, []
    for _ in range(3):
        for k in range(0, 10, 4):
            z = x[k : k + 4] @ p["w"] + p["b"]
            e = np.exp(z - z.max(axis=1, keepdims=True))
            e /= e.sum(axis=1, keepdims=True)
            rows_of = np.arange(len(z))
            losses.append(-np.log(e[rows_of, y[k : k + 4]]).mean())
            e[rows_of, y[k : k + 4]] -= 1
            g = {"w": x[k : k + 4].T @ e / len(z), "b": e.mean(axis=0)}
            step += 1
            for n in p:
                m[n] = 0.9 * m[n] + 0.1 * g[n]
                v[n] = 0.999 * v[n] + 0.001 * g[n] ** 2
                p[n] -= 0.05 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step) * m[n] / (np.sqrt(v[n]) + 1e-7)
    words = ["--data", "npz:data.npz", "--batch", 4, "--no-shuffle"]
    said = kiln("train", "m.onnx", *words, "--epochs", 2, "--output", "half.onnx", "--step-log", "steps.csv")
    if "as its training_info says" not in said or "tells 'loss'" not in said:
        return f"says {said}"
    kiln("train", "half.onnx", *words, "--output", "end.onnx", "--quiet")
    end = onnx.load("end.onnx")
    onnx.checker.check_model(end)
    for tensor in end.graph.initializer:
        apart = abs(onnx.numpy_helper.to_array(tensor) - p[tensor.name]).max()
        if apart > 1e-5:
            return f"{tensor.name} is {apart} apart"
    apart = max(abs(float(r["loss"]) - want) for r, want in zip(rows("steps.csv"), losses))
    if apart > 1e-6 or len(rows("steps.csv")) != 6:
        return f"losses are {apart} apart"
    state = {a.name: onnx.numpy_helper.to_array(a) for a in end.training_info[0].algorithm.initializer}
    if state["step"] != 9 or abs(state["m_w"] - m["w"]).max() > 1e-6:
        return f"step {state['step']}, must be 9"
    if "says nothing to a training by the file's training_info" not in kiln("train", "m.onnx", *words, "--output", "o.onnx", "--freeze", "w", code=2):
        return "--freeze is taken"
    if "optimizer  sgd" not in kiln("train", "m.onnx", *words, "--output", "o.onnx", "--optimizer", "sgd"):
        return "--optimizer is not taken"
    if "--bake says nothing" not in kiln("train", "m.onnx", *words, "--output", "o.onnx", "--normalize", "standardize", "--bake", code=2):
        return "--bake is taken"
    Path("data.csv").write_text("a,b,c,d,kind\n" + "".join(f"{','.join(map(str, r))},{'abc'[k]}\n" for r, k in zip(x, y)))
    kiln("train", "m.onnx", "--data", "csv:data.csv", "--normalize", "standardize", "--output", "told.onnx", "--quiet")
    told = {p.key: p.value for p in onnx.load("told.onnx").metadata_props}
    if told.get("kiln.classes.p") != "a\nb\nc" or not told.get("kiln.normalize.x", "").startswith("standardize"):
        return f"the data have told the model {told}"
    if "normalize  standardize, as the model was trained" not in kiln("train", "told.onnx", "--data", "csv:data.csv", "--output", "more.onnx"):
        return "the normalisation is not taken from the model"
    kiln("init", "end.onnx", "--again", "--seed", 3, "--output", "drawn.onnx")
    drawn = onnx.load("drawn.onnx")
    state = {a.name: onnx.numpy_helper.to_array(a) for a in drawn.training_info[0].algorithm.initializer}
    if state["step"] != 0 or abs(onnx.numpy_helper.to_array(drawn.graph.initializer[0]) - p["w"]).max() < 0.1:
        return "kiln init has not run the initialization"
    return None if "says how it is trained" in kiln("inspect", "m.onnx") else "inspect does not tell"


with tempfile.TemporaryDirectory() as scratch:
    os.chdir(scratch)
    for text in sorted(MODELS.glob("*/*.onnxtxt")):
        attempt(f"network.{text.parent.name}.{text.stem}", every_network, text)
    for folder in sorted(p.parent for p in MODELS.glob("*/keras.onnx")):
        attempt(f"keras-export.{folder.name}", keras_export, folder)
    for test in (threads_and_seeds, augmented, logs, json_lines, pictures, learning_rate, frozen, decayed, pixels, several, many_outputs, regression, mistakes, over_inputs, two_outputs, recomputed, truncated, as_the_file_says):
        attempt(test.__name__, test)
sys.exit(harness.failures > 0)
