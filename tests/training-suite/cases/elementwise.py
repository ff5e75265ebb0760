"""Gradients of what is computed element by element, broadcasting included."""

import numpy as np

from .declare import STEEP, F, Family, fixed, held, positive, real, scalar, spread, torch

family = Family("gradient")
add = family.add

# -- of one input --

UNARY = {
    "Abs": (lambda x: x.abs(), spread(2, 5)),
    "Acos": (lambda x: x.acos(), real(2, 4, low=-0.9, high=0.9)),
    "Acosh": (lambda x: x.acosh(), real(2, 4, low=1.2, high=3)),
    "Asin": (lambda x: x.asin(), real(2, 4, low=-0.9, high=0.9)),
    "Asinh": (lambda x: x.asinh(), real(2, 4, low=-3, high=3)),
    "Atan": (lambda x: x.atan(), real(2, 4, low=-3, high=3)),
    "Atanh": (lambda x: x.atanh(), real(2, 4, low=-0.9, high=0.9)),
    "Cos": (lambda x: x.cos(), real(2, 4, low=-3, high=3)),
    "Cosh": (lambda x: x.cosh(), real(2, 4, low=-2, high=2)),
    "Erf": (lambda x: x.erf(), real(2, 4, low=-2, high=2)),
    "Exp": (lambda x: x.exp(), real(2, 4, low=-2, high=2)),
    "Identity": (lambda x: x * 1, real(2, 4)),
    "Log": (lambda x: x.log(), positive(2, 4)),
    "Neg": (lambda x: -x, real(2, 4)),
    "Reciprocal": (lambda x: 1 / x, positive(2, 4)),
    "Sigmoid": (lambda x: x.sigmoid(), real(2, 4, low=-5, high=5)),
    "Sin": (lambda x: x.sin(), real(2, 4, low=-3, high=3)),
    "Sinh": (lambda x: x.sinh(), real(2, 4, low=-2, high=2)),
    "Softplus": (lambda x: F.softplus(x, threshold=1e9), real(2, 4, low=-5, high=5)),
    "Softsign": (lambda x: F.softsign(x), spread(2, 4, high=3)),
    "Sqrt": (lambda x: x.sqrt(), positive(2, 4)),
    "Tan": (lambda x: x.tan(), real(2, 4, low=-1.2, high=1.2)),
    "Tanh": (lambda x: x.tanh(), real(2, 4, low=-3, high=3)),
}
for op, (formula, x) in UNARY.items():
    add(op.lower(), op, {"x": x}, formula, single=op == "Erf")

# The ends of the range, where a formula that is written down without care overflows.
add("softplus_far", "Softplus", {"x": real(6, low=-60, high=60)}, lambda x: F.softplus(x, threshold=1e9))
add("sigmoid_far", "Sigmoid", {"x": real(6, low=-60, high=60)}, lambda x: x.sigmoid())
add("tanh_far", "Tanh", {"x": real(6, low=-30, high=30)}, lambda x: x.tanh(), zero=True)

# -- activations with attributes --

add("celu", "Celu", {"x": spread(3, 5, high=2)}, lambda x: F.celu(x, 1.0))
add("celu_alpha", "Celu", {"x": spread(3, 5, high=2)}, lambda x: F.celu(x, 0.4), alpha=0.4)
add("elu", "Elu", {"x": spread(3, 5, high=2)}, lambda x: F.elu(x))
add("elu_alpha", "Elu", {"x": spread(3, 5, high=2)}, lambda x: F.elu(x, 1.7), alpha=1.7)
add("gelu", "Gelu", {"x": spread(3, 5, high=3)}, lambda x: F.gelu(x), opset=20, single=True)
add("gelu_tanh", "Gelu", {"x": spread(3, 5, high=3)}, lambda x: F.gelu(x, approximate="tanh"), opset=20, approximate="tanh")
add("hardsigmoid", "HardSigmoid", {"x": spread(3, 5, high=5)}, lambda x: (0.2 * x + 0.5).clamp(0, 1))
add("hardsigmoid_attributes", "HardSigmoid", {"x": spread(3, 5, high=2)}, lambda x: (0.4 * x + 0.3).clamp(0, 1), alpha=0.4, beta=0.3)
add("hardswish", "HardSwish", {"x": spread(3, 5, high=5)}, lambda x: F.hardswish(x))
add("leakyrelu", "LeakyRelu", {"x": spread(3, 5)}, lambda x: F.leaky_relu(x, 0.01))
add("leakyrelu_alpha", "LeakyRelu", {"x": spread(3, 5)}, lambda x: F.leaky_relu(x, 0.3), alpha=0.3)
add("mish", "Mish", {"x": spread(3, 5, high=3)}, lambda x: F.mish(x))
add("relu", "Relu", {"x": spread(3, 5)}, lambda x: F.relu(x))
SELU = dict(alpha=1.67326319217681884765625, gamma=1.05070102214813232421875)
add("selu", "Selu", {"x": spread(3, 5, high=2)}, lambda x: SELU["gamma"] * torch.where(x > 0, x, SELU["alpha"] * (x.exp() - 1)))
add("selu_attributes", "Selu", {"x": spread(3, 5, high=2)}, lambda x: 1.5 * torch.where(x > 0, x, 0.7 * (x.exp() - 1)), alpha=0.7, gamma=1.5)
add("shrink_hard", "Shrink", {"x": spread(3, 5)}, lambda x: F.hardshrink(x, 0.5))
add("shrink_soft", "Shrink", {"x": spread(3, 5)}, lambda x: F.softshrink(x, 0.4), lambd=0.4, bias=0.4)
add("swish", "Swish", {"x": spread(3, 5, high=3)}, lambda x: F.silu(x), opset=24)
add("swish_alpha", "Swish", {"x": spread(3, 5, high=3)}, lambda x: x * (1.7 * x).sigmoid(), opset=24, alpha=1.7)
add("swiglu", "SwiGLU", {"a": real(3, 5, low=-3, high=3), "b": real(3, 5)}, lambda a, b: F.silu(a) * b, opset=28)
add("swiglu_alpha", "SwiGLU", {"a": real(3, 5, low=-3, high=3), "b": real(3, 5)}, lambda a, b: a * (1.7 * a).sigmoid() * b, opset=28, alpha=1.7)
add("thresholdedrelu", "ThresholdedRelu", {"x": spread(3, 5, high=2)}, lambda x: torch.where(x > 1, x, 0 * x))
add("thresholdedrelu_alpha", "ThresholdedRelu", {"x": spread(3, 5, high=2)}, lambda x: torch.where(x > 0.3, x, 0 * x), alpha=0.3)
add("clip", "Clip", {"x": spread(3, 5), "low": scalar(-0.5), "high": scalar(0.6)}, lambda x, low, high: x.clamp(-0.5, 0.6000000238418579))
add("clip_low_only", "Clip", {"x": spread(3, 5), "low": scalar(-0.2)}, lambda x, low: x.clamp(min=-0.20000000298023224))
add("clip_high_only", "Clip", {"x": spread(3, 5), "low": None, "high": scalar(0.2)}, lambda x, low, high: x.clamp(max=0.20000000298023224))
add("prelu", "PRelu", {"x": spread(2, 3, 4), "slope": real(3, 1)}, lambda x, s: torch.where(x > 0, x, x * s))
add("prelu_one_slope", "PRelu", {"x": spread(2, 3, 4), "slope": real(1)}, lambda x, s: torch.where(x > 0, x, x * s))
add("prelu_slope_each", "PRelu", {"x": spread(2, 3), "slope": real(2, 3)}, lambda x, s: torch.where(x > 0, x, x * s))

# -- of two, and how they broadcast --

BINARY = {
    "Add": (lambda a, b: a + b, positive),
    "Sub": (lambda a, b: a - b, positive),
    "Mul": (lambda a, b: a * b, positive),
    "Div": (lambda a, b: a / b, positive),
}
SHAPES = {
    "": ((2, 3), (2, 3)),
    "_row": ((2, 3), (3,)),
    "_column": ((2, 3), (2, 1)),
    "_both": ((2, 1, 3), (4, 1)),
    "_scalar": ((2, 3), ()),
    "_scalar_first": ((), (2, 3)),
}
for op, (formula, draw) in BINARY.items():
    for suffix, (left, right) in SHAPES.items():
        add(f"{op.lower()}{suffix}", op, {"a": draw(*left), "b": draw(*right)}, formula)
add("add_itself", "", {"a": real(2, 3)}, lambda a: a + a, nodes="y = Add(a, a)")
add("mul_itself", "", {"a": real(2, 3)}, lambda a: a * a, nodes="y = Mul(a, a)")
add("div_negative", "Div", {"a": real(2, 3), "b": real(2, 3, low=-2, high=-0.4)}, lambda a, b: a / b)
add("pow", "Pow", {"x": positive(2, 4), "y": real(2, 4, low=-2, high=3)}, lambda x, y: x**y, outputs=("z",), near=STEEP)
add("pow_row", "Pow", {"x": positive(2, 4), "y": real(4, low=-2, high=3)}, lambda x, y: x**y, outputs=("z",), near=STEEP)
add("pow_square", "Pow", {"x": real(2, 4), "y": scalar(2)}, lambda x, y: x * x, outputs=("z",))
add("pow_cube_of_negative", "Pow", {"x": real(2, 4, low=-2, high=-0.2), "y": scalar(3)}, lambda x, y: x**3, outputs=("z",))
add("pow_integer_exponent", "Pow", {"x": real(2, 4), "y": fixed(0, 1, 2, 3)}, lambda x, y: x ** y.to(x.dtype), outputs=("z",))
add(
    "mod_fmod",
    "Mod",
    {"a": spread(2, 4, low=-3, high=5), "b": held(np.array([0.7, 1.3, 1.9, 2.6], np.float32))},
    lambda a, b: torch.fmod(a, b),
    outputs=("c",),
    fmod=1,
)
add("max", "Max", {"a": spread(3, 4), "b": spread(3, 4, high=0.8)}, lambda a, b: torch.maximum(a, b))
add(
    "max_row_of_three", "Max", {"a": spread(3, 4), "b": spread(4, high=0.8), "c": spread(3, 1, high=0.3)}, lambda a, b, c: torch.maximum(torch.maximum(a, b), c)
)
add("max_of_one", "Max", {"a": spread(3, 4)}, lambda a: a * 1)
add("min", "Min", {"a": spread(3, 4), "b": spread(3, 4, high=0.8)}, lambda a, b: torch.minimum(a, b))
add(
    "min_row_of_three", "Min", {"a": spread(3, 4), "b": spread(4, high=0.8), "c": spread(3, 1, high=0.3)}, lambda a, b, c: torch.minimum(torch.minimum(a, b), c)
)
add("mean", "Mean", {"a": real(3, 4), "b": real(3, 4)}, lambda a, b: (a + b) / 2)
add("mean_row_of_three", "Mean", {"a": real(3, 4), "b": real(4), "c": real(3, 1)}, lambda a, b, c: (a + b + c) / 3)
add("sum", "Sum", {"a": real(3, 4), "b": real(3, 4)}, lambda a, b: a + b)
add("sum_row_of_three", "Sum", {"a": real(3, 4), "b": real(4), "c": real(3, 1)}, lambda a, b, c: a + b + c)
add(
    "where",
    "Where",
    {"condition": held([[True, False, True], [False, True, True]]), "x": real(2, 3), "y": real(2, 3)},
    lambda c, x, y: torch.where(c, x, y),
    outputs=("z",),
)
add("where_broadcast", "Where", {"condition": held([[True], [False]]), "x": real(3), "y": real(2, 2, 3)}, lambda c, x, y: torch.where(c, x, y), outputs=("z",))

# -- what passes gradients through, and what stops them --

add("cast_to_double_and_back", "", {"x": real(2, 3)}, lambda x: x * x, nodes="d = Cast<to = 11>(x) e = Mul(d, d) y = Cast<to = 1>(e)")
add(
    "castlike",
    "",
    {"x": real(2, 3), "like": held(real(1))},
    lambda x, like: 3 * x,
    nodes="z = CastLike(x, like) three = Constant<value_float = 3.0>() y = Mul(z, three)",
)
add("dropout_inference", "Dropout", {"x": real(2, 3)}, lambda x: x * 1)
add("dropout_training_ratio_0", "Dropout", {"x": real(2, 3), "ratio": scalar(0), "training_mode": scalar(True, bool)}, lambda x, r, t: x * 1)
STOPPED = {"floor": "Floor", "ceil": "Ceil", "round": "Round", "sign": "Sign"}
for name, op in STOPPED.items():
    add(f"stopped_by_{name}", "", {"x": spread(2, 5, high=2.2)}, lambda x, name=name: x * getattr(torch, name)(x).detach(), nodes=f"z = {op}(x) y = Mul(x, z)")
add("stopped_by_integers", "", {"x": spread(2, 5, high=4)}, lambda x: x * x.detach().trunc(), nodes="i = Cast<to = 7>(x) z = Cast<to = 1>(i) y = Mul(x, z)")
add(
    "stopped_by_comparison",
    "",
    {"x": spread(2, 5)},
    lambda x: x * (x > 0),
    nodes="zero = Constant<value_float = 0.0>() m = Greater(x, zero) z = Cast<to = 1>(m) y = Mul(x, z)",
)
