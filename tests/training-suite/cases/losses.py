"""Losses with their gradients: the standard's two with every reduction, weights, labels that are ignored and more dimensions; and some that are built of operators."""

import numpy as np

from .declare import SUM, F, Family, held, positive, real

family = Family("loss")
add = family.add
LABELS = {
    "2d": np.array([2, 0, 3, 1, 1]),
    "3d": np.array([[2, 0, 3], [1, 1, 0]]),
    "4d": np.array([[[2, 0], [3, 1]], [[1, 1], [0, 2]]]),
}
IGNORED = {"2d": np.array([2, 0, 3, 0, 1]), "3d": np.array([[2, -1, 3], [-1, 1, 0]]), "4d": np.array([[[2, 9], [3, 1]], [[9, 1], [0, 2]]])}
IGNORE = {"2d": 0, "3d": -1, "4d": 9}
SCORES = {"2d": (5, 4), "3d": (2, 4, 3), "4d": (2, 4, 2, 2)}


def entropy(name, shape, labels, reduction, weighted=False, with_log=False, ignore=None, low=-2, unjudged=""):
    attributes = {} if reduction is None else {"reduction": reduction}
    attributes |= {} if ignore is None else {"ignore_index": ignore}

    def formula(x, labels, w=None):
        loss = F.cross_entropy(x, labels.long(), w, ignore_index=-100 if ignore is None else ignore, reduction=reduction or "mean")
        return (loss, x.log_softmax(1)) if with_log else loss

    inputs = {"scores": real(*shape, low=low, high=-low), "labels": held(labels), **({"weights": held(positive(4))} if weighted else {})}
    add(
        f"softmax_cross_entropy_{name}",
        "SoftmaxCrossEntropyLoss",
        inputs,
        formula,
        outputs=("loss", "log_prob") if with_log else ("loss",),
        near=SUM,
        unjudged=unjudged,
        **attributes,
    )


def likelihood(name, shape, labels, reduction, weighted=False, ignore=None):
    attributes = {} if reduction is None else {"reduction": reduction}
    attributes |= {} if ignore is None else {"ignore_index": ignore}

    def formula(x, labels, w=None):
        return F.nll_loss(x, labels.long(), w, ignore_index=-100 if ignore is None else ignore, reduction=reduction or "mean")

    inputs = {"x": real(*shape, low=-3, high=0), "labels": held(labels), **({"weights": held(positive(4))} if weighted else {})}
    unjudged = "it takes an ignore_index of -1 for none" if ignore == -1 and not weighted and reduction == "mean" else ""
    add(f"negative_log_likelihood_{name}", "NegativeLogLikelihoodLoss", inputs, formula, outputs=("loss",), near=SUM, unjudged=unjudged, **attributes)


for rank, shape in SCORES.items():
    for reduction in "mean", "sum", "none":
        for build in entropy, likelihood:
            build(f"{rank}_{reduction}", shape, LABELS[rank], reduction)
            build(f"{rank}_{reduction}_weights", shape, LABELS[rank], reduction, weighted=True)
            build(f"{rank}_{reduction}_ignored", shape, IGNORED[rank], reduction, ignore=IGNORE[rank])
            build(f"{rank}_{reduction}_weights_ignored", shape, IGNORED[rank], reduction, weighted=True, ignore=IGNORE[rank])
for reduction in "mean", "sum", "none":
    entropy(f"log_prob_{reduction}", (5, 4), LABELS["2d"], reduction, with_log=True)
    entropy(f"log_prob_{reduction}_weights_ignored", (2, 4, 3), IGNORED["3d"], reduction, weighted=True, with_log=True, ignore=-1)
entropy("labels_int32", (5, 4), LABELS["2d"].astype(np.int32), None)
likelihood("labels_int32", (5, 4), LABELS["2d"].astype(np.int32), None)
entropy("far", (5, 4), LABELS["2d"], "mean", low=-90)

# -- built of operators, as a file that trains says them --


def built(name, inputs, formula, nodes, **more):
    add(name, "", inputs, formula, outputs=("loss",), near=SUM, nodes=nodes, **more)


PAIR = {"x": real(4, 3), "target": held(real(4, 3))}
built("mean_squared_error", PAIR, lambda x, t: F.mse_loss(x, t), "d = Sub(x, target) s = Mul(d, d) loss = ReduceMean<keepdims = 0>(s)")
built("mean_absolute_error", PAIR, lambda x, t: F.l1_loss(x, t), "d = Sub(x, target) s = Abs(d) loss = ReduceMean<keepdims = 0>(s)")
built(
    "huber",
    {"x": real(4, 3, low=-3, high=3), "target": held(real(4, 3))},
    lambda x, t: F.huber_loss(x, t),
    """d = Sub(x, target) a = Abs(d) half = Constant<value_float = 0.5>() one = Constant<value_float = 1.0>() near = LessOrEqual(a, one) q = Mul(d, d) h = Mul(half, q) l = Sub(a, half)
    w = Where(near, h, l) loss = ReduceMean<keepdims = 0>(w)""",
)
ZEROS_AND_ONES = np.array([[1, 0, 1], [0, 0, 1], [1, 1, 0], [0, 1, 0]], np.float32)
built(
    "binary_cross_entropy",
    {"x": real(4, 3, low=0.1, high=0.9), "target": held(ZEROS_AND_ONES)},
    lambda x, t: F.binary_cross_entropy(x, t),
    """one = Constant<value_float = 1.0>() l = Log(x) a = Mul(target, l) u = Sub(one, x) v = Sub(one, target) m = Log(u) b = Mul(v, m) s = Add(a, b) n = Neg(s) loss = ReduceMean<keepdims = 0>(n)""",
)
built(
    "binary_cross_entropy_of_scores",
    {"x": real(4, 3, low=-4, high=4), "target": held(ZEROS_AND_ONES)},
    lambda x, t: F.binary_cross_entropy_with_logits(x, t),
    "p = Softplus(x) m = Mul(x, target) d = Sub(p, m) loss = ReduceMean<keepdims = 0>(d)",
)
built(
    "kullback_leibler",
    {"x": real(4, 3), "target": held(np.full((4, 3), 1 / 3, np.float32))},
    lambda x, t: F.kl_div(x.log_softmax(1), t, reduction="batchmean"),
    """p = LogSoftmax(x) q = Log(target) d = Sub(q, p) m = Mul(target, d) s = ReduceSum<keepdims = 0>(m) four = Constant<value_float = 4.0>() loss = Div(s, four)""",
)
built(
    "cosine_similarity",
    PAIR,
    lambda x, t: -F.cosine_similarity(x, t).mean(),
    """last = Constant<value_ints = [-1]>() a = LpNormalization(x) b = LpNormalization(target) m = Mul(a, b) s = ReduceSum<keepdims = 0>(m, last) c = ReduceMean<keepdims = 0>(s) loss = Neg(c)""",
)
built(
    "hinge",
    {"x": real(4, 3, low=-2, high=2), "target": held(2 * ZEROS_AND_ONES - 1)},
    lambda x, t: (1 - x * t).relu().mean(),
    "one = Constant<value_float = 1.0>() m = Mul(x, target) d = Sub(one, m) r = Relu(d) loss = ReduceMean<keepdims = 0>(r)",
)
