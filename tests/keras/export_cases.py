"""What export.py holds to Keras: networks, and every layer in its variants."""

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

# -- layers, one at a time, between an input and whatever shows its output --


def one(name, layer, shape, dtype="float32", told="", **options):
    """A layer by itself; a function makes it, so that each case has its own."""

    def build():
        x = keras.Input(shape, dtype=dtype)
        return keras.Model(x, layer()(x))

    case(f"layer.{name}", told=told, **options)(build)


def variants(name, shape, *makers, **options):
    for k, maker in enumerate(makers):
        one(f"{name}.{k}", maker, shape, **options)


IMAGE, SEQUENCE, VOLUME = (9, 8, 4), (9, 4), (7, 6, 5, 2)
variants(
    "Conv1D", SEQUENCE, lambda: L.Conv1D(3, 4), lambda: L.Conv1D(3, 3, 2, "same"), lambda: L.Conv1D(4, 3, padding="causal", dilation_rate=2), lambda: L.Conv1D(4, 3, groups=2),
    lambda: L.Conv1D(3, 3, padding="same", activation="gelu"),
)  # fmt: skip
variants("Conv1D.unknown", (None, 4), lambda: L.Conv1D(3, 3, padding="same"), lambda: L.Conv1D(3, 3, 2, padding="same"), lambda: L.Conv1D(3, 3, padding="causal"))
variants(
    "Conv2D", IMAGE, lambda: L.Conv2D(3, 3), lambda: L.Conv2D(3, (4, 3), (2, 3), "same", use_bias=False), lambda: L.Conv2D(6, 3, groups=2, padding="same"),
    lambda: L.Conv2D(3, 3, dilation_rate=2, padding="same"), lambda: L.Conv2D(5, 1, activation=lambda x: ops.tanh(x) * 2),
)  # fmt: skip
variants("Conv2D.first", (4, 9, 8), lambda: L.Conv2D(3, 3, padding="same", data_format="channels_first"))
variants("Conv2D.unknown", (None, None, 3), lambda: L.Conv2D(3, 3, padding="same"), lambda: L.Conv2D(3, 3, 2, padding="same"))
variants("Conv3D", VOLUME, lambda: L.Conv3D(3, 2), lambda: L.Conv3D(3, 3, 2, "same"))
variants("DepthwiseConv1D", SEQUENCE, lambda: L.DepthwiseConv1D(3), lambda: L.DepthwiseConv1D(3, padding="same", depth_multiplier=2))
variants("DepthwiseConv2D", IMAGE, lambda: L.DepthwiseConv2D(3), lambda: L.DepthwiseConv2D(3, 2, "same", depth_multiplier=2, activation="relu"))
variants("SeparableConv1D", SEQUENCE, lambda: L.SeparableConv1D(5, 3), lambda: L.SeparableConv1D(5, 3, 2, "same", depth_multiplier=2))
variants("SeparableConv2D", IMAGE, lambda: L.SeparableConv2D(5, 3), lambda: L.SeparableConv2D(5, 3, 2, "same", depth_multiplier=2, activation="silu"))
variants(
    "Conv1DTranspose", SEQUENCE, lambda: L.Conv1DTranspose(3, 3), lambda: L.Conv1DTranspose(3, 3, 2, "same"), lambda: L.Conv1DTranspose(3, 2, 3), lambda: L.Conv1DTranspose(3, 5, 2, "valid"),
)  # fmt: skip
variants(
    "Conv2DTranspose", IMAGE, lambda: L.Conv2DTranspose(3, 3), lambda: L.Conv2DTranspose(3, 3, 2, "same"), lambda: L.Conv2DTranspose(3, 2, 3, "same"),
    lambda: L.Conv2DTranspose(3, 4, 2, "same", activation="relu"), lambda: L.Conv2DTranspose(3, 3, 2, "same", output_padding=1), lambda: L.Conv2DTranspose(3, (2, 5), (3, 2), "valid"),
)  # fmt: skip
variants("Conv2DTranspose.unknown", (None, None, 4), lambda: L.Conv2DTranspose(3, 3, 2, "same"))
variants("Conv3DTranspose", VOLUME, lambda: L.Conv3DTranspose(3, 3, 2, "same"))

for d, shape in (("1D", SEQUENCE), ("2D", IMAGE), ("3D", VOLUME)):
    for kind in ("MaxPooling", "AveragePooling"):
        pool = getattr(L, kind + d)
        variants(f"{kind}{d}", shape, lambda pool=pool: pool(2), lambda pool=pool: pool(3, 2, "same"), lambda pool=pool: pool(2, 1, "same"), lambda pool=pool: pool(3, 1))
    for kind in ("GlobalAveragePooling", "GlobalMaxPooling"):
        pool = getattr(L, kind + d)
        variants(f"{kind}{d}", shape, pool, lambda pool=pool: pool(keepdims=True))
    for kind in ("AdaptiveAveragePooling", "AdaptiveMaxPooling"):
        pool = getattr(L, kind + d)
        variants(f"{kind}{d}", shape, lambda pool=pool, n=len(shape) - 1: pool((2,) * n if n > 1 else 3), lambda pool=pool: pool(4))
variants("MaxPooling2D.unknown", (None, None, 3), lambda: L.MaxPooling2D(3, 2, "same"))
variants("MaxPooling2D.first", (4, 9, 8), lambda: L.MaxPooling2D(data_format="channels_first"))

variants(
    "BatchNormalization", IMAGE, L.BatchNormalization, lambda: L.BatchNormalization(scale=False), lambda: L.BatchNormalization(center=False, epsilon=0.1),
    lambda: L.BatchNormalization(axis=1), lambda: L.BatchNormalization(center=False, scale=False),
)  # fmt: skip
variants("BatchNormalization.sequence", SEQUENCE, L.BatchNormalization)
variants("BatchNormalization.vector", (6,), L.BatchNormalization)
variants(
    "LayerNormalization", IMAGE, L.LayerNormalization, lambda: L.LayerNormalization(axis=[1, 2]), lambda: L.LayerNormalization(axis=[2, 3], scale=False),
    lambda: L.LayerNormalization(center=False), lambda: L.LayerNormalization(axis=1),
)  # fmt: skip
variants("GroupNormalization", IMAGE, lambda: L.GroupNormalization(2), lambda: L.GroupNormalization(-1), lambda: L.GroupNormalization(2, scale=False), lambda: L.GroupNormalization(4, center=False))
variants("RMSNormalization", IMAGE, L.RMSNormalization, lambda: L.RMSNormalization(axis=[2, 3]))
variants("UnitNormalization", IMAGE, L.UnitNormalization, lambda: L.UnitNormalization(axis=1))
one("SpectralNormalization", lambda: L.SpectralNormalization(L.Conv2D(3, 3)), IMAGE, told="divides the weights")

for word in """relu relu6 leaky_relu elu selu celu gelu glu hard_shrink hard_sigmoid hard_silu hard_tanh linear log_sigmoid log_softmax mish sigmoid silu soft_shrink softmax softplus softsign
sparse_plus sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold exponential""".split():
    if word in ("glu", "threshold"):
        continue
    one(f"Activation.{word}", lambda word=word: L.Activation(word), (5, 6))
one("Activation.glu", lambda: L.Activation(keras.activations.glu), IMAGE)
one("Activation.gelu_approximate", lambda: L.Activation(lambda x: keras.activations.gelu(x, approximate=True)), IMAGE)
one("Activation.threshold", lambda: L.Activation(lambda x: keras.activations.threshold(x, 0.3, -1.0)), IMAGE)
variants("ReLU", IMAGE, L.ReLU, lambda: L.ReLU(6), lambda: L.ReLU(negative_slope=0.1), lambda: L.ReLU(1, 0.2, 0.3), lambda: L.ReLU(None, 0, 0.5))
variants("LeakyReLU", IMAGE, L.LeakyReLU, lambda: L.LeakyReLU(0.1))
variants("ELU", IMAGE, L.ELU, lambda: L.ELU(0.4))
variants("PReLU", IMAGE, L.PReLU, lambda: L.PReLU(shared_axes=[1, 2]))
variants("Softmax", IMAGE, L.Softmax, lambda: L.Softmax(axis=1), lambda: L.Softmax(axis=(1, 2)))
one("PReLU.behind_Conv2D", lambda: keras.Sequential([L.Conv2D(3, 3), L.PReLU(), L.PReLU(shared_axes=[1, 2])]), IMAGE, told="")

variants("Dense", (5,), lambda: L.Dense(3), lambda: L.Dense(3, use_bias=False, activation="softmax"))
variants("Dense.sequence", SEQUENCE, lambda: L.Dense(3, activation="relu"))
variants("Dense.image", IMAGE, lambda: L.Dense(3))
variants(
    "EinsumDense", SEQUENCE, lambda: L.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d"), lambda: L.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de", activation="relu"),
    lambda: L.EinsumDense("abc,bd->adc", (6, None)), lambda: L.EinsumDense("abc,bcd->ad", 5, bias_axes="d"), lambda: L.EinsumDense("...x,xy->...y", 5),
)  # fmt: skip
one("Embedding", lambda: L.Embedding(10, 4), (6,), "int32")
one("Embedding.floats", lambda: keras.Sequential([L.ReLU(), L.Embedding(10, 4)]), (6,))

variants("Reshape", IMAGE, lambda: L.Reshape((4, 72)), lambda: L.Reshape((-1, 2)), lambda: L.Reshape((72, 4)))
one("Reshape.unknown", lambda: L.Reshape((-1, 2, 2)), (None, 4))
variants("Flatten", IMAGE, L.Flatten, lambda: L.Flatten(data_format="channels_first"))
one("Flatten.scalar", L.Flatten, ())
variants("Permute", IMAGE, lambda: L.Permute((3, 1, 2)), lambda: L.Permute((2, 1, 3)))
one("RepeatVector", lambda: L.RepeatVector(4), (5,))
one("Cropping1D", lambda: L.Cropping1D((1, 2)), SEQUENCE)
variants("Cropping2D", IMAGE, lambda: L.Cropping2D(((1, 2), (0, 3))), lambda: L.Cropping2D(1, data_format="channels_first"))
one("Cropping3D", lambda: L.Cropping3D((1, 2, 1)), VOLUME)
one("ZeroPadding1D", lambda: L.ZeroPadding1D((1, 2)), SEQUENCE)
variants("ZeroPadding2D", IMAGE, lambda: L.ZeroPadding2D(((1, 2), (0, 3))), lambda: L.ZeroPadding2D(1, data_format="channels_first"))
one("ZeroPadding3D", lambda: L.ZeroPadding3D((1, 2, 1)), VOLUME)
one("UpSampling1D", lambda: L.UpSampling1D(3), SEQUENCE)
variants(
    "UpSampling2D", IMAGE, lambda: L.UpSampling2D(2), lambda: L.UpSampling2D((2, 3), interpolation="bilinear"), lambda: L.UpSampling2D(2, interpolation="bicubic"),
)  # fmt: skip
one("UpSampling3D", lambda: L.UpSampling3D((2, 1, 3)), VOLUME)
variants("Dropout", IMAGE, lambda: L.Dropout(0.3), lambda: L.Dropout(0.0), lambda: L.Dropout(0.3, noise_shape=(None, 1, 1, None)))
one("SpatialDropout1D", lambda: L.SpatialDropout1D(0.3), SEQUENCE)
one("SpatialDropout2D", lambda: L.SpatialDropout2D(0.3), IMAGE)
for word, make in {"GaussianNoise": lambda: L.GaussianNoise(0.1), "GaussianDropout": lambda: L.GaussianDropout(0.1), "AlphaDropout": lambda: L.AlphaDropout(0.1)}.items():
    one(word, make, IMAGE, told=word)
one("ActivityRegularization", lambda: L.ActivityRegularization(l2=0.1), IMAGE, told="activity regularizer")
one("Identity", L.Identity, IMAGE)

variants("Rescaling", IMAGE, lambda: L.Rescaling(1 / 255, 0.5), lambda: L.Rescaling([0.1, 0.2, 0.3, 0.4], [1, 2, 3, 4]))
one("Rescaling.int", lambda: L.Rescaling(1 / 255), IMAGE, "uint8")
variants("Normalization", IMAGE, lambda: L.Normalization(mean=[1, 2, 3, 4], variance=[4, 3, 2, 1]), lambda: L.Normalization(mean=1.0, variance=2.0, invert=True))
variants(
    "Resizing", IMAGE, lambda: L.Resizing(6, 5), lambda: L.Resizing(13, 17), lambda: L.Resizing(13, 6, interpolation="nearest"),
    lambda: L.Resizing(6, 4, crop_to_aspect_ratio=True),
)  # fmt: skip
# TensorFlow takes the weights of the cubic from a table of 1,024 places.
one("Resizing.bicubic", lambda: L.Resizing(13, 17, interpolation="bicubic"), IMAGE, close=2e-3)
variants("CenterCrop", IMAGE, lambda: L.CenterCrop(4, 5), lambda: L.CenterCrop(12, 5))
one("RandomFlip", lambda: L.RandomFlip(), IMAGE, told="RandomFlip")
one("RandomRotation", lambda: L.RandomRotation(0.1), IMAGE, told="RandomRotation")
variants("CategoryEncoding", (4,), lambda: L.CategoryEncoding(9), lambda: L.CategoryEncoding(9, "count"), dtype="int32")
one("CategoryEncoding.one_hot", lambda: L.CategoryEncoding(9, "one_hot"), (1,), "int32")
variants("Discretization", (4,), lambda: L.Discretization([-0.5, 0.0, 0.7]), lambda: L.Discretization([-0.5, 0.0, 0.7], output_mode="multi_hot"))
variants(
    "IntegerLookup", (4,), lambda: L.IntegerLookup(vocabulary=[3, 1, 7]), lambda: L.IntegerLookup(vocabulary=[3, 1, 7], mask_token=0), lambda: L.IntegerLookup(vocabulary=[3, 1, 7], output_mode="multi_hot"),
    dtype="int64",
)  # fmt: skip

# -- recurrent --

for kind in (L.LSTM, L.GRU, L.SimpleRNN):
    variants(
        kind.__name__, SEQUENCE, lambda kind=kind: kind(3), lambda kind=kind: kind(3, return_sequences=True), lambda kind=kind: kind(3, return_sequences=True, go_backwards=True),
        lambda kind=kind: kind(3, go_backwards=True, use_bias=False), lambda kind=kind: kind(3, return_state=True, return_sequences=True), lambda kind=kind: kind(3, activation="relu"),
    )  # fmt: skip
    for mode in ("concat", "sum", "ave", "mul", None):
        one(f"Bidirectional.{kind.__name__}.{mode}", lambda kind=kind, mode=mode: L.Bidirectional(kind(3, return_sequences=True), mode), SEQUENCE)
    one(f"Bidirectional.{kind.__name__}.last", lambda kind=kind: L.Bidirectional(kind(3)), SEQUENCE)
    one(f"{kind.__name__}.unknown", lambda kind=kind: kind(3, return_sequences=True), (None, 4))
one("LSTM.activations", lambda: L.LSTM(3, activation="softsign", recurrent_activation="hard_sigmoid"), SEQUENCE)
one("GRU.reset_before", lambda: L.GRU(3, reset_after=False), SEQUENCE)
one("RNN.cell", lambda: L.RNN(L.GRUCell(3), return_sequences=True), SEQUENCE)
one("RNN.stack", lambda: L.RNN([L.LSTMCell(3), L.LSTMCell(4)], return_sequences=True, return_state=False), SEQUENCE)
one("LSTM.dropout", lambda: L.LSTM(3, dropout=0.2), SEQUENCE, told="dropout inside")
one("TimeDistributed.Dense", lambda: L.TimeDistributed(L.Dense(3)), SEQUENCE)
one("TimeDistributed.Conv2D", lambda: L.TimeDistributed(L.Conv2D(3, 2, activation="relu")), (4, 6, 5, 2))
one("TimeDistributed.unknown", lambda: L.TimeDistributed(L.Conv2D(3, 2)), (None, 6, 5, 2))
one("TimeDistributed.model", lambda: L.TimeDistributed(keras.Sequential([L.Conv2D(3, 2), L.Flatten(), L.Dense(2)])), (4, 6, 5, 2))


@case("recurrent.encoder_decoder")
def encoder_decoder():
    """The states of one are those of the other."""
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    _, h, c = L.LSTM(6, return_state=True)(L.Embedding(9, 5)(source))
    y = L.LSTM(6, return_sequences=True)(L.Embedding(9, 5)(target), initial_state=[h, c])
    return keras.Model([source, target], L.Dense(9, activation="softmax")(y))


MASKED = np.array([[1, 2, 3, 0, 0, 0], [0, 0, 4, 5, 6, 7], [1, 0, 2, 0, 3, 0], [0, 0, 0, 0, 0, 1], [1, 2, 3, 4, 5, 6], [0, 3, 0, 0, 1, 0]], np.int32)


def masked(name, *layers, head=None):
    def test():
        x = keras.Input((6,), dtype="int32")
        y = L.Embedding(9, 4, mask_zero=True)(x)
        for make in layers:
            y = make()(y)
        model = keras.Model(x, y)
        randomise(model)
        return agrees(model, [MASKED])

    case(f"masked.{name}")(test)


for kind in (L.LSTM, L.GRU, L.SimpleRNN):
    masked(f"{kind.__name__}", lambda kind=kind: kind(3))
    masked(f"{kind.__name__}.backwards", lambda kind=kind: kind(3, go_backwards=True))
    masked(f"{kind.__name__}.sequences", lambda kind=kind: kind(3, return_sequences=True), L.Flatten)
    masked(f"{kind.__name__}.sequences_backwards", lambda kind=kind: kind(3, return_sequences=True, go_backwards=True), L.Flatten)
masked("two", lambda: L.LSTM(4, return_sequences=True), lambda: L.GRU(3))
masked("zeros", lambda: L.LSTM(4, return_sequences=True, zero_output_for_mask=True), L.Flatten)
masked("bidirectional", lambda: L.Bidirectional(L.LSTM(4, return_sequences=True)), lambda: L.Bidirectional(L.GRU(3)))
masked("average", lambda: L.GlobalAveragePooling1D())
masked("nested", lambda: keras.Sequential([L.Dense(3), L.LSTM(2)]))


@case("masked.Masking")
def masking():
    model = keras.Sequential([keras.Input((6, 2)), L.Masking(0.0), L.LSTM(3)])
    randomise(model)
    x = np.random.default_rng(1).normal(size=(6, 6, 2)).astype(np.float32) * (MASKED > 0)[:, :, None]
    return agrees(model, [x])


# -- attention --


def attended(name, layer, shapes, told="", **call):
    def build():
        inputs = [keras.Input(s) for s in shapes]
        given = inputs if layer().__class__ in (L.Attention, L.AdditiveAttention) else None
        y = layer()(given, **call) if given else layer()(*inputs, **call)
        return keras.Model(inputs, y)

    case(f"attention.{name}", told=told)(build)


attended("Attention", lambda: L.Attention(), [(5, 4), (6, 4)])
attended("Attention.key", lambda: L.Attention(use_scale=True), [(5, 4), (6, 3), (6, 4)])
attended("Attention.concat", lambda: L.Attention(score_mode="concat"), [(5, 4), (6, 4)])
attended("Attention.causal", lambda: L.Attention(), [(6, 4), (6, 4)], use_causal_mask=True)
attended("AdditiveAttention", lambda: L.AdditiveAttention(), [(5, 4), (6, 4)])
attended("MultiHeadAttention", lambda: L.MultiHeadAttention(2, 3), [(5, 4), (6, 4)])
attended("MultiHeadAttention.value_dim", lambda: L.MultiHeadAttention(2, 3, 5, output_shape=7, use_bias=False), [(5, 4), (6, 4), (6, 3)])
attended("MultiHeadAttention.dropout", lambda: L.MultiHeadAttention(2, 3, dropout=0.1), [(5, 4), (6, 4)])
attended("MultiHeadAttention.causal", lambda: L.MultiHeadAttention(2, 3), [(6, 4), (6, 4)], use_causal_mask=True)
attended("MultiHeadAttention.causal_unknown", lambda: L.MultiHeadAttention(2, 3), [(None, 4), (None, 4)], use_causal_mask=True)
attended("MultiHeadAttention.scores", lambda: L.MultiHeadAttention(2, 3), [(6, 4), (6, 4)], return_attention_scores=True)
attended("MultiHeadAttention.image", lambda: L.MultiHeadAttention(2, 3, attention_axes=(1, 2)), [(3, 4, 5), (3, 4, 5)])
attended("GroupedQueryAttention", lambda: L.GroupQueryAttention(4, 4, 2), [(5, 6), (7, 6)])
attended("GroupedQueryAttention.causal", lambda: L.GroupQueryAttention(4, 4, 2), [(7, 6), (7, 6)], use_causal_mask=True)


@case("masked.MultiHeadAttention")
def masked_attention():
    x = keras.Input((6,), dtype="int32")
    y = L.Embedding(9, 4, mask_zero=True)(x)
    y = L.MultiHeadAttention(2, 3)(y, y)
    model = keras.Model(x, L.GlobalAveragePooling1D()(y))
    randomise(model)
    return agrees(model, [MASKED])


# -- merges --

for kind in (L.Add, L.Subtract, L.Multiply, L.Average, L.Maximum, L.Minimum, L.Concatenate):
    count = 2 if kind is L.Subtract else 3

    def merge(kind=kind, count=count):
        inputs = [keras.Input(IMAGE) for _ in range(count)]
        return keras.Model(inputs, kind()([L.Conv2D(4, 3, padding="same")(inputs[0]), *inputs[1:]]))

    case(f"merge.{kind.__name__}")(merge)


@case("merge.Concatenate.axis")
def concatenate_axis():
    a, b = keras.Input((3, 5, 4)), keras.Input((7, 5, 4))
    return keras.Model([a, b], L.Concatenate(axis=1)([L.Conv2D(4, 1)(a), b]))


@case("merge.broadcast")
def broadcast():
    """Squeeze and excitation in three ways: all stays channels first."""
    x = keras.Input((8, 8, 4))
    y = L.Conv2D(4, 3, padding="same")(x)
    a = L.Dense(4, activation="sigmoid")(L.GlobalAveragePooling2D()(y))
    y = L.Multiply()([y, L.Reshape((1, 1, 4))(a)])
    y = y * L.Conv2D(4, 1)(L.GlobalAveragePooling2D(keepdims=True)(y))
    return keras.Model(x, L.Conv2D(4, 3)(y))


for k, (shapes, settings) in enumerate([([(5,), (5,)], {"axes": 1}), ([(3, 5), (4, 5)], {"axes": 2}), ([(3, 5), (5, 4)], {"axes": (2, 1)}), ([(5,), (5,)], {"axes": 1, "normalize": True})]):

    def dot(shapes=shapes, settings=settings):
        inputs = [keras.Input(s) for s in shapes]
        return keras.Model(inputs, L.Dot(**settings)(inputs))

    case(f"merge.Dot.{k}")(dot)

# -- keras.ops in Functional models --

POSITIVE = {"log", "sqrt", "rsqrt", "log1p", "log2", "log10", "reciprocal", "arccosh"}
for word in "exp log sqrt rsqrt abs negative square reciprocal sign floor ceil sin cos tan sinh cosh tanh arctan arcsinh expm1 log1p log2 log10 erf relu relu6 sigmoid softplus isnan logical_not".split():

    def unary(word=word):
        x = keras.Input(IMAGE)
        y = L.Conv2D(4, 1)(x)
        y = ops.abs(y) + 0.5 if word in POSITIVE else y > 0 if word == "logical_not" else y
        return keras.Model(x, ops.cast(getattr(ops, word)(y), "float32"))

    case(f"ops.{word}")(unary)

OPS = {
    "arithmetic": lambda x, y: (x + 1) * 2 - y / 3 + (2 - x) * (1 / (ops.abs(y) + 1)) + ops.power(ops.abs(x), 1.5) + x // 0.7 + x % 0.6,
    "compare": lambda x, y: ops.cast(x > y, "float32") + ops.cast(ops.not_equal(x, y), "float32") * 2 + ops.cast(ops.logical_and(x < 0, y < 0), "float32"),
    "where": lambda x, y: ops.where(x > 0, x, y) + ops.where(y > 1, 0.0, y),
    "mean": lambda x, y: ops.mean(x, axis=(1, 2)) + ops.max(y, axis=[1, 2]) - ops.min(y, axis=(1, 2)) + ops.sum(x, axis=(1, 2)),
    "mean_channels": lambda x, y: ops.mean(x, axis=-1, keepdims=True) * y + ops.var(x, axis=1, keepdims=True) + ops.std(y, axis=[1, 2], keepdims=True),
    "argmax": lambda x, y: ops.argmax(x, axis=-1) + ops.argmin(y, axis=-1),
    "softmax": lambda x, y: ops.softmax(x, axis=1) + ops.log_softmax(y, axis=-1),
    "logsumexp": lambda x, y: ops.logsumexp(x, axis=-1) + ops.logsumexp(y, axis=(3,)),
    "reshape": lambda x, y: ops.reshape(x, (-1, 72, 4)) + ops.reshape(y, (-1, 72, 4)),
    "transpose": lambda x, y: ops.transpose(x, (0, 3, 1, 2)) + ops.moveaxis(y, -1, 1),
    "swapaxes": lambda x, y: ops.swapaxes(x, 1, 2) * ops.swapaxes(y, 1, 2),
    "matmul": lambda x, y: ops.matmul(x, ops.swapaxes(y, -1, -2)),
    "einsum": lambda x, y: ops.einsum("bhwc,bhvc->bhwv", x, y) + ops.einsum("bhwc,bhvc->bhvw", x, y),
    "einsum_odd": lambda x, y: ops.einsum("bhwc,bhwd->bcd", x, y) + ops.einsum("bhwc,bhwc->bc", x, y)[:, None, :],
    "tensordot": lambda x, y: ops.tensordot(x, np.ones((4, 3), np.float32), axes=1),
    "concatenate": lambda x, y: ops.concatenate([x, y, x], axis=2),
    "stack": lambda x, y: ops.stack([x, y], axis=1),
    "split": lambda x, y: ops.concatenate(ops.split(x, 2, axis=-1)[::-1] + ops.split(y, [1, 3], axis=-1), axis=-1),
    "slice": lambda x, y: x[:, 1:-1, ::2] + y[:, 1:-1, ::2, :1] + x[:, 0:7, ::2, -1][..., None],
    "index": lambda x, y: x[:, 0] + y[:, -1] + x[..., 3, :][:, :8],
    "reverse": lambda x, y: x[:, ::-1] + ops.flip(y, axis=2),
    "pad": lambda x, y: ops.pad(x, ((0, 0), (1, 2), (0, 0), (0, 0))) + ops.pad(y, [[0, 0], [2, 1], [0, 0], [0, 0]], mode="reflect"),
    "tile": lambda x, y: ops.tile(x, (1, 2, 1, 1)) + ops.repeat(y, 2, axis=1),
    "clip": lambda x, y: ops.clip(x, -0.3, 0.4) + ops.maximum(y, 0.1) + ops.minimum(x, y),
    "expand": lambda x, y: ops.expand_dims(x, 2) + ops.squeeze(ops.expand_dims(y, 1), 1)[:, :, None],
    "cumsum": lambda x, y: ops.cumsum(x, axis=1) + y,
    "sort": lambda x, y: ops.sort(x, axis=-1) + ops.take_along_axis(y, ops.argsort(x, axis=-1), axis=-1),
    "top_k": lambda x, y: ops.top_k(x, 2)[0] + ops.cast(ops.top_k(y, 2)[1], "float32"),
    "take": lambda x, y: ops.take(x, [2, 0, 1], axis=-1) + ops.take(y, np.array([0, 0, 3]), axis=-1),
    "one_hot": lambda x, y: ops.one_hot(ops.argmax(x, axis=-1), 4) + y,
    "norm": lambda x, y: ops.normalize(x, axis=-1) + ops.normalize(y, axis=1, order=1),
    "logical": lambda x, y: ops.cast(ops.any(x > 0.5, axis=-1), "int32") + ops.cast(ops.all(y > -1, axis=-1), "int32"),
    "constants": lambda x, y: x * np.arange(4, dtype=np.float32) + y * np.arange(8, dtype=np.float32)[:, None] + np.ones((9, 1, 1), np.float32),
    "like": lambda x, y: ops.ones_like(x) + ops.zeros_like(y) * x + ops.full_like(x, 2.5),
    "conv": lambda x, y: ops.conv(x, np.ones((3, 3, 4, 2), np.float32) / 9, padding="same") + ops.max_pool(y, 3, 1, "same")[..., :2],
    "depth_to_space": lambda x, y: ops.reshape(x, (-1, 18, 16, 1)),
    "gelu": lambda x, y: ops.gelu(x, approximate=False) + ops.silu(y) + ops.hard_silu(x) + ops.leaky_relu(y, 0.1),
    "attention": lambda x, y: ops.dot_product_attention(x, y, y, is_causal=False),
    "ints": lambda x, y: ops.cast(x, "int32") + 1 + ops.cast(y, "int32") * 2 - ops.cast(x, "int32") % 3,
    "resize": lambda x, y: ops.image.resize(x, (12, 10)) + ops.image.resize(y, (12, 10), interpolation="nearest"),
}  # fmt: skip
for word, function in OPS.items():

    def operations(function=function):
        x, y = keras.Input(IMAGE), keras.Input(IMAGE)
        return keras.Model([x, y], function(L.Conv2D(4, 3, padding="same")(x), y))

    case(f"ops.{word}", told="stop_gradient" if word == "stop" else "")(operations)

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
    import export

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
    return fails(ValueError, ["'a/kernel' has shape", "'b/kernel' of the file is unknown", "'c/kernel' of the model is missing"], kiln.keras.load_weights, other, "one.onnx")


@case("metadata")
def metadata():
    """Initialisers, regularisers, roles and the loss."""
    import export

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
