"""Steps whose point is what a training_info binds: statistics, several of them in turn, the main graph's own outputs, an initialization; and networks of other kinds."""

import numpy as np

from . import formulas
from . import optimizers as opt
from .declare import F, torch
from .steps import (
    Info,
    Steps,
    algorithm,
    bound,
    by_optimizer,
    by_torch,
    cases,
    classified,
    even,
    gradients,
    network_loss,
    rng_of,
    start_of,
    states_of,
    NAMES,
    NETWORK,
    PREVIEW,
    TAIL,
)


def double(a):
    return torch.tensor(np.asarray(a).astype(np.float64))


def trained(
    name,
    main,
    values,
    x,
    outputs,
    loss_of,
    batches,
    o=None,
    rate=0.1,
    names=None,
    tail=TAIL,
    more="",
    extra=None,
    scale=None,
    kept=(),
    labels=("int64", ["N"]),
    fixed=None,
    computed_rate=False,
    peer=True,
):
    """A network with another main graph, or another way from the gradients to the optimiser. `fixed`: initializers that are no parameters. `kept`: more that is bound."""
    o, names, rate = o or opt.sgd(), names or list(values), float(np.float32(rate))
    extra = {
        "step": np.int64(0),
        "one": np.int64(1),
        **({} if computed_rate else {"rate": np.float32(rate)}),
        **{k: np.float32(v) for k, v in o.constants.items()},
        **states_of(o, values, names),
        **(extra or {}),
    }
    info = Info(algorithm(o, names, rate, tail, more), extra, {"labels": labels}, bound(o, names) | {k: f"next_{k}" for k in kept}, ("loss",))
    step = by_optimizer(o, rate, names, loss_of, scale)
    peer = by_torch(o, rate, loss_of) if peer and o.peer and not fixed else None
    cases.append(Steps(f"step_{name}", main, values | (fixed or {}), x, outputs, [info], batches, step, peer=peer))
    return cases[-1]


X, P = {"x": ("float32", ["N", 4])}, {"p": ("float32", ["N", 3])}

# -- what happens to the rate and to the gradients --

rng = rng_of("schedule")
FALL = float(np.float32(0.8))
trained(
    "rate_that_falls",
    NETWORK,
    start_of(rng),
    X,
    P,
    network_loss,
    classified(rng),
    more="fall = Pow(eight_tenths, step) rate = Mul(first_rate, fall)",
    rate=0.2,
    computed_rate=True,
    peer=False,
    extra={"eight_tenths": np.float32(0.8), "first_rate": np.float32(0.2)},
    scale=lambda s, g: (float(np.float32(0.2)) * FALL ** int(s["step"]), g),
)


def clipped(state, slopes):
    norm = np.sqrt(sum((g * g).sum() for g in slopes))
    return 0.5, [g * min(1.0, float(np.float32(0.1)) / norm) for g in slopes]


rng = rng_of("clipping")
squares = " ".join(f"q_{n} = ReduceSumSquare<keepdims = 0>(g_{n})" for n in NAMES)
CLIPPING = f"{squares} q = Sum({', '.join(f'q_{n}' for n in NAMES)}) norm = Sqrt(q) ratio = Div(most, norm) factor = Min(ratio, unit) {' '.join(f'd_{n} = Mul(g_{n}, factor)' for n in NAMES)}"
trained(
    "clipped_by_norm",
    NETWORK,
    start_of(rng),
    X,
    P,
    network_loss,
    classified(rng),
    tail=TAIL.replace("{d}", ", ".join(f"g_{n}" for n in NAMES)),
    more=CLIPPING,
    rate=0.5,
    peer=False,
    extra={"most": np.float32(0.1), "unit": np.float32(1)},
    scale=clipped,
)

# -- statistics --

MOMENTUM, EPSILON = float(np.float32(0.9)), float(np.float32(1e-3))


DENSE = "a{t} = MatMul(x, w) {bn} r{t} = Tanh(n{t}) z{t} = MatMul(r{t}, v)"
CONVOLUTION = "a{t} = Conv(x, w) {bn} r{t} = Tanh(n{t}) f{t} = ReduceMean<keepdims = 0>(r{t}, places) z{t} = MatMul(f{t}, v)"
INFERENCE = "n = BatchNormalization<epsilon = 0.001>(a, scale, b, mean, variance)"
TRAINING = "n_t, next_mean, next_variance = BatchNormalization<epsilon = 0.001, momentum = 0.9, training_mode = 1>(a_t, scale, b, mean, variance)"


def normalising(kind, nodes, values, shape, axes, forward):
    """The algorithm has its own copy of the nodes, in training mode; the running variance is of the population. forward(p, x, normalise) -> scores."""
    rng = rng_of("normalising" + kind)
    n = values["v"].shape[0]
    values |= {"scale": np.ones(n, np.float32), "b": np.zeros(n, np.float32), "mean": np.zeros(n, np.float32), "variance": np.ones(n, np.float32)}
    batches = [{"x": even(rng, k, *shape, high=2), "labels": rng.integers(0, 3, k)} for k in (5, 5, 3, 5)]
    seen = {}

    def loss_of(batch):
        def loss(p):
            def normalise(a):
                mean, variance = a.mean(axes), a.var(axes, unbiased=False)
                seen.update(mean=mean.detach().numpy(), variance=variance.detach().numpy())
                each = [1, -1] + [1] * (a.dim() - 2)
                return (a - mean.reshape(each)) / (variance.reshape(each) + EPSILON).sqrt() * p["scale"].reshape(each) + p["b"].reshape(each)

            return F.cross_entropy(forward(p, double(batch["x"]), normalise), torch.tensor(batch["labels"]))

        return loss

    o, rate, names = opt.sgd(), float(np.float32(0.1)), ["w", "scale", "b", "v"]
    weights = by_optimizer(o, rate, names, loss_of)

    def step(state, batch):
        return weights(state, batch) | {k: MOMENTUM * state[k] + (1 - MOMENTUM) * seen[k] for k in ("mean", "variance")}

    # the statistics are inputs of the differentiated graph, too
    tail = (
        nodes.format(t="_t", bn=TRAINING)
        + " "
        + TAIL.replace("(z, labels)", "(z_t, labels)")
        .replace('"labels"]', '"labels", "mean", "variance"]')
        .replace("x, labels) ", "x, labels, mean, variance) ")
    )
    extra = {"step": np.int64(0), "one": np.int64(1), "rate": np.float32(0.1)}
    info = Info(
        algorithm(o, names, rate, tail), extra, {"labels": ("int64", ["N"])}, bound(o, names) | {"mean": "next_mean", "variance": "next_variance"}, ("loss",)
    )
    main = nodes.format(t="", bn=INFERENCE) + " p = Softmax(z)"
    cases.append(Steps(f"step_batchnormalization_{kind}", main, values, {"x": ("float32", ["N", *shape])}, P, [info], batches, step))


rng = rng_of("statistics")
normalising("dense", DENSE, {"w": even(rng, 4, 5), "v": even(rng, 5, 3)}, (4,), (0,), lambda p, x, normalise: normalise(x @ p["w"]).tanh() @ p["v"])
normalising(
    "convolution",
    CONVOLUTION,
    {"w": even(rng, 3, 1, 2, 2), "v": even(rng, 3, 3), "places": np.array([2, 3])},
    (1, 4, 4),
    (0, 2, 3),
    lambda p, x, normalise: normalise(F.conv2d(x, p["w"])).tanh().mean((2, 3)) @ p["v"],
)

# -- averages of weights --

rng = rng_of("averages")
values = start_of(rng)
AVERAGES = " ".join(f"k_{n} = Mul(most, e_{n}) l_{n} = Mul(least, next_{n}) next_e_{n} = Add(k_{n}, l_{n})" for n in NAMES)
case = trained(
    "averaged_weights",
    NETWORK,
    values,
    X,
    P,
    network_loss,
    classified(rng),
    peer=False,
    extra={"most": np.float32(0.9), "least": np.float32(0.1), **{f"e_{n}": values[n] for n in NAMES}},
    kept=[f"e_{n}" for n in NAMES],
)
case.infos[0].nodes += " " + AVERAGES
plain = case.step
case.step = lambda s, batch, plain=plain: (lambda new: new | {f"e_{n}": float(np.float32(0.9)) * s[f"e_{n}"] + float(np.float32(0.1)) * new[n] for n in NAMES})(
    plain(s, batch)
)

# -- networks of other kinds --

rng = rng_of("convolutions")
values = {"k": even(rng, 2, 1, 3, 3), "c": even(rng, 2), "w": even(rng, 8, 3), "b": even(rng, 3)}
trained(
    "adam_of_convolutions",
    "a = Conv(x, k, c) r = Softplus(a) q = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(r) f = Flatten(q) z = Gemm(f, w, b) p = Softmax(z)",
    values,
    {"x": ("float32", ["N", 1, 6, 6])},
    P,
    lambda batch: lambda p: F.cross_entropy(
        F.avg_pool2d(F.softplus(F.conv2d(double(batch["x"]), p["k"], p["c"])), 2).flatten(1) @ p["w"] + p["b"], torch.tensor(batch["labels"])
    ),
    [{"x": even(rng, n, 1, 6, 6), "labels": rng.integers(0, 3, n)} for n in (4, 4, 3)],
    opt.adam(epsilon=1e-10),
    0.02,
)
rng = rng_of("lstm")
values = {"w": even(rng, 1, 12, 2), "r": even(rng, 1, 12, 3), "b": even(rng, 1, 24), "v": even(rng, 3, 3)}
trained(
    "adam_of_lstm",
    "o, last = LSTM<hidden_size = 3>(x, w, r, b) f = Squeeze(last, first) z = MatMul(f, v) p = Softmax(z)",
    values,
    {"x": ("float32", [4, "N", 2])},
    P,
    lambda batch: lambda p: F.cross_entropy(
        formulas.lstm(double(batch["x"]), p["w"], p["r"], p["b"], hidden_size=3)[1][0] @ p["v"], torch.tensor(batch["labels"])
    ),
    [{"x": even(rng, 4, n, 2), "labels": rng.integers(0, 3, n)} for n in (3, 3, 2)],
    opt.adam(epsilon=1e-10),
    0.02,
    names=["w", "r", "b", "v"],
    fixed={"first": np.array([0])},
)
rng = rng_of("embedding")
values = {"e": even(rng, 6, 4), "w": even(rng, 4, 3)}
trained(
    "adagrad_of_embedding",
    "t = Gather(e, x) m = ReduceMean<keepdims = 0>(t, middle) z = MatMul(m, w) p = Softmax(z)",
    values,
    {"x": ("int64", ["N", 3])},
    P,
    lambda batch: lambda p: F.cross_entropy(p["e"][torch.tensor(batch["x"])].mean(1) @ p["w"], torch.tensor(batch["labels"])),
    [{"x": rng.integers(0, 6, (n, 3)), "labels": rng.integers(0, 3, n)} for n in (4, 4, 2)],
    opt.adagrad(),
    0.1,
    names=["e", "w"],
    fixed={"middle": np.array([1])},
)
rng = rng_of("regression")
values = {"w": even(rng, 3, 2), "b": even(rng, 2)}
SQUARES = f'd = Sub(y, labels) q = Mul(d, d) loss = ReduceMean<keepdims = 0>(q) {{d}} = {PREVIEW}.Gradient<xs = [{{xs}}], zs = ["x", "labels"], y = "loss">({{names}}, x, labels) '
trained(
    "momentum_of_regression",
    "y = Gemm(x, w, b)",
    values,
    {"x": ("float32", ["N", 3])},
    {"y": ("float32", ["N", 2])},
    lambda batch: lambda p: F.mse_loss(double(batch["x"]) @ p["w"] + p["b"], double(batch["labels"])),
    [{"x": even(rng, n, 3), "labels": even(rng, n, 2)} for n in (5, 5, 2)],
    opt.momentum("nesterov"),
    0.1,
    tail=SQUARES,
    labels=("float32", ["N", 2]),
)

# -- how bindings work --


def plain(name, main, values, inputs, outputs, infos, batches, step, **more):
    cases.append(Steps(f"step_{name}", main, values, inputs, outputs, infos, batches, step, oracle="NumPy, float64", near=(1e-6, 1e-6), **more))


def numbers(*v):
    return np.array(v, np.float32)


# Updates are assigned at once: each takes the other's old value.
plain(
    "bindings_at_once",
    "y = Add(x, a)",
    {"a": numbers(1, 2), "b": numbers(30, 40)},
    {"x": ("float32", [2])},
    {"y": ("float32", [2])},
    [Info("next_a = Identity(b) next_b = Identity(a)", {}, {}, {"a": "next_a", "b": "next_b"})],
    [{"x": numbers(k, 7)} for k in range(3)],
    lambda s, batch: {"a": s["b"], "b": s["a"]},
)
# An update may be an output of the main graph; one of the algorithm's initializers is the state.
plain(
    "bindings_of_main_output",
    "y = Mul(x, a)",
    {"a": numbers(2, 3)},
    {"x": ("float32", [2])},
    {"y": ("float32", [2])},
    [Info("next_total = Add(total, y)", {"total": numbers(0, 0)}, {}, {"a": "y", "total": "next_total"})],
    [{"x": numbers(k + 0.5, -1)} for k in range(3)],
    lambda s, batch: {"a": batch["x"] * s["a"], "total": s["total"] + batch["x"] * s["a"]},
)
# Of two, the second sees what the first has assigned, and the main graph is computed anew.
plain(
    "bindings_in_turn",
    "y = Mul(x, a)",
    {"a": numbers(1, 2)},
    {"x": ("float32", [2])},
    {"y": ("float32", [2])},
    [Info("next_a = Add(y, one)", {"one": numbers(1)}, {}, {"a": "next_a"}), Info("next_s = Add(s, y)", {"s": numbers(0, 0)}, {}, {"s": "next_s"})],
    [{"x": numbers(0.5, k)} for k in range(3)],
    lambda s, batch: (lambda a: {"a": a, "s": s["s"] + batch["x"] * a})(batch["x"] * s["a"] + 1),
)
# A state that only counts, of integers, beside a result that nothing is assigned from.
plain(
    "bindings_of_integers",
    "y = Mul(x, a)",
    {"a": numbers(1, 2)},
    {"x": ("float32", [2])},
    {"y": ("float32", [2])},
    [Info("next_n = Add(n, one) f = Cast<to = 1>(n) mean = Div(y, f)", {"n": np.int64(1), "one": np.int64(1)}, {}, {"n": "next_n"}, ("mean",))],
    [{"x": numbers(3, k)} for k in range(3)],
    lambda s, batch: {"n": s["n"] + 1, "mean": batch["x"] * s["a"] / s["n"]},
)
# The initialization assigns before the first step; what it does not bind begins as its initializer says.
plain(
    "bindings_initialized",
    "y = Mul(x, a)",
    {"a": numbers(9, 9), "b": numbers(5, 6)},
    {"x": ("float32", [2])},
    {"y": ("float32", [2])},
    [
        Info(
            "next_a = Add(a, y) next_b = Sub(b, y) next_n = Add(n, one)",
            {"n": np.int64(77), "one": np.int64(1)},
            {},
            {"a": "next_a", "b": "next_b", "n": "next_n"},
            initialization="a0 = Constant<value_floats = [0.5, -1.5]>() n0 = Constant<value_int = 0>()",
            start={"a": "a0", "n": "n0"},
        )
    ],
    [{"x": numbers(0.5, k)} for k in range(3)],
    lambda s, batch: {"a": s["a"] + batch["x"] * s["a"], "b": s["b"] - batch["x"] * s["a"], "n": s["n"] + 1},
    begin={"a": np.array([0.5, -1.5]), "n": np.int64(0)},
)

# Two players in turn: the second's loss sees the first's new weights.
rng = rng_of("players")
values = {"u": even(rng, 3, 2), "v": even(rng, 2, 1)}
PLAYER = f'{{loss}} q = Mul(e, e) loss = ReduceMean<keepdims = 0>(q) d = {PREVIEW}.Gradient<xs = ["{{x}}"], zs = ["x", "{{other}}", "labels"], y = "loss">({{x}}, x, {{other}}, labels) u0 = Mul(rate, d) next = Sub({{x}}, u0)'
RATE = float(np.float32(0.1))


def players(s, batch):
    def first(p):
        return ((double(batch["x"]) @ p["u"]).tanh() @ p["v"] - double(batch["labels"])).pow(2).mean()

    (d,), loss_of_u = gradients(first, s, ["u"])
    u = s["u"] - RATE * d
    (d,), loss_of_v = gradients(lambda p: (2 * ((double(batch["x"]) @ p["u"]).tanh() @ p["v"]) - double(batch["labels"])).pow(2).mean(), s | {"u": u}, ["v"])
    return {"u": u, "v": s["v"] - RATE * d, "loss": loss_of_u, "loss#1": loss_of_v}


infos = [
    Info(PLAYER.format(loss="e = Sub(y, labels)", x="u", other="v"), {"rate": np.float32(0.1)}, {"labels": ("float32", ["N", 1])}, {"u": "next"}, ("loss",)),
    Info(
        PLAYER.format(loss="w = Add(y, y) e = Sub(w, labels)", x="v", other="u"),
        {"rate": np.float32(0.1)},
        {"labels": ("float32", ["N", 1])},
        {"v": "next"},
        ("loss",),
    ),
]
cases.append(
    Steps(
        "step_two_players",
        "h = MatMul(x, u) t = Tanh(h) y = MatMul(t, v)",
        values,
        {"x": ("float32", ["N", 3])},
        {"y": ("float32", ["N", 1])},
        infos,
        [{"x": even(rng, n, 3), "labels": even(rng, n, 1)} for n in (4, 3, 4)],
        players,
    )
)
