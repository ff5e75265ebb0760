"""Who says what is right: PyTorch's autograd over a formula, in float64, and fourth-order central differences over ONNX' own reference evaluator, in float64.
Where there are both, they must agree; where there is no formula, the differences are the oracle."""

import numpy as np
from onnx.reference import ReferenceEvaluator

from .declare import Real
from .model import forward_model

STEP = 1e-3


def by_autograd(case, drawn, weights, dtype):
    """The outputs and the gradients, as lists in their order."""
    import torch

    given = {}
    for name, a in drawn.items():
        t = torch.tensor(a)
        t = t.to(dtype) if t.is_floating_point() else t
        given[name] = t.requires_grad_() if isinstance(case.inputs[name], Real) else t
    made = case.formula(*(given.get(name) for name in case.inputs))
    made = list(made) if isinstance(made, (tuple, list)) else [made]
    outputs = [o for o in case.outputs if o]
    if len(made) != len(outputs):
        raise ValueError(f"{case.name}: the formula makes {len(made)} outputs, there are {len(outputs)}")
    for o, m in zip(outputs, made):
        if o in weights and tuple(m.shape) != weights[o].shape:
            raise ValueError(f"{case.name}: the formula's {o} has shape {tuple(m.shape)}, must be {weights[o].shape}")
    total = sum((m * torch.tensor(weights[o]).to(dtype)).sum() for o, m in zip(outputs, made) if o in weights)
    reals = [given[name] for name in case.of_kind(Real)]
    gradients = torch.autograd.grad(total, reals, allow_unused=True)
    return [m.detach().numpy() for m in made], [(torch.zeros_like(r) if g is None else g).numpy() for g, r in zip(gradients, reals)]


class Differences:
    """The reference evaluator over the operator alone."""

    def __init__(self, case, drawn, double):
        model = forward_model(case, drawn, double)
        fixed = {i.name for i in model.graph.initializer}
        self.dtype = np.float64 if double else np.float32
        self.evaluator = ReferenceEvaluator(model)
        self.given = {n: a.astype(self.dtype) if a.dtype == np.float32 else a for n, a in drawn.items() if n not in fixed}

    def outputs(self):
        with np.errstate(all="ignore"):
            return [np.asarray(o) for o in self.evaluator.run(None, self.given)]

    def total(self, outputs, weights):
        return sum(float((o * w.astype(np.float64)).sum()) for o, w in zip(outputs, weights))

    def gradients(self, case, weights):
        wanted = [weights[o] if o in weights else None for o in case.outputs if o]

        def value():
            made = self.outputs()
            return self.total([m for m, w in zip(made, wanted) if w is not None], [w for w in wanted if w is not None])

        gradients = []
        for name in case.of_kind(Real):
            at = self.given[name] = self.given[name].copy()
            g = np.zeros(at.shape)
            for k in np.ndindex(at.shape):
                kept, f = at[k], {}
                for step in -2, -1, 1, 2:
                    at[k] = kept + step * STEP
                    f[step] = value()
                at[k] = kept
                g[k] = (8 * (f[1] - f[-1]) - (f[2] - f[-2])) / (12 * STEP)
            gradients.append(g)
        return gradients


def apart(got, want):
    """The largest difference, of what is as large as the largest of them or 1."""
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape:
        raise ValueError(f"shapes {got.shape} and {want.shape}")
    return float(np.max(np.abs(got - want), initial=0)) / max(1.0, float(np.max(np.abs(want), initial=0)))


def named(case):
    """As it stands in the model's metadata."""
    if not case.formula:
        return "central differences over onnx.reference, float64"
    return "PyTorch autograd, float64" + ("" if case.unjudged else "; central differences over onnx.reference agree")


def beyond(got, want, near):
    """How many times the tolerance the worst element is away."""
    rtol, atol = near
    return float(np.max(np.abs(got.astype(np.float64) - want) / (atol + rtol * np.abs(want)), initial=0))


def by_differences_too(case, drawn, weights, right):
    """Does the evaluator agree of which it is said that it does not?"""
    try:
        differences = Differences(case, drawn, True)
        made = differences.outputs() + differences.gradients(case, weights)
        return all(apart(g, w) < 1e-6 for g, w in zip(made, right))
    except Exception:  # it has no such operator, or fails in its own ways
        return False


def judged(case, drawn, weights):
    """The outputs and gradients that are right, and notes on what was found suspicious."""
    notes = []
    if case.formula:
        import torch

        outputs, gradients = by_autograd(case, drawn, weights, torch.float64)
        single = by_autograd(case, drawn, weights, torch.float32)
        worst = max(beyond(g, w, case.near) for g, w in zip(single[0] + single[1], outputs + gradients) if w.dtype == np.float64)
        if worst > 0.4:
            notes.append(f"PyTorch in float32 is {worst:.2g} tolerances away: the tolerance is too narrow")
    if case.single and not case.formula:
        raise ValueError("differences in float32 are no oracle")
    if not case.unjudged or by_differences_too(case, drawn, weights, outputs + gradients):
        if case.unjudged:
            notes.append("ONNX' reference evaluator agrees: it may judge")
        differences = Differences(case, drawn, True)
        made = differences.outputs()
        slopes = differences.gradients(case, weights)
        if not case.formula:
            return made, slopes, notes
        for what, got, want in [("an output", made, outputs), ("a gradient", slopes, gradients)]:
            worst = max(apart(g, w) for g, w in zip(got, want))
            if worst > (2e-3 if case.single else 1e-6):
                notes.append(f"{what} of ONNX' reference evaluator is {worst:.2g} away from PyTorch's")
    return outputs, gradients, notes
