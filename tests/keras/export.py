"""kiln.keras against Keras: what the files compute, what is refused, training, and the way back. Run by hand. Usage: export.py KILN [PATTERN...]
Needs keras, tensorflow-cpu, onnx and onnxruntime. A line PASS or FAIL for each case, then "N passed, N failed, N skipped".

How far apart outputs are: the largest difference, divided by the largest absolute value that Keras has in that output; of several outputs the worst."""

import fnmatch
import gc
import os
import subprocess
import sys
import tempfile
import time
import traceback
import types
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import onnx
import onnxruntime

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "models"), str(HERE)]
package = types.ModuleType("kiln")  # kiln.keras alone: it needs no library
package.__path__ = [str(ROOT / "tools/python/kiln")]
sys.modules["kiln"] = package

import kiln.keras  # noqa: E402

CLOSE = 1e-5
IMAGE, SEQUENCE, VOLUME = (9, 8, 4), (9, 4), (7, 6, 5, 2)
CASES = {}


def case(name, **options):
    def add(function):
        CASES[name] = (function, options)
        return function

    return add


def randomise(model, seed=1):
    """Nothing is left as it begins: biases, scales and statistics are of some size."""
    random = np.random.default_rng(seed)
    for v in model.weights:
        if not str(v.dtype).startswith("float") or not v.shape:
            continue
        noise = random.normal(size=v.shape)
        if v.name in ("moving_variance", "gamma", "scale"):
            v.assign(0.7 + 0.6 * random.random(v.shape))
        elif v.name.endswith("bias") or v.name in ("beta", "moving_mean"):
            v.assign(0.1 * noise)
        elif v.name in ("alpha",):
            v.assign(0.3 * random.random(v.shape))


def samples(model, batch=3, seed=2):
    random = np.random.default_rng(seed)
    given = []
    for t in model.inputs:
        shape = [batch if k == 0 else 11 if d is None else d for k, d in enumerate(t.shape)]
        given.append(random.integers(0, 9, shape).astype(t.dtype) if "int" in t.dtype else random.normal(size=shape).astype(t.dtype))
    return given


def apart(got, want):
    """The largest difference, of the largest absolute value."""
    if got.shape != want.shape:
        raise AssertionError(f"shape {got.shape}, in Keras {want.shape}")
    if not np.isfinite(want.astype(float)).all():
        raise AssertionError("Keras' own output is no number")
    scale = float(np.abs(want.astype(float)).max()) if want.size else 0
    return float(np.abs(got.astype(float) - want.astype(float)).max() / (scale or 1)) if want.size else 0.0


def by_keras(model, given):
    made = model(given[0] if len(given) == 1 else given, training=False)
    return [keras.ops.convert_to_numpy(y) for y in keras.tree.flatten(made)]


def by_onnxruntime(path, given):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, {i.name: x for i, x in zip(session.get_inputs(), given)})


def kiln_command(*words):
    done = subprocess.run([KILN, *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"kiln {' '.join(map(str, words))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def by_kiln(path, given):
    model = onnx.load(path)
    words = []
    for k, (info, x) in enumerate(zip(model.graph.input, given)):
        np.save(f"in{k}.npy", x)
        words += ["--input", f"{info.name}=in{k}.npy"]
    for old in Path("out").glob("*.npy"):
        old.unlink()
    kiln_command("run", path, *words, "--output", "out")
    return [np.load(f"out/{o.name.replace('/', '_')}.npy") for o in model.graph.output]


def quietly_exported(model, path, **options):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        kiln.keras.export(model, path, **options)
    return " ".join(str(w.message) for w in told)


def weights_return(model, path):
    """What the file holds replaces whatever the model has, exactly."""
    held = {v.path + str(k): v.numpy() for k, v in enumerate(model.weights)}
    read = set(kiln.keras.weights.named(model)) & {i.name for i in onnx.load(path).graph.initializer}
    of = {id(v) for n, v in kiln.keras.weights.named(model).items() if n in read}
    for v in model.weights:
        if id(v) in of:
            v.assign(np.full(v.shape, 0.5, np.float32))
    kiln.keras.load_weights(model, path)
    for k, v in enumerate(model.weights):
        if not np.array_equal(held[v.path + str(k)], v.numpy()):
            raise AssertionError(f"'{v.path}' did not come back")


def agrees(model, given=None, told="", close=CLOSE, kiln_too=True, operators=None, **options):
    """Exported, the model computes what it does in Keras, in onnxruntime and in Kiln, for two sizes of batch."""
    words = quietly_exported(model, "model.onnx", **options)
    if told not in words or not told and words:
        raise AssertionError(f"warned of '{words}', must warn of '{told}'")
    onnx.checker.check_model("model.onnx", full_check=True)
    worst = {"onnxruntime": 0.0, "Kiln": 0.0}
    for batch in (3, 1):
        x = [g[:batch] for g in given] if given else samples(model, batch)
        want = by_keras(model, x)
        for judge, run in (("onnxruntime", by_onnxruntime), ("Kiln", by_kiln)):
            if judge == "Kiln" and not kiln_too:
                continue
            for got, w in zip(run("model.onnx", x), want):
                worst[judge] = max(worst[judge], apart(np.asarray(got), w))
    for judge, distance in worst.items():
        if not distance <= close:
            raise AssertionError(f"apart by {distance:.1e} in {judge}")
    weights_return(model, "model.onnx")
    nodes = [n.op_type for n in onnx.load("model.onnx", load_external_data=False).graph.node]
    for op, count in (operators or {}).items():
        if nodes.count(op) != count:
            raise AssertionError(f"{nodes.count(op)} {op}, must be {count}")
    return f"onnxruntime {worst['onnxruntime']:.1e}, Kiln {worst['Kiln']:.1e}, {len(nodes)} nodes, {nodes.count('Transpose')} Transposes"


def fails(kind, words, function, *arguments, **options):
    try:
        function(*arguments, **options)
    except kind as e:
        for word in words:
            if word not in str(e):
                raise AssertionError(f"'{e}' does not say '{word}'")
        return f"'{e}'"
    raise AssertionError("was not refused")


def one(name, layer, shape, dtype="float32", told="", **options):
    """A layer by itself; a function makes it, so that each case has its own."""

    def build():
        x = keras.Input(shape, dtype=dtype)
        return keras.Model(x, layer()(x))

    case(f"layer.{name}", told=told, **options)(build)


def variants(name, shape, *makers, **options):
    for k, maker in enumerate(makers):
        one(f"{name}.{k}", maker, shape, **options)


def main():
    import export_layers  # noqa: F401
    import export_networks  # noqa: F401
    import export_operations  # noqa: F401
    import export_sequences  # noqa: F401
    import export_training  # noqa: F401

    patterns = sys.argv[2:] or ["*"]
    for p in patterns:
        if not fnmatch.filter(CASES, p):
            sys.exit(f"no case is called {p}")
    failed = passed = 0
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        for name, (function, options) in CASES.items():
            if not any(fnmatch.fnmatch(name, p) for p in patterns):
                continue
            keras.utils.clear_session()
            keras.utils.set_random_seed(1)
            gc.collect()
            begin = time.time()
            try:
                said = function()
                if isinstance(said, keras.Model):
                    randomise(said)
                    said = agrees(said, **options)
                print(f"PASS {name}: {said} ({time.time() - begin:.0f} s)", flush=True)
                passed += 1
            except Exception as e:
                print(f"FAIL {name}: {type(e).__name__}: {str(e)[:600]}", flush=True)
                if os.environ.get("VERBOSE"):
                    traceback.print_exc()
                failed += 1
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(failed > 0 or not passed)


if __name__ == "__main__":
    sys.modules["export"] = sys.modules["__main__"]
    KILN = str(Path(sys.argv[1]).resolve())
    main()
