"""Reads the one-step files of this folder as a test does, and takes the steps with Keras on JAX in float32: a second implementation, which shows that the
bounds in README.md can be kept. Usage: replay.py [NETWORK...]. Needs jax and keras; run by hand after dump.py."""

import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "models"))

import jax
import keras
import numpy as np

import keras_networks
from generator import batch, real, sketch
from keras_networks import NETWORKS, variables


def replay(name):
    """The largest relative error of the loss, distance of the gradient, and error of a moving statistic, over the states."""
    network, file = NETWORKS[name], np.load(HERE / f"{name}.npz")
    model = network.build(dropout=False)
    shapes = {v.name: v.to_kiln(np.empty(v.keras.shape)).shape for v in variables(model)}
    n, *image, classes = (int(v) for v in file["batch"])

    def loss_of(trained, other, x, y):
        out, other = model.stateless_call(trained, other, x, training=True)
        return keras.ops.mean(keras.losses.sparse_categorical_crossentropy(y, out, from_logits=network.logits)), other

    step = jax.jit(jax.value_and_grad(loss_of, has_aux=True))
    errors = []
    for k, state in enumerate(file["state"]):
        key = f"{name}/{state}"
        arrays = {v: real(f"{key}/{v}", shape, *file[f"generate/{v}"][k]) for v, shape in shapes.items()}
        x, y = batch(name, key, n, image, classes, *file["pixel"])
        sums = [sum(a.astype(np.float64).sum() for a in arrays.values()), x.astype(np.float64).sum(), y.sum()]
        assert np.allclose(sums, file["check"][k], rtol=1e-9), f"{key}: the state is another one"
        keras_networks.write(model, arrays)
        (loss, other), gradient = step([v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables], network.feed(x), y)
        after = {v.path: np.asarray(a) for v, a in zip(model.trainable_variables + model.non_trainable_variables, gradient + other)}
        square = error = 0.0
        for v in variables(model):
            value = v.to_kiln(after[v.keras.path])
            if f"gradient/{v.name}" in file:
                square += np.sum((sketch(f"sketch/{v.name}", value).astype(np.float64) - file[f"gradient/{v.name}"][k]) ** 2)
            elif f"statistic/{v.name}" in file:
                want = file[f"statistic/{v.name}"][k]
                error = max(error, np.max(np.abs(value - want) / np.maximum(1, np.abs(want))))
        errors.append((abs(float(loss) / file["loss"][k, 0] - 1), np.sqrt(square) / file["norm"][k, 0], error))
    return np.max(errors, axis=0)


for network_name in sys.argv[1:] or sorted(p.stem for p in HERE.glob("*.*.npz")):
    print(f"{network_name}:", "loss {:.1e}, gradient {:.1e}, statistics {:.1e}".format(*replay(network_name)), flush=True)
