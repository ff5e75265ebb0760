"""Layers that make numbers of what a user has."""

import keras
import numpy as np
from keras import ops

from ..errors import Refused
from ..graph import Value, plain
from ..registry import rule
from .core import one_hot
from .reduction import reduced


@rule("layers.Rescaling")
def rescaling(layer, inputs, graph):
    x = graph.cast(inputs[0], layer.compute_dtype)
    scale, offset = np.asarray(layer.scale, x.dtype), np.asarray(layer.offset, x.dtype)
    if scale.ndim and keras.config.image_data_format() == "channels_first":
        scale = scale.reshape(scale.shape + (1,) * (3 - scale.ndim))
    if np.any(scale != 1):
        x = graph.elementwise("Mul", x, scale)
    if np.any(offset != 0):
        x = graph.elementwise("Add", x, offset)
    return x


@rule("layers.Normalization")
def normalization(layer, inputs, graph):
    x = graph.cast(inputs[0], layer.compute_dtype)
    if layer.mean is None:
        raise Refused("was not adapted, and has no mean and variance")
    graph.folded.update(id(v) for v in layer._non_trainable_variables)
    mean = np.asarray(ops.convert_to_numpy(layer.mean), x.dtype)
    spread = np.maximum(np.sqrt(np.asarray(ops.convert_to_numpy(layer.variance), x.dtype)), keras.config.epsilon()).astype(x.dtype)
    if layer.invert:
        return graph.elementwise("Add", graph.elementwise("Mul", x, spread), mean)
    return graph.elementwise("Div", graph.elementwise("Sub", x, mean), spread)


def encoded(graph, x, mode, depth, dtype, shape):
    """What Keras' layers of categories make of integers: one_hot, multi_hot, count."""
    if mode == "int":
        return graph.cast(x, dtype)
    if mode == "one_hot":
        if x.rank and x.shape[-1] == 1 and len(shape) == x.rank:
            x = graph.value(graph.emit("Squeeze", [graph.form(x), graph.ints([x.rank - 1])]), x.shape[:-1], x.dtype)
        return one_hot(graph, x, depth, -1, dtype)
    hot = one_hot(graph, x, depth, -1, "float32")
    if x.rank == 0 or len(shape) == x.rank + 1:
        return graph.cast(hot, dtype)
    axis = hot.rank - 2
    return graph.cast(reduced(graph, "ReduceMax" if mode == "multi_hot" else "ReduceSum", hot, axis, False), dtype)


@rule("layers.CategoryEncoding")
def category_encoding(layer, inputs, graph):
    if layer.sparse:
        raise Refused("makes sparse tensors")
    out, x = graph.frames[-1].outputs[0], inputs[0]
    weights = graph.frames[-1].arguments.get("count_weights")
    if weights is not None:
        hot = one_hot(graph, x, layer.num_tokens, -1, "float32")
        return graph.call(lambda h, w: ops.sum(h * ops.expand_dims(ops.cast(w, "float32"), -1), axis=-2), hot, weights)
    return encoded(graph, x, layer.output_mode, layer.num_tokens, out.dtype, out.shape)


@rule("layers.Discretization")
def discretization(layer, inputs, graph):
    if layer.bin_boundaries is None:
        raise Refused("was not adapted, and has no boundaries")
    if layer.sparse:
        raise Refused("makes sparse tensors")
    x = graph.cast(inputs[0], "float32")
    boundaries = np.asarray(layer.bin_boundaries, np.float32)
    wide = graph.emit("Unsqueeze", [graph.form(x), graph.ints([x.rank])])
    over = graph.emit("GreaterOrEqual", [wide, graph.constant(boundaries.reshape([1] * x.rank + [-1]))])
    over = graph.cast(Value((*x.shape, len(boundaries)), "bool", {plain(x.rank + 1): over}), "int32")
    out = graph.frames[-1].outputs[0]
    return encoded(graph, reduced(graph, "ReduceSum", over, -1, False), layer.output_mode, len(boundaries) + 1, graph.dtype(out.dtype), out.shape)


@rule("layers.IntegerLookup", "layers.StringLookup")
def lookup(layer, inputs, graph):
    """A LabelEncoder would be of ai.onnx.ml; each word of the vocabulary is compared with here, which is standard, and short vocabularies are what one has."""
    if layer.invert:
        raise Refused("looks words up by number")
    if layer.num_oov_indices > 1:
        raise Refused("hashes unknown words into several places")
    if layer.output_mode == "tf_idf" or layer.sparse:
        raise Refused(f"has output_mode '{layer.output_mode}'" if not layer.sparse else "makes sparse tensors")
    words = list(layer.get_vocabulary(include_special_tokens=False))
    if not words:
        raise Refused("has no vocabulary yet")
    if len(words) > 4096:
        raise Refused(f"has {len(words)} words: more than 4096 are not compared one by one")
    begin = layer._token_start_index()
    string = type(layer).__name__ == "StringLookup" or "StringLookup" in [k.__name__ for k in type(layer).__mro__]
    x = inputs[0] if string else graph.cast(inputs[0], "int64")
    array = np.array(words, object) if string else np.array(words, np.int64)
    wide = graph.emit("Unsqueeze", [graph.form(x), graph.ints([x.rank])])
    hit = graph.emit("Equal", [wide, graph.constant(array.reshape([1] * x.rank + [-1]))])
    hit = graph.cast(Value((*x.shape, len(words)), "bool", {plain(x.rank + 1): hit}), "int64")
    unknown = layer._oov_start_index() if layer.num_oov_indices else -1
    special = []
    if layer.mask_token is not None and layer._oov_start_index():
        mask = graph.emit("Equal", [graph.form(x), graph.constant(np.array(layer.mask_token, object if string else np.int64))])
        special.append(graph.cast(Value(x.shape, "bool", {plain(x.rank): mask}), "int64"))
    places = np.arange(begin, begin + len(words)) - unknown

    def placed(hit, *masks):
        at = ops.sum(hit * ops.convert_to_tensor(places, "int64"), axis=-1) + unknown
        return at + masks[0] * (0 - unknown) if masks else at

    at = graph.call(placed, hit, *special)
    out = graph.frames[-1].outputs[0]
    depth = begin + len(words) if layer.output_mode != "int" else 0
    if layer.output_mode != "int" and layer.pad_to_max_tokens:
        depth = layer.max_tokens
    return encoded(graph, at, layer.output_mode, depth, graph.dtype(out.dtype), out.shape)


def refused(why):
    def write(layer, inputs, graph):
        raise Refused(why)

    return write


for word, why in {
    "Hashing": "hashes by FarmHash, which ONNX has not",
    "HashedCrossing": "hashes by FarmHash, which ONNX has not",
    "TextVectorization": "cuts texts into words, which ONNX has not: vectorise before the model",
    "MelSpectrogram": "has no rule: make spectrograms before the model",
    "STFTSpectrogram": "has no rule: make spectrograms before the model",
    "Pipeline": "has no rule: use its layers",
}.items():
    rule(f"layers.{word}")(refused(why))
