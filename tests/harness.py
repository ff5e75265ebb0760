"""What the steps in Python share that run the command: verdicts, the command itself, onnxruntime as a judge from outside."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

KILN = Path(sys.argv[1]).resolve()
MODELS = Path(__file__).resolve().parent.parent / "models"
failures = 0


def check(name, problem):
    """A PASS or a FAIL line; `problem` says what is wrong, or is empty."""
    global failures
    print("FAIL" if problem else "PASS", name, problem or "")
    failures += bool(problem)


def attempt(name, function, *words):
    try:
        check(name, function(*words))
    except Exception as e:  # whatever goes wrong is this test's failure, not the end of the others
        check(name, f"{type(e).__name__}: {e}".replace("\n", " ")[:300])


def kiln(*words, code=0):
    """What the command says; it must end with `code`."""
    done = subprocess.run([KILN, *map(str, words)], capture_output=True, text=True)
    if done.returncode != code:
        raise RuntimeError(f"kiln {words[0]} ended with {done.returncode}, not {code}: {done.stderr.strip()[-300:]}")
    return done.stdout + done.stderr


def outside(path, *x):
    """The outputs in onnxruntime for its inputs, after onnx's own checks."""
    onnx.checker.check_model(str(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    s = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return s.run(None, {i.name: value for i, value in zip(s.get_inputs(), x)})


def difference(got, want):
    return float(np.max(np.abs(got - want) / np.maximum(1, np.abs(want))))


def samples(shape, classes, n=24):
    """Images that belong to their label, under noise."""
    random = np.random.default_rng(len(shape) + classes)
    y = random.integers(0, classes, n)
    prototypes = random.normal(size=(classes, *shape))
    return (prototypes[y] + 0.3 * random.normal(size=(n, *shape))).astype(np.float32), y
