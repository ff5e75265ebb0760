"""Makes tests/keras/exported/: what kiln.keras.export writes of small Keras models, and what Keras makes of them, for the tests that have no Keras.

NAME.onnx is the model, NAME.npz has what tests/exported.py holds Kiln to: "x" of four samples, "out/OUTPUT" by model(x, training=False), "train/x" and
"train/y", "begin/VARIABLE" as Keras has it, "loss" of steps of SGD(0.05) in batches of 8, and "end/VARIABLE" after them. Run by hand, the output is committed.
Usage: exported.py. Needs tensorflow-cpu, keras, onnx and onnxruntime."""

import sys
from pathlib import Path

sys.argv = [sys.argv[0], "kiln"]
import export
import keras
import numpy as np
from export import kiln, randomise
from keras import layers as L

FOLDER = Path(__file__).resolve().parent / "exported"
BATCH, STEPS, RATE = 8, 5, 0.05


def picture():
    """Convolutions of many kinds, pools, BatchNormalization, squeeze and excitation, a transposed convolution, regularisers."""
    x = keras.Input((10, 10, 3), name="picture")
    y = L.Conv2D(6, 3, padding="same", use_bias=False, kernel_regularizer=keras.regularizers.L2(0.01), name="conv")(L.Rescaling(0.5, 0.1)(x))
    y = L.Activation("swish")(L.BatchNormalization(name="norm")(y))
    y = L.SeparableConv2D(8, 3, 2, "same", activation="tanh", name="separable")(y)
    s = L.Dense(8, activation="sigmoid", name="squeeze")(L.GlobalAveragePooling2D()(y))
    y = L.Multiply()([y, L.Reshape((1, 1, 8))(s)])
    y = L.Conv2DTranspose(4, 3, 2, "same", activation="elu", name="up")(y)
    y = L.AveragePooling2D(3, 2, "same")(L.LayerNormalization(name="layer_norm")(y))
    y = L.Flatten()(y)
    return keras.Model(x, L.Dense(4, activation="softmax", kernel_regularizer=keras.regularizers.L1(0.001), name="kind")(y))


def sequence():
    """A masked bidirectional LSTM and a GRU."""
    x = keras.Input((6,), dtype="int32", name="words")
    y = L.Embedding(9, 6, mask_zero=True, name="embedding")(x)
    y = L.Bidirectional(L.LSTM(5, return_sequences=True, name="lstm"), name="both")(y)
    return keras.Model(x, L.Dense(3, activation="softmax", name="kind")(L.GRU(4, name="gru")(y)))


def attention():
    """A transformer's block."""
    x = keras.Input((6,), dtype="int32", name="words")
    y = L.Embedding(9, 8, name="embedding")(x)
    y = L.LayerNormalization(name="first")(y + L.MultiHeadAttention(2, 4, name="attention")(y, y, use_causal_mask=True))
    y = L.LayerNormalization(name="second")(y + L.Dense(8, name="back")(L.Dense(16, activation="gelu", name="out")(y)))
    return keras.Model(x, L.Dense(3, name="kind")(L.GlobalAveragePooling1D()(y)))


MODELS = {"picture": (picture, 4, False), "sequence": (sequence, 3, False), "attention": (attention, 3, True)}


def made(name):
    keras.utils.clear_session()
    keras.utils.set_random_seed(3)
    build, classes, logits = MODELS[name]
    model = build()
    randomise(model)
    random = np.random.default_rng(4)
    shape = model.inputs[0].shape[1:]

    def draw(n):
        if len(shape) == 1:
            return (random.integers(1, 9, (n, *shape)) * (random.random((n, *shape)) < 0.7)).astype(np.int32)
        return random.normal(size=(n, *shape)).astype(np.float32)

    model.compile(keras.optimizers.SGD(RATE), keras.losses.SparseCategoricalCrossentropy(from_logits=logits))
    path = FOLDER / f"{name}.onnx"
    export.quietly_exported(model, path)
    x, many, y = draw(4), draw(BATCH * STEPS), random.integers(0, classes, BATCH * STEPS).astype(np.int64)
    arrays = {"x": x, "out/kind": model(x, training=False).numpy(), "train/x": many, "train/y": y, "loss": []}
    of = {n: v for n, v in kiln.keras.weights.named(model).items() if not kiln.keras.weights.is_random(v)}
    arrays.update({f"begin/{n}": v.numpy() for n, v in of.items()})
    for k in range(STEPS):
        model.reset_metrics()
        part = slice(k * BATCH, (k + 1) * BATCH)
        arrays["loss"].append(float(np.ravel(model.train_on_batch(many[part], y[part]))[0]))
    arrays.update({f"end/{n}": v.numpy() for n, v in of.items()})
    np.savez_compressed(FOLDER / f"{name}.npz", **arrays)
    print(name, arrays["loss"], path.stat().st_size + path.with_suffix(".npz").stat().st_size, "bytes")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in MODELS:
        made(name)
