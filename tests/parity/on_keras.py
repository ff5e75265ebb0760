"""Networks in Keras on TensorFlow for run.py. Each is exported by Keras itself, which leaves its BatchNormalization folded or taken apart, and
made to train again by `kiln adapt`, from names and values alone; then it gets Keras' weights and statistics."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
from keras import layers as L

import network
from harness import kiln
from network import STEPS

CLASSES, SIDE, LENGTH, WIDTH = 10, 64, 16, 64
OPTIMIZERS = {"sgd": lambda: keras.optimizers.SGD(0.01), "adam": lambda: keras.optimizers.Adam(0.001)}


def transformer(blocks=3, heads=4):
    """Normalised before each part of a block, as GPT-2 is; a class for the whole."""
    x = start = L.Input((LENGTH, WIDTH // 2))
    x = L.Dense(WIDTH, name="embed")(x)
    for i in range(blocks):
        y = L.LayerNormalization(name=f"norm{i}a")(x)
        x = L.Add()([x, L.MultiHeadAttention(heads, WIDTH // heads, name=f"attention{i}")(y, y)])
        y = L.LayerNormalization(name=f"norm{i}b")(x)
        y = L.Dense(2 * WIDTH, activation="gelu", name=f"up{i}")(y)
        x = L.Add()([x, L.Dense(WIDTH, name=f"down{i}")(y)])
    x = L.GlobalAveragePooling1D()(L.LayerNormalization(name="norm")(x))
    return keras.Model(start, L.Dense(CLASSES, activation="softmax", name="head")(x))


def application(make):
    return lambda: make(weights=None, classes=CLASSES, input_shape=(SIDE, SIDE, 3))


def build(make, dtype):
    """Dropout off: masks cannot be shared."""
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    model = make()
    for layer in model.layers:
        if isinstance(layer, L.Dropout):
            layer.rate = 0
    return model


def to_onnx(a):
    """Kernels of convolutions are the only variables with four dimensions."""
    a = a.numpy()
    return a.transpose(3, 2, 0, 1) if a.ndim == 4 else a


def to_keras(a, shape):
    return a.reshape([shape[k] for k in (3, 2, 0, 1)]).transpose(2, 3, 1, 0) if len(shape) == 4 else a.reshape(shape)


class Network(network.Network):
    loss = "sparse_categorical_crossentropy"

    def __init__(self, make, momentum=0.99, scale=1.0):
        self.momentum = momentum
        self.models = {"float32": build(make, "float32"), "float64": build(make, "float64")}
        model = self.models["float32"]
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
        norms = [layer for layer in model.layers if isinstance(layer, L.BatchNormalization)]
        assert all(abs(layer.momentum - momentum) < 1e-9 for layer in norms)
        self.kinks = any(isinstance(layer, L.ReLU) for layer in model.layers)
        self.trained = [v.path for v in model.trainable_weights]
        self.statistics = [v.path for layer in norms for v in layer.non_trainable_weights]
        random = np.random.default_rng(5)
        self.state = {k: to_onnx(v) for k, v in self.variables("float32").items()}
        for a in self.state.values():  # zeros, and what is equal in several layers, the exporter takes away
            a += (0.01 * random.normal(size=a.shape)).astype(np.float32)
        n = self.batch * STEPS
        self.y = random.integers(0, CLASSES, n)
        x = random.normal(size=(n, *model.input_shape[1:])) + self.y.reshape(n, *[1] * (len(model.input_shape) - 1)) / CLASSES
        self.x = (scale * x).astype(np.float32)
        self.functions = {dtype: self.function(model) for dtype, model in self.models.items()}

    def variables(self, dtype):
        known = {*self.trained, *self.statistics}
        return {v.path: v for v in self.models[dtype].weights if v.path in known}

    def assign(self, dtype, state):
        for k, v in self.variables(dtype).items():
            v.assign(to_keras(state[k], tuple(v.shape)))

    def export(self, path):
        self.assign("float32", self.state)
        model = self.models["float32"]
        model(self.x[:1])
        model.export("keras.onnx", format="onnx", verbose=False)
        np.savez("calibration.npz", x=self.x[: 4 * self.batch])
        kiln("adapt", "keras.onnx", "--calibrate", "npz:calibration.npz", "--momentum", self.momentum, "--output", path)

    def belongs(self, variable, names):
        """Does one of the names have the variable's layer, and of what adapt has named its role? The exporter numbers calls of layers."""
        layer, role = variable.split("/")[-2:]
        roles = ("gamma", "beta", "moving_mean", "moving_variance")
        return any(f"/{layer}_1/" in n and (n.split("/")[-1] == role) == (role in roles) for n in names)

    def follow(self, which, start, keep):
        """Keras' losses, and the states before the steps in `keep`."""
        model = self.models["float32"]
        self.assign("float32", start)
        model.compile(OPTIMIZERS[which](), "sparse_categorical_crossentropy", jit_compile=False)
        losses, states = [], {}
        for i in range(STEPS + 1):
            if i in keep:
                states[i] = {k: to_onnx(v).copy() for k, v in self.variables("float32").items()}
            if i < STEPS:
                model.reset_metrics()  # the loss that it tells is a mean over all steps since
                losses.append(float(model.train_on_batch(*self.step(i))))
        return np.array(losses), states

    def function(self, model):
        measure = keras.losses.SparseCategoricalCrossentropy(dtype=model.dtype)

        @tf.function
        def run(x, y):
            with tf.GradientTape() as tape:
                loss = measure(y, model(x, training=True))
            return loss, tape.gradient(loss, [v.value for v in model.trainable_weights])

        return run

    def gradient(self, state, i, double):
        dtype = "float64" if double else "float32"
        self.assign(dtype, state)
        x, y = self.step(i)
        loss, gradient = self.functions[dtype](tf.constant(x, dtype), tf.constant(y))
        return float(loss), {k: to_onnx(g) for k, g in zip(self.trained, gradient)}


NETWORKS = {
    "transformer": lambda: Network(transformer),
    "mobilenet_v2": lambda: Network(application(keras.applications.MobileNetV2), momentum=0.999),
    "efficientnet_b0": lambda: Network(application(keras.applications.EfficientNetB0), scale=64.0),
}
