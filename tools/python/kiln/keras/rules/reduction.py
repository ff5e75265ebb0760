"""Operations of Keras that take dimensions away."""

import keras
import numpy as np
from keras import ops

from ..errors import Refused
from ..registry import rule
from .arithmetic import composed, result


def axes_of(axis, rank):
    if axis is None:
        return list(range(rank))
    return sorted({a % rank for a in (axis if isinstance(axis, (tuple, list)) else [axis])})


def reduced(graph, op, x, axis, keepdims, dtype=None):
    """A Reduce... node over dimensions of Keras, in the form that the value was made in."""
    axes = axes_of(axis, x.rank)
    order = x.order
    places = [order.index(a) for a in axes]
    name = graph.emit(op, [graph.form(x, order), graph.ints(places)], keepdims=int(bool(keepdims)))
    if keepdims:
        return graph.value(name, [1 if d in axes else n for d, n in enumerate(x.shape)], dtype or x.dtype, order)
    left = [d for d in range(x.rank) if d not in axes]
    return graph.value(name, [x.shape[d] for d in left], dtype or x.dtype, [left.index(d) for d in order if d not in axes])


def reduction(op):
    def write(operation, inputs, graph):
        x = inputs[0]
        if op in ("ReduceMean", "ReduceSum", "ReduceProd"):
            x = graph.cast(x, result(graph))
        if getattr(operation, "initial", None) is not None:
            raise Refused("has an argument initial")
        return reduced(graph, op, x, operation.axis, operation.keepdims)

    return write


for word, op in {
    "Mean": "ReduceMean",
    "Sum": "ReduceSum",
    "Max": "ReduceMax",
    "Amax": "ReduceMax",
    "Min": "ReduceMin",
    "Amin": "ReduceMin",
    "Prod": "ReduceProd",
}.items():
    rule(f"numpy.{word}")(reduction(op))
rule("math.Logsumexp")(reduction("ReduceLogSumExp"))


@rule("numpy.Any", "numpy.All")
def any_or_all(operation, inputs, graph):
    op = "ReduceMax" if type(operation).__name__ == "Any" else "ReduceMin"
    x = graph.cast(graph.cast(inputs[0], "bool"), "int32")
    return graph.cast(reduced(graph, op, x, operation.axis, operation.keepdims), "bool")


@rule("numpy.CountNonzero")
def count_nonzero(operation, inputs, graph):
    x = graph.cast(graph.cast(inputs[0], "bool"), "int32")
    return reduced(graph, "ReduceSum", x, operation.axis, False)


def variance(o, x):
    mean = ops.mean(x, axis=o.axis, keepdims=True)
    return ops.mean(ops.square(x - mean), axis=o.axis, keepdims=o.keepdims)


rule("numpy.Var")(composed(variance))
rule("numpy.Std")(composed(lambda o, x: ops.sqrt(variance(o, x))))
rule("numpy.Average")(
    composed(
        lambda o, x, weights=None: ops.mean(x, axis=o.axis) if weights is None else ops.sum(x * weights, axis=o.axis) / ops.sum(weights * ops.ones_like(x), axis=o.axis)
    )
)
rule("numpy.Ptp")(composed(lambda o, x: ops.max(x, axis=o.axis, keepdims=o.keepdims) - ops.min(x, axis=o.axis, keepdims=o.keepdims)))


@rule("nn.Moments")
def moments(operation, inputs, graph):
    def made(x):
        mean = ops.mean(x, axis=operation.axes, keepdims=True)
        kept = ops.mean(x, axis=operation.axes, keepdims=operation.keepdims)
        return kept, ops.mean(ops.square(x - mean), axis=operation.axes, keepdims=operation.keepdims)

    return graph.call(made, inputs[0])


@rule("nn.Normalize")
def normalize(operation, inputs, graph):
    """By the length along a dimension, which is no less than epsilon."""
    order = float(operation.order)
    least = float(keras.config.epsilon() if operation.epsilon is None else operation.epsilon)

    def made(x):
        if order == 2:
            length = ops.sqrt(ops.sum(ops.square(x), axis=operation.axis, keepdims=True))
        elif order == 1:
            length = ops.sum(ops.abs(x), axis=operation.axis, keepdims=True)
        else:
            length = ops.power(ops.sum(ops.power(ops.abs(x), order), axis=operation.axis, keepdims=True), 1 / order)
        return x / ops.maximum(length, least)

    return graph.call(made, inputs[0])


@rule("numpy.Argmax", "numpy.Argmin")
def arg(operation, inputs, graph):
    x = inputs[0]
    op = "ArgMax" if type(operation).__name__ == "Argmax" else "ArgMin"
    if operation.axis is None:
        name = graph.emit("Reshape", [graph.form(x), graph.ints([-1])])
        return graph.cast(graph.value(graph.emit(op, [name], axis=0, keepdims=0), (), "int64"), result(graph))
    made = graph.value(
        graph.emit(op, [graph.form(x)], axis=operation.axis % x.rank, keepdims=int(bool(getattr(operation, "keepdims", False)))),
        graph.frames[-1].outputs[0].shape,
        "int64",
    )
    return graph.cast(made, result(graph))


@rule("math.TopK")
def top_k(operation, inputs, graph):
    x = inputs[0]
    values, places = graph.emit("TopK", [graph.form(x), graph.ints([operation.k])], outputs=2, axis=-1, sorted=1)
    a, b = graph.frames[-1].outputs
    return graph.value(values, a.shape, x.dtype), graph.cast(graph.value(places, b.shape, "int64"), b.dtype)


def sorted_along(operation, inputs, graph, which):
    x = inputs[0]
    axis = operation.axis % x.rank
    out = graph.emit("TopK", [graph.form(x), graph.size(x, axis)], outputs=2, axis=axis, largest=0)[which]
    return out


@rule("numpy.Sort")
def sort(operation, inputs, graph):
    return graph.value(sorted_along(operation, inputs, graph, 0))


@rule("numpy.Argsort")
def argsort(operation, inputs, graph):
    return graph.cast(graph.value(sorted_along(operation, inputs, graph, 1), inputs[0].shape, "int64"), result(graph))


@rule("numpy.Cumsum")
def cumsum(operation, inputs, graph):
    x = graph.cast(inputs[0], result(graph))
    if operation.axis is None:
        raise Refused("sums over all dimensions")
    return graph.value(graph.emit("CumSum", [graph.form(x), graph.constant(np.array(operation.axis % x.rank, np.int64))]))
