"""From the declaration of steps to their files: a model with training_info, and a data set for each step."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from run import step_model

from .gradients import as_single
from .model import IR_OF, PREVIEW, PRODUCER, info
from .oracle import apart
from .write import Files

DTYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}


def parsed(text):
    return list(onnx.parser.parse_graph(f"g () => () {{ {text} }}").node) if text else []


def tensors(values):
    return [numpy_helper.from_array(np.asarray(v), k) for k, v in values.items()]


def infos(declared):
    return [info(name, DTYPES[dtype], shape) for name, (dtype, shape) in declared.items()]


def typed(name, array):
    return info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def initial(case):
    """{initializer: array} of the graph and the algorithms: what is bound, before the first step."""
    values = dict(case.values)
    for i in case.infos:
        values |= i.values
    return {k: np.asarray(v) for k, v in values.items()}


def algorithm_of(case, i, state, results):
    """What it puts out is declared as it is in the first expected state."""
    main = set(case.outputs)
    outputs = [typed(value, state[key]) for key, value in i.update.items() if value not in main] + [typed(r, results[r]) for r in i.results]
    return helper.make_graph(parsed(i.nodes), "algorithm", infos(i.inputs), outputs, tensors(i.values))


def training_model(case, state, results, **told):
    """`state` and `results`: arrays as they are expected, for their types and shapes."""
    graph = helper.make_graph(parsed(case.main), case.name, infos(case.inputs), infos(case.outputs), tensors(case.values))
    uses_preview = any(n.domain == PREVIEW for i in case.infos for n in parsed(i.nodes))
    opsets = [helper.make_opsetid("", case.opset)] + ([helper.make_opsetid(PREVIEW, 1)] if uses_preview else [])
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_OF[case.opset], producer_name=PRODUCER)
    for i in case.infos:
        one = model.training_info.add()
        one.algorithm.CopyFrom(algorithm_of(case, i, state, results))
        for key, value in i.update.items():
            one.update_binding.add(key=key, value=value)
        if i.initialization:
            one.initialization.CopyFrom(helper.make_graph(parsed(i.initialization), "initialization", [], [typed(v, state[k]) for k, v in i.start.items()]))
            for key, value in i.start.items():
                one.initialization_binding.add(key=key, value=value)
    helper.set_model_props(model, {f"test.{key}": f"{value}" for key, value in told.items()})
    return model


def order(case):
    """What a data set expects: the states in the order of the bindings, then the results; a result's own name, once more with # and a number where two training_info have it."""
    states = [key for i in case.infos for key in i.update]
    results = []
    for i in case.infos:
        results += [r if r not in results else f"{r}#{results.count(r)}" for r in i.results]
    return states, results


def doubled(values):
    return {k: v.astype(np.float64) if v.dtype == np.float32 else v for k, v in values.items()}


def run_oracle(case):
    """The state and the results after each step."""
    state, made = doubled(initial(case)), []
    state |= doubled({k: np.asarray(v) for k, v in (case.begin or {}).items()})
    states, _ = order(case)
    for batch in case.batches:
        new = case.step(state, doubled(batch))
        state = state | {k: np.asarray(new[k]) for k in states}
        made.append({k: np.asarray(v) for k, v in new.items()})
    return made


def zeros(case):
    """What the oracle would put out, as to types and shapes, where it is not asked."""
    return [initial(case) | {r: np.zeros((2,) if r == "mean" else (), np.float32) for r in order(case)[1]}] * len(case.batches)


def named(case):
    return case.oracle or "PyTorch autograd, the optimiser in NumPy, float64" + ("; torch.optim agrees" if case.peer else "")


def suspicious(case, made):
    start = initial(case)
    for name in order(case)[0]:
        if all(np.array_equal(as_single(m[name]), start[name]) for m in made):
            yield f"'{name}' does not change"
    if case.peer:
        for name, want in case.peer(case).items():
            away = apart(made[-1][name], want)
            if away > 1e-6:
                yield f"'{name}' is {away:.2g} away from torch.optim's"


def training_case(case, with_values):
    made = run_oracle(case) if with_values else zeros(case)
    expected = [{k: as_single(v) for k, v in m.items()} for m in made]
    rtol, atol = case.near
    model = training_model(case, expected[0], expected[0], kind="training", rtol=rtol, atol=atol, oracle=named(case))
    onnx.checker.check_model(model)
    for k in range(len(case.infos)):  # the main graph and the algorithm are one graph, and must be a valid one
        onnx.checker.check_model(step_model(model, k))
    files = Files(model)
    states, results = order(case)
    inputs = list(case.inputs) + list(dict.fromkeys(name for i in case.infos for name in i.inputs))
    for k, (batch, want) in enumerate(zip(case.batches, expected)):
        files.add_set(k, [(name, batch[name]) for name in inputs], [(name.partition("#")[0], want[name]) for name in states + results])
    return files, list(suspicious(case, made)) if with_values else []
