"""Steps of kiln train from an exported file beside Keras' own, from the same weights on the same batches, and the way back into Keras.

What is compared: the loss of each step, relative; what became of all parameters, as the length of the difference from Keras' by the length of Keras' own
change; then, with the weights loaded, Keras' predictions and Kiln's. Rounding alone sets ReLUs and pools on other sides of their kinks, which
tests/keras/README.md has numbers for: so convolutional networks take few steps."""

import csv
from pathlib import Path

import export
import keras
import keras_networks
import numpy as np
import onnx
from export import apart, by_keras, by_kiln, case, kiln, kiln_command, randomise
from keras import layers as L


def trained(model, x, y, loss, optimizer, words, batch, steps, close, told=""):
    model.compile(optimizer=optimizer, loss=loss)
    said = export.quietly_exported(model, "start.onnx")
    if told not in said or not told and said:
        raise AssertionError(f"warned of '{said}'")
    np.savez("data.npz", **({"x": x, "y": y} if not isinstance(y, dict) else {**x, **y}))
    kiln_command(
        "train", "start.onnx", "--data", "npz:data.npz", "--no-shuffle", "--batch", batch, "--output", "end.onnx", "--step-log", "steps.csv", "--quiet", "--exact", *words
    )
    with open("steps.csv", newline="") as f:
        mine = [float(row["loss"]) for row in csv.DictReader(f)]
    before = [v.numpy().astype(np.float64) for v in model.weights]
    theirs = []
    for k in range(steps):
        part = slice(k * batch, (k + 1) * batch)
        given = x[part] if not isinstance(y, dict) else {n: a[part] for n, a in x.items()}
        wanted = y[part] if not isinstance(y, dict) else {n: a[part] for n, a in y.items()}
        model.reset_metrics()
        theirs.append(float(np.ravel(model.train_on_batch(given, wanted))[0]))
    if len(mine) != steps:
        raise AssertionError(f"{len(mine)} steps, must be {steps}")
    losses = max(abs(a - b) / abs(b) for a, b in zip(mine, theirs))
    after = [v.numpy().astype(np.float64) for v in model.weights]
    kiln.keras.load_weights(model, "end.onnx")
    now = [v.numpy().astype(np.float64) for v in model.weights]
    moved = np.sqrt(sum(((a - b) ** 2).sum() for a, b in zip(after, before)))
    weights = np.sqrt(sum(((a - b) ** 2).sum() for a, b in zip(after, now))) / moved
    flat = [x[:3]] if not isinstance(y, dict) else [x[i.name][:3] for i in onnx.load("end.onnx").graph.input]
    want = (
        by_keras(model, flat)
        if not isinstance(y, dict)
        else [model({n: a[:3] for n, a in x.items()}, training=False)[o.name].numpy() for o in onnx.load("end.onnx").graph.output]
    )
    outputs = max(apart(g, w) for g, w in zip(by_kiln("end.onnx", flat), want))
    line = f"loss {losses:.1e}, change of parameters {weights:.1e}, predictions afterwards {outputs:.1e}, {steps} steps"
    if not (losses <= close[0] and weights <= close[1] and outputs <= 1e-5):
        raise AssertionError(line)
    return line


def classes(shape, count, n, seed=5, scale=1.0):
    random = np.random.default_rng(seed)
    return (scale * random.normal(size=(n, *shape))).astype(np.float32), random.integers(0, count, n).astype(np.int64)


def network(name, batch, steps, close):
    def test():
        model = keras_networks.NETWORKS[name].build(dropout=False)
        randomise(model)
        x, y = classes(model.inputs[0].shape[1:], model.outputs[0].shape[-1], batch * steps)
        logits = keras_networks.NETWORKS[name].logits
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
        told = "how these were initialised" if name.endswith("batch_bn") else ""
        return trained(model, x, y, loss, keras.optimizers.SGD(0.01), ["--optimizer", "sgd:learning_rate=0.01"], batch, steps, close, told)

    case(f"training.{name}")(test)


for name in ("mnist_mlp.leaky", "mnist_mlp.bn_after", "mnist_mlp.bn_before", "sigmoid_mlp.plain", "sigmoid_mlp.bn", "sigmoid_mlp.batch_bn"):
    network(name, 32, 20, (1e-5, 1e-3))
for name in ("fashion_cnn.bn", "fashion_cnn.plain", "cifar10_convnet.bn_before", "cifar10_convnet.bn_after", "cifar100_vgg.relu_bn", "cifar100_vgg.sigmoid_bn"):
    network(name, 16, 3, (1e-4, 2e-2))


@case("training.MobileNetV2")
def mobile_net():
    """One step: of 52 layers of BatchNormalization in training."""
    model = keras.applications.MobileNetV2(weights=None, input_shape=(96, 96, 3), alpha=0.35, classes=10)
    x, y = classes((96, 96, 3), 10, 8)
    return trained(model, x, y, keras.losses.SparseCategoricalCrossentropy(), keras.optimizers.SGD(0.01), ["--optimizer", "sgd:learning_rate=0.01"], 8, 1, (1e-4, 2e-2))


@case("training.adam")
def adam():
    model = keras.Sequential([keras.Input((6, 4)), L.LSTM(8, return_sequences=True), L.GRU(6), L.Dense(3, activation="softmax")])
    randomise(model)
    x, y = classes((6, 4), 3, 160)
    return trained(
        model, x, y, keras.losses.SparseCategoricalCrossentropy(), keras.optimizers.Adam(0.01), ["--optimizer", "adam:learning_rate=0.01"], 16, 10, (1e-5, 1e-3)
    )


@case("training.regularized")
def regularized():
    """Loss and regularisers are the file's."""
    l2, l1 = keras.regularizers.L2(0.02), keras.regularizers.L1(0.01)
    model = keras.Sequential(
        [keras.Input((6, 6, 2)), L.Conv2D(4, 3, activation="tanh", kernel_regularizer=l2), L.Flatten(), L.Dense(3, kernel_regularizer=l1, bias_regularizer=l2)]
    )
    x, y = classes((6, 6, 2), 3, 160)
    return trained(
        model,
        x,
        y,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        keras.optimizers.SGD(0.05),
        ["--optimizer", "sgd:learning_rate=0.05"],
        16,
        10,
        (1e-5, 1e-3),
    )


@case("training.frozen")
def frozen():
    """What does not train in Keras does not in Kiln: BatchNormalization then goes by its statistics."""
    model = keras.Sequential(
        [
            keras.Input((6,)),
            L.Dense(8, trainable=False),
            L.BatchNormalization(trainable=False),
            L.Dense(8, activation="tanh"),
            L.BatchNormalization(),
            L.Dense(3, activation="softmax"),
        ]
    )
    randomise(model)
    x, y = classes((6,), 3, 160)
    return trained(model, x, y, keras.losses.SparseCategoricalCrossentropy(), keras.optimizers.SGD(0.05), ["--optimizer", "sgd:learning_rate=0.05"], 16, 10, (1e-5, 1e-3))


@case("training.masked")
def masked():
    model = keras.Sequential(
        [
            keras.Input((7,), dtype="int32"),
            L.Embedding(9, 6, mask_zero=True),
            L.Bidirectional(L.LSTM(5, return_sequences=True)),
            L.GRU(4),
            L.Dense(3, activation="softmax"),
        ]
    )
    randomise(model)
    random = np.random.default_rng(1)
    x = (random.integers(1, 9, (160, 7)) * (random.random((160, 7)) < 0.6)).astype(np.int32)
    y = random.integers(0, 3, 160).astype(np.int64)
    return trained(model, x, y, keras.losses.SparseCategoricalCrossentropy(), keras.optimizers.SGD(0.1), ["--optimizer", "sgd:learning_rate=0.1"], 16, 10, (1e-5, 1e-3))


@case("training.transformer")
def transformer():
    x = keras.Input((7,), dtype="int32")
    y = L.Embedding(9, 8)(x)
    y = L.LayerNormalization()(y + L.MultiHeadAttention(2, 4)(y, y))
    y = L.LayerNormalization()(y + L.Dense(8)(L.Dense(16, activation="gelu")(y)))
    model = keras.Model(x, L.Dense(3, activation="softmax")(L.GlobalAveragePooling1D()(y)))
    random = np.random.default_rng(1)
    x, y = random.integers(0, 9, (160, 7)).astype(np.int32), random.integers(0, 3, 160).astype(np.int64)
    return trained(model, x, y, keras.losses.SparseCategoricalCrossentropy(), keras.optimizers.SGD(0.1), ["--optimizer", "sgd:learning_rate=0.1"], 16, 10, (1e-5, 1e-3))


@case("training.several")
def several():
    """Two inputs, two outputs, each with its loss."""
    a, b = keras.Input((6,), name="a"), keras.Input((4,), name="b")
    h = L.Dense(8, activation="tanh")(L.Concatenate()([a, b]))
    model = keras.Model({"a": a, "b": b}, {"kind": L.Dense(3, activation="softmax", name="kind")(h), "size": L.Dense(1, name="size")(h)})
    random = np.random.default_rng(1)
    x = {"a": random.normal(size=(160, 6)).astype(np.float32), "b": random.normal(size=(160, 4)).astype(np.float32)}
    y = {"kind": random.integers(0, 3, 160).astype(np.int64), "size": random.normal(size=(160, 1)).astype(np.float32)}
    loss = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
    return trained(model, x, y, loss, keras.optimizers.SGD(0.05), ["--optimizer", "sgd:learning_rate=0.05"], 16, 10, (1e-5, 1e-3))


__all__ = ["Path"]
