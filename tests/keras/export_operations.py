"""keras.ops in Functional models: for export.py."""

import keras
import numpy as np
from export import IMAGE, case
from keras import layers as L
from keras import ops

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
