"""Which rule writes which layer or operation: one place for each. A rule is function(layer, inputs, graph) -> a value, or a list of them.

`inputs` are the values that the layer is called with, in the order of its call's arguments, masks left out; `graph.frames[-1].arguments` has all
arguments by their names, `graph.frames[-1].outputs` the shapes and types of what Keras makes of them."""

import importlib

RULES = {}
FAMILIES = "activation attention arithmetic convolution core image normalization pooling preprocessing recurrent reduction regularization shape".split()


def found(path):
    """A class of Keras by "layers.Dense" or "numpy.Add" (an operation); None where this version has it not."""
    import keras

    module, name = path.split(".")
    if module == "layers":
        return getattr(keras.layers, name, None)
    place = importlib.import_module("keras.src.activations.activations" if module == "activations" else f"keras.src.ops.{module}")
    return getattr(place, name, None)


def rule(*paths):
    def add(function):
        for path in paths:
            kind = found(path)
            if kind is not None:
                RULES[kind] = function
        return function

    return add


def load():
    for family in FAMILIES:
        importlib.import_module(f".rules.{family}", __package__)


def rule_of(operation, own):
    """The rule of a layer or operation: one of the caller's own before Kiln's; None. That of a class is not that of what is derived from it and computes
    otherwise."""
    kinds = type(operation).__mro__
    for kind in kinds:
        if kind in own:
            return own[kind]
    for kind in kinds:
        if kind in RULES and type(operation).call is kind.call:
            return RULES[kind]
    return None
