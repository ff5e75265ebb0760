"""Dropout, and what does nothing but in training."""

import numpy as np
import onnx

from ..graph import Value
from ..registry import rule


def same(x):
    return Value(x.shape, x.dtype, dict(x.forms), x.constant, x.variable)


@rule("layers.Dropout")
def dropout(layer, inputs, graph):
    x = inputs[0]
    if not layer.rate:
        return same(x)
    if getattr(layer, "noise_shape", None) is not None:
        return dropped_together(graph, x, layer.rate, layer.noise_shape)
    name = graph.emit("Dropout", [graph.form(x, x.order), graph.constant(layer.rate, "float32")])
    return graph.value(name, x.shape, x.dtype, x.order)


def dropped_together(graph, x, rate, shape):
    """Where elements are dropped together (noise_shape), ones of that shape are dropped, and multiply."""
    dims = [None if x.shape[d] is None and shape[d] != 1 else shape[d] or x.shape[d] for d in x.order]
    source = graph.form(x, x.order)
    parts, run = [], []
    for k, d in enumerate(dims):
        if d is not None:
            run.append(d)
            continue
        parts += [graph.ints(run)] * bool(run) + [graph.emit("Shape", [source], start=k, end=k + 1)]
        run = []
    parts += [graph.ints(run)] * bool(run)
    name = graph.emit("Concat", parts, axis=0) if len(parts) > 1 else parts[0]
    ones = graph.emit("ConstantOfShape", [name], value=onnx.numpy_helper.from_array(np.ones(1, x.dtype)))
    mask = graph.emit("Dropout", [ones, graph.constant(rate, "float32")])
    return graph.value(graph.emit("Mul", [source, mask]), x.shape, x.dtype, x.order)


@rule("layers.SpatialDropout1D", "layers.SpatialDropout2D", "layers.SpatialDropout3D")
def spatial_dropout(layer, inputs, graph):
    """Whole channels."""
    x = inputs[0]
    if not layer.rate:
        return same(x)
    first = getattr(layer, "data_format", "channels_last") == "channels_first"
    axis = 1 if first else x.rank - 1
    return dropped_together(graph, x, layer.rate, [x.shape[d] if d in (0, axis) else 1 for d in range(x.rank)])


@rule("layers.GaussianDropout", "layers.GaussianNoise", "layers.AlphaDropout")
def noise(layer, inputs, graph):
    if getattr(layer, "rate", None) or getattr(layer, "stddev", None):
        graph.tell(f"{type(layer).__name__} '{layer.name}', which does something in training alone")
    return same(inputs[0])


@rule("layers.ActivityRegularization")
def activity(layer, inputs, graph):
    return same(inputs[0])


# Those that do nothing in inference; AutoContrast, CLAHE and Equalization do something.
AUGMENTATIONS = """AugMix CutMix MixUp RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast RandomElasticTransform RandomErasing RandomFlip
RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation RandomZoom""".split()


def augmentation(layer, inputs, graph):
    """What changes images at random changes none in inference."""
    graph.tell(f"{type(layer).__name__} '{layer.name}', which changes images in training alone (kiln train --augment)")
    return graph.cast(inputs[0], graph.frames[-1].outputs[0].dtype)


for word in AUGMENTATIONS:
    rule(f"layers.{word}")(augmentation)
