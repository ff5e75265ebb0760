"""How a case is declared: an operator, its inputs and attributes, and a formula in PyTorch. A family is a list of such declarations."""

import importlib
import zlib
from dataclasses import dataclass, field

import numpy as np


class Late:
    """A module that is imported where something of it is asked for: the declarations are read without PyTorch, too."""

    def __init__(self, name):
        self.name = name

    def __getattr__(self, name):
        return getattr(importlib.import_module(self.name), name)


torch, F = Late("torch"), Late("torch.nn.functional")

# -- inputs --


@dataclass
class Real:
    """An input of float32 that a gradient is taken with respect to, drawn evenly from `low` to `high`. `spread`: the numbers are a shuffled row at equal distances
    instead, none of them zero, so that no two are near each other and no kink is near any (with low = -high)."""

    shape: tuple
    low: float = -1.0
    high: float = 1.0
    spread: bool = False

    def draw(self, rng):
        n = int(np.prod(self.shape))
        where = (rng.permutation(n) + 0.5) / n + (0.137 / n if self.spread else 0) if self.spread else rng.random(n)
        return (self.low + (self.high - self.low) * where).reshape(self.shape).astype(np.float32)


@dataclass
class Held:
    """An input of the graph that no gradient is taken with respect to: a Real, to draw it, or an array."""

    value: object

    def draw(self, rng):
        return self.value.draw(rng) if isinstance(self.value, Real) else np.asarray(self.value)


@dataclass
class Fixed:
    """An initializer: shapes, axes and the like, which many runtimes must know beforehand."""

    value: object

    def draw(self, rng):
        return np.asarray(self.value)


def real(*shape, low=-1.0, high=1.0):
    return Real(shape, low, high)


def positive(*shape, low=0.3, high=2.0):
    return Real(shape, low, high)


def spread(*shape, high=1.0, low=None):
    return Real(shape, -high if low is None else low, high, spread=True)


def held(value):
    return Held(value)


def fixed(*value, dtype=np.int64):
    return Fixed(np.array(value, dtype))


def scalar(value, dtype=np.float32):
    return Fixed(np.array(value, dtype))


# -- how near is near enough --

# |got - expected| <= atol + rtol * |expected|. SUM: of products, as long ones as there are here. STEEP: where float32 loses digits on the way by what is computed.
EXACT, CLOSE, SUM, STEEP, LOOSE = (1e-7, 1e-7), (1e-5, 1e-6), (2e-5, 4e-6), (1e-4, 1e-5), (1e-3, 1e-4)


@dataclass
class Case:
    """A model and its data. Of a formula: tensors for the inputs in their order (None where one is left out), the outputs back. Without one, the gradients are
    differences over ONNX' own reference evaluator."""

    name: str
    op: str
    inputs: dict
    formula: object = None
    outputs: tuple = ("y",)
    opset: int = 18
    near: tuple = CLOSE
    attributes: dict = field(default_factory=dict)
    shapes: dict = field(default_factory=dict)  # of outputs that are upstream of nothing that can be inferred
    nodes: str = ""  # the forward graph in ONNX' text, in place of one node `op`
    zero: bool = False  # a gradient that is zero throughout is meant
    opsets: dict = field(default_factory=dict)  # of other domains
    single: bool = False  # the reference evaluator computes a part of it in float32, and so judges more coarsely
    unjudged: str = ""  # why ONNX' reference evaluator, which else judges beside the formula, does not
    sets: int = 1

    def seed(self, k):
        return np.random.default_rng(zlib.crc32(f"{self.name} {k}".encode()))

    def draw(self, k=0):
        """{name: array} of what is not left out, in the order of the declaration."""
        rng = self.seed(k)
        return {name: i.draw(rng) for name, i in self.inputs.items() if i is not None}

    def of_kind(self, kind):
        return [name for name, i in self.inputs.items() if isinstance(i, kind)]


class Family:
    """Cases with a common prefix of their names."""

    def __init__(self, prefix):
        self.prefix, self.cases = prefix, []

    def add(
        self,
        name,
        op,
        inputs,
        formula=None,
        *,
        outputs=("y",),
        opset=18,
        near=CLOSE,
        shapes=None,
        nodes="",
        zero=False,
        opsets=None,
        single=False,
        unjudged="",
        sets=1,
        **attributes,
    ):
        case = Case(
            f"{self.prefix}_{name}",
            op,
            inputs,
            formula,
            tuple(outputs),
            opset,
            near,
            attributes,
            shapes or {},
            nodes,
            zero,
            opsets or {},
            single,
            unjudged,
            sets,
        )
        if any(c.name == case.name for c in self.cases):
            raise ValueError(f"{case.name} is declared twice")
        self.cases.append(case)
