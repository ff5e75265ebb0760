"""Makes regularizers.npz: steps of a small Keras model with regularisers. README.md tells the format.

Needs tensorflow-cpu and keras; run by hand when a case is added, the output is committed."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
HERE = Path(__file__).resolve().parent

import keras
import numpy as np
from keras.regularizers import L1, L1L2, L2, OrthogonalRegularizer

from generator import hashes, real

BATCHES = [6, 6, 4, 6, 5, 6, 4, 6]  # of the steps, as in dump.py
CASES = {  # by variable, or "t": of what the first layer computes
    "l1": {"w1": L1(0.02)},
    "l2": {"w1": L2(0.05), "w2": L2(0.05)},
    "l1_l2": {"w1": L1L2(l1=0.01, l2=0.02), "b1": L2(0.1)},
    "rows": {"w1": OrthogonalRegularizer(factor=0.5)},
    "columns": {"w1": OrthogonalRegularizer(factor=0.5, mode="columns"), "w2": OrthogonalRegularizer()},
    "activity": {"t": L2(0.3)},
    "activity_l1": {"t": L1(0.2), "w2": L2(0.01)},
}


def model_of(case):
    of = CASES[case]
    t = keras.layers.Dense(
        5, "tanh", kernel_regularizer=of.get("w1"), bias_regularizer=of.get("b1"), activity_regularizer=of.get("t")
    )
    p = keras.layers.Dense(3, "softmax", kernel_regularizer=of.get("w2"))
    model = keras.Sequential([keras.layers.Input((4,)), t, p])
    model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy())
    for v, name in zip(model.weights, ["w1", "b1", "w2", "b2"]):
        v.assign(real(f"steps/{name}", v.shape, 0, 0.5))
    return model


def loss_of(model, call, x, y):
    model.reset_metrics()
    return float(call(x, y))


def steps(case):
    """The loss of each step before the update, that of the same batch after it in inference, and the variables."""
    model = model_of(case)
    out = {"loss": [], "after": []}
    for t, n in enumerate(BATCHES):
        x = real(f"steps/{t}/x", (n, 4), 0, 1)
        y = (hashes(f"steps/{t}/label", n) >> np.uint64(33)).astype(np.int64) % 3
        out["loss"].append(loss_of(model, model.train_on_batch, x, y))
        out["after"].append(loss_of(model, model.test_on_batch, x, y))
        for v, name in zip(model.weights, ["w1", "b1", "w2", "b2"]):
            out.setdefault(name, []).append(v.numpy())
    print(case, out["loss"])
    return {f"{case}/{k}": np.array(v, np.float32) for k, v in out.items()}


if __name__ == "__main__":
    np.savez(HERE / "regularizers.npz", **{k: v for case in CASES for k, v in steps(case).items()})
