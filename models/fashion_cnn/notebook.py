# %% [markdown]
# # The Fashion-MNIST CNN with and without BatchNormalization
# On 1,000 images, raw pixels, Adam, batches of 64 (`train` takes the whole set, too). From the project's folder: `python models/fashion_cnn/notebook.py`.

# %%
import os
from pathlib import Path

import kiln
import numpy as np

SHORT = os.environ.get("KILN_SHORT")  # a few images and steps, to try it out
OUTPUT = Path(os.environ.get("OUTPUT", "."))

# %%
count, epochs = (64, 1) if SHORT else (1000, 100)
x, y = kiln.load_data("fashion-mnist:train", limit=2 * count)
x_train, y_train, x_val, y_val = x[:count], y[:count], x[count:], y[count:]
print(x_train.shape, x_train.dtype, np.unique(y_train))

# %%
kiln.set_random_seed(1)
histories = {}
for name in ("bn", "plain"):
    model = kiln.Model(f"models/fashion_cnn/{name}.onnxtxt")
    model.summary()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    histories[name] = model.fit(x_train, y_train, batch_size=64, epochs=epochs, validation_data=(x_val, y_val))
    model.save(OUTPUT / f"fashion_cnn.{name}.onnx")

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


plot(histories, OUTPUT / "fashion_cnn.svg")

# %%
x_test, y_test = kiln.load_data("fashion-mnist:test", limit=count)
for name in histories:
    model = kiln.Model(OUTPUT / f"fashion_cnn.{name}.onnx")
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"{name}: test accuracy {accuracy:.3f}; first images: {model.predict(x_test[:8]).argmax(axis=1)}, they are {y_test[:8]}")
