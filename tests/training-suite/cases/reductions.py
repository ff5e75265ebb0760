"""Gradients of reductions, of running sums and products, and of softmax and its kin."""

from .declare import SUM, F, Family, fixed, positive, real, scalar, spread, torch

family = Family("gradient")
add = family.add


def log_sum(x, axes, keep):
    return x.sum(axes, keepdim=keep).log()


def product(x, axes, keep):
    for axis in sorted((a % x.dim() for a in axes), reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


# {operator: (formula of x, axes and keepdims, the input)}. The newest version of each that has the axes as an input.
REDUCTIONS = {
    "ReduceL1": (lambda x, a, k: x.abs().sum(a, keepdim=k), spread),
    "ReduceL2": (lambda x, a, k: (x * x).sum(a, keepdim=k).sqrt(), real),
    "ReduceLogSum": (log_sum, positive),
    "ReduceLogSumExp": (lambda x, a, k: torch.logsumexp(x, a, keepdim=k), real),
    "ReduceMax": (lambda x, a, k: x.amax(a, keepdim=k), spread),
    "ReduceMean": (lambda x, a, k: x.mean(a, keepdim=k), real),
    "ReduceMin": (lambda x, a, k: x.amin(a, keepdim=k), spread),
    "ReduceProd": (product, positive),
    "ReduceSum": (lambda x, a, k: x.sum(a, keepdim=k), real),
    "ReduceSumSquare": (lambda x, a, k: (x * x).sum(a, keepdim=k), real),
}
for op, (formula, draw) in REDUCTIONS.items():
    name = op.lower()
    add(f"{name}_all", op, {"x": draw(2, 3, 2)}, lambda x, f=formula: f(x, (0, 1, 2), True), near=SUM)
    add(f"{name}_last_dropped", op, {"x": draw(2, 3, 4), "axes": fixed(-1)}, lambda x, a, f=formula: f(x, (2,), False), near=SUM, keepdims=0)
    add(f"{name}_two_kept", op, {"x": draw(2, 3, 2), "axes": fixed(0, 2)}, lambda x, a, f=formula: f(x, (0, 2), True), near=SUM)
add("reducesum_no_axes_is_identity", "ReduceSum", {"x": real(2, 3), "axes": fixed()}, lambda x, a: x * 1, noop_with_empty_axes=1)
add("reducelogsumexp_far", "ReduceLogSumExp", {"x": real(3, 4, low=-200, high=200), "axes": fixed(1)}, lambda x, a: torch.logsumexp(x, 1), keepdims=0, near=SUM)
add("reducel2_square_rows", "ReduceL2", {"x": real(5, 3, low=-9, high=9), "axes": fixed(1)}, lambda x, a: (x * x).sum(1, keepdim=True).sqrt(), near=SUM)
add(
    "reduceprod_with_zero",
    "",
    {"x": spread(2, 3)},
    lambda x: (x * torch.tensor([[0.0, 1, 1], [1, 1, 1]], dtype=x.dtype)).prod(1),
    near=SUM,
    nodes="m = Constant<value = float[2, 3] {0, 1, 1, 1, 1, 1}>() z = Mul(x, m) a = Constant<value_ints = [1]>() y = ReduceProd<keepdims = 0>(z, a)",
)

# -- along an axis --

add("cumsum", "CumSum", {"x": real(2, 4), "axis": scalar(1, "int64")}, lambda x, a: x.cumsum(1), near=SUM)
add("cumsum_first_axis", "CumSum", {"x": real(3, 4), "axis": scalar(0, "int64")}, lambda x, a: x.cumsum(0), near=SUM)
add("cumsum_exclusive", "CumSum", {"x": real(2, 4), "axis": scalar(1, "int64")}, lambda x, a: x.cumsum(1) - x, near=SUM, exclusive=1)
add("cumsum_reverse", "CumSum", {"x": real(2, 4), "axis": scalar(-1, "int64")}, lambda x, a: x.flip(1).cumsum(1).flip(1), near=SUM, reverse=1)
add(
    "cumsum_exclusive_reverse",
    "CumSum",
    {"x": real(2, 4), "axis": scalar(1, "int64")},
    lambda x, a: x.flip(1).cumsum(1).flip(1) - x,
    near=SUM,
    exclusive=1,
    reverse=1,
)
add("cumprod", "CumProd", {"x": positive(2, 4), "axis": scalar(1, "int64")}, lambda x, a: x.cumprod(1), near=SUM, opset=26)
add("cumprod_exclusive", "CumProd", {"x": positive(2, 4), "axis": scalar(1, "int64")}, lambda x, a: x.cumprod(1) / x, near=SUM, opset=26, exclusive=1)
add("cumprod_reverse", "CumProd", {"x": positive(2, 4), "axis": scalar(1, "int64")}, lambda x, a: x.flip(1).cumprod(1).flip(1), near=SUM, opset=26, reverse=1)
add("softmax", "Softmax", {"x": real(3, 5, low=-2, high=2)}, lambda x: x.softmax(-1), near=SUM)
add("softmax_axis", "Softmax", {"x": real(2, 3, 4, low=-2, high=2)}, lambda x: x.softmax(1), near=SUM, axis=1)
add("softmax_far", "Softmax", {"x": real(3, 5, low=-90, high=90)}, lambda x: x.softmax(-1), near=SUM, zero=True)
add("logsoftmax", "LogSoftmax", {"x": real(3, 5, low=-2, high=2)}, lambda x: x.log_softmax(-1), near=SUM)
add("logsoftmax_axis", "LogSoftmax", {"x": real(2, 3, 4, low=-2, high=2)}, lambda x: x.log_softmax(0), near=SUM, axis=0)
add("logsoftmax_far", "LogSoftmax", {"x": real(3, 5, low=-90, high=90)}, lambda x: x.log_softmax(-1), near=SUM)
add("hardmax_has_none", "", {"x": spread(2, 4)}, lambda x: x * F.one_hot(x.argmax(1), 4), nodes="z = Hardmax(x) y = Mul(x, z)")
add("topk", "TopK", {"x": spread(3, 6), "k": fixed(3)}, lambda x, k: tuple(x.topk(3)), outputs=("values", "indices"))
add(
    "topk_smallest_of_columns",
    "TopK",
    {"x": spread(5, 2), "k": fixed(2)},
    lambda x, k: tuple(x.topk(2, 0, largest=False)),
    outputs=("values", "indices"),
    axis=0,
    largest=0,
)
add("lpnormalization", "LpNormalization", {"x": spread(3, 4)}, lambda x: x / (x * x).sum(-1, keepdim=True).sqrt(), near=SUM)
add(
    "lpnormalization_1",
    "LpNormalization",
    {"x": spread(3, 4)},
    lambda x: x / x.abs().sum(0, keepdim=True),
    near=SUM,
    unjudged="it takes the sum of the numbers for the sum of their absolutes",
    p=1,
    axis=0,
)
add("det", "Det", {"x": real(3, 3)}, lambda x: x.det(), near=SUM)
add("det_batch", "Det", {"x": real(2, 2, 2)}, lambda x: x.det(), near=SUM)
add(
    "det_singular",
    "",
    {"x": real(3)},
    lambda x: torch.stack([x, 2 * x, torch.tensor([1.0, -1, 3], dtype=x.dtype) + 0 * x]).det(),
    near=SUM,
    zero=True,
    nodes="two = Constant<value_float = 2.0>() c = Constant<value = float[1, 3] {1, -1, 3}>() o = Constant<value_ints = [0]>() a = Unsqueeze(x, o) b = Mul(a, two) z = Concat<axis = 0>(a, b, c) y = Det(z)",
)
