# %% [markdown]
# # Three sigmoids in a row
# The network with which Ioffe and Szegedy (2015) showed what BatchNormalization does. Pixels / 255, RMSprop, batches of 60; the output is logits. On
# Fashion-MNIST, or on what KILN_DATA names: a folder with the four files of MNIST. Samples are drawn from all of them; `train` draws from a window of 100, as the
# original, and writes TensorBoard's logs.

# %%
import os
from pathlib import Path

import kiln
import numpy as np

SHORT = os.environ.get("KILN_SHORT")  # a few images and steps, to try it out
OUTPUT = Path(os.environ.get("OUTPUT", "."))

# %%
data = "fashion-mnist" + (f":{os.environ['KILN_DATA']}" if "KILN_DATA" in os.environ else "")
limit, epochs = (240, 1) if SHORT else (0, 50)
x_train, y_train = kiln.load_data(f"{data}:train", limit=limit)
x_test, y_test = kiln.load_data(f"{data}:test", limit=limit)
x_train, x_test = x_train.astype(np.float32) / 255, x_test.astype(np.float32) / 255

# %%
kiln.set_random_seed(1)
histories = {}
for name in ("plain", "bn", "batch_bn"):
    model = kiln.Model(f"models/sigmoid_mlp/{name}.onnxtxt")
    model.compile(optimizer="rmsprop", loss=kiln.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    log = kiln.callbacks.CSVLogger(OUTPUT / f"sigmoid_mlp.{name}.csv")
    histories[name] = model.fit(x_train, y_train, batch_size=60, epochs=epochs, validation_data=(x_test, y_test), callbacks=[log])
    model.save(OUTPUT / f"sigmoid_mlp.{name}.onnx")
    print(f"{name}: dense1.weight has the deviation {model.weights['dense1.weight'].std():.3f}")

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


plot(histories, OUTPUT / "sigmoid_mlp.svg")
