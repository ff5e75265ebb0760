"""Whole steps of training_info: a network, its loss and an optimiser; statistics that go through bindings; and how bindings themselves must work."""

import zlib
from dataclasses import dataclass

import numpy as np

from . import optimizers as opt
from .declare import F, Family, torch

PREVIEW = opt.PREVIEW
NEAR = (1e-4, 1e-5)


@dataclass
class Info:
    """One training_info: its algorithm in ONNX' text, its initializers, inputs, bindings {initializer: output}, what else it puts out; and an initialization of {initializer: text}."""

    nodes: str
    values: dict
    inputs: dict
    update: dict
    results: tuple = ()
    initialization: str = ""
    start: dict = None


@dataclass
class Steps:
    """`values` are initializers of the main graph. `batches`: {input: array} of each step. step(state, batch) -> {initializer or result: its new value}, in float64; where
    there are several training_info, each sees what those before it have assigned."""

    name: str
    main: str
    values: dict
    inputs: dict
    outputs: dict
    infos: list
    batches: list
    step: object
    near: tuple = NEAR
    oracle: str = ""
    begin: dict = None  # the state after the initialization, where there is one
    peer: object = None  # (the case) -> the same states by another way, at the end
    opset: int = 18


family = Family("step")
cases = family.cases


def rng_of(name):
    return np.random.default_rng(zlib.crc32(name.encode()))


def even(rng, *shape, high=0.8):
    return (high * (2 * rng.random(shape) - 1)).astype(np.float32)


def gradients(function, state, names):
    """Of function({name: tensor}) -> a loss, with respect to those named; and the loss."""
    given = {k: torch.tensor(v, requires_grad=k in names) for k, v in state.items() if isinstance(v, np.ndarray) and v.dtype == np.float64}
    loss = function(given)
    return [g.numpy() for g in torch.autograd.grad(loss, [given[n] for n in names])], loss.detach().numpy()


# -- a small network with each optimiser --

NETWORK = "h = Gemm(x, w1, b1) t = Tanh(h) z = Gemm(t, w2, b2) p = Softmax(z)"
NAMES = ["w1", "b1", "w2", "b2"]
TAIL = "loss = SoftmaxCrossEntropyLoss(z, labels) {d} = " + PREVIEW + '.Gradient<xs = [{xs}], zs = ["x", "labels"], y = "loss">({names}, x, labels) '


def start_of(rng, sizes=(4, 5, 3)):
    a, b, c = sizes
    return {"w1": even(rng, a, b), "b1": even(rng, b), "w2": even(rng, b, c), "b2": even(rng, c)}


def classified(rng, sizes=(6, 6, 4, 6)):
    """A batch for each step; one is smaller."""
    return [{"x": even(rng, n, 4, high=2), "labels": rng.integers(0, 3, n)} for n in sizes]


def network_loss(batch):
    def loss(p):
        z = (torch.tensor(batch["x"].astype(np.float64)) @ p["w1"] + p["b1"]).tanh() @ p["w2"] + p["b2"]
        return F.cross_entropy(z, torch.tensor(batch["labels"]))

    return loss


def by_optimizer(o, rate, names, loss_of, scale=None):
    """The step of an optimiser in float64. `scale`: what is done to the rate and the gradients before."""

    def step(state, batch):
        slopes, loss = gradients(loss_of(batch), state, names)
        now, slopes = scale(state, slopes) if scale else (rate, slopes)
        t = int(state["step"])
        new = {"loss": loss, "step": np.int64(t + 1)}
        for name, g in zip(names, slopes):
            made = o.compute(o.attributes, now, t + o.first, state[name], g, *(state[f"{s}_{name}"] for s in o.states))
            new |= dict(zip([name, *(f"{s}_{name}" for s in o.states)], made))
        return new

    return step


def algorithm(o, names, rate, tail=TAIL, more=""):
    d, xs = ", ".join(f"d_{n}" for n in names), ", ".join(f'"{n}"' for n in names)
    return tail.format(d=d, xs=xs, names=", ".join(names)) + more + " next_step = Add(step, one) " + o.nodes(o.attributes, names)


def states_of(o, values, names):
    return {f"{s}_{n}": np.full_like(values[n], o.start.get(s, 0)) for s in o.states for n in names}


def bound(o, names):
    return {"step": "next_step", **{n: f"next_{n}" for n in names}, **{f"{s}_{n}": f"next_{s}_{n}" for s in o.states for n in names}}


def by_torch(o, rate, loss_of):
    """The parameters after all steps by torch.optim, in float64."""

    def run(case):
        p = {n: torch.tensor(v.astype(np.float64), requires_grad=True) for n, v in case.values.items()}
        optimizer = o.peer(torch, list(p.values()), rate)
        for batch in case.batches:
            optimizer.zero_grad()
            loss_of(batch)(p).backward()
            optimizer.step()
        return {n: v.detach().numpy() for n, v in p.items()}

    return run


def optimised(name, o, rate, **more):
    rng = rng_of(name)
    values = start_of(rng)
    rate = float(np.float32(rate))
    extra = {
        "step": np.int64(0),
        "one": np.int64(1),
        "rate": np.float32(rate),
        **{k: np.float32(v) for k, v in o.constants.items()},
        **states_of(o, values, NAMES),
    }
    info = Info(algorithm(o, NAMES, rate), extra, {"labels": ("int64", ["N"])}, bound(o, NAMES), ("loss",))
    cases.append(
        Steps(
            f"step_{name}",
            NETWORK,
            values,
            {"x": ("float32", ["N", 4])},
            {"p": ("float32", ["N", 3])},
            [info],
            classified(rng),
            by_optimizer(o, rate, NAMES, network_loss),
            peer=by_torch(o, rate, network_loss) if o.peer else None,
            **more,
        )
    )


optimised("adam", opt.adam(epsilon=1e-10), 0.05)
optimised("adam_defaults", opt.adam(), 0.02)
optimised("adam_attributes", opt.adam(alpha=0.7, beta=0.9, epsilon=1e-3, norm_coefficient=0.01, norm_coefficient_post=0.02), 0.05)
optimised("adam_norm_coefficient", opt.adam(epsilon=1e-10, norm_coefficient=0.1), 0.05)
optimised("adam_counted_from_0", opt.adam("step"), 0.02)
optimised("adagrad", opt.adagrad(), 0.1)
optimised("adagrad_attributes", opt.adagrad(decay_factor=0.3, norm_coefficient=0.05, epsilon=1e-3), 0.1)
optimised("momentum", opt.momentum(), 0.1)
optimised("momentum_beta", opt.momentum(beta=0.5, alpha=0.8), 0.1)
optimised("momentum_norm_coefficient", opt.momentum(norm_coefficient=0.1), 0.1)
optimised("momentum_nesterov", opt.momentum("nesterov"), 0.1)
optimised("momentum_nesterov_attributes", opt.momentum("nesterov", 0.6, 0.7, 0.05), 0.1)
optimised("sgd", opt.sgd(), 0.2)
optimised("rmsprop", opt.rmsprop(), 0.01)
optimised("adamw", opt.adamw(), 0.03)
optimised("adadelta", opt.adadelta(), 1.0)
optimised("lion", opt.lion(), 0.02)
