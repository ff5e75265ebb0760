"""Normalisations. BatchNormalization stays what it is: gamma, beta and both statistics are initializers, in the form for inference, of which Kiln makes that
for training."""

import keras
import numpy as np
from keras import ops

from ..registry import rule
from .reduction import axes_of


def batch_normalized(graph, x, axis, gamma, beta, mean, variance, epsilon, momentum=None):
    axis = axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis
    axis %= x.rank
    order = (0, axis, *(d for d in range(1, x.rank) if d != axis))
    channels = x.shape[axis]
    ones = graph.constant(np.ones(channels), x.dtype) if gamma is None else graph.form(graph.lift(gamma))
    zeros = graph.constant(np.zeros(channels), x.dtype) if beta is None else graph.form(graph.lift(beta))
    names = [graph.form(x, order), ones, zeros, graph.form(graph.lift(mean)), graph.form(graph.lift(variance))]
    return graph.value(graph.emit("BatchNormalization", names, epsilon=float(epsilon), momentum=momentum), x.shape, x.dtype, order)


@rule("layers.BatchNormalization")
def batch_normalization(layer, inputs, graph):
    if getattr(layer, "renorm", False):
        graph.tell(f"'{layer.name}' renormalises in training; in the file it is BatchNormalization")
    if getattr(layer, "synchronized", False):
        graph.tell(f"'{layer.name}' synchronises its statistics in training")
    x = graph.cast(inputs[0], layer.compute_dtype)
    gamma, beta = (layer.gamma if layer.scale else None), (layer.beta if layer.center else None)
    return batch_normalized(graph, x, layer.axis, gamma, beta, layer.moving_mean, layer.moving_variance, layer.epsilon, float(layer.momentum))


@rule("nn.BatchNorm")
def batch_norm_operation(operation, inputs, graph):
    a = graph.frames[-1].arguments
    return batch_normalized(graph, graph.lift(a["x"]), operation.axis, a.get("scale"), a.get("offset"), a["mean"], a["variance"], operation.epsilon)


def layer_normalized(graph, x, gamma, beta, axis, epsilon):
    """LayerNormalization over the last dimensions; others are turned to the end."""
    axes = axes_of(axis, x.rank)
    order = tuple(d for d in range(x.rank) if d not in axes) + tuple(axes)
    if gamma is None and beta is None:
        gamma = np.ones([x.shape[a] for a in axes], x.dtype)
    if gamma is None:
        gamma = np.ones(beta.shape, x.dtype)
    names = [graph.form(x, order), graph.form(graph.lift(gamma))]
    if beta is not None:
        names.append(graph.form(graph.lift(beta)))
    name = graph.emit("LayerNormalization", names, axis=-len(axes), epsilon=float(epsilon))
    return graph.value(name, x.shape, x.dtype, order)


@rule("layers.LayerNormalization")
def layer_normalization(layer, inputs, graph):
    x = graph.cast(inputs[0], layer.compute_dtype)
    if getattr(layer, "rms_scaling", False):
        return root_mean_square(graph, x, layer.gamma, layer.axis, layer.epsilon, centred=True)
    return layer_normalized(graph, x, layer.gamma if layer.scale else None, layer.beta if layer.center else None, layer.axis, layer.epsilon)


@rule("nn.LayerNorm")
def layer_norm_operation(operation, inputs, graph):
    x, gamma, beta = (list(graph.frames[-1].arguments.values()) + [None, None])[:3]
    epsilon = keras.config.epsilon() if operation.epsilon is None else operation.epsilon
    if operation.rms_scaling:
        return root_mean_square(graph, graph.lift(x), gamma, operation.axis, epsilon, centred=True)
    return layer_normalized(graph, graph.lift(x), gamma, beta, operation.axis, epsilon)


def root_mean_square(graph, x, scale, axis, epsilon, centred=False):
    """RMSNormalization is an operator of opset 23 alone, so this is by its arithmetic."""
    axes = axes_of(axis, x.rank)

    def made(x):
        square = ops.var(x, axis=axes, keepdims=True) if centred else ops.mean(ops.square(x), axis=axes, keepdims=True)
        return x * ops.rsqrt(square + float(epsilon))

    y = graph.call(made, x)
    if scale is None:
        return y
    scale = graph.lift(scale)
    if axes != list(range(x.rank - len(axes), x.rank)):
        shape = [x.shape[d] if d in axes else 1 for d in range(x.rank)]
        scale = graph.value(graph.emit("Reshape", [graph.form(scale), graph.ints(shape)]), shape, scale.dtype)
    return graph.elementwise("Mul", y, scale, shape=x.shape, dtype=x.dtype)


@rule("layers.RMSNormalization")
def rms_normalization(layer, inputs, graph):
    return root_mean_square(graph, graph.cast(inputs[0], layer.compute_dtype), layer.scale, layer.axis, layer.epsilon)


@rule("nn.RMSNorm")
def rms_norm_operation(operation, inputs, graph):
    x, scale = (list(graph.frames[-1].arguments.values()) + [None])[:2]
    epsilon = keras.config.epsilon() if operation.epsilon is None else operation.epsilon
    return root_mean_square(graph, graph.lift(x), scale, operation.axis, epsilon)


@rule("layers.GroupNormalization")
def group_normalization(layer, inputs, graph):
    x = graph.cast(inputs[0], layer.compute_dtype)
    axis = layer.axis % x.rank
    channels = x.shape[axis]
    groups = channels if layer.groups == -1 else layer.groups
    order = (0, axis, *(d for d in range(1, x.rank) if d != axis))
    gamma = graph.form(graph.lift(layer.gamma)) if layer.scale else graph.constant(np.ones(channels), x.dtype)
    beta = graph.form(graph.lift(layer.beta)) if layer.center else graph.constant(np.zeros(channels), x.dtype)
    name = graph.emit("GroupNormalization", [graph.form(x, order), gamma, beta], num_groups=groups, epsilon=float(layer.epsilon))
    return graph.value(name, x.shape, x.dtype, order)


@rule("layers.SpectralNormalization")
def spectral(layer, inputs, graph):
    graph.tell(f"'{layer.name}' divides the weights of its layer by their largest singular value in training; in the file they are as they are")
    return graph.call(layer.layer, inputs[0])
