"""Makes the Keras exports of this folder: NETWORK/keras.onnx as `model.export(path, format="onnx")` writes it, with an input of four images
(keras.in.npy, as the file takes it: NHWC) and what Keras itself makes of it (keras.out.npy).

Usage: export_keras.py [NETWORK...]. Needs tensorflow-cpu, keras, tf2onnx and onnx; for fashion_cnn Debian's dataset-fashion-mnist too. Run by hand, the
output is committed.

fashion_cnn is trained for one epoch. The others have random weights: whatever is zero or one in a fresh network (biases, beta, moving statistics)
would vanish from the export or be merged with its equals, so nothing is left so. Weights are multiples of a power of two, with eight bits, because
files of such numbers pack well."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np

import keras_networks
from keras_networks import NETWORKS, variables
from keras_originals import fashion_mnist

HERE = Path(__file__).resolve().parent
VARIANTS = ["fashion_cnn.bn", "cifar10_convnet.bn_before", "mnist_mlp.bn_after", "sigmoid_mlp.bn", "cifar100_vgg.relu_bn"]
SEED = 20


def randomise(model, random):
    arrays = {}
    for v in variables(model):
        shape, role = v.keras.shape, v.name.split(".")[1]
        limit = np.sqrt(6 / (np.prod(shape[:-1]) + np.prod(shape[:-2]) * shape[-1])) if role == "weight" else 0.25
        step = 2.0 ** np.round(np.log2(limit / 127))
        k = random.integers(-127, 128, v.to_kiln(np.empty(shape)).shape)
        arrays[v.name] = ((role in ("gamma", "variance")) + k * step).astype(np.float32)
    keras_networks.write(model, arrays)


def train(network, model):
    x, y = fashion_mnist("train")
    model.compile(network.optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(network.feed(x), y, batch_size=network.batch, epochs=1, verbose=0)
    x, y = fashion_mnist("t10k")
    print(f"test accuracy in Keras: {model.evaluate(network.feed(x), y, batch_size=1000, verbose=0)[1]:.4f}")
    return x[:4]


def export(name):
    keras.utils.clear_session()  # the names in the file count from 1 again
    keras.utils.set_random_seed(SEED)
    network, folder = NETWORKS[name], HERE / name.split(".")[0]
    model = network.build()
    if name.startswith("fashion"):
        image = train(network, model)
    else:
        random = np.random.default_rng(SEED)
        randomise(model, random)
        image = ((random.integers(0, 256, (4,) + network.image) - network.subtract) / network.divide).astype(np.float32)
    x = np.ascontiguousarray(network.feed(image))
    np.save(folder / "keras.in.npy", x)
    np.save(folder / "keras.out.npy", model(x, training=False).numpy())
    model.export(folder / "keras.onnx", format="onnx", verbose=False)
    print(f"{folder.name}/keras.onnx: {(folder / 'keras.onnx').stat().st_size} bytes")


if __name__ == "__main__":
    for variant in sys.argv[1:] or VARIANTS:
        export(variant)
