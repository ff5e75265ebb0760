"""Activations: Keras' operations, and the layers that are one."""

import keras
from keras import ops
from keras.src.activations.activations import Mish

from ..graph import Value
from ..registry import rule
from .arithmetic import bounded, composed


# Those that convert their argument, which is no operation.
DIRECT = {keras.activations.hard_silu: ops.hard_silu, keras.activations.mish: lambda x: Mish()(x), keras.activations.sparsemax: ops.sparsemax}


def activated(graph, function, v):
    """What an activation of a layer, any function of Keras' operations, makes of a value."""
    if function is None or function is keras.activations.linear:
        return v
    return graph.call(DIRECT.get(function, function), v)


def one(op, **attributes):
    def write(operation, inputs, graph):
        x = inputs[0]
        return graph.value(graph.emit(op, [graph.form(x, x.order)], **{k: a(operation) if callable(a) else a for k, a in attributes.items()}), x.shape, x.dtype, x.order)

    return write


def axis_in(v, axis):
    """Where a dimension of Keras is in the form that the value was made in."""
    return v.order.index(axis % v.rank)


rule("nn.Relu")(one("Relu"))
rule("nn.Sigmoid")(one("Sigmoid"))
rule("nn.Softplus")(one("Softplus"))
rule("nn.Softsign")(one("Softsign"))
rule("nn.Selu")(one("Selu"))
rule("nn.Elu")(one("Elu", alpha=lambda o: float(o.alpha)))
rule("nn.Celu")(one("Celu", alpha=lambda o: float(o.alpha)))
rule("nn.LeakyRelu")(one("LeakyRelu", alpha=lambda o: float(o.negative_slope)))
rule("nn.HardSigmoid")(one("HardSigmoid", alpha=1 / 6, beta=0.5))
rule("nn.HardSilu")(one("HardSwish"))
rule("nn.Gelu")(one("Gelu", approximate=lambda o: "tanh" if o.approximate else "none"))
rule("activations.Mish")(one("Mish"))
rule("layers.ELU")(one("Elu", alpha=lambda o: float(o.alpha)))
rule("layers.LeakyReLU")(one("LeakyRelu", alpha=lambda o: float(o.negative_slope)))


@rule("nn.Relu6")
def relu6(operation, inputs, graph):
    return bounded(graph, inputs[0], 0.0, 6.0)


@rule("nn.HardTanh")
def hard_tanh(operation, inputs, graph):
    return bounded(graph, inputs[0], -1.0, 1.0)


@rule("nn.Silu")
def silu(operation, inputs, graph):
    return graph.elementwise("Mul", inputs[0], one("Sigmoid")(operation, inputs, graph))


@rule("nn.HardShrink")
def hard_shrink(operation, inputs, graph):
    return one("Shrink", bias=0.0, lambd=float(operation.threshold))(operation, inputs, graph)


@rule("nn.SoftShrink")
def soft_shrink(operation, inputs, graph):
    t = float(operation.threshold)
    return one("Shrink", bias=t, lambd=t)(operation, inputs, graph)


for name, function in {
    "nn.LogSigmoid": lambda o, x: -ops.softplus(-x),
    "nn.TanhShrink": lambda o, x: x - ops.tanh(x),
    "nn.Threshold": lambda o, x: ops.where(x > getattr(o, "threshold", None), x, getattr(o, "default_value", None)),
    "nn.Squareplus": lambda o, x: (x + ops.sqrt(x * x + float(o.b))) / 2,
    "nn.SparseSigmoid": lambda o, x: ops.clip(0.5 * (x + 1.0), 0.0, 1.0),
    "nn.SparsePlus": lambda o, x: ops.where(x <= -1, 0.0, ops.where(x < 1, (x + 1) * (x + 1) / 4, x)),
}.items():
    rule(name)(composed(function))


@rule("nn.Glu")
def glu(operation, inputs, graph):
    def gated(x):
        a, b = ops.split(x, 2, axis=operation.axis)
        return a * ops.sigmoid(b)

    return graph.call(gated, inputs[0])


def softmax_of(graph, op, x, axis):
    """Over one dimension, or over several that become one."""
    axes = sorted(a % x.rank for a in (axis if isinstance(axis, (tuple, list)) else [-1 if axis is None else axis]))
    if len(axes) == 1:
        return graph.value(graph.emit(op, [graph.form(x, x.order)], axis=axis_in(x, axes[0])), x.shape, x.dtype, x.order)
    order = tuple(d for d in range(x.rank) if d not in axes) + tuple(axes)
    name = graph.form(x, order)
    front = [x.shape[d] for d in order[: x.rank - len(axes)]]
    flat = graph.emit("Reshape", [name, graph.ints([0] * len(front) + [-1])])
    shape = graph.emit("Shape", [name])
    return graph.value(graph.emit("Reshape", [graph.emit(op, [flat], axis=-1), shape]), x.shape, x.dtype, order)


@rule("nn.Softmax")
def softmax(operation, inputs, graph):
    return softmax_of(graph, "Softmax", inputs[0], operation.axis)


@rule("nn.LogSoftmax")
def log_softmax(operation, inputs, graph):
    return softmax_of(graph, "LogSoftmax", inputs[0], operation.axis)


@rule("layers.Softmax")
def softmax_layer(layer, inputs, graph):
    mask = graph.frames[-1].arguments.get("mask")
    x = inputs[0]
    if mask is not None:
        x = graph.call(lambda x, m: x + (1.0 - ops.cast(m, "float32")) * -3e38 if False else ops.where(ops.cast(m, "bool"), x, x - 3.0e38), x, mask)
    made = softmax_of(graph, "Softmax", x, layer.axis)
    if mask is not None:
        made = graph.call(lambda y, m: y * ops.cast(ops.cast(m, "bool"), "float32"), made, mask)
    return made


@rule("nn.Sparsemax")
def sparsemax(operation, inputs, graph):
    """By sorted logits. Keras adds up the sums of all that are kept, where the paper takes the last of them; here it is as Keras computes."""
    axis = operation.axis

    def made(x):
        count = x.shape[axis]
        if count is None:
            raise ValueError("sparsemax over a dimension of unknown size")
        x = ops.moveaxis(x, axis, -1)
        z = ops.flip(ops.sort(x, axis=-1), axis=-1)
        k = ops.convert_to_tensor([float(i) for i in range(1, count + 1)])
        sums = ops.cumsum(z, axis=-1)
        support = ops.cast(1 + k * z > sums, "float32")
        size = ops.sum(support, axis=-1, keepdims=True)
        tau = (ops.sum(support * sums, axis=-1, keepdims=True) - 1) / size
        return ops.moveaxis(ops.maximum(x - tau, 0.0), -1, axis)

    return graph.call(made, inputs[0])


def general_relu(graph, x, slope, limit, threshold):
    slope, threshold = float(slope or 0), float(threshold or 0)
    if not threshold and limit is None:
        op, attributes = ("LeakyRelu", {"alpha": slope}) if slope else ("Relu", {})
        return graph.value(graph.emit(op, [graph.form(x, x.order)], **attributes), x.shape, x.dtype, x.order)
    if not threshold and not slope:
        return bounded(graph, x, 0.0, float(limit))

    def made(x):
        above = x if limit is None else ops.minimum(x, float(limit))
        return ops.where(x >= threshold, above, slope * (x - threshold))

    return graph.call(made, x)


@rule("activations.ReLU")
def relu_operation(operation, inputs, graph):
    return general_relu(graph, inputs[0], operation.negative_slope, operation.max_value, operation.threshold)


@rule("layers.ReLU")
def relu_layer(layer, inputs, graph):
    return general_relu(graph, inputs[0], layer.negative_slope, layer.max_value, layer.threshold)


@rule("layers.PReLU")
def prelu(layer, inputs, graph):
    return graph.elementwise("PRelu", inputs[0], layer.alpha)


@rule("layers.Activation")
def activation(layer, inputs, graph):
    v = activated(graph, layer.activation, inputs[0])
    if v is inputs[0]:
        return Value(v.shape, v.dtype, dict(v.forms), v.constant, v.variable)
    return v
