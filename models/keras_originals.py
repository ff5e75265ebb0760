"""What Keras makes of the five recipes of this folder, on the data that they take: RECIPE/keras.csv, a row for each epoch of each run.

Usage: keras_originals.py [--seeds N] [--threads N] [--output DIR] [RECIPE...]. A run is a recipe, a network and a seed; it adds its rows when it ends,
and one whose rows are there is left out: so this may be stopped at any time and started again. Seed 1 of every recipe comes before seed 2. Needs
tensorflow-cpu and keras, for cifar100_vgg scipy and pillow, too; Debian's dataset-fashion-mnist, and what models/stand_in makes of it (--stand-ins DIR)
for the two CIFAR recipes. Run by hand, what it writes is committed.

The row with `final` in place of an epoch is what the trained network makes of the whole training set and of the test set. Seconds are not kept: they
would tell what else the machine had to do, and that several steps are taken in one call (steps_per_execution), which changes no other number."""

import argparse
import gzip
import os
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

from keras_networks import NETWORKS

HERE = Path(__file__).resolve().parent
FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
COLUMNS = "network,seed,epoch,loss,accuracy,val_loss,val_accuracy"


def fashion_mnist(part):
    """Images NCHW, raw, and labels."""
    image = gzip.decompress((FASHION_MNIST / f"{part}-images-idx3-ubyte.gz").read_bytes())
    label = gzip.decompress((FASHION_MNIST / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    return np.frombuffer(image, np.uint8, offset=16).reshape(-1, 1, 28, 28).astype(np.float32), np.frombuffer(label, np.uint8, offset=8).astype(np.int64)


def cifar(folder, names, labels):
    """Images NCHW, raw, and labels, of files in the binary form: the fine label is the last of `labels` bytes."""
    rows = np.concatenate([np.fromfile(folder / f"{name}.bin", np.uint8) for name in names]).reshape(-1, labels + 3072)
    return rows[:, labels:].reshape(-1, 3, 32, 32).astype(np.float32), rows[:, labels - 1].astype(np.int64)


def cifar10(where):
    return cifar(where / "cifar10", [f"data_batch_{k}" for k in range(1, 6)], 1), cifar(where / "cifar10", ["test_batch"], 1)


def cifar100(where):
    return cifar(where / "cifar100", ["train"], 2), cifar(where / "cifar100", ["test"], 2)


def rows_of(data, first, last):
    return data[0][first:last], data[1][first:last]


def unit(train, test):
    return (train[0] / 255, train[1]), (test[0] / 255, test[1])


def standardized(train, test):
    """Each value by mean and deviation over the training set; what never changes is only centred."""
    mean, deviation = train[0].mean(axis=0, dtype=np.float64), train[0].std(axis=0, dtype=np.float64)
    deviation[deviation < 1e-7] = 1
    mean, deviation = mean.astype(np.float32), deviation.astype(np.float32)
    return ((train[0] - mean) / deviation, train[1]), ((test[0] - mean) / deviation, test[1])


@dataclass
class Recipe:
    networks: list  # of keras_networks
    data: callable  # (folder of the stand-ins) -> (training set, test set), as they are fed, NCHW
    epochs: int
    part: str = ""  # what stands before the names of networks, where a recipe trains on several sets
    steps: int | None = None  # of an epoch; None: once through the data
    window: int | None = None  # that the order is drawn in; None: the whole set
    augment: dict | None = None  # of ImageDataGenerator: the training set is raw, and centred after it
    final: bool = False  # is the training set evaluated in the end?
    at_once: int = 1  # steps_per_execution


def whole():
    return fashion_mnist("train"), fashion_mnist("t10k")


RECIPES = {
    "fashion_cnn": [
        Recipe(["bn", "plain"], lambda _: (rows_of(whole()[0], 0, 1000), rows_of(whole()[0], 1000, 2000)), 100, "thousand."),
        Recipe(["bn", "plain"], lambda _: whole(), 3, "whole."),
    ],
    "mnist_mlp": [Recipe(["leaky", "bn_after", "bn_before"], lambda _: unit(rows_of(whole()[0], 5000, None), whole()[1]), 10, at_once=50)],
    "sigmoid_mlp": [Recipe(["plain", "bn", "batch_bn"], lambda _: unit(*whole()), 50, window=100, at_once=50)],
    "cifar10_convnet": [Recipe(["bn_before", "bn_after"], lambda where: standardized(*cifar10(where)), 10, final=True)],
    "cifar100_vgg": [
        Recipe(["relu_bn", "relu", "sigmoid_bn", "sigmoid"], cifar100, 5, "short.", steps=200,
               augment={"shear_range": 0.2, "zoom_range": 0.2, "horizontal_flip": True})
    ],
}  # fmt: skip


def augmented(recipe, x, y, batch, mean):
    """Batches without end, NHWC: changed, then centred. Each pass over the data has an order of its own."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    flow = ImageDataGenerator(preprocessing_function=lambda image: image - mean, **recipe.augment).flow(x, y, batch_size=batch)
    while True:
        for k in range(len(flow)):
            yield flow[k]
        flow.on_epoch_end()


def shuffled(x, y, batch, window):
    """Batches of one pass, in an order of its own for each, drawn from a window. (Of arrays, fit would repeat the order of the first epoch in all others, once
    keras.utils.set_random_seed was called: Keras 3.15 on TensorFlow.)"""
    x, y = tf.constant(x), tf.constant(y)
    return tf.data.Dataset.range(len(x)).shuffle(window).batch(batch).map(lambda k: (tf.gather(x, k), tf.gather(y, k))).prefetch(2)


def run(recipe, network, seed, data):
    """The rows of one training."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    (x, y), (xt, yt) = data
    x, xt = network.feed(x), network.feed(xt)
    if recipe.augment:  # the test set has a mean of its own
        xt = xt - xt.mean(axis=0, dtype=np.float64).astype(np.float32)
        batches = augmented(recipe, x, y, network.batch, x.mean(axis=0, dtype=np.float64).astype(np.float32))
    else:
        batches = shuffled(x, y, network.batch, recipe.window or len(x))
    model = network.build()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=network.logits)
    model.compile(network.optimizer, loss, metrics=["accuracy"], steps_per_execution=recipe.at_once)
    h = model.fit(batches, epochs=recipe.epochs, steps_per_epoch=recipe.steps, validation_data=(xt, yt), validation_batch_size=network.batch, verbose=0).history
    rows = [(e + 1, *row) for e, row in enumerate(zip(h["loss"], h["accuracy"], h["val_loss"], h["val_accuracy"]))]
    if recipe.final:
        rows.append(("final", *model.evaluate(x, y, network.batch, verbose=0), *model.evaluate(xt, yt, network.batch, verbose=0)))
    return rows


def done(path):
    if not path.exists():
        path.write_text(COLUMNS + "\n")
    return {tuple(line.split(",")[:2]) for line in path.read_text().splitlines()[1:]}


def train(name, recipe, seed, options):
    path, data = (options.output or HERE) / name / "keras.csv", None
    path.parent.mkdir(parents=True, exist_ok=True)
    for network in recipe.networks:
        told = recipe.part + network
        if (told, str(seed)) in done(path):
            continue
        data = data or recipe.data(options.stand_ins)
        start = time.perf_counter()
        rows = run(recipe, NETWORKS[f"{name}.{network}"], seed, data)
        with path.open("a") as f:
            f.writelines(f"{told},{seed},{r[0]}," + ",".join(f"{v:.5g}" for v in r[1:]) + "\n" for r in rows)
        print(f"{name} {told} seed {seed}: val_accuracy {rows[-1][4]:.4f}, {time.perf_counter() - start:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe", nargs="*", metavar="RECIPE", help=", ".join(RECIPES))
    parser.add_argument("--seeds", type=int, default=5, help="1 to N (5)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--stand-ins", type=Path, default=HERE.parent / "build" / "stand_in", help="where models/stand_in wrote to (build/stand_in)")
    parser.add_argument("--output", type=Path, help="where RECIPE/keras.csv are (this folder)")
    options = parser.parse_args()
    for name in options.recipe:
        if name not in RECIPES:
            parser.error(f"there is no recipe '{name}'")
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for seed in range(1, options.seeds + 1):
        for name in options.recipe or RECIPES:
            for recipe in RECIPES[name]:
                train(name, recipe, seed, options)


if __name__ == "__main__":
    main()
