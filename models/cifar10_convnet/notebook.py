# %% [markdown]
# # The CIFAR-10 network with BatchNormalization before and after its ELUs
# Standardised by the training set, Adam, batches of 250. KILN_DATA names the folder of CIFAR-10's binary version; `build/models/stand_in cifar10 DIR` makes a
# set of that form of Fashion-MNIST.

# %%
import os
from pathlib import Path

import kiln
import numpy as np

SHORT = os.environ.get("KILN_SHORT")  # a few images and steps, to try it out
OUTPUT = Path(os.environ.get("OUTPUT", "."))

# %%
data = f"cifar10:{os.environ.get('KILN_DATA', 'build/stand_in/cifar10')}"
limit, epochs = (100, 1) if SHORT else (0, 10)
x_train, y_train = kiln.load_data(f"{data}:train", limit=limit)
x_test, y_test = kiln.load_data(f"{data}:test", limit=limit)
mean, deviation = x_train.mean(axis=0), x_train.std(axis=0) + 1e-7
x_train, x_test = ((x_train - mean) / deviation).astype(np.float32), ((x_test - mean) / deviation).astype(np.float32)

# %%
kiln.set_random_seed(1)
histories = {}
for name in ("bn_before", "bn_after"):
    model = kiln.Model(f"models/cifar10_convnet/{name}.onnxtxt")
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    histories[name] = model.fit(x_train, y_train, batch_size=250 if not SHORT else 50, epochs=epochs, validation_data=(x_test, y_test))
    for part, x, y in (("training", x_train, y_train), ("test", x_test, y_test)):
        print(name, part, dict(zip(("loss", "accuracy"), model.evaluate(x, y, batch_size=250, verbose=0))))
    model.save(OUTPUT / f"cifar10_convnet.{name}.onnx")

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


plot(histories, OUTPUT / "cifar10_convnet.svg")
