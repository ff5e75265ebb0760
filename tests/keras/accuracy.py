"""Test accuracy of the Fashion-MNIST CNN in Keras for the recipe of models/fashion_cnn/train: the whole set, raw pixels, Adam, batches of 64, 3 epochs.

Usage: accuracy.py [--variant bn|plain] [--seeds N] [--epochs N] [--csv FILE]. Prints a line per seed (accuracy after each epoch, seconds per epoch), then
the mean of the last accuracies with its standard error, and the median of the seconds. Two threads. Needs tensorflow-cpu and keras, and Debian's
dataset-fashion-mnist; run by hand."""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models"))

import keras
import numpy as np
import tensorflow as tf

from export_keras import fashion_mnist
from keras_networks import NETWORKS


class Clock(keras.callbacks.Callback):
    """Seconds of the training steps of each epoch, without the validation after them."""

    def on_train_begin(self, logs=None):
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_test_begin(self, logs=None):
        self.seconds.append(time.perf_counter() - self.start)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--variant", choices=("bn", "plain"), default="bn")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(2)
    tf.config.threading.set_inter_op_parallelism_threads(2)

    network = NETWORKS[f"fashion_cnn.{options.variant}"]
    (x, y), (xt, yt) = fashion_mnist("train"), fashion_mnist("t10k")
    x, xt = network.feed(x), network.feed(xt)
    rows, last, seconds = ["seed,epoch,loss,accuracy,val_loss,val_accuracy,seconds"], [], []
    for seed in range(1, options.seeds + 1):
        keras.utils.set_random_seed(seed)
        model, clock = network.build(), Clock()
        model.compile(network.optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        h = model.fit(x, y, batch_size=network.batch, epochs=options.epochs, validation_data=(xt, yt), validation_batch_size=1000,
                      verbose=0, callbacks=[clock]).history  # fmt: skip
        for e, s in enumerate(clock.seconds):
            rows.append(f"{seed},{e + 1},{h['loss'][e]},{h['accuracy'][e]},{h['val_loss'][e]},{h['val_accuracy'][e]},{s}")
        print(f"seed {seed}: test accuracy", *(f"{a:.4f}" for a in h["val_accuracy"]), "seconds", *(f"{s:.1f}" for s in clock.seconds), flush=True)
        last.append(h["val_accuracy"][-1])
        seconds += clock.seconds
    error = np.std(last, ddof=1) / np.sqrt(len(last)) if len(last) > 1 else float("nan")
    print(f"fashion_cnn.{options.variant}, {options.epochs} epochs, {len(last)} seeds: {np.mean(last):.4f} +- {error:.4f} (standard error), "
          f"{np.median(seconds):.1f} s an epoch")  # fmt: skip
    if options.csv:
        options.csv.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
