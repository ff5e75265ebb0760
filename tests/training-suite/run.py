#!/usr/bin/env python3
"""Runs the suite over a backend of ONNX' interface (https://onnx.ai/onnx/api/backend.html). Needs onnx, NumPy and the backend.

Usage: run.py BACKEND [--data DIR] [--worst] [PATTERN...]. BACKEND is a Python module with `prepare(model, device)`, whose result has `run(inputs)`; this folder and
the current one are searched, too. With patterns only the cases whose names match one. A line for each case, PASS, FAIL or SKIP (the backend raises NotImplementedError
or says by `is_compatible` that it cannot run the model), a table, and the sum. --worst tells how much of its tolerance each case has used, 1 being all.

README.md tells the format of the cases. Whole training steps need no support by the backend beyond that of their nodes: the main graph and the algorithm of each
training_info are put together into a plain model here (`step_model`), and its state is carried from step to step."""

import argparse
import importlib
import sys
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.backend.test.runner import BackendIsNotSupposedToImplementIt

HERE = Path(__file__).resolve().parent
DEVICE = "CPU"

# -- a training_info as plain models --


def initializers(graph):
    return {i.name: i for i in graph.initializer}


def inputs_of(graph):
    """What must be given: inputs without an initializer."""
    return [i for i in graph.input if i.name not in initializers(graph)]


def state_names(model, algorithm):
    """What bindings assign to, of the main graph and of this algorithm."""
    bound = {b.key for t in model.training_info for b in [*t.update_binding, *t.initialization_binding]}
    return [n for n in {**initializers(model.graph), **initializers(algorithm)} if n in bound]


def plain(model, graph):
    """A model of a graph, of the opsets and functions of another."""
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version, functions=model.functions)


def step_model(model, k):
    """training_info k: inputs are those of the main graph, then of the algorithm, then the state; outputs what update_binding assigns from, then the algorithm's others."""
    main, info = model.graph, model.training_info[k]
    algorithm = info.algorithm
    state = state_names(model, algorithm)
    values = {**initializers(main), **initializers(algorithm)}
    known = {o.name: o for o in [*main.output, *algorithm.output]}
    updates = [b.value for b in info.update_binding]
    outputs = list(dict.fromkeys(updates + [o.name for o in algorithm.output]))
    taken = [*inputs_of(main), *(i for i in inputs_of(algorithm) if i.name not in {m.name for m in inputs_of(main)})]
    given = taken + [helper.make_tensor_value_info(n, values[n].data_type, values[n].dims) for n in state]
    fixed = [v for n, v in values.items() if n not in state]
    graph = helper.make_graph([*main.node, *algorithm.node], f"step_{k}", given, [known[o] for o in outputs], fixed)
    return plain(model, graph)


class Training:
    """The steps of a model's training_info over a backend."""

    def __init__(self, prepare, model):
        self.model = model
        self.state = [{n: numpy_helper.to_array(v) for n, v in initializers(t.algorithm).items()} for t in model.training_info]
        self.main = {n: numpy_helper.to_array(v) for n, v in initializers(model.graph).items()}
        for k, t in enumerate(model.training_info):
            if t.HasField("initialization"):
                made = dict(zip([o.name for o in t.initialization.output], prepare(plain(model, t.initialization)).run([])))
                self.assign(k, t.initialization_binding, made)
        self.graphs = [step_model(model, k) for k in range(len(model.training_info))]
        self.steps = [prepare(g) for g in self.graphs]

    def assign(self, k, bindings, made):
        """All at once; a name of the main graph goes before one of the algorithm."""
        for b in bindings:
            (self.main if b.key in self.main else self.state[k])[b.key] = np.asarray(made[b.value])

    def step(self, batch):
        """The state in the order of the bindings, then the results."""
        results = []
        for k, (graph, prepared) in enumerate(zip(self.graphs, self.steps)):
            info = self.model.training_info[k]
            values = {**self.state[k], **self.main, **batch}
            made = dict(zip([o.name for o in graph.graph.output], prepared.run([values[i.name] for i in graph.graph.input])))
            self.assign(k, info.update_binding, made)
            bound = {b.value for b in info.update_binding}
            results += [made[o.name] for o in info.algorithm.output if o.name not in bound]
        states = [(self.main if b.key in self.main else self.state[k])[b.key] for k, t in enumerate(self.model.training_info) for b in t.update_binding]
        return states + results


# -- cases --


def tensors(directory, kind):
    """The tensors of a data set in their order, as (name, array)."""
    found = []
    while (path := directory / f"{kind}_{len(found)}.pb").exists():
        proto = onnx.TensorProto.FromString(path.read_bytes())
        found.append((proto.name, numpy_helper.to_array(proto)))
    return found


def used(got, want, rtol, atol):
    """How much of the tolerance an output uses; more than 1 is too much. A text where it cannot be compared."""
    got = np.asarray(got)
    if got.dtype != want.dtype or got.shape != want.shape:
        return f"is {got.dtype}{list(got.shape)}, must be {want.dtype}{list(want.shape)}"
    if not np.issubdtype(want.dtype, np.floating):
        return 0.0 if np.array_equal(got, want) else "has other values"
    got, want = got.astype(np.float64), want.astype(np.float64)
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    with np.errstate(invalid="ignore"):
        share = np.where(same, 0, np.abs(got - want) / (atol + rtol * np.abs(want)))
    return float(np.max(np.where(np.isnan(share), np.inf, share), initial=0))


def run_case(prepare, directory):
    """The largest share of the tolerance that was used, and what is wrong: None where nothing is."""
    model = onnx.load(directory / "model.onnx")
    told = {p.key: p.value for p in model.metadata_props}
    rtol, atol = (float(told[f"test.{key}"]) for key in ("rtol", "atol"))
    training = told.get("test.kind") == "training"
    prepared = Training(prepare, model) if training else prepare(model)
    worst, k = 0.0, 0
    while (data := directory / f"test_data_set_{k}").is_dir():
        inputs, wanted = tensors(data, "input"), tensors(data, "output")
        outputs = prepared.step(dict(inputs)) if training else list(prepared.run([value for _, value in inputs]))
        if len(outputs) != len(wanted):
            return worst, f"{len(outputs)} outputs, must be {len(wanted)}"
        for (name, want), got in zip(wanted, outputs):
            share = used(got, want, rtol, atol)
            if isinstance(share, str):
                return worst, f"{data.name}: {name} {share}"
            worst = max(worst, share)
            if share > 1:
                return worst, f"{data.name}: {name} is {share:.3g} times its tolerance away ({rtol:g} relative, {atol:g} absolute)"
        k += 1
    return worst, None if k else "there is no test_data_set_0"


def preparing(backend):
    def prepare(model):
        compatible = getattr(backend, "is_compatible", None)
        if compatible and not compatible(model, DEVICE):
            raise NotImplementedError("the backend says that it is not compatible")
        return backend.prepare(model, DEVICE)

    return prepare


def outcome(prepare, directory):
    try:
        worst, wrong = run_case(prepare, directory)
    except (NotImplementedError, BackendIsNotSupposedToImplementIt) as e:
        return "SKIP", 0, " ".join(f"{e}".split())[:200]
    except Exception as e:  # whatever goes wrong is this case's failure, not the end of the others
        return "FAIL", 0, " ".join(f"{type(e).__name__}: {e}".split())[:200]
    return "FAIL" if wrong else "PASS", worst, wrong or ""


def table(of):
    words = ["PASS", "FAIL", "SKIP"]
    print(f"\n{'':12} {'passed':>8} {'failed':>8} {'skipped':>8}")
    for family, counts in of.items():
        print(f"{family:12} " + " ".join(f"{counts.get(w, 0):8}" for w in words))
    sums = [sum(counts.get(w, 0) for counts in of.values()) for w in words]
    print(f"\n{sums[0]} passed, {sums[1]} failed, {sums[2]} skipped")
    return sums


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backend")
    parser.add_argument("--data", type=Path, default=HERE / "data")
    parser.add_argument("--worst", action="store_true")
    parser.add_argument("patterns", nargs="*")
    o = parser.parse_intermixed_args()
    sys.path[:0] = [f"{Path.cwd()}", f"{HERE}"]
    prepare, of = preparing(importlib.import_module(o.backend)), {}
    for directory in sorted(p.parent for p in o.data.glob("*/*/model.onnx")):
        if o.patterns and not any(fnmatch(directory.name, p) for p in o.patterns):
            continue
        word, worst, why = outcome(prepare, directory)
        counts = of.setdefault(directory.parent.name, {})
        counts[word] = counts.get(word, 0) + 1
        print(word, directory.name, *([f"{worst:.2g}"] if o.worst and word == "PASS" else []), *([why] if why else []))
    passed, failed, _ = table(of)
    return failed > 0 or not passed


if __name__ == "__main__":
    sys.exit(main())
