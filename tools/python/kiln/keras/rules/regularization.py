"""Dropout, and what does nothing but in training."""

import keras

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
        graph.tell(f"the noise_shape of Dropout '{layer.name}'")
    name = graph.emit("Dropout", [graph.form(x, x.order), graph.constant(layer.rate, "float32")])
    return graph.value(name, x.shape, x.dtype, x.order)


@rule("layers.SpatialDropout1D", "layers.SpatialDropout2D", "layers.SpatialDropout3D", "layers.GaussianDropout", "layers.GaussianNoise", "layers.AlphaDropout")
def noise(layer, inputs, graph):
    if getattr(layer, "rate", None) or getattr(layer, "stddev", None):
        graph.tell(f"{type(layer).__name__} '{layer.name}', which does something in training alone")
    return same(inputs[0])


@rule("layers.ActivityRegularization")
def activity(layer, inputs, graph):
    return same(inputs[0])


AUGMENTATIONS = """AugMix AutoContrast CLAHE CutMix Equalization MixUp Pipeline RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast RandomElasticTransform
RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear
RandomTranslation RandomZoom""".split()


def augmentation(layer, inputs, graph):
    """What changes images at random changes none in inference."""
    graph.tell(f"{type(layer).__name__} '{layer.name}', which changes images in training alone (kiln train --augment)")
    return graph.cast(inputs[0], graph.frames[-1].outputs[0].dtype)


for word in AUGMENTATIONS:
    kind = getattr(keras.layers, word, None)
    # Some of them change images in inference, too.
    if kind is not None and word not in ("AutoContrast", "CLAHE", "Equalization", "Pipeline", "RandomGrayscale"):
        rule(f"layers.{word}")(augmentation)
