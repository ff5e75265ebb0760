# %% [markdown]
# # Ten convolutions with sigmoids or ReLUs, with BatchNormalization and without
# The mean of the set taken off, images sheared, zoomed and flipped, RMSprop, batches of 80; the model with the least validation loss is kept. KILN_DATA names
# the folder of CIFAR-100's binary version; `build/models/stand_in cifar100 DIR` makes a set of that form of Fashion-MNIST.

# %%
import os
from pathlib import Path

import kiln
import numpy as np

SHORT = os.environ.get("KILN_SHORT")  # a few images and steps, to try it out
OUTPUT = Path(os.environ.get("OUTPUT", "."))

# %%
data = f"cifar100:{os.environ.get('KILN_DATA', 'build/stand_in/cifar100')}"
limit, steps, epochs, batch = (40, 1, 1, 8) if SHORT else (0, 200, 5, 80)
x_train, y_train = kiln.load_data(f"{data}:train", limit=limit)
x_test, y_test = kiln.load_data(f"{data}:test", limit=limit)
x_train, x_test = x_train - x_train.mean(axis=0, dtype=np.float32), x_test - x_test.mean(axis=0, dtype=np.float32)
augmentation = {"shear_range": 0.2, "zoom_range": 0.2, "horizontal_flip": True}

# %%
kiln.set_random_seed(1)
histories = {}
for name in ("relu_bn", "relu", "sigmoid_bn", "sigmoid")[: 1 if SHORT else 4]:
    model = kiln.Model(f"models/cifar100_vgg/{name}.onnxtxt")
    model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    best = kiln.callbacks.ModelCheckpoint(OUTPUT / f"cifar100_vgg.{name}.onnx", save_best_only=True)
    histories[name] = model.fit(
        x_train, y_train, batch_size=batch, epochs=epochs, steps_per_epoch=steps, augment=augmentation, validation_data=(x_test, y_test), callbacks=[best]
    )
    loss, accuracy = kiln.Model(OUTPUT / f"cifar100_vgg.{name}.onnx").evaluate(x_test, y_test, batch_size=80, verbose=0)
    print(f"{name}, kept: test loss {loss:.4f}, accuracy {accuracy:.4f}")

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


plot(histories, OUTPUT / "cifar100_vgg.svg")
