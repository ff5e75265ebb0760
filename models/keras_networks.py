"""The networks of this folder in Keras, with the layer names of the text models, and their variables in Kiln's layout.

Keras stores images as NHWC and kernels as HWIO, the text models NCHW and OIHW; so the features after a Flatten come in another order too.
`read` and `write` take care of both: a dictionary {"conv1.weight": array, ...} holds every variable as the text model has it."""

from dataclasses import dataclass
from typing import Callable

import keras
import numpy as np
from keras import layers as L


@dataclass
class Network:
    layers: Callable  # (dropout) -> list of layers; dropout=False leaves the Dropout layers out
    image: tuple  # channels, height, width: what the text model takes
    shape: tuple  # what the Keras model takes, without the batch
    classes: int
    batch: int
    optimizer: str
    logits: bool = False  # the output is logits, not probabilities
    subtract: float = 0  # pixels are fed as (pixel - subtract) / divide
    divide: float = 1

    def build(self, dropout=True):
        return keras.Sequential([L.Input(self.shape), *self.layers(dropout)])

    def feed(self, image):
        """A batch NCHW as the Keras model takes it."""
        return image.transpose(0, 2, 3, 1).reshape((len(image),) + self.shape)


class BatchStatistics(L.Layer):
    """BatchNormalization without a memory: the statistics are those of the batch at hand, in inference too."""

    def build(self, shape):
        self.gamma = self.add_weight(name="gamma", shape=shape[-1:], initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape[-1:], initializer="zeros")

    def call(self, x):
        centred = x - keras.ops.mean(x, axis=0)
        return self.gamma * (centred / keras.ops.sqrt(keras.ops.mean(keras.ops.square(centred), axis=0) + 1e-5)) + self.beta


def bn(i):
    return L.BatchNormalization(name=f"bn{i}")


def fashion_cnn(normal):
    def layers(dropout):
        return [
            L.Conv2D(32, 5, name="conv1"), L.Activation("relu"), L.MaxPool2D(), *[bn(1)] * normal,
            L.Conv2D(32, 4, padding="same", name="conv2"), L.Activation("relu"), L.MaxPool2D(), *[bn(2)] * normal,
            L.Conv2D(32, 3, name="conv3"), L.Activation("relu"), L.Flatten(), *[bn(3)] * normal,
            *[L.Dropout(0.2)] * dropout, L.Dense(10, activation="softmax", name="dense1"),
        ]  # fmt: skip

    return Network(layers, (1, 28, 28), (28, 28, 1), 10, 64, "adam")


def cifar10_convnet(place):
    def layers(dropout):
        out = []
        for i, c in enumerate((16, 32, 64), 1):
            out.append(L.Conv2D(c, 3, padding="same", use_bias=place is None, name=f"conv{i}"))
            out += [bn(i)] * (place == "before") + [L.Activation("elu")] + [bn(i)] * (place == "after")
            out.append(L.MaxPool2D(padding="same"))
        out += [*[L.Dropout(0.3)] * dropout, L.Flatten(), L.Dense(512, activation="elu", name="dense1")]
        return out + [*[L.Dropout(0.3)] * dropout, L.Dense(10, activation="softmax", name="dense2")]

    return Network(layers, (3, 32, 32), (32, 32, 3), 10, 250, "adam", subtract=128, divide=64)


def mnist_mlp(kind):
    def layers(_):
        out = [L.Flatten(), *[bn(1)] * (kind != "leaky")]
        for i, c in enumerate((300, 100), 1):
            if kind == "leaky":
                out += [L.Dense(c, kernel_initializer="he_normal", name=f"dense{i}"), L.LeakyReLU(0.3)]
            elif kind == "bn_after":
                out += [L.Dense(c, kernel_initializer="he_normal", name=f"dense{i}"), bn(i + 1)]
            else:
                out += [L.Dense(c, use_bias=False, name=f"dense{i}"), bn(i + 1), L.Activation("relu")]
        return out + [L.Dense(10, activation="softmax", name="dense3")]

    return Network(layers, (1, 28, 28), (28, 28), 10, 32, "sgd", divide=255)


def sigmoid_mlp(kind):
    def layers(_):
        out = []
        for i in (1, 2, 3):
            out.append(L.Dense(100, name=f"dense{i}"))
            out += [bn(i)] * (kind == "bn") + [BatchStatistics(name=f"bn{i}")] * (kind == "batch_bn") + [L.Activation("sigmoid")]
        return out + [L.Dense(10, name="dense4")]

    return Network(layers, (1, 28, 28), (784,), 10, 60, "rmsprop", logits=True, divide=255)


def cifar100_vgg(activation, normal):
    def layers(dropout):
        out = []
        for block in range(5):
            for i in (2 * block + 1, 2 * block + 2):
                out.append(L.Conv2D(60 if block < 4 else 100, 3, padding="same", name=f"conv{i}"))
                out += [*[bn(i)] * normal, L.Activation(activation)]
            out += [L.MaxPool2D(), *[L.Dropout(0.15)] * dropout] if block < 4 else [L.Flatten()]
        return out + [L.Dense(100, activation="softmax", name="dense1")]

    return Network(layers, (3, 32, 32), (32, 32, 3), 100, 80, "rmsprop", subtract=128)


NETWORKS = {
    "fashion_cnn.bn": fashion_cnn(True),
    "fashion_cnn.plain": fashion_cnn(False),
    "cifar10_convnet.bn_before": cifar10_convnet("before"),
    "cifar10_convnet.bn_after": cifar10_convnet("after"),
    "cifar10_convnet.plain": cifar10_convnet(None),
    "mnist_mlp.leaky": mnist_mlp("leaky"),
    "mnist_mlp.bn_after": mnist_mlp("bn_after"),
    "mnist_mlp.bn_before": mnist_mlp("bn_before"),
    "sigmoid_mlp.plain": sigmoid_mlp("plain"),
    "sigmoid_mlp.bn": sigmoid_mlp("bn"),
    "sigmoid_mlp.batch_bn": sigmoid_mlp("batch_bn"),
    "cifar100_vgg.relu": cifar100_vgg("relu", False),
    "cifar100_vgg.relu_bn": cifar100_vgg("relu", True),
    "cifar100_vgg.sigmoid": cifar100_vgg("sigmoid", False),
    "cifar100_vgg.sigmoid_bn": cifar100_vgg("sigmoid", True),
}

ROLES = {"kernel": "weight", "moving_mean": "mean", "moving_variance": "variance"}


@dataclass
class Variable:
    name: str  # Kiln's
    keras: keras.Variable
    order: np.ndarray | None  # after Flatten: row k of Kiln's variable is row order[k] of Keras'

    def to_kiln(self, array):
        array = np.asarray(array)
        if array.ndim == 4:
            return np.ascontiguousarray(array.transpose(3, 2, 0, 1))
        return array if self.order is None else array[self.order]

    def to_keras(self, array):
        if array.ndim == 4:
            return array.transpose(2, 3, 1, 0)
        return array if self.order is None else array[np.argsort(self.order)]


def variables(model):
    """Every variable of the layers, in the order of the layers; statistics included."""
    out, order = [], None
    for layer in model.layers:
        if isinstance(layer, L.Flatten) and len(layer.input.shape) == 4:
            h, w, c = layer.input.shape[1:]
            order = np.arange(h * w * c).reshape(h, w, c).transpose(2, 0, 1).ravel()
        if isinstance(layer, L.Dropout):
            continue
        for v in layer.weights:
            rows = order if v.name != "bias" else None
            out.append(Variable(f"{layer.name}.{ROLES.get(v.name, v.name)}", v, rows))
        if isinstance(layer, L.Dense):
            order = None
    return out


def biases_before_bn(model):
    """Biases that the next layer, a normalisation, subtracts again: their true gradient is 0 and what comes out is rounding noise."""
    out = []
    for layer, after in zip(model.layers, model.layers[1:]):
        if isinstance(after, (L.BatchNormalization, BatchStatistics)) and getattr(layer, "use_bias", False):
            if layer.activation is keras.activations.linear:
                out.append(f"{layer.name}.bias")
    return out


def read(model):
    return {v.name: v.to_kiln(v.keras.numpy()) for v in variables(model)}


def write(model, arrays):
    for v in variables(model):
        v.keras.assign(v.to_keras(arrays[v.name]))
