"""Dense, embeddings, products of matrices."""

import numpy as np
from keras import ops

from ..errors import Refused
from ..graph import Value, plain
from ..registry import rule
from .activation import activated
from .arithmetic import promoted
from .convolution import kernel_of


@rule("layers.Dense")
def dense(layer, inputs, graph):
    x = graph.cast(inputs[0], layer.compute_dtype)
    kernel = graph.parameter(kernel_of(graph, layer))
    if x.rank == 2:
        names = [graph.form(x), kernel] + ([graph.parameter(layer.bias)] if layer.bias is not None else [])
        v = graph.value(graph.emit("Gemm", names) if layer.bias is not None else graph.emit("MatMul", names), dtype=x.dtype)
    else:
        v = graph.value(graph.emit("MatMul", [graph.form(x), kernel]), dtype=x.dtype)
        if layer.bias is not None:
            v = graph.elementwise("Add", v, layer.bias)
    return activated(graph, layer.activation, v)


@rule("layers.EinsumDense")
def einsum_dense(layer, inputs, graph):
    x = graph.cast(inputs[0], layer.compute_dtype)
    v = einsum_of(graph, layer.equation, [x, graph.lift(kernel_of(graph, layer))], graph.frames[-1].outputs[0].shape)
    if layer.bias is not None:
        v = graph.elementwise("Add", v, layer.bias, shape=v.shape)
    return activated(graph, layer.activation, v)


def einsum_of(graph, equation, values, shape):
    """By MatMul where the equation is one: what both have first and keep, what the left keeps, what is summed, what the right keeps. Else Einsum."""
    terms, out = equation.replace(" ", "").split("->") if "->" in equation else (equation, None)
    terms = terms.split(",")
    if out is None or "." in equation or len(terms) != 2 or any(len(set(t)) != len(t) for t in [*terms, out]):
        return graph.value(graph.emit("Einsum", [graph.form(v) for v in values], equation=equation), shape)
    a, b = terms
    x, y = values
    both = [c for c in out if c in a and c in b]
    left = [c for c in out if c in a and c not in b]
    right = [c for c in out if c in b and c not in a]
    summed = [c for c in a if c in b and c not in out]
    if set(a) - set(both + left + summed) or set(b) - set(both + right + summed):
        return graph.value(graph.emit("Einsum", [graph.form(v) for v in values], equation=equation), shape)
    size = {**dict(zip(b, y.shape)), **dict(zip(a, x.shape))}
    wanted = [size[c] for c in out]

    # x [both, left..., summed] by y [both, summed, right...]; the left ones may stay several where y is a matrix.
    def placed(v, term, letters):
        order = tuple(term.index(c) for c in letters)
        return graph.form(v, order)

    def product(letters):
        sizes = [size[c] for c in letters]
        return None if None in sizes else int(np.prod(sizes))

    def merged(name, letters, groups):
        """Every group becomes one dimension."""
        was = [size[c] for c in letters]
        now = [size[g[0]] if len(g) == 1 else product(g) for g in groups]
        return name if len(letters) == len(groups) else graph.reshape(name, now, was)

    weights = not both
    left_groups = [[c] for c in both + left] + [summed] if weights else [[c] for c in both] + [left, summed]
    right_groups = [summed, right] if weights else [[c] for c in both] + [summed, right]
    if any(not g for g in left_groups + right_groups) or sum(product(g) is None for g in left_groups) > 2:
        return graph.value(graph.emit("Einsum", [graph.form(v) for v in values], equation=equation), shape)
    p = merged(placed(x, a, both + left + summed), both + left + summed, left_groups)
    q = merged(placed(y, b, both + summed + right), both + summed + right, right_groups)
    name = graph.emit("MatMul", [p, q])
    made = both + left + right
    if len(right) > 1 or not weights and len(left) > 1:
        was = [size[c] for c in both + left] + [product(right)] if weights else [size[c] for c in both] + [product(left), product(right)]
        name = graph.reshape(name, [size[c] for c in made], was)
    v = Value([size[c] for c in out], x.dtype, {tuple(out.index(c) for c in made): name})
    if shape is not None:
        v.shape = tuple(s if w is None else w for s, w in zip(shape, wanted))
    return v


@rule("numpy.Einsum")
def einsum(operation, inputs, graph):
    values = promoted(graph, *inputs_of(graph))
    return einsum_of(graph, operation.subscripts, values, graph.frames[-1].outputs[0].shape)


def inputs_of(graph):
    import keras

    return [v for v in keras.tree.flatten(list(graph.frames[-1].arguments.values())) if not isinstance(v, (str, type(None)))]


@rule("numpy.Matmul")
def matmul(operation, inputs, graph):
    a, b = promoted(graph, *list(graph.frames[-1].arguments.values())[:2])
    return graph.value(graph.emit("MatMul", [graph.form(a), graph.form(b)]), dtype=a.dtype)


@rule("numpy.Dot")
def dot(operation, inputs, graph):
    a, b = promoted(graph, *list(graph.frames[-1].arguments.values())[:2])
    if b.rank > 2:
        raise Refused("is a product by an array of more than two dimensions: use matmul or tensordot")
    if not a.rank or not b.rank:
        return graph.elementwise("Mul", a, b)
    return graph.value(graph.emit("MatMul", [graph.form(a), graph.form(b)]), dtype=a.dtype)


@rule("numpy.Tensordot")
def tensordot(operation, inputs, graph):
    a, b = promoted(graph, *list(graph.frames[-1].arguments.values())[:2])
    axes = operation.axes
    if isinstance(axes, int):
        axes = (list(range(a.rank - axes, a.rank)), list(range(axes)))
    ours, theirs = ([x % v.rank for x in (ax if isinstance(ax, (list, tuple)) else [ax])] for ax, v in zip(axes, (a, b)))
    letters = "abcdefghijklmnopqrstuvwxyz"
    first = list(letters[: a.rank])
    second = list(letters[a.rank : a.rank + b.rank])
    for i, k in zip(ours, theirs):
        second[k] = first[i]
    kept = [c for i, c in enumerate(first) if i not in ours] + [c for i, c in enumerate(second) if i not in theirs]
    return einsum_of(graph, f"{''.join(first)},{''.join(second)}->{''.join(kept)}", [a, b], graph.frames[-1].outputs[0].shape)


@rule("layers.Dot")
def dot_layer(layer, inputs, graph):
    a, b = inputs
    axes = layer.axes if isinstance(layer.axes, (tuple, list)) else (layer.axes, layer.axes)
    i, k = axes[0] % a.rank, axes[1] % b.rank

    def made(a, b):
        if layer.normalize:
            a, b = ops.normalize(a, axis=i, epsilon=1e-12), ops.normalize(b, axis=k, epsilon=1e-12)
        letters = "abcdefghijklmnop"
        first, second = list(letters[: a.ndim]), list(letters[a.ndim : a.ndim + b.ndim])
        second[0], second[k] = first[0], first[i]
        kept = [c for n, c in enumerate(first) if n != i] + [c for n, c in enumerate(second) if n not in (0, k)]
        y = ops.einsum(f"{''.join(first)},{''.join(second)}->{''.join(kept)}", a, b)
        return ops.expand_dims(y, -1) if a.ndim == 2 and b.ndim == 2 else y

    return graph.call(made, a, b)


@rule("layers.Embedding", "layers.ReversibleEmbedding")
def embedding(layer, inputs, graph):
    if graph.frames[-1].arguments.get("reverse"):
        return reversed_embedding(layer, inputs[0], graph)
    table = kernel_of(graph, layer, "embeddings")
    x = inputs[0]
    if x.dtype not in ("int32", "int64"):
        x = graph.cast(x, "int32")
    return graph.value(graph.emit("Gather", [graph.parameter(table), graph.form(x)], axis=0), dtype=str(table.dtype) if table.dtype == "float64" else "float32")


def reversed_embedding(layer, x, graph):
    def made(x):
        kernel = ops.transpose(layer.embeddings) if layer.tie_weights else layer.reverse_embeddings
        y = ops.matmul(x, kernel)
        return y if layer.logit_soft_cap is None else ops.tanh(y / layer.logit_soft_cap) * layer.logit_soft_cap

    x = graph.cast(x, "float32")
    if layer.tie_weights:
        name = graph.emit("Transpose", [graph.parameter(layer.embeddings)], perm=[1, 0])
        v = graph.value(graph.emit("MatMul", [graph.form(x), name]), dtype=x.dtype)
        cap = layer.logit_soft_cap
        return v if cap is None else graph.call(lambda y: ops.tanh(y / cap) * cap, v)
    return graph.call(made, x)


@rule("nn.OneHot")
def one_hot_operation(operation, inputs, graph):
    return one_hot(graph, inputs[0], operation.num_classes, operation.axis, operation.dtype or "float32")


def one_hot(graph, x, depth, axis=-1, dtype="float32", shape=None):
    """A comparison with each class: what is none of them is zeros everywhere, as in Keras (ONNX' OneHot counts -1 from behind)."""
    x = graph.cast(x, "int32") if x.dtype not in ("int32", "int64") else x
    axis = axis % (x.rank + 1)
    wide = graph.emit("Unsqueeze", [graph.form(x), graph.ints([axis])])
    classes = np.arange(depth).reshape([-1 if d == axis else 1 for d in range(x.rank + 1)])
    name = graph.emit("Equal", [wide, graph.constant(classes, x.dtype)])
    shape = shape or x.shape[:axis] + (depth,) + x.shape[axis:]
    return graph.cast(Value(shape, "bool", {plain(len(shape)): name}), dtype)


@rule("nn.MultiHot")
def multi_hot_operation(operation, inputs, graph):
    x = inputs[0]
    hot = one_hot(graph, x, operation.num_classes, -1, "float32")
    axis = 1 if x.rank > 1 else 0
    return graph.cast(graph.call(lambda h: ops.max(h, axis=axis), hot), operation.dtype)
