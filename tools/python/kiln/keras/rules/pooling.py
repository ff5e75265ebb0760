"""Pools."""

from keras import ops

from ..errors import Refused
from ..graph import channels_first, plain
from ..registry import rule
from .convolution import is_first, order_of, same, several, spatial, unless_ones
from .reduction import reduced


def pooled(graph, x, op, size, strides, padding, data_format, shape=None):
    count = x.rank - 2
    size = several(size, count)
    strides = several(strides if strides is not None else size, count)
    order = order_of(data_format, x.rank)
    pads = same(spatial(x, data_format), size, strides, [1] * count) if padding == "same" else {}
    return graph.value(graph.emit(op, [graph.form(x, order)], kernel_shape=size, strides=unless_ones(strides), **pads), shape, x.dtype, order)


@rule("layers.MaxPooling1D", "layers.MaxPooling2D", "layers.MaxPooling3D", "layers.AveragePooling1D", "layers.AveragePooling2D", "layers.AveragePooling3D")
def pool(layer, inputs, graph):
    op = "MaxPool" if type(layer).__name__.startswith("Max") or "Max" in [k.__name__[:3] for k in type(layer).__mro__] else "AveragePool"
    return pooled(graph, inputs[0], op, layer.pool_size, layer.strides, layer.padding, layer.data_format)


@rule("nn.MaxPool", "nn.AveragePool")
def pool_operation(operation, inputs, graph):
    return pooled(graph, inputs[0], type(operation).__name__, operation.pool_size, operation.strides, operation.padding, operation.data_format)


def globally(op, reduce):
    def write(layer, inputs, graph):
        x = inputs[0]
        mask = graph.frames[-1].arguments.get("mask")
        first = is_first(layer.data_format)
        if mask is not None:
            return masked_mean(layer, x, mask, graph, 2 if first else 1)
        axes = list(range(2, x.rank)) if first else list(range(1, x.rank - 1))
        order = plain(x.rank) if first else channels_first(x.rank)
        if x.order != order:
            return reduced(graph, reduce, x, axes, layer.keepdims)
        name = graph.emit(op, [graph.form(x, order)])
        if layer.keepdims:
            return graph.value(name, order=order)
        return graph.value(graph.emit("Flatten", [name], axis=1))

    return write


def masked_mean(layer, x, mask, graph, steps):
    def mean(x, mask):
        m = ops.cast(ops.expand_dims(mask, 3 - steps), "float32")
        return ops.sum(x * m, axis=steps, keepdims=layer.keepdims) / ops.sum(m, axis=steps, keepdims=layer.keepdims)

    return graph.call(mean, x, mask)


for count in "123":
    rule(f"layers.GlobalAveragePooling{count}D")(globally("GlobalAveragePool", "ReduceMean"))
    rule(f"layers.GlobalMaxPooling{count}D")(globally("GlobalMaxPool", "ReduceMax"))


@rule("nn.AdaptiveAveragePool", "nn.AdaptiveMaxPool", *(f"layers.Adaptive{kind}Pooling{n}D" for kind in ("Average", "Max") for n in "123"))
def adaptive(operation, inputs, graph):
    """One dimension after the other: windows of one size are a pool, others are cut one by one."""
    x = inputs[0]
    most = "Max" in type(operation).__name__
    count = x.rank - 2
    first = is_first(operation.data_format)
    wanted = several(operation.output_size, count)
    sizes = spatial(x, operation.data_format)
    if None in sizes:
        raise Refused("pools pictures of unknown size to a size")
    if all(n % w == 0 for n, w in zip(sizes, wanted)):
        kernel = [n // w for n, w in zip(sizes, wanted)]
        return pooled(
            graph,
            x,
            "MaxPool" if most else "AveragePool",
            kernel,
            kernel,
            "valid",
            operation.data_format,
            (*x.shape[:2], *wanted) if first else (x.shape[0], *wanted, x.shape[-1]),
        )

    def made(x):
        for k, (n, w) in enumerate(zip(sizes, wanted)):
            axis = k + (2 if first else 1)
            parts = []
            for i in range(w):
                begin, end = i * n // w, -(-(i + 1) * n // w)
                part = x[(slice(None),) * axis + (slice(begin, end),)]
                parts.append((ops.max if most else ops.mean)(part, axis=axis, keepdims=True))
            x = ops.concatenate(parts, axis=axis)
        return x

    return graph.call(made, x)
