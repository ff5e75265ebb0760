"""Sizes of pictures."""

from keras import ops

from ..errors import Refused
from ..registry import rule
from .convolution import is_first, order_of, several

MODES = {
    "nearest": dict(mode="nearest", coordinate_transformation_mode="half_pixel", nearest_mode="round_prefer_ceil"),
    "bilinear": dict(mode="linear", coordinate_transformation_mode="half_pixel"),
    "bicubic": dict(mode="cubic", coordinate_transformation_mode="half_pixel", cubic_coeff_a=-0.5, exclude_outside=1),
}


def resized(graph, x, size, interpolation, data_format, shape=None):
    """To a size, as TensorFlow's resize has it: centres of pixels, and the border's weights made to sum to one."""
    if interpolation not in MODES:
        raise Refused(f"interpolates by '{interpolation}', which ONNX has not")
    if x.rank != 4:
        raise Refused("resizes one picture, not a batch")
    order = order_of(data_format, 4)
    channels = x.shape[1 if is_first(data_format) else 3]
    name = graph.form(x, order)
    sizes = graph.emit("Concat", [graph.emit("Shape", [name], start=0, end=1 if channels is None else 1), graph.ints([channels, *size])], axis=0)
    name = graph.emit("Resize", [name, "", "", sizes], **MODES[interpolation])
    return graph.value(name, shape, x.dtype, order)


@rule("layers.UpSampling1D", "layers.UpSampling2D", "layers.UpSampling3D")
def up_sampling(layer, inputs, graph):
    x = inputs[0]
    count = x.rank - 2
    data_format = getattr(layer, "data_format", "channels_last")
    interpolation = getattr(layer, "interpolation", "nearest")
    factors = several(layer.size, count)
    order = order_of(data_format, x.rank)
    if interpolation not in MODES:
        raise Refused(f"interpolates by '{interpolation}', which ONNX has not")
    attributes = dict(MODES[interpolation])
    if interpolation == "nearest":
        attributes = dict(mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    scales = graph.constant([1.0, 1.0, *(float(f) for f in factors)], "float32")
    return graph.value(graph.emit("Resize", [graph.form(x, order), "", scales], **attributes), order=order)


@rule("layers.Resizing")
def resizing(layer, inputs, graph):
    x = graph.cast(inputs[0], layer.compute_dtype)
    return checked(graph, x, layer, (layer.height, layer.width))


@rule("image.Resize")
def resize_operation(operation, inputs, graph):
    return checked(graph, inputs[0], operation, operation.size)


def checked(graph, x, settings, size):
    if getattr(settings, "antialias", False):
        raise Refused("resizes with antialias, as only TensorFlow does")
    sizes = x.shape[2:] if is_first(settings.data_format) else x.shape[1:3]
    if settings.crop_to_aspect_ratio or settings.pad_to_aspect_ratio:
        if None in sizes:
            raise Refused("keeps the aspect ratio of pictures of unknown size")
        if settings.pad_to_aspect_ratio:
            raise Refused("pads to the aspect ratio")
        x = cropped(graph, x, sizes, size, settings.data_format)
    return resized(graph, graph.cast(x, "float32"), size, settings.interpolation, settings.data_format)


def cropped(graph, x, sizes, wanted, data_format):
    (height, width), (h, w) = sizes, wanted
    kept = (min(height, max(int(width * h / w), 1)), min(width, max(int(height * w / h), 1)))
    begins = [int((n - k) / 2) for n, k in zip(sizes, kept)]
    if kept == tuple(sizes):
        return x
    cut = tuple(slice(b, b + k) for b, k in zip(begins, kept))
    if is_first(data_format):
        return graph.call(lambda x: x[(slice(None), slice(None), *cut)], x)
    return graph.call(lambda x: x[(slice(None), *cut)], x)


def centred(layer, x, graph):
    first = is_first(layer.data_format)
    sizes = x.shape[2:] if first else x.shape[1:3]
    if None in sizes:
        raise Refused("cuts pictures of unknown size")
    if sizes[0] < layer.height or sizes[1] < layer.width:
        x = cropped(graph, x, sizes, (layer.height, layer.width), layer.data_format)
        return resized(graph, x, (layer.height, layer.width), "bilinear", layer.data_format)
    y, z = (sizes[0] - layer.height) // 2, (sizes[1] - layer.width) // 2
    cut = (slice(y, y + layer.height), slice(z, z + layer.width))
    return graph.call(lambda x: x[(slice(None), slice(None), *cut)] if first else x[(slice(None), *cut)], x)


@rule("layers.CenterCrop", "layers.RandomCrop")
def center_crop(layer, inputs, graph):
    """In inference a random crop is that of the centre, or a resize that keeps the aspect ratio."""
    if type(layer).__name__ == "RandomCrop":
        graph.tell(f"RandomCrop '{layer.name}' cuts the centre")
    return centred(layer, graph.cast(inputs[0], layer.compute_dtype), graph)


@rule("image.RGBToGrayscale")
def grayscale(operation, inputs, graph):
    axis = -3 if is_first(operation.data_format) else -1
    x = graph.cast(inputs[0], "float32")

    def made(x):
        shape = [1] * x.ndim
        shape[axis] = 3
        return ops.sum(x * ops.reshape(ops.convert_to_tensor([0.2989, 0.587, 0.114]), shape), axis=axis, keepdims=True)

    return graph.cast(graph.call(made, x), graph.frames[-1].outputs[0].dtype)
