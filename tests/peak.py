"""One copy of the weights: the most memory that the command takes. Usage: tests/peak.py KILN
Weights of 64 MiB: a copy more than is needed would be 64 MiB more, the bound leaves a tenth, and room for the rest."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

import harness

WIDTH, LAYERS, BATCH = 2048, 4, 4
WEIGHTS = LAYERS * WIDTH * WIDTH * 4
REST = 16 << 20  # the command itself, data, activations

CASES = [  # name, copies of the weights, command
    ("load", 1, "inspect model.onnx"),
    ("convert", 1, "convert model.onnx --output out.onnx"),
    ("inference", 1, "run model.onnx"),
    ("sgd", 2, "train model.onnx --data npz:data.npz --batch 4 --optimizer sgd --threads 2 --quiet --output out.onnx"),
    ("adam", 4, "train model.onnx --data npz:data.npz --batch 4 --threads 2 --epochs 2 --save-best loss --quiet --output out.onnx"),
]


def make_inputs(at):
    random = np.random.default_rng(1)
    nodes, weights, x = [], [], "x"
    for k in range(LAYERS):
        w = random.normal(size=(WIDTH, WIDTH)).astype(np.float32) / WIDTH**0.5
        weights.append(numpy_helper.from_array(w, f"w{k}"))
        nodes += [helper.make_node("MatMul", [x, f"w{k}"], [f"h{k}"]), helper.make_node("Tanh", [f"h{k}"], [f"t{k}"])]
        x = f"t{k}"
    value = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "g", [value("x", 1, ["N", WIDTH])], [value(x, 1, ["N", WIDTH])], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), at / "model.onnx")
    values = random.normal(size=(2 * BATCH, WIDTH)).astype(np.float32)
    np.savez(at / "data.npz", x=values, y=values)


def peak(at, command):
    """How the command ended, and bytes. A small process starts it: what a child had of its parent before it began counts, too."""
    code = ("import os, resource, sys; p = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "
            "'/dev/null', os.O_WRONLY, 0)]); c = os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]); "
            "print(c, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code, harness.KILN, *command.split()], cwd=at, check=True, capture_output=True)
    return map(int, done.stdout.split())


def judge(at, copies, command):
    ended, most = peak(at, command)
    if ended:
        return f"ended with {ended}"
    bound = copies * WEIGHTS * 1.1 + REST
    return most > bound and f"takes {most / WEIGHTS:.2f} times its weights, {copies} would do"


with tempfile.TemporaryDirectory() as name:
    make_inputs(Path(name))
    for case, *words in CASES:
        harness.attempt(f"peak.{case}", judge, Path(name), *words)
sys.exit(harness.failures > 0)
