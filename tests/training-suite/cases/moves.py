"""Gradients of what moves numbers and computes nothing: what comes from several places is added, what is dropped has none."""

import numpy as np

from .declare import EXACT, F, Family, fixed, held, real, scalar, torch

family = Family("gradient")


def add(name, op, inputs, formula=None, near=EXACT, **more):
    family.add(name, op, inputs, formula, near=near, **more)


add("transpose", "Transpose", {"x": real(2, 3, 4)}, lambda x: x.permute(2, 0, 1), perm=[2, 0, 1])
add("transpose_default", "Transpose", {"x": real(2, 3, 4)}, lambda x: x.permute(2, 1, 0))
add("reshape", "Reshape", {"x": real(2, 3, 4), "shape": fixed(0, -1)}, lambda x, s: x.reshape(2, 12))
add("flatten", "Flatten", {"x": real(2, 3, 4)}, lambda x: x.reshape(6, 4), axis=2)
add("squeeze", "Squeeze", {"x": real(1, 3, 1, 2), "axes": fixed(0, 2)}, lambda x, a: x.reshape(3, 2))
add("squeeze_all", "Squeeze", {"x": real(1, 3, 1, 2)}, lambda x: x.reshape(3, 2))
add("unsqueeze", "Unsqueeze", {"x": real(3, 2), "axes": fixed(0, -1)}, lambda x, a: x.reshape(1, 3, 2, 1))
add("concat", "Concat", {"a": real(2, 1), "b": real(2, 3), "c": real(2, 2)}, lambda *x: torch.cat(x, 1), axis=1)
add("concat_itself", "", {"a": real(2, 2)}, lambda a: torch.cat([a, a], 0), near=(1e-6, 1e-6), nodes="y = Concat<axis = -2>(a, a)")
add("split", "Split", {"x": real(2, 6), "parts": fixed(1, 3, 2)}, lambda x, p: x.split([1, 3, 2], 1), outputs=("a", "b", "c"), axis=1)
add("split_even", "Split", {"x": real(5, 2)}, lambda x: x.split([2, 2, 1]), outputs=("a", "b", "c"), num_outputs=3)
add("split_of_which_one_is_used", "", {"x": real(2, 6)}, lambda x: x[:, 2:4] * 2, nodes="a, b, c = Split<axis = 1, num_outputs = 3>(x) y = Add(b, b)")
add("slice", "Slice", {"x": real(4, 5), "starts": fixed(1, 0), "ends": fixed(3, 4)}, lambda x, *_: x[1:3, 0:4])
add("slice_steps_and_axes", "Slice", {"x": real(3, 6), "starts": fixed(1), "ends": fixed(100), "axes": fixed(1), "steps": fixed(2)}, lambda x, *_: x[:, 1::2])
add(
    "slice_backwards",
    "Slice",
    {"x": real(2, 6), "starts": fixed(-1), "ends": fixed(-100), "axes": fixed(-1), "steps": fixed(-2)},
    lambda x, *_: x.flip(1)[:, ::2],
)
add("expand", "Expand", {"x": real(3, 1), "shape": fixed(2, 3, 4)}, lambda x, s: x.expand(2, 3, 4), near=(1e-6, 1e-6))
add("expand_shape_of_ones", "Expand", {"x": real(2, 3), "shape": fixed(1, 1)}, lambda x, s: x * 1)
add("tile", "Tile", {"x": real(2, 3), "repeats": fixed(2, 3)}, lambda x, r: x.repeat(2, 3), near=(1e-6, 1e-6))
add("pad", "Pad", {"x": real(2, 3), "pads": fixed(1, 0, 0, 2)}, lambda x, p: F.pad(x, (0, 2, 1, 0)))
add("pad_value", "Pad", {"x": real(2, 3), "pads": fixed(1, 1, 1, 1), "value": real()}, lambda x, p, v: F.pad(x - v, (1, 1, 1, 1)) + v, near=(1e-6, 1e-6))
add("pad_negative", "Pad", {"x": real(3, 4), "pads": fixed(-1, 1, 0, -2)}, lambda x, p: F.pad(x, (1, -2, -1, 0)), unjudged="it has no negative pads")
add(
    "pad_edge",
    "Pad",
    {"x": real(1, 1, 3, 3), "pads": fixed(0, 0, 1, 2, 0, 0, 2, 0)},
    lambda x, p: F.pad(x, (2, 0, 1, 2), mode="replicate"),
    near=(1e-6, 1e-6),
    mode="edge",
)
add(
    "pad_reflect",
    "Pad",
    {"x": real(1, 1, 4, 4), "pads": fixed(0, 0, 1, 2, 0, 0, 2, 0)},
    lambda x, p: F.pad(x, (2, 0, 1, 2), mode="reflect"),
    near=(1e-6, 1e-6),
    mode="reflect",
)
add(
    "pad_wrap",
    "Pad",
    {"x": real(1, 1, 4, 4), "pads": fixed(0, 0, 1, 2, 0, 0, 2, 0)},
    lambda x, p: F.pad(x, (2, 0, 1, 2), mode="circular"),
    near=(1e-6, 1e-6),
    opset=19,
    mode="wrap",
)
add("pad_axes", "Pad", {"x": real(2, 3), "pads": fixed(1, 2), "value": None, "axes": fixed(1)}, lambda x, *_: F.pad(x, (1, 2)))
add("centercroppad", "CenterCropPad", {"x": real(5, 3), "shape": fixed(3, 6)}, lambda x, s: F.pad(x[1:4], (1, 2)))
add("trilu_upper", "Trilu", {"x": real(3, 4)}, lambda x: x.triu())
add("trilu_lower_k", "Trilu", {"x": real(2, 3, 3), "k": scalar(-1, "int64")}, lambda x, k: x.tril(-1), upper=0)
add("compress", "Compress", {"x": real(4, 3), "condition": fixed(True, False, True, True, dtype=bool)}, lambda x, c: x[[0, 2, 3]], shapes={"y": (3, 3)}, axis=0)
add("compress_flat", "Compress", {"x": real(2, 3), "condition": held([True, False, True, True])}, lambda x, c: x.flatten()[[0, 2, 3]], shapes={"y": (3,)})
add(
    "reversesequence",
    "ReverseSequence",
    {"x": real(4, 3), "lengths": held(np.array([1, 3, 4]))},
    lambda x, n: torch.stack([torch.cat([x[:k, b].flip(0), x[k:, b]]) for b, k in enumerate((1, 3, 4))], 1),
)

# -- by indices: gradients of a place that is taken several times are added --

ADDED = (1e-6, 1e-6)
add("gather", "Gather", {"x": real(4, 3), "indices": held(np.array([0, 3, 0, 2]))}, lambda x, i: x[i], near=ADDED)
add("gather_axis_negative", "Gather", {"x": real(2, 4), "indices": held(np.array([[0, -1], [-1, 2]]))}, lambda x, i: x[:, i], near=ADDED, axis=1)
add("gather_scalar_index", "Gather", {"x": real(4, 3), "indices": held(np.array(2))}, lambda x, i: x[i])
add("gatherelements", "GatherElements", {"x": real(3, 3), "indices": held(np.array([[0, 2, 0], [1, 2, 1]]))}, lambda x, i: x.gather(0, i), near=ADDED)
add(
    "gatherelements_axis",
    "GatherElements",
    {"x": real(2, 3), "indices": held(np.array([[0, 2, 0, -1], [1, 1, 1, 0]]))},
    lambda x, i: x.gather(1, i % 3),
    near=ADDED,
    axis=1,
)
add("gathernd", "GatherND", {"x": real(3, 2, 2), "indices": held(np.array([[0, 1], [2, 0], [0, 1]]))}, lambda x, i: x[i[:, 0], i[:, 1]], near=ADDED)
add("gathernd_batch_dims", "GatherND", {"x": real(2, 3, 2), "indices": held(np.array([[1], [2]]))}, lambda x, i: torch.stack([x[0, 1], x[1, 2]]), batch_dims=1)
PLACES, ROWS = np.array([[1, 0, 2], [0, 2, 1]]), np.array([[2], [0]])
add("scatterelements", "ScatterElements", {"x": real(3, 3), "indices": held(PLACES), "updates": real(2, 3)}, lambda x, i, u: x.scatter(0, i, u))
add(
    "scatterelements_axis",
    "ScatterElements",
    {"x": real(2, 4), "indices": held(np.array([[1, 3], [0, -1]])), "updates": real(2, 2)},
    lambda x, i, u: x.scatter(1, i % 4, u),
    axis=1,
)
add(
    "scatterelements_add",
    "ScatterElements",
    {"x": real(3, 3), "indices": held(np.array([[1, 0, 2], [1, 2, 2]])), "updates": real(2, 3)},
    lambda x, i, u: x.scatter_add(0, i, u),
    reduction="add",
)
add(
    "scatterelements_mul",
    "ScatterElements",
    {"x": real(3, 3), "indices": held(np.array([[1, 0, 2], [1, 2, 2]])), "updates": real(2, 3, low=0.5)},
    lambda x, i, u: x.scatter_reduce(0, i, u, "prod"),
    near=(1e-5, 1e-6),
    reduction="mul",
)
add(
    "scatterelements_max",
    "ScatterElements",
    {"x": real(3, 3), "indices": held(np.array([[1, 0, 2], [1, 2, 2]])), "updates": real(2, 3)},
    lambda x, i, u: x.scatter_reduce(0, i, u, "amax"),
    reduction="max",
)
add(
    "scatterelements_min",
    "ScatterElements",
    {"x": real(3, 3), "indices": held(np.array([[1, 0, 2], [1, 2, 2]])), "updates": real(2, 3)},
    lambda x, i, u: x.scatter_reduce(0, i, u, "amin"),
    reduction="min",
)
add("scatternd", "ScatterND", {"x": real(3, 2), "indices": held(ROWS), "updates": real(2, 2)}, lambda x, i, u: torch.stack([u[1], x[1], u[0]]))
add(
    "scatternd_add",
    "ScatterND",
    {"x": real(3, 2), "indices": held(np.array([[2], [2]])), "updates": real(2, 2)},
    lambda x, i, u: x.index_add(0, i[:, 0], u),
    reduction="add",
)
add(
    "scatternd_mul",
    "ScatterND",
    {"x": real(3, 2), "indices": held(np.array([[2], [2]])), "updates": real(2, 2, low=0.5)},
    lambda x, i, u: torch.cat([x[:2], x[2:] * u[:1] * u[1:]]),
    near=(1e-5, 1e-6),
    reduction="mul",
)
add(
    "scatternd_elements",
    "ScatterND",
    {"x": real(3, 2), "indices": held(np.array([[2, 0], [0, 1]])), "updates": real(2)},
    lambda x, i, u: x.index_put((i[:, 0], i[:, 1]), u),
)
add(
    "scatter",
    "Scatter",
    {"x": real(3, 3), "indices": held(PLACES), "updates": real(2, 3)},
    lambda x, i, u: x.scatter(0, i, u),
    opset=10,
    unjudged="it does not have the operator",
)
add(
    "onehot_values",
    "OneHot",
    {"indices": held(np.array([2, 0, -1])), "depth": scalar(4, "int64"), "values": real(2)},
    lambda i, d, v: v[0] + (v[1] - v[0]) * F.one_hot(i % 4, 4),
    near=ADDED,
)
add(
    "sequence_concatenated",
    "",
    {"a": real(2, 2), "b": real(1, 2)},
    lambda a, b: torch.cat([b, a, b]),
    near=ADDED,
    shapes={"y": (4, 2)},
    nodes="s = SequenceConstruct(a, b) zero = Constant<value_int = 0>() u = SequenceInsert(s, b, zero) y = ConcatFromSequence<axis = 0>(u)",
)
add(
    "sequence_of_parts",
    "",
    {"x": real(4, 2)},
    lambda x: x[2:3] * x[0:1],
    near=(1e-6, 1e-6),
    shapes={"y": (1, 2)},
    nodes="zero = Constant<value_int = 0>() one = Constant<value_int = 1>() two = Constant<value_int = 2>() s = SplitToSequence<axis = 0>(x, one) p = SequenceAt(s, two) q = SequenceAt(s, zero) y = Mul(p, q)",
)
add(
    "tensorscatter",
    "TensorScatter",
    {"past": real(2, 4, 3), "update": real(2, 2, 3), "at": held(np.array([1, 2]))},
    lambda p, u, i: torch.stack([torch.cat([p[0, :1], u[0], p[0, 3:]]), torch.cat([p[1, :2], u[1]])]),
    opset=24,
)
add(
    "tensorscatter_circular",
    "TensorScatter",
    {"past": real(1, 4, 3), "update": real(1, 2, 3), "at": held(np.array([3]))},
    lambda p, u, i: torch.cat([u[:, 1:], p[:, 1:3], u[:, :1]], 1),
    opset=24,
    mode="circular",
)
