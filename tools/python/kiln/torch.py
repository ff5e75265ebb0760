"""Weights of an ONNX file in a module of PyTorch, by the names of its parameters.

Both of PyTorch's exporters keep those names, but for what they fold: the weight of a Linear becomes the transposed second input of a MatMul, those of LSTM,
GRU and RNN are put together with their gates in ONNX' order. They are found by the scope in the node's name, or by the bias that is added behind."""

from __future__ import annotations

import os
import sys
from typing import Any, NamedTuple

import numpy as np

from . import session, summary, values
from ._library import lib, text
from .errors import BadArgument, Mismatch
from .session import initializers


class Loaded(NamedTuple):
    """As of load_state_dict: parameters of the module that the file has nothing for, and parameters of the file that the module does not have."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Node(NamedTuple):
    scope: str  # of the module that it is of, "layers.0.fc"
    op: str
    inputs: list[str]
    outputs: list[str]


# Gates in ONNX' order, by their places in PyTorch's: i o f c of i f g o; z r h of r z n.
GATES = {"LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2], "RNN": [0]}


def scope_of(name: str) -> str:
    """Of "/layers/layers.0/fc/MatMul": what is inside another has the other's name in its own, or behind it."""
    path: list[str] = []
    for part in name.strip("/").split("/")[:-1]:
        if path and part.startswith(path[-1] + "."):
            path[-1] = part
        else:
            path.append(part)
    return ".".join(path)


class File:
    """Parameters of an ONNX file, and how they are read."""

    def __init__(self, source: Any) -> None:
        context = session.new_context()
        model = session.open_model(source, context)
        self.arrays = {name: values.to_array(t) for name, t in initializers(model).items() if lib.kiln_dtype_is_float(lib.kiln_tensor_dtype(t))}
        with summary.summary_of(model) as s:
            layers = [lib.kiln_summary_layer(s, k) for k in range(lib.kiln_summary_layer_count(s))]
            self.nodes = [Node(scope_of(text(n.name) or ""), text(n.op) or "", names(n.input, n.inputs), names(n.output, n.outputs)) for n in layers]
            parameters = [lib.kiln_summary_parameter(s, k) for k in range(lib.kiln_summary_parameter_count(s))]
            self.parameters = [text(p.name) or "" for p in parameters if p.role != lib.KILN_CONSTANT]
        self.used: set[str] = set()

    def take(self, name: str) -> np.ndarray | None:
        if name in self.arrays:
            self.used.add(name)
        return self.arrays.get(name)

    def weight_of_product(self, scope: str) -> np.ndarray | None:
        """[out, in] of the MatMul of that module."""
        biased = {name for n in self.nodes if n.op == "Add" and f"{scope}.bias" in n.inputs for name in n.inputs}
        for n in self.nodes:
            if n.op == "MatMul" and n.inputs[1] in self.arrays and (n.scope == scope or n.outputs[0] in biased):
                found = self.take(n.inputs[1])
                return None if found is None else found.T
        return None

    def recurrent(self, scope: str, what: str) -> np.ndarray | None:
        """`what` is "weight_ih_l0", "bias_hh_l1_reverse"."""
        kind, part, layer, *reverse = what.split("_")
        nodes = [n for n in self.nodes if n.scope == scope and n.op in GATES]
        if kind not in ("weight", "bias") or part not in ("ih", "hh") or not layer[1:].isdigit() or int(layer[1:]) >= len(nodes):
            return None
        node = nodes[int(layer[1:])]
        place = 3 if kind == "bias" else 1 if part == "ih" else 2
        packed = self.take(node.inputs[place]) if place < len(node.inputs) else None
        if packed is None or len(packed) <= len(reverse):
            return None
        rows = packed[len(reverse)]
        if kind == "bias":
            rows = np.split(rows, 2)[part == "hh"]
        gates = np.split(rows, len(GATES[node.op]))
        return np.concatenate([gates[GATES[node.op].index(k)] for k in range(len(gates))])


def names(list_: Any, count: int) -> list[str]:
    return [text(list_[k]) or "" for k in range(count)]


def found_for(name: str, shape: tuple[int, ...], file: File, linear: bool) -> np.ndarray | None:
    scope, _, last = name.rpartition(".")
    array = file.take(name)
    if array is not None:
        read_by_product = any(n.op == "MatMul" and name in n.inputs[1:] for n in file.nodes)
        return array.T if array.ndim == 2 and read_by_product and (linear or array.shape != shape) and array.T.shape == shape else array
    if last == "weight" and len(shape) == 2:
        return file.weight_of_product(scope)
    return file.recurrent(scope, last) if "_l" in last else None


def load_weights(module: Any, path: str | os.PathLike | bytes, strict: bool = True) -> Loaded:
    """Puts the parameters and the statistics of BatchNormalization that an ONNX file has into a torch.nn.Module, in place.

    Shapes are checked before anything changes. With `strict` it is an error (kiln.errors.Mismatch) where the module has parameters that the file does not,
    or the file some that the module does not; else they are told.

    All names are kept by `torch.onnx.export(..., dynamo=True, optimize=False)`, and with dynamo=False by training=TrainingMode.TRAINING and
    do_constant_folding=False. Of what is exported otherwise a BatchNormalization that was folded into a convolution is missing, and with dynamo=True what is
    transposed and has no bias behind it."""
    file = File(path)
    modules = dict(module.named_modules()) if hasattr(module, "named_modules") else {}
    missing, wanted = [], []
    for name, tensor in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue  # ONNX has no place for it
        shape = tuple(tensor.shape)
        array = found_for(name, shape, file, type(modules.get(name.rpartition(".")[0])).__name__ == "Linear")
        if array is None:
            missing.append(name)
        elif array.shape != shape:
            raise BadArgument(f"'{name}' has the shape {shape}, in {where(path)} it has {array.shape}")
        else:
            wanted.append((tensor, array))
    left = [name for name in file.parameters if name not in file.used]
    if strict and (missing or left):
        told = [*([f"nothing for {', '.join(missing)}"] if missing else []), *([f"nothing of the module takes {', '.join(left)}"] if left else [])]
        raise Mismatch(f"{where(path)}: {'; '.join(told)}")
    for tensor, array in wanted:
        tensor.detach().copy_(as_tensor(tensor, array))
    return Loaded(missing, left)


def where(path: Any) -> str:
    return os.fsdecode(path) if isinstance(path, (str, os.PathLike)) else "the file"


def as_tensor(like: Any, array: np.ndarray) -> Any:
    torch = sys.modules.get("torch")
    return torch.from_numpy(np.array(array, order="C")) if torch is not None and isinstance(like, torch.Tensor) else array
