"""Gradients through If, Loop and Scan, and what the Gradient operator itself promises."""

import numpy as np

from .declare import SUM, Family, held, real, scalar, torch

family = Family("gradient")
add = family.add

# -- branches --

BRANCHES = "y = If(which) <then_branch = t () => (float[2, 3] p) { p = Mul(x, x) }, else_branch = e () => (float[2, 3] q) { s = Sin(x) q = Mul(s, w) }>"
for name, which in ("then", True), ("else", False):
    add(
        f"if_{name}",
        "",
        {"x": real(2, 3), "w": real(2, 3), "which": held(np.array(which))},
        lambda x, w, which: x * x if which else x.sin() * w,
        nodes=BRANCHES,
        zero=which,
    )
add(
    "if_within_if",
    "",
    {"x": real(2, 3), "a": held(np.array(True)), "b": held(np.array(False))},
    lambda x, a, b: x.exp() * x,
    nodes="""y = If(a) <then_branch = t () => (float[2, 3] p) {
        r = If(b) <then_branch = tt () => (float[2, 3] u) { u = Neg(x) }, else_branch = te () => (float[2, 3] v) { v = Exp(x) }>
        p = Mul(r, x) }, else_branch = e () => (float[2, 3] q) { q = Identity(x) }>""",
)
add(
    "if_condition_computed",
    "",
    {"x": real(4)},
    lambda x: x * 3 if x.sum() > 0 else x * x,
    nodes="""s = ReduceSum<keepdims = 0>(x) zero = Constant<value_float = 0.0>() positive = Greater(s, zero)
    y = If(positive) <then_branch = t () => (float[4] p) { three = Constant<value_float = 3.0>() p = Mul(x, three) }, else_branch = e () => (float[4] q) { q = Mul(x, x) }>""",
)

# -- loops --


def power(x, w, count):
    for _ in range(int(count)):
        x = (x @ w).tanh()
    return x


LOOP = "y = Loop(count, go, x) <body = b (int64 i, bool c, float[2, 3] s) => (bool d, float[2, 3] n) { d = Identity(c) m = MatMul(s, w) n = Tanh(m) }>"
for trips in 1, 3:
    add(
        f"loop_{trips}_trips",
        "",
        {"x": real(2, 3), "w": real(3, 3), "count": held(np.array(trips)), "go": held(np.array(True))},
        lambda x, w, n, go: power(x, w, n),
        near=SUM,
        shapes={"y": (2, 3)},
        nodes=LOOP,
    )
add(
    "loop_no_trips",
    "",
    {"x": real(2, 3), "w": real(3, 3), "count": held(np.array(0)), "go": held(np.array(True))},
    lambda x, w, n, go: x * 1,
    near=SUM,
    shapes={"y": (2, 3)},
    nodes=LOOP,
    zero=True,
)
add(
    "loop_that_ends_itself",
    "",
    {"x": real(2, low=1.1, high=1.3), "count": held(np.array(20))},
    lambda x, n: x**8,
    near=SUM,
    shapes={"y": (2,)},
    nodes="""go = Constant<value = bool {1}>()
    y = Loop(count, go, x) <body = b (int64 i, bool c, float[2] s) => (bool d, float[2] n) { n = Mul(s, s) two = Constant<value_int = 2>() d = Less(i, two) }>""",
)


def running(x, w):
    made, s = [], x
    for i in range(3):
        s = s * w + i
        made.append(s.sin())
    return s, torch.stack(made)


add(
    "loop_with_scan_output",
    "",
    {"x": real(2), "w": real(2), "count": scalar(3, "int64")},
    lambda x, w, _: running(x, w),
    outputs=("y", "all"),
    near=SUM,
    shapes={"y": (2,), "all": (3, 2)},
    unjudged="it takes a condition that is left out for false",
    nodes="""y, all = Loop(count, , x) <body = b (int64 i, bool c, float[2] s) => (bool d, float[2] n, float[2] o) {
        d = Identity(c) k = Cast<to = 1>(i) m = Mul(s, w) n = Add(m, k) o = Sin(n) }>""",
)
add(
    "scan",
    "",
    {"x": real(4, 3), "start": real(3), "w": real(3)},
    lambda x, s, w: scanned(x, s, w),
    outputs=("last", "all"),
    near=SUM,
    nodes="""last, all = Scan(start, x) <num_scan_inputs = 1, body = b (float[3] s, float[3] v) => (float[3] n, float[3] o) {
        m = Mul(s, w) a = Add(m, v) n = Tanh(a) o = Mul(n, v) }>""",
)
add(
    "scan_backwards",
    "",
    {"x": real(4, 3), "start": real(3), "w": real(3)},
    lambda x, s, w: scanned(x.flip(0), s, w, True),
    outputs=("last", "all"),
    near=SUM,
    unjudged="it scans forwards only",
    nodes="""last, all = Scan(start, x) <num_scan_inputs = 1, scan_input_directions = [1], scan_output_directions = [1], body = b (float[3] s, float[3] v) => (float[3] n, float[3] o) {
        m = Mul(s, w) a = Add(m, v) n = Tanh(a) o = Mul(n, v) }>""",
)
add(
    "scan_axes",
    "",
    {"x": real(3, 4), "z": real(4, 3), "start": real(3)},
    lambda x, z, s: tuple(o.T if k else o for k, o in enumerate(scanned(x.T * z, s, 1))),
    outputs=("last", "all"),
    near=SUM,
    unjudged="it scans the first axis only",
    nodes="""last, all = Scan(start, x, z) <num_scan_inputs = 2, scan_input_axes = [1, 0], scan_output_axes = [1], body = b (float[3] s, float[3] a, float[3] c) => (float[3] n, float[3] o) {
        v = Mul(a, c) m = Add(s, v) n = Tanh(m) o = Mul(n, v) }>""",
)


def scanned(x, s, w, turned=False):
    made = []
    for v in x:
        s = (s * w + v).tanh()
        made.append(s * v)
    return s, torch.stack(made[::-1] if turned else made)


# -- networks: what is used more than once, what is not used, gradients of gradients --

add(
    "network",
    "",
    {"x": real(4, 3), "w": real(3, 5), "b": real(5), "v": real(5, 2)},
    lambda x, w, b, v: ((x @ w + b).tanh() @ v).softmax(1),
    near=SUM,
    nodes="m = Gemm(x, w, b) h = Tanh(m) z = MatMul(h, v) y = Softmax(z)",
)
add(
    "network_tied_weights",
    "",
    {"x": real(4, 3), "w": real(3, 5)},
    lambda x, w: (x @ w).tanh() @ w.T,
    near=SUM,
    nodes="m = MatMul(x, w) h = Tanh(m) t = Transpose(w) y = MatMul(h, t)",
)
add(
    "network_residual",
    "",
    {"x": real(4, 3), "w": real(3, 3)},
    lambda x, w: ((x + (x @ w).tanh()) @ w).tanh() + x,
    near=SUM,
    nodes="a = MatMul(x, w) b = Tanh(a) c = Add(x, b) d = MatMul(c, w) e = Tanh(d) y = Add(e, x)",
)
add(
    "network_convolutions",
    "",
    {"x": real(2, 1, 6, 6), "w": real(2, 1, 3, 3), "scale": real(2, low=0.5), "b": real(2), "v": real(8, 3)},
    lambda *i: convolutions(*i),
    near=(1e-4, 2e-5),
    nodes="""zero = Constant<value_floats = [0.0, 0.0]>() one = Constant<value_floats = [1.0, 1.0]>() c = Conv(x, w) n, rm, rv = BatchNormalization<training_mode = 1>(c, scale, b, zero, one)
    r = Softplus(n) p = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(r) f = Flatten(p) y = MatMul(f, v)""",
)


def convolutions(x, w, scale, b, v):
    f = torch.nn.functional
    c = f.batch_norm(f.conv2d(x, w), None, None, scale, b, training=True)
    return f.avg_pool2d(f.softplus(c), 2).flatten(1) @ v


GRADIENT = "ai.onnx.preview.training.Gradient"
add(
    "second_order",
    "",
    {"x": real(3), "w": real(3)},
    lambda x, w: slope(lambda x: (x * x * w).sin().sum(), x),
    opsets={"ai.onnx.preview.training": 1},
    unjudged="it does not have the operator",
    shapes={"y": (3,)},
    nodes=f'a = Mul(x, x) b = Mul(a, w) c = Sin(b) s = ReduceSum<keepdims = 0>(c) y = {GRADIENT}<xs = ["x"], zs = ["w"], y = "s">(x, w)',
)
add(
    "second_order_of_network",
    "",
    {"x": real(4, 3), "w": real(3, 2)},
    lambda x, w: slope(lambda x: (x @ w).tanh().sum(), x),
    near=SUM,
    opsets={"ai.onnx.preview.training": 1},
    unjudged="it does not have the operator",
    shapes={"y": (4, 3)},
    nodes=f'a = MatMul(x, w) b = Tanh(a) s = ReduceSum<keepdims = 0>(b) y = {GRADIENT}<xs = ["x", "w"], y = "s">(x, w)',
)


def slope(function, x):
    return torch.autograd.grad(function(x), x, create_graph=True)[0]
