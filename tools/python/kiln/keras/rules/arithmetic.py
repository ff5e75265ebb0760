"""Operations of Keras that go element by element."""

import keras
import numpy as np
from keras import ops

from ..errors import Refused
from ..registry import rule

FLOAT = ("float32", "float64")


def result(graph):
    return graph.dtype(graph.frames[-1].outputs[0].dtype)


def both(graph):
    """The two arguments of an operation, numbers among them as the other has them."""
    a, b = list(graph.frames[-1].arguments.values())[:2]
    return a, b


def promoted(graph, *arguments):
    """Values of one type, as Keras promotes them."""
    kinds = [type(a) if isinstance(a, (bool, int, float)) else graph.lift(a).dtype for a in arguments]
    dtype = graph.dtype(keras.backend.result_type(*kinds))
    return [graph.cast(a, dtype) for a in arguments]


def binary(op):
    def write(operation, inputs, graph):
        dtype = result(graph)
        return graph.elementwise(op, *(graph.cast(x, dtype) for x in both(graph)))

    return write


def compared(op, negated=False):
    def write(operation, inputs, graph):
        v = graph.elementwise(op, *promoted(graph, *both(graph)), dtype="bool")
        return graph.elementwise("Not", v, dtype="bool") if negated else v

    return write


def logical(op):
    def write(operation, inputs, graph):
        return graph.elementwise(op, *(graph.cast(x, "bool") for x in graph.frames[-1].arguments.values()), dtype="bool")

    return write


def unary(op, **attributes):
    def write(operation, inputs, graph):
        return graph.elementwise(op, graph.cast(inputs[0], result(graph)), **attributes)

    return write


def composed(function):
    """By other operations of Keras."""

    def write(operation, inputs, graph):
        return graph.call(lambda *a: function(operation, *a), *graph.frames[-1].arguments.values())

    return write


for name, op in {"Add": "Add", "Subtract": "Sub", "Multiply": "Mul", "Divide": "Div", "TrueDivide": "Div", "Power": "Pow", "Maximum": "Max", "Minimum": "Min"}.items():
    rule(f"numpy.{name}")(binary(op))
for name, op in {"Equal": "Equal", "Greater": "Greater", "GreaterEqual": "GreaterOrEqual", "Less": "Less", "LessEqual": "LessOrEqual"}.items():
    rule(f"numpy.{name}")(compared(op))
rule("numpy.NotEqual")(compared("Equal", negated=True))
for name, op in {"LogicalAnd": "And", "LogicalOr": "Or", "LogicalXor": "Xor", "LogicalNot": "Not"}.items():
    rule(f"numpy.{name}")(logical(op))
for word in "Exp Log Sqrt Abs Negative Reciprocal Sign Floor Ceil Round Sin Cos Tan Sinh Cosh Tanh Arcsin Arccos Arctan Arcsinh Arccosh Arctanh".split():
    rule(f"numpy.{word}")(unary({"Negative": "Neg"}.get(word, word.replace("Arc", "A"))))
rule("numpy.Absolute")(unary("Abs"))
rule("math.Erf")(unary("Erf"))

for name, function in {
    "numpy.Square": lambda o, x: x * x,
    "numpy.Expm1": lambda o, x: ops.exp(x) - 1,
    "numpy.Log1p": lambda o, x: ops.log(1 + x),
    "numpy.Log2": lambda o, x: ops.log(x) / float(np.log(2)),
    "numpy.Log10": lambda o, x: ops.log(x) / float(np.log(10)),
    "numpy.Logaddexp": lambda o, x, y: ops.maximum(x, y) + ops.softplus(-ops.abs(x - y)),
    "numpy.Exp2": lambda o, x: ops.power(2.0, x),
    "math.Rsqrt": lambda o, x: ops.reciprocal(ops.sqrt(x)),
    "numpy.Hypot": lambda o, x, y: ops.sqrt(x * x + y * y),
    "numpy.Cbrt": lambda o, x: ops.sign(x) * ops.power(ops.abs(x), 1 / 3),
    "numpy.FloorDivide": lambda o, x, y: ops.floor(x / y),
    "numpy.DivideNoNan": lambda o, x, y: ops.where(ops.equal(y, 0), 0.0, x / ops.where(ops.equal(y, 0), 1.0, y)),
    "numpy.Deg2rad": lambda o, x: x * float(np.pi / 180),
    "numpy.Rad2deg": lambda o, x: x * float(180 / np.pi),
}.items():
    rule(name)(composed(function))


@rule("numpy.Mod")
def mod(operation, inputs, graph):
    """The sign is the divisor's, as ONNX has it for integers; of floats x - floor(x / y) y."""
    if result(graph) in FLOAT:
        return graph.call(lambda x, y: x - ops.floor(x / y) * y, *both(graph))
    return graph.elementwise("Mod", *promoted(graph, *both(graph)))


@rule("numpy.Clip")
def clip(operation, inputs, graph):
    x = graph.cast(inputs[0], result(graph))
    low, high = (graph.lift(bound) for bound in (operation.x_min, operation.x_max))
    if low.rank or high.rank or not low.fixed or not high.fixed:
        return graph.elementwise("Min", graph.elementwise("Max", x, graph.cast(low, x.dtype)), graph.cast(high, x.dtype))
    return bounded(graph, x, operation.x_min, operation.x_max)


def bounded(graph, x, low, high):
    name = graph.emit("Clip", [graph.form(x, x.order), *("" if b is None else graph.constant(b, x.dtype) for b in (low, high))])
    return graph.value(name, x.shape, x.dtype, x.order)


@rule("numpy.Where")
def where(operation, inputs, graph):
    condition, a, b = list(graph.frames[-1].arguments.values())[:3]
    a, b = promoted(graph, a, b)
    return graph.elementwise("Where", graph.cast(condition, "bool"), a, b)


@rule("core.Cast", "core.SaturateCast")
def cast(operation, inputs, graph):
    return graph.cast(inputs[0], operation.dtype)


@rule("core.StopGradient", "core.ConvertToTensor", "numpy.Copy", "numpy.Array", "layers.Identity")
def unchanged(operation, inputs, graph):
    if type(operation).__name__ == "StopGradient":
        graph.tell("stop_gradient: gradients pass there")
    return inputs[0]


@rule("numpy.OnesLike", "numpy.ZerosLike", "numpy.FullLike")
def like(operation, inputs, graph):
    x, dtype = inputs[0], result(graph)
    fill = {"OnesLike": 1, "ZerosLike": 0}.get(type(operation).__name__)
    if fill is None:
        fill = graph.lift(graph.frames[-1].arguments["fill_value"]).constant
        if fill is None:
            raise Refused("fills with what the model computes")
    import onnx

    shape = graph.emit("Shape", [graph.form(x)])
    name = graph.emit("ConstantOfShape", [shape], value=onnx.numpy_helper.from_array(np.full(1, fill, dtype)))
    return graph.value(name)


@rule("numpy.NanToNum")
def nan_to_num(operation, inputs, graph):
    x = inputs[0]
    zero = graph.lift(getattr(operation, "nan", 0.0), x.dtype)
    largest = float(np.finfo(x.dtype).max)
    x = graph.elementwise("Where", graph.elementwise("IsNaN", x, dtype="bool"), zero, x)
    return bounded(graph, x, getattr(operation, "neginf", None) or -largest, getattr(operation, "posinf", None) or largest)


@rule("numpy.Isnan")
def is_nan(operation, inputs, graph):
    return graph.elementwise("IsNaN", inputs[0], dtype="bool")


@rule("numpy.Isinf")
def is_inf(operation, inputs, graph):
    return graph.elementwise("IsInf", inputs[0], dtype="bool")
