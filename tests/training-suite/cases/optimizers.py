"""The optimisers of ai.onnx.preview.training and some that are written in standard operators: how each computes, in float64 with NumPy, from the standard's pseudo code
(https://onnx.ai/onnx/operators/index_ai_onnx_preview_training.html), and its nodes in ONNX' text. What PyTorch has, its torch.optim is held against."""

from dataclasses import dataclass, field

import numpy as np

PREVIEW = "ai.onnx.preview.training"


@dataclass
class Optimizer:
    """compute(attributes, rate, t, x, g, *states) -> x and the states; `states` are their prefixes, from zero on but for what `start` says. nodes(attributes, names) -> text
    that assigns next_X and next_STATE_X from rate, step (counted from 0), next_step, X and d_X. `peer`(attributes, rate, torch, parameters): the same of torch.optim, or None.
    """

    compute: object
    states: tuple
    nodes: object
    attributes: dict = field(default_factory=dict)
    peer: object = None
    start: dict = field(default_factory=dict)
    constants: dict = field(default_factory=dict)  # numbers that the nodes name
    first: int = 0  # what counts the first step


def written(attributes):
    text = ", ".join(f'{k} = "{v}"' if isinstance(v, str) else f"{k} = {float(v)!r}" for k, v in attributes.items())
    return f"<{text}>" if text else ""


def one_node(op, count, states):
    """All parameters in one node: variadic inputs are all X, then all gradients, then all of each state."""

    def nodes(attributes, names):
        groups = [names, [f"d_{n}" for n in names], *([f"{s}_{n}" for n in names] for s in states)]
        made = [f"next_{n}" for n in names] + [f"next_{s}_{n}" for s in states for n in names]
        return f"{', '.join(made)} = {PREVIEW}.{op}{written(attributes)}(rate, {count}, {', '.join(n for g in groups for n in g)})"

    return nodes


def single(**values):
    """Attributes are float32 in a file: what is computed with is the nearest."""
    return {k: v if isinstance(v, str) else float(np.float32(v)) for k, v in values.items()}


# -- of the standard's preview domain --


def adam_step(a, rate, t, x, g, v, h):
    g = a.get("norm_coefficient", 0) * x + g
    alpha, beta = a.get("alpha", np.float64(np.float32(0.9))), a.get("beta", np.float64(np.float32(0.999)))
    v, h = alpha * v + (1 - alpha) * g, beta * h + (1 - beta) * g * g
    rate = rate * np.sqrt(1 - beta**t) / (1 - alpha**t) if t > 0 else rate
    return (1 - a.get("norm_coefficient_post", 0)) * (x - rate * v / (np.sqrt(h) + a.get("epsilon", 1e-6))), v, h


def adam(counted="next_step", **attributes):
    """PyTorch has its epsilon elsewhere: one that is tiny makes no difference."""
    a = single(**attributes)
    peer = None
    if a.get("epsilon", 1) < 1e-7 and counted == "next_step" and not a.get("norm_coefficient_post"):
        peer = lambda torch, p, rate: torch.optim.Adam(p, rate, (a.get("alpha", 0.9), a.get("beta", 0.999)), a["epsilon"], a.get("norm_coefficient", 0))
    return Optimizer(adam_step, ("v", "h"), one_node("Adam", counted, ("v", "h")), a, peer, first=int(counted == "next_step"))


def adagrad_step(a, rate, t, x, g, h):
    g = a.get("norm_coefficient", 0) * x + g
    h = h + g * g
    return x - rate / (1 + t * a.get("decay_factor", 0)) * g / (np.sqrt(h) + a.get("epsilon", 1e-6)), h


def adagrad(**attributes):
    a = single(**attributes)
    peer = lambda torch, p, rate: torch.optim.Adagrad(p, rate, a.get("decay_factor", 0), a.get("norm_coefficient", 0), eps=a.get("epsilon", 1e-6))
    return Optimizer(adagrad_step, ("h",), one_node("Adagrad", "step", ("h",)), a, peer)


def momentum_step(a, rate, t, x, g, v):
    g = a["norm_coefficient"] * x + g
    v = a["alpha"] * v + (a["beta"] if t > 0 else 1) * g
    return x - rate * (g + a["alpha"] * v if a["mode"] == "nesterov" else v), v


def momentum(mode="standard", alpha=0.9, beta=1.0, norm_coefficient=0.0):
    a = single(alpha=alpha, beta=beta, norm_coefficient=norm_coefficient, mode=mode)
    peer = None
    if mode == "standard" or beta == 1:
        peer = lambda torch, p, rate: torch.optim.SGD(p, rate, a["alpha"], 1 - a["beta"], a["norm_coefficient"], mode == "nesterov")
    return Optimizer(momentum_step, ("v",), one_node("Momentum", "step", ("v",)), a, peer)


# -- in standard operators --


def each(text):
    """The same nodes for each parameter: X stands for its name, in values of the nodes too."""
    return lambda attributes, names: " ".join(text.replace("@", n) for n in names)


def sgd():
    return Optimizer(
        lambda a, rate, t, x, g: (x - rate * g,), (), each("u_@ = Mul(rate, d_@) next_@ = Sub(@, u_@)"), peer=lambda torch, p, rate: torch.optim.SGD(p, rate)
    )


def rmsprop_step(a, rate, t, x, g, s):
    s = a["rho"] * s + (1 - a["rho"]) * g * g
    return x - rate * g / (np.sqrt(s) + a["epsilon"]), s


def rmsprop():
    a = single(rho=0.9, epsilon=1e-6)
    text = "q_@ = Mul(d_@, d_@) k_@ = Mul(rho, s_@) l_@ = Mul(rest, q_@) next_s_@ = Add(k_@, l_@) r_@ = Sqrt(next_s_@) e_@ = Add(r_@, epsilon) f_@ = Div(d_@, e_@) u_@ = Mul(rate, f_@) next_@ = Sub(@, u_@)"
    return Optimizer(
        rmsprop_step,
        ("s",),
        each(text),
        a,
        lambda torch, p, rate: torch.optim.RMSprop(p, rate, a["rho"], a["epsilon"]),
        constants={"rho": 0.9, "rest": 0.1, "epsilon": 1e-6},
    )


def adamw_step(a, rate, t, x, g, m, s):
    m, s = a["first"] * m + (1 - a["first"]) * g, a["second"] * s + (1 - a["second"]) * g * g
    x = x - rate * a["decay"] * x
    return x - rate / (1 - a["first"] ** t) * m / (np.sqrt(s) / np.sqrt(1 - a["second"] ** t) + a["epsilon"]), m, s


def adamw():
    """As PyTorch has it: the decay is the weight's own, epsilon stands beside the corrected root."""
    a = single(first=0.9, second=0.99, epsilon=1e-6, decay=0.1)
    text = """a_@ = Mul(first, m_@) b_@ = Mul(first_rest, d_@) next_m_@ = Add(a_@, b_@) q_@ = Mul(d_@, d_@) k_@ = Mul(second, s_@) l_@ = Mul(second_rest, q_@) next_s_@ = Add(k_@, l_@)
    r_@ = Sqrt(next_s_@) c_@ = Div(r_@, root) e_@ = Add(c_@, epsilon) f_@ = Div(next_m_@, e_@) u_@ = Mul(rate_now, f_@) w_@ = Mul(@, kept) next_@ = Sub(w_@, u_@)"""
    begin = """count = Cast<to = 1>(next_step) p1 = Pow(first, count) one_float = CastLike(one, first) c1 = Sub(one_float, p1) p2 = Pow(second, count) c2 = Sub(one_float, p2) root = Sqrt(c2) rate_now = Div(rate, c1)
    loss_of_weight = Mul(rate, decay) kept = Sub(one_float, loss_of_weight) """
    nodes = lambda attributes, names: begin + each(text)(attributes, names)
    constants = {"first": 0.9, "first_rest": 0.1, "second": 0.99, "second_rest": 0.01, "epsilon": 1e-6, "decay": 0.1}
    return Optimizer(
        adamw_step,
        ("m", "s"),
        nodes,
        a,
        lambda torch, p, rate: torch.optim.AdamW(p, rate, (a["first"], a["second"]), a["epsilon"], a["decay"]),
        constants=constants,
        first=1,
    )


def adadelta_step(a, rate, t, x, g, s, u):
    s = a["rho"] * s + (1 - a["rho"]) * g * g
    d = np.sqrt(u + a["epsilon"]) / np.sqrt(s + a["epsilon"]) * g
    return x - rate * d, s, a["rho"] * u + (1 - a["rho"]) * d * d


def adadelta():
    a = single(rho=0.9, epsilon=1e-3)
    text = """q_@ = Mul(d_@, d_@) k_@ = Mul(rho, s_@) l_@ = Mul(rest, q_@) next_s_@ = Add(k_@, l_@) e_@ = Add(next_s_@, epsilon) f_@ = Add(u_@, epsilon) r_@ = Div(f_@, e_@) o_@ = Sqrt(r_@) m_@ = Mul(o_@, d_@)
    w_@ = Mul(rate, m_@) next_@ = Sub(@, w_@) n_@ = Mul(m_@, m_@) y_@ = Mul(rho, u_@) z_@ = Mul(rest, n_@) next_u_@ = Add(y_@, z_@)"""
    return Optimizer(
        adadelta_step,
        ("s", "u"),
        each(text),
        a,
        lambda torch, p, rate: torch.optim.Adadelta(p, rate, a["rho"], a["epsilon"]),
        constants={"rho": 0.9, "rest": 0.1, "epsilon": 1e-3},
    )


def lion_step(a, rate, t, x, g, m):
    return x - rate * np.sign(a["first"] * m + (1 - a["first"]) * g), a["second"] * m + (1 - a["second"]) * g


def lion():
    text = """a_@ = Mul(first, m_@) b_@ = Mul(first_rest, d_@) c_@ = Add(a_@, b_@) s_@ = Sign(c_@) u_@ = Mul(rate, s_@) next_@ = Sub(@, u_@) k_@ = Mul(second, m_@) l_@ = Mul(second_rest, d_@) next_m_@ = Add(k_@, l_@)"""
    return Optimizer(
        lion_step, ("m",), each(text), single(first=0.9, second=0.99), constants={"first": 0.9, "first_rest": 0.1, "second": 0.99, "second_rest": 0.01}
    )
