"""Models that Kiln wrote, judged from outside: by onnx's checker and by onnxruntime. Usage: exported.py KILN
For each network of models/ and each Keras export there: the model as it is, trained for a few steps, and (Keras exports) made trainable
again and trained. For what kiln.keras wrote (tests/keras/exported): what Keras computes, five of its steps, and the way back of the weights. Prints PASS and FAIL lines, then "N passed, N failed, N skipped"."""

import csv
import os
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import onnx

import harness
from harness import MODELS, attempt, difference, kiln, outside, samples

HERE = Path(__file__).resolve().parent
package = types.ModuleType("kiln")  # kiln.keras.weights alone, which needs neither the library nor Keras
package.__path__ = [str(HERE.parent / "tools/python/kiln")]
sys.modules["kiln"] = package
from kiln.keras import weights  # noqa: E402

CLOSE = 1e-5  # of the larger of 1 and what is wanted


def dims(value):
    return [d.dim_value for d in value.type.tensor_type.shape.dim]


def inputs(model):
    """Those without a value."""
    known = {i.name for i in model.graph.initializer}
    return [i for i in model.graph.input if i.name not in known]


def run(path, x):
    """The outputs of `kiln run`, in the order of the model."""
    model = onnx.load(path)
    np.save("x.npy", x)
    for old in Path("out").glob("*.npy"):
        old.unlink()
    kiln("run", path, "--input", f"{inputs(model)[0].name}=x.npy", "--output", "out")
    found = [np.load(f) for f in Path("out").glob("*.npy")]
    if len(found) != len(model.graph.output):
        raise RuntimeError(f"kiln run wrote {len(found)} outputs, the model has {len(model.graph.output)}")
    return found


def agrees(path, scale=1.0):
    """Kiln and onnxruntime give the same for batches of 1 and 4."""
    shape = dims(inputs(onnx.load(path))[0])[1:]
    random = np.random.default_rng(7)
    for batch in (1, 4):
        x = (scale * random.normal(size=(batch, *shape))).astype(np.float32)
        mine, theirs = run(path, x), outside(path, x)
        if len(mine) != 1 or len(theirs) != 1 or mine[0].shape != theirs[0].shape:
            return f"outputs are {[m.shape for m in mine]}, in onnxruntime {[t.shape for t in theirs]}"
        if not np.isfinite(theirs[0]).all() or not np.ptp(theirs[0]) > 0:
            return f"batch {batch}: the outputs say nothing: {theirs[0].ravel()[:4]}"
        apart = difference(mine[0], theirs[0])
        if not apart <= CLOSE:
            return f"batch {batch}: apart by {apart:.1e}"
    return None


def inference_form(path, source):
    """Nothing of the training is left, and the head is that of the model it was made from."""
    model, before = onnx.load(path), onnx.load(source)
    for node in model.graph.node:
        a = {x.name: onnx.helper.get_attribute_value(x) for x in node.attribute}
        if a.get("training_mode"):
            return f"'{node.name}' has training_mode {a['training_mode']}"
        if node.op_type == "BatchNormalization" and len(node.output) != 1:
            return f"'{node.name}' has {len(node.output)} outputs"
        if node.op_type == "Dropout" and len(node.input) > 2:
            return f"'{node.name}' has an input training_mode"
        if node.op_type.endswith("Grad") or node.domain not in ("", "ai.onnx"):
            return f"'{node.name}' is {node.domain}.{node.op_type}"
    if model.training_info:
        return "there is a training_info"
    if model.ir_version != before.ir_version or model.opset_import[0] != before.opset_import[0]:
        return f"IR {model.ir_version}, opset {model.opset_import[0].version}; was {before.ir_version}, {before.opset_import[0].version}"
    return None


def train(source, path, x, y, *words):
    np.savez("data.npz", x=x, y=y)
    kiln("train", source, "--data", "npz:data.npz", "--batch", 10, "--output", path, "--quiet", *words)


def network(text):
    """From its text to an export that was trained."""
    kiln("init", text, "--output", "start.onnx")
    model = onnx.load("start.onnx")
    x, y = samples(dims(inputs(model)[0])[1:], dims(model.graph.output[0])[-1])
    written = {}
    for threads in (1, 2, 4):
        train("start.onnx", f"end{threads}.onnx", x, y, "--threads", threads)
        written[threads] = Path(f"end{threads}.onnx").read_bytes()
    if not written[1] == written[2] == written[4]:
        return "1, 2 and 4 threads do not write the same bytes"
    if written[1] == Path("start.onnx").read_bytes():
        return "training changed nothing"
    return inference_form("end1.onnx", "start.onnx") or agrees("end1.onnx")


def untouched(source):
    """Conversion changes nothing; binary to binary, and through the text."""
    kiln("convert", source, "--output", "same.onnx")
    if onnx.load("same.onnx") != onnx.load(source):
        return "the copy has another message"
    kiln("convert", "same.onnx", "--output", "same.onnxtxt")
    kiln("convert", "same.onnxtxt", "--output", "back.onnx")
    return agrees("back.onnx")


def as_keras(source):
    x, want = np.load(source.parent / "keras.in.npy"), np.load(source.parent / "keras.out.npy")
    apart = difference(run(source, x)[0], want)
    return f"apart from Keras by {apart:.1e}" if not apart <= CLOSE else agrees(source)


def made_trainable(source):
    x, want = np.load(source.parent / "keras.in.npy"), np.load(source.parent / "keras.out.npy")
    y = np.arange(len(x)) % want.shape[-1]
    np.savez("data.npz", x=x, y=y)
    kiln("convert", source, "--output", "open.onnx", "--trainable", "--calibrate", "npz:data.npz")
    norms = sum(n.op_type == "BatchNormalization" for n in onnx.load("open.onnx").graph.node)
    if not norms:
        return "no BatchNormalization came back"
    for judge, got in (("Kiln", run("open.onnx", x)[0]), ("onnxruntime", outside("open.onnx", x)[0])):
        apart = difference(got, want)
        if not apart <= CLOSE:
            return f"made trainable it is apart from Keras by {apart:.1e} in {judge}"
    train("open.onnx", "end.onnx", x, y, "--epochs", 3)
    if sum(n.op_type == "BatchNormalization" for n in onnx.load("end.onnx").graph.node) != norms:
        return "the trained model has lost a BatchNormalization"
    if difference(outside("end.onnx", x)[0], want) == 0:
        return "training changed nothing"
    return inference_form("end.onnx", "open.onnx") or agrees("end.onnx", float(np.std(x)))


def metadata(path, prefix):
    return {p.key.removeprefix(prefix): p.value for p in onnx.load(path).metadata_props if p.key.startswith(prefix)}


def keras_computes(path):
    kept = np.load(path.with_suffix(".npz"))
    for judge, got in (("Kiln", run(path, kept["x"])[0]), ("onnxruntime", outside(path, kept["x"])[0])):
        apart = np.abs(got - kept["out/kind"]).max() / np.abs(kept["out/kind"]).max()
        if not apart <= CLOSE:
            return f"apart from Keras by {apart:.1e} in {judge}"
    return None


def keras_steps(path):
    """Loss and regularisers are the file's own; the length of what is apart, by that of what changed."""
    kept = np.load(path.with_suffix(".npz"))
    np.savez("data.npz", x=kept["train/x"], y=kept["train/y"])
    how = ["--no-shuffle", "--batch", 8, "--optimizer", "sgd:learning_rate=0.05", "--exact"]
    kiln("train", path, "--data", "npz:data.npz", *how, "--output", "end.onnx", "--step-log", "steps.csv", "--quiet")
    with open("steps.csv", newline="") as f:
        losses = [float(row["loss"]) for row in csv.DictReader(f)]
    apart = np.abs(np.array(losses) / kept["loss"] - 1).max()
    if not apart <= 1e-5:
        return f"losses {losses}, in Keras {kept['loss'].tolist()}"
    names = metadata(path, "keras.variable.")
    if names != metadata("end.onnx", "keras.variable."):
        return "the trained file says something else of Keras' variables"
    model = Loaded(kept)
    weights.load(model, "end.onnx")
    changed = sum(((kept[f"end/{n}"] - kept[f"begin/{n}"]).astype(float) ** 2).sum() for n in names) ** 0.5
    apart = sum(((kept[f"end/{n}"] - v.value).astype(float) ** 2).sum() for n, v in model.of.items()) ** 0.5 / changed
    return None if apart <= 1e-3 else f"parameters are apart from Keras' by {apart:.1e} of their change"


class Variable:
    """What kiln.keras.load_weights asks of a variable of Keras."""

    def __init__(self, name, shape):
        self.name = self.path = name
        self.shape, self.dtype, self.value = shape, "float32", None

    def assign(self, value):
        self.value = value


class Loaded:
    """What it asks of a model: one layer that has them all."""

    built = True

    def __init__(self, kept):
        self.of = {n.removeprefix("begin/"): Variable(n.removeprefix("begin/"), kept[n].shape) for n in kept.files if n.startswith("begin/")}
        self._trainable_variables = self.weights = list(self.of.values())
        self._non_trainable_variables, self._layers = [], []


def keras_weights(path):
    """Each comes back as Keras had it; what is not the model's is told, all at once, and changes nothing."""
    kept = np.load(path.with_suffix(".npz"))
    model = Loaded(kept)
    weights.load(model, path)
    for name, variable in model.of.items():
        if not np.array_equal(variable.value, kept[f"begin/{name}"]):
            return f"'{name}' does not come back"
    one, two, three = list(model.of.values())[:3]
    one.shape, two.name = (7, *one.shape), "two"
    for variable in model.weights:
        variable.value = None
    file = onnx.load(path)
    file.graph.initializer.remove(next(i for i in file.graph.initializer if i.name == three.name))
    onnx.save(file, "short.onnx")
    try:
        weights.load(model, "short.onnx")
    except ValueError as e:
        for part in (f"'{one.name}' has shape", "'two' of the model is missing", f"'{two.path}' of the file is unknown", f"'{three.name}' is missing in the file"):
            if part not in str(e):
                return f"'{e}' does not say \"{part}\""
    else:
        return "another model takes its weights"
    return "some were loaded" if any(v.value is not None for v in model.weights) else None


with tempfile.TemporaryDirectory() as scratch:
    os.chdir(scratch)
    tests = [(p, t) for p in sorted(MODELS.glob("*/*.onnxtxt")) for t in (network,)]
    tests += [(p, t) for p in sorted(MODELS.glob("*/keras.onnx")) for t in (untouched, as_keras, made_trainable)]
    tests += [(p, t) for p in sorted((HERE / "keras/exported").glob("*.onnx")) for t in (keras_computes, keras_steps, keras_weights)]
    for path, test in tests:
        attempt(f"{path.parent.name}.{path.stem}.{test.__name__}", test, path)
print(f"{len(tests) - harness.failures} passed, {harness.failures} failed, 0 skipped")
sys.exit(harness.failures > 0 or not tests)
