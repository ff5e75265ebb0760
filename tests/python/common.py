"""What the tests of the Python package share."""

import os
from pathlib import Path

import numpy as np
from onnx import parser

PROJECT = Path(os.environ.get("KILN_PROJECT", Path(__file__).resolve().parents[2]))
KILN = os.environ.get("KILN")  # the command, where there is one
HEAD = '<ir_version: 10, opset_import: ["" : 24]>'
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def model(body):
    return parser.parse_model(f"{HEAD}\nagraph {body}")


def fails(kind, text, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except kind as e:
        assert text in str(e), f"'{e}' does not say '{text}'"
        return e
    raise AssertionError(f"no {kind.__name__}")


# A small network that learns, with BatchNormalization; its parameters are drawn.
MLP = """<ir_version: 9, opset_import: ["" : 17],
metadata_props: ["init.w": "glorot_uniform", "init.b": "zeros", "init.g": "ones", "init.o": "zeros", "init.m": "zeros", "init.v": "ones", "init.u": "glorot_uniform", "init.c": "zeros"]>
mlp (float[N, 4] x, float[4, 8] w, float[8] b, float[8] g, float[8] o, float[8] m, float[8] v, float[8, 3] u, float[3] c) => (float[N, 3] y) {
    [first] h = Gemm(x, w, b)
    [norm] n = BatchNormalization<momentum = 0.9>(h, g, o, m, v)
    r = Relu(n)
    [last] l = Gemm(r, u, c)
    y = Softmax(l)
}"""


def samples(count=96, seed=0):
    """Points about three corners, and which of them."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, count)
    corners = np.float32([[2, 0, 0, 1], [0, 2, 0, -1], [0, 0, 2, 1]])
    return corners[y] + random.normal(size=(count, 4)).astype(np.float32) * np.float32(0.3), y
