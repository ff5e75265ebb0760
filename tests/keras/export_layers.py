"""Layers one at a time, in their variants, and those that merge: for export.py."""

import keras
from export import IMAGE, SEQUENCE, VOLUME, case, one, variants
from keras import layers as L
from keras import ops

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
variants(
    "GroupNormalization",
    IMAGE,
    lambda: L.GroupNormalization(2),
    lambda: L.GroupNormalization(-1),
    lambda: L.GroupNormalization(2, scale=False),
    lambda: L.GroupNormalization(4, center=False),
)
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


for k, (shapes, settings) in enumerate(
    [([(5,), (5,)], {"axes": 1}), ([(3, 5), (4, 5)], {"axes": 2}), ([(3, 5), (5, 4)], {"axes": (2, 1)}), ([(5,), (5,)], {"axes": 1, "normalize": True})]
):

    def dot(shapes=shapes, settings=settings):
        inputs = [keras.Input(s) for s in shapes]
        return keras.Model(inputs, L.Dot(**settings)(inputs))

    case(f"merge.Dot.{k}")(dot)
