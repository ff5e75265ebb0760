"""From the declaration of a gradient case to its files."""

import numpy as np
import onnx

from .model import declared_outputs, gradient_model, upstream, wanted_names
from .oracle import judged, named
from .write import Files


def as_single(array):
    return array.astype(np.float32) if array.dtype == np.float64 else array


def placeholder(value):
    """Zeros of the type and shape that a ValueInfoProto declares."""
    t = value.type.tensor_type
    return np.zeros([d.dim_value for d in t.shape.dim], onnx.helper.tensor_dtype_to_np_dtype(t.elem_type))


def gradient_case(case, with_values):
    """The files, and what is suspicious. Without values the expected outputs are zeros."""
    drawn = case.draw()
    declared = declared_outputs(case, drawn)
    weights = upstream(case, declared, 0)
    rtol, atol = case.near
    model = gradient_model(case, drawn, declared, weights, rtol=rtol, atol=atol, oracle=named(case))
    onnx.checker.check_model(model)
    files, notes = Files(model), []
    outputs, gradients = wanted_names(case)
    for k in range(case.sets):
        drawn, weights = case.draw(k), upstream(case, declared, k)
        given = [(i.name, drawn[i.name] if i.name in drawn else weights[i.name.removeprefix("upstream_")]) for i in model.graph.input]
        if with_values:
            y, slopes, more = judged(case, drawn, weights)
            notes += [*more, *suspicious(case, gradients, slopes)]
            values = [as_single(v) for v in y + slopes]
        else:
            values = [placeholder(o) for o in model.graph.output]
        files.add_set(k, given, list(zip(outputs + gradients, values)))
    return files, notes


def suspicious(case, names, gradients):
    for name, g in zip(names, gradients):
        if not np.isfinite(g).all():
            yield f"{name} is not finite"
        elif not case.zero and np.abs(g).max() < 1000 * case.near[1]:
            yield f"{name} is at most {np.abs(g).max():.2g}: nothing would notice that it is wrong"
