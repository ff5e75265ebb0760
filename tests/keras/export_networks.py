"""Networks, rules of one's own, and what is refused: for export.py."""

import export
import keras
import keras_networks
import numpy as np
from export import agrees, case, fails, kiln, randomise
from keras import applications, ops
from keras import layers as L

# -- the five networks --

for name, network in keras_networks.NETWORKS.items():
    told = "how these were initialised" if name == "sigmoid_mlp.batch_bn" else ""
    turns = 0 if "mlp" in name else 2
    case(f"network.{name}", told=told, operators={"Transpose": turns})(network.build)

# -- keras.applications, with no weights, statistics and biases random --

APPLICATIONS = {
    "MobileNet": 96, "MobileNetV2": 96, "MobileNetV3Small": 96, "MobileNetV3Large": 96, "EfficientNetB0": 64, "EfficientNetV2B0": 64, "ResNet50": 64,
    "ResNet50V2": 64, "DenseNet121": 64, "NASNetMobile": 96, "Xception": 96, "ConvNeXtTiny": 64, "InceptionV3": 96, "InceptionResNetV2": 96, "VGG16": 48,
}  # fmt: skip


def application(name, size):
    def build():
        model = getattr(applications, name)(weights=None, input_shape=(size, size, 3), include_top=False, pooling="avg")
        randomise(model)
        x = np.random.default_rng(3).uniform(0, 255, (3, size, size, 3)).astype(np.float32)
        if not name.startswith(("MobileNetV3", "EfficientNet", "ConvNeXt")):  # those scale by themselves
            x = x / 127.5 - 1
        return agrees(model, [x], told="how these were initialised" if name == "ConvNeXtTiny" else "")

    return build


for name, size in APPLICATIONS.items():
    case(f"application.{name}")(application(name, size))

# -- whole networks --


@case("network.unet")
def unet():
    x = keras.Input((16, 16, 3))
    a = L.Conv2D(4, 3, padding="same", activation="relu")(x)
    b = L.BatchNormalization()(L.Conv2D(8, 3, padding="same", activation="relu")(L.MaxPooling2D()(a)))
    c = L.Conv2D(16, 3, padding="same", activation="relu")(L.Dropout(0.2)(L.MaxPooling2D()(b)))
    d = L.Concatenate()([L.Conv2DTranspose(8, 2, strides=2, padding="same")(c), b])
    e = L.Concatenate()([L.UpSampling2D(interpolation="bilinear")(L.Conv2D(8, 3, padding="same")(d)), a])
    return keras.Model(x, L.Conv2D(1, 1, activation="sigmoid")(e))


class Block(L.Layer):
    """A transformer's block as Keras' examples have it."""

    def __init__(self, width, heads, **kwargs):
        super().__init__(**kwargs)
        self.attention = L.MultiHeadAttention(heads, width // heads)
        self.feed = keras.Sequential([L.Dense(2 * width, activation="gelu"), L.Dense(width)])
        self.first, self.second = L.LayerNormalization(epsilon=1e-6), L.LayerNormalization(epsilon=1e-6)
        self.dropout = L.Dropout(0.1)

    def build(self, shape):
        self.attention.build(shape, shape)
        self.feed.build(shape)
        self.first.build(shape)
        self.second.build(shape)

    def call(self, x, training=None):
        x = self.first(x + self.dropout(self.attention(x, x), training=training))
        return self.second(x + self.dropout(self.feed(x), training=training))


class Positions(L.Layer):
    """Reshapes with the size of the batch, and a weight that is added as it is."""

    def build(self, shape):
        self.table = self.add_weight(name="table", shape=(shape[1], shape[2]), initializer="uniform")

    def call(self, x):
        batch, steps, width = ops.shape(x)
        y = ops.reshape(x, (batch, steps, 2, width // 2))
        return ops.reshape(ops.transpose(y, (0, 1, 3, 2)), (batch, steps, width)) + self.table * 2.0


@case("network.transformer", told="how these were initialised")
def transformer():
    x = keras.Input((7,), dtype="int32")
    y = Positions()(L.Embedding(9, 8)(x))
    y = Block(8, 2)(Block(8, 2)(y))
    return keras.Model(x, L.Dense(3, activation="softmax")(L.GlobalAveragePooling1D()(y)))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv = L.Conv2D(4, 3, activation="relu", name="conv")
        self.normal = L.BatchNormalization(name="normal")
        self.dense = L.Dense(3, name="dense")

    def call(self, x, training=False):
        x = self.normal(self.conv(x), training=training)
        return {"scores": self.dense(ops.mean(x, axis=(1, 2))), "features": x}


@case("network.subclassed")
def subclassed():
    model = Subclassed()
    x = np.random.default_rng(1).normal(size=(3, 8, 8, 3)).astype(np.float32)
    model(x)
    randomise(model)
    return agrees(model, [x])


@case("network.subclassed_inputs")
def subclassed_inputs():
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.a, self.b = L.Dense(4, name="a"), L.Dense(4, name="b")

        def call(self, inputs):
            return self.a(inputs[0]) * self.b(inputs[1])

    model = Two()
    x = [np.random.default_rng(k).normal(size=(3, 5)).astype(np.float32) for k in (1, 2)]
    model(x)
    randomise(model)
    return agrees(model, x, inputs=[keras.Input((5,)), keras.Input((5,))])


@case("network.nested")
def nested():
    inner = keras.Sequential([L.Conv2D(4, 3, padding="same", activation="relu", name="c"), L.BatchNormalization(name="n")], name="block")
    head = keras.Sequential([L.Flatten(), L.Dense(3, name="d")], name="head")
    x = keras.Input((6, 6, 4))
    return keras.Model(x, head(inner(inner(x))))  # the block twice: shared


@case("network.shared")
def shared():
    a, b = keras.Input((6,)), keras.Input((6,))
    dense = L.Dense(5, activation="tanh", name="shared")
    return keras.Model([a, b], ops.abs(dense(a) - dense(b)))


def several():
    picture, number = keras.Input((8, 8, 3), name="picture"), keras.Input((4,), name="number")
    x = L.Flatten()(L.Conv2D(4, 3, name="conv")(picture))
    x = L.Concatenate()([x, number])
    return keras.Model({"picture": picture, "number": number}, {"kind": L.Dense(3, activation="softmax")(x), "size": L.Dense(1)(x)})


@case("network.several")
def several_given():
    model = several()
    randomise(model)
    random = np.random.default_rng(1)
    given = {"number": random.normal(size=(3, 4)).astype(np.float32), "picture": random.normal(size=(3, 8, 8, 3)).astype(np.float32)}

    words = export.quietly_exported(model, "model.onnx")
    want = {k: v.numpy() for k, v in model(given, training=False).items()}
    session = export.onnxruntime.InferenceSession("model.onnx")
    got = dict(zip([o.name for o in session.get_outputs()], session.run(None, given)))
    worst = max(export.apart(got[k], want[k]) for k in ("kind", "size"))
    assert worst < 1e-5 and not words, f"{worst} {words}"
    return f"inputs and outputs by their names: {worst:.1e}"


@case("network.mixed", told="mixed precision", close=2e-3)
def mixed():
    with keras.dtype_policies.DTypePolicy("mixed_float16") and _policy("mixed_float16"):
        return keras.Sequential([keras.Input((6,)), L.Dense(4, activation="relu"), L.Dense(3, dtype="float32")])


class _policy:
    def __init__(self, name):
        self.name = name

    def __enter__(self):
        keras.config.set_dtype_policy(self.name)

    def __exit__(self, *_):
        keras.config.set_dtype_policy("float32")


@case("network.preprocessing", told="RandomFlip")
def preprocessing():
    x = keras.Input((12, 12, 3))
    y = L.RandomFlip()(x)
    y = L.Resizing(8, 8)(L.Rescaling(1 / 127.5, -1)(y))
    y = L.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0])(y)
    return keras.Model(x, L.Dense(3)(L.GlobalMaxPooling2D()(L.Conv2D(4, 3)(y))))


# -- rules, and what is refused --


class Swirl(L.Layer):
    """Computes by TensorFlow, so that it cannot be followed."""

    def build(self, shape):
        self.weight = self.add_weight(name="weight", shape=shape[-1:], initializer="ones")

    def call(self, x):
        import tensorflow as tf

        return tf.sin(x) * self.weight.value


def swirling():
    model = keras.Sequential([keras.Input((5,)), L.Dense(4, name="first"), Swirl(name="swirl"), L.Dense(2)])
    randomise(model)
    return model


@case("rule.nodes")
def rule_of_nodes():
    def rule(layer, inputs, graph):
        return graph.node("Mul", graph.node("Sin", inputs[0]), layer.weight)

    return agrees(swirling(), told="how these were initialised", rules={Swirl: rule})


@case("rule.operations")
def rule_of_operations():
    return agrees(swirling(), told="how these were initialised", rules={Swirl: lambda layer, inputs, graph: graph.call(lambda x: ops.sin(x) * layer.weight, *inputs)})


@case("rule.Lambda")
def rule_of_lambda():
    model = keras.Sequential([keras.Input((5,)), L.Lambda(lambda x: ops.square(x) + 1), L.Dense(2)])
    return agrees(model, rules={L.Lambda: lambda layer, inputs, graph: graph.call(layer.function, *inputs)})


@case("refused.names_all")
def refused_all():
    model = keras.Sequential([keras.Input((5,)), Swirl(name="first"), L.Dense(3), L.Lambda(lambda x: x * 2, name="second"), Swirl(name="third"), L.Dense(2)])
    return fails(ValueError, ["'first'", "'second'", "'third'", "rules="], kiln.keras.export, model, "model.onnx")


for word, (shape, dtype, layer, words) in {
    "stateful": ((2, 4, 3), "float32", lambda: L.LSTM(3, stateful=True, name="l"), ["'l'", "stateful"]),
    "ConvLSTM2D": ((None, 4, 8, 8, 3), "float32", lambda: L.ConvLSTM2D(3, 3, name="l"), ["'l'", "rule"]),
    "Hashing": ((None, 3), "int64", lambda: L.Hashing(5, name="l"), ["'l'", "FarmHash"]),
    "lanczos": ((None, 8, 8, 3), "float32", lambda: L.Resizing(4, 4, interpolation="lanczos3", name="l"), ["'l'", "lanczos3"]),
    "antialias": ((None, 8, 8, 3), "float32", lambda: L.Resizing(4, 4, antialias=True, name="l"), ["'l'", "antialias"]),
    "activation": ((None, 5, 3), "float32", lambda: L.LSTM(3, activation="gelu", name="l"), ["'l'", "gelu"]),
}.items():

    def refused(shape=shape, dtype=dtype, layer=layer, words=words):
        x = keras.Input(batch_shape=shape, dtype=dtype)
        return fails(ValueError, words, kiln.keras.export, keras.Model(x, layer()(x)), "model.onnx")

    case(f"refused.{word}")(refused)


@case("refused.unbuilt")
def unbuilt():
    return fails(ValueError, ["not built"], kiln.keras.export, keras.Sequential([L.Dense(3)]), "model.onnx")


@case("weights.of_another_model")
def other_weights():
    one = keras.Sequential([keras.Input((5,)), L.Dense(4, name="a"), L.Dense(2, name="b")])
    other = keras.Sequential([keras.Input((5,)), L.Dense(3, name="a"), L.Dense(2, name="c")])
    kiln.keras.export(one, "one.onnx")
    return fails(
        ValueError, ["'a/kernel' has shape", "'b/kernel' of the file is unknown", "'c/kernel' of the model is missing"], kiln.keras.load_weights, other, "one.onnx"
    )


@case("metadata")
def metadata():
    """Initialisers, regularisers, roles and the loss."""
    model = keras.Sequential(
        [
            keras.Input((5,)),
            L.Dense(4, kernel_initializer="he_normal", kernel_regularizer=keras.regularizers.L2(0.01), name="a"),
            L.BatchNormalization(name="n", trainable=False),
            L.Dense(2, kernel_regularizer=keras.regularizers.L1L2(0.01, 0.01), bias_initializer=keras.initializers.Constant(0.2), name="b"),
        ]
    )
    model.compile(loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1))
    kiln.keras.export(model, "model.onnx")
    said = {p.key: p.value for p in export.onnx.load("model.onnx").metadata_props}
    want = {
        "init.a/kernel": "he_normal", "init.b/bias": "constant:0.2", "kiln.regularize.a/kernel": "l2:0.01", "kiln.regularize.b/kernel": "l1_l2:l1=0.01,l2=0.01",
        "kiln.role.n/gamma": "frozen", "kiln.role.n/moving_mean": "frozen", "kiln.role.a/kernel": "trainable", "kiln.layer.a/kernel": "a",
        "kiln.loss.b": "categorical_crossentropy:from_logits=1,label_smoothing=0.1",
    }  # fmt: skip
    wrong = {k: said.get(k) for k, v in want.items() if said.get(k) != v}
    assert not wrong, wrong
    return f"{len(want)} entries"
