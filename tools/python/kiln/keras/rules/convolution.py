"""Convolutions. ONNX has kernels as [out, in, ...]; Keras' [..., in, out] are stored so, and turned back by load_weights."""

import keras

from ..errors import Refused
from ..graph import channels_first, plain
from ..registry import rule
from .activation import activated


def several(x, count):
    return [int(x)] * count if isinstance(x, int) else [int(i) for i in x]


def is_first(data_format):
    return (data_format or keras.config.image_data_format()) == "channels_first"


def order_of(data_format, rank):
    """The order in which ONNX wants an input of that data format."""
    return plain(rank) if is_first(data_format) else channels_first(rank)


def spatial(x, data_format):
    return x.shape[2:] if is_first(data_format) else x.shape[1:-1]


def same(sizes, kernel, strides, dilations):
    """What of Keras' padding="same" the attributes say: as many zeros as the strides need, the odd one behind. By auto_pad where the size is not known."""
    if any(n is None and s > 1 for n, s in zip(sizes, strides)):
        return {"auto_pad": "SAME_UPPER"}
    totals = [max((-(-n // s) - 1 if n else 0) * s + (k - 1) * d + 1 - (n or 1), 0) if n else (k - 1) * d for n, k, s, d in zip(sizes, kernel, strides, dilations)]
    begins = [t // 2 for t in totals]
    pads = begins + [t - b for t, b in zip(totals, begins)]
    return {"pads": pads} if any(pads) else {}


def unless_ones(numbers):
    return numbers if any(n != 1 for n in numbers) else None


def kernel_of(graph, layer, attribute="kernel"):
    if getattr(layer, "lora_enabled", False):
        raise Refused("has LoRA's weights beside its own: merge them before")
    if getattr(layer, "quantization_mode", None):
        raise Refused(f"is quantised ({layer.quantization_mode}): export the model that it was made of")
    return getattr(layer, attribute)


def turned(rank):
    """[..., in, out] to [out, in, ...]."""
    return (("transpose", (rank - 1, rank - 2, *range(rank - 2))),)


def stored(graph, kernel, steps):
    """The name of a kernel in ONNX' layout; of one that is computed by nodes."""
    v = graph.lift(kernel)
    if v.variable is not None:
        return graph.parameter(v.variable, steps)
    name, shape = graph.form(v), list(v.shape)
    for step in steps:
        if step[0] == "transpose":
            name = graph.emit("Transpose", [name], perm=list(step[1]))
        else:
            name = graph.emit("Reshape", [name, graph.ints(step[1])])
    return name if shape else name


def convolved(graph, x, kernel, steps, bias, *, strides, dilations, padding, groups, data_format, size, shape=None):
    """Conv of a value, with the bias as its third input."""
    order = order_of(data_format, x.rank)
    count = len(size)
    strides, dilations = several(strides, count), several(dilations, count)
    if padding == "same":
        pads = same(spatial(x, data_format), size, strides, dilations)
    elif padding == "causal":
        pads = {"pads": [(size[0] - 1) * dilations[0], 0]}
    else:
        pads = {}
    names = [graph.form(x, order), stored(graph, kernel, steps)] + ([graph.form(graph.lift(bias))] if bias is not None else [])
    name = graph.emit(
        "Conv", names, kernel_shape=list(size), strides=unless_ones(strides), dilations=unless_ones(dilations), group=groups if groups > 1 else None, **pads
    )
    return graph.value(name, shape, x.dtype, order)


@rule("layers.Conv1D", "layers.Conv2D", "layers.Conv3D")
def convolution(layer, inputs, graph):
    x = graph.cast(inputs[0], layer.compute_dtype)
    kernel = kernel_of(graph, layer)
    v = convolved(
        graph, x, kernel, turned(x.rank), layer.bias, strides=layer.strides, dilations=layer.dilation_rate, padding=layer.padding,
        groups=layer.groups, data_format=layer.data_format, size=layer.kernel_size,
    )  # fmt: skip
    return activated(graph, layer.activation, v)


def depthwise_steps(shape):
    """[..., in, multiplier] to [in * multiplier, 1, ...]."""
    rank = len(shape)
    return (("transpose", (rank - 2, rank - 1, *range(rank - 2))), ("reshape", (shape[-2] * shape[-1], 1, *shape[:-2])))


def depthwise(graph, x, kernel, bias, shape=None, **settings):
    shape_of_kernel = tuple(graph.lift(kernel).shape)
    return convolved(graph, x, kernel, depthwise_steps(shape_of_kernel), bias, groups=shape_of_kernel[-2], size=shape_of_kernel[:-2], shape=shape, **settings)


@rule("layers.DepthwiseConv1D", "layers.DepthwiseConv2D")
def depthwise_layer(layer, inputs, graph):
    v = depthwise(
        graph, graph.cast(inputs[0], layer.compute_dtype), layer.kernel, layer.bias, strides=layer.strides, dilations=layer.dilation_rate,
        padding=layer.padding, data_format=layer.data_format,
    )  # fmt: skip
    return activated(graph, layer.activation, v)


@rule("layers.SeparableConv1D", "layers.SeparableConv2D")
def separable(layer, inputs, graph):
    x = graph.cast(inputs[0], layer.compute_dtype)
    shape = list(graph.frames[-1].outputs[0].shape)
    shape[1 if is_first(layer.data_format) else -1] = layer.depthwise_kernel.shape[-2] * layer.depthwise_kernel.shape[-1]
    x = depthwise(
        graph, x, layer.depthwise_kernel, None, shape, strides=layer.strides, dilations=layer.dilation_rate, padding=layer.padding,
        data_format=layer.data_format,
    )  # fmt: skip
    v = convolved(
        graph, x, layer.pointwise_kernel, turned(x.rank), layer.bias, strides=1, dilations=1, padding="valid", groups=1,
        data_format=layer.data_format, size=[1] * (x.rank - 2),
    )  # fmt: skip
    return activated(graph, layer.activation, v)


def transposed(graph, x, kernel, bias, strides, dilations, data_format, output):
    """ConvTranspose with the size of output that Keras has: what the kernel makes beyond it is cut on both sides, what it lacks is added behind."""
    kernel_shape = graph.lift(kernel).shape
    size, count, order = kernel_shape[:-2], len(kernel_shape) - 2, order_of(data_format, x.rank)
    strides, dilations = several(strides, count), several(dilations, count)
    inner, outer = spatial(x, data_format), output[2:] if is_first(data_format) else output[1:-1]
    begins, ends, more = [], [], []
    for n, out, k, s, d in zip(inner, outer, size, strides, dilations):
        if n is None or out is None:
            return None
        total = (n - 1) * s + (k - 1) * d + 1 - out
        begins.append(max(total, 0) // 2)
        ends.append(max(total, 0) - max(total, 0) // 2)
        more.append(max(-total, 0))
    names = [graph.form(x, order), stored(graph, kernel, turned(len(kernel_shape)))] + ([graph.form(graph.lift(bias))] if bias is not None else [])
    name = graph.emit(
        "ConvTranspose", names, kernel_shape=list(size), strides=unless_ones(strides), dilations=unless_ones(dilations),
        pads=begins + ends if any(begins + ends) else None, output_padding=more if any(more) else None,
    )  # fmt: skip
    return graph.value(name, output, x.dtype, order)


def transposed_any(graph, x, kernel, bias, strides, dilations, data_format, output, again):
    v = transposed(graph, x, kernel, bias, strides, dilations, data_format, output)
    if v is not None:
        return v
    # What is cut does not depend on the size of the input: it is reckoned for one that is known.
    known = [8 if d is None else d for d in x.shape]
    known[0] = None
    fixed = list(again(known))
    shown = type(x)(known, x.dtype, x.forms)
    v = transposed(graph, shown, kernel, bias, strides, dilations, data_format, fixed)
    v.shape = tuple(output)
    return v


@rule("layers.Conv1DTranspose", "layers.Conv2DTranspose", "layers.Conv3DTranspose")
def transposed_layer(layer, inputs, graph):
    x = graph.cast(inputs[0], layer.compute_dtype)
    output = graph.frames[-1].outputs[0].shape
    v = transposed_any(graph, x, layer.kernel, layer.bias, layer.strides, layer.dilation_rate, layer.data_format, output, layer.compute_output_shape)
    return activated(graph, layer.activation, v)


@rule("nn.Conv", "nn.DepthwiseConv")
def conv_operation(operation, inputs, graph):
    x, kernel = list(graph.frames[-1].arguments.values())[:2]
    x, kernel = graph.lift(x), graph.lift(kernel)
    settings = dict(strides=operation.strides, dilations=operation.dilation_rate, padding=operation.padding, data_format=operation.data_format)
    if type(operation).__name__ == "DepthwiseConv":
        return depthwise(graph, x, kernel if kernel.variable is None else kernel.variable, None, **settings)
    channels = x.shape[1 if is_first(operation.data_format) else -1]
    steps = turned(x.rank)
    return convolved(graph, x, kernel, steps, None, groups=channels // kernel.shape[-2], size=kernel.shape[:-2], **settings)


@rule("nn.ConvTranspose")
def conv_transpose_operation(operation, inputs, graph):
    x, kernel = list(graph.frames[-1].arguments.values())[:2]
    x, kernel = graph.lift(x), graph.lift(kernel)
    output = graph.frames[-1].outputs[0].shape

    def again(shape):
        return operation.compute_output_spec(keras.KerasTensor(shape, x.dtype), keras.KerasTensor(kernel.shape, kernel.dtype)).shape

    return transposed_any(graph, x, kernel, None, operation.strides, operation.dilation_rate, operation.data_format, output, again)
