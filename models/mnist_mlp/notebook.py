# %% [markdown]
# # Three perceptrons for MNIST
# Without BatchNormalization, with it behind the dense layers, and before their activation. Pixels / 255, SGD, batches of 32. On Fashion-MNIST, or on what
# KILN_DATA names: a folder with the four files of MNIST.

# %%
import os
from pathlib import Path

import kiln
import numpy as np

SHORT = os.environ.get("KILN_SHORT")  # a few images and steps, to try it out
OUTPUT = Path(os.environ.get("OUTPUT", "."))

# %%
data = "fashion-mnist" + (f":{os.environ['KILN_DATA']}" if "KILN_DATA" in os.environ else "")
limit, epochs = (200, 1) if SHORT else (0, 10)
x_train, y_train = kiln.load_data(f"{data}:train", limit=limit)
x_test, y_test = kiln.load_data(f"{data}:test", limit=limit)
x_train, x_test = x_train.astype(np.float32) / 255, x_test.astype(np.float32) / 255
held_back = len(x_train) // 12
x_train, y_train = x_train[held_back:], y_train[held_back:]

# %%
kiln.set_random_seed(1)
histories = {}
for name in ("leaky", "bn_after", "bn_before"):
    model = kiln.Model(f"models/mnist_mlp/{name}.onnxtxt")
    model.compile(loss="sparse_categorical_crossentropy", optimizer=kiln.optimizers.SGD(learning_rate=0.01), metrics=["accuracy"])
    histories[name] = model.fit(x_train, y_train, batch_size=32, epochs=epochs, validation_data=(x_test, y_test))
    model.save(OUTPUT / f"mnist_mlp.{name}.onnx")

# %% [markdown]
# gamma and beta train, the moving statistics do not:

# %%
for name, role in model.weights.roles.items():
    print(f"{name:16} {model.weights[name].shape!s:12} {role}")

# %%
def plot(histories, path):
    """Loss and accuracy by epoch."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        return print(f"matplotlib is not installed: no {path}")
    figure, axes = plt.subplots(1, 2, figsize=(10, 4))
    for name, history in histories.items():
        for axis, measure in zip(axes, ("loss", "accuracy")):
            line = axis.plot(history.epoch, history.history[measure], "--")
            axis.plot(history.epoch, history.history[f"val_{measure}"], color=line[0].get_color(), label=name)
            axis.set(xlabel="epoch", ylabel=measure)
    axes[0].legend()
    figure.savefig(path)


plot(histories, OUTPUT / "mnist_mlp.svg")
