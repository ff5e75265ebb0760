"""The models of the gradient cases: the operator, a sum that weighs its outputs by the upstream gradient, and a Gradient node of that sum."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .declare import Fixed, Held, Real

PREVIEW = "ai.onnx.preview.training"
PRODUCER = "training-suite"
IR_OF = {10: 7, 14: 7, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11, 24: 12, 25: 12, 26: 13, 27: 13, 28: 13}


def info(name, dtype, shape):
    return helper.make_tensor_value_info(name, dtype, shape)


def of_array(name, array):
    return info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def forward_nodes(case):
    if case.nodes:
        return list(onnx.parser.parse_graph(f"g () => () {{ {case.nodes} }}").node)
    inputs = [name if i is not None else "" for name, i in case.inputs.items()]
    return [helper.make_node(case.op, inputs, [o or "" for o in case.outputs], **case.attributes)]


def finished(case, graph, opsets=None, **told):
    """The model of a graph, with what is told about the case in its metadata."""
    domains = {"": case.opset, **case.opsets, **(opsets or {})}
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid(d, v) for d, v in domains.items()], ir_version=IR_OF[case.opset], producer_name=PRODUCER
    )
    helper.set_model_props(model, {f"test.{key}": f"{value}" for key, value in told.items()})
    return model


def doubled(nodes):
    """The same nodes, their bodies included, with constants and casts of float64 in place of float32."""
    for node in nodes:
        for a in node.attribute:
            if a.type == onnx.AttributeProto.GRAPH:
                doubled(a.g.node)
                for value in [*a.g.input, *a.g.output]:
                    if value.type.tensor_type.elem_type == TensorProto.FLOAT:
                        value.type.tensor_type.elem_type = TensorProto.DOUBLE
            elif a.name == "to" and a.i == TensorProto.FLOAT:
                a.i = TensorProto.DOUBLE
            elif node.op_type == "Constant" and a.name in ("value", "value_float", "value_floats"):
                value = numpy_helper.to_array(a.t) if a.name == "value" else np.array(a.f if a.name == "value_float" else a.floats, np.float32)
                if value.dtype == np.float32:
                    a.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(value.astype(np.float64))))
    return nodes


def forward_model(case, drawn, double=False):
    """The operator alone; in float64 where `double`: every float of it is one."""

    def as_wanted(array):
        return array.astype(np.float64) if double and array.dtype == np.float32 else array

    drawn = {name: as_wanted(a) for name, a in drawn.items()}
    outputs = [onnx.ValueInfoProto(name=o) for o in case.outputs if o]
    inputs = [of_array(name, a) for name, a in drawn.items() if not isinstance(case.inputs[name], Fixed)]
    fixed = [numpy_helper.from_array(a, name) for name, a in drawn.items() if isinstance(case.inputs[name], Fixed)]
    return finished(case, helper.make_graph(doubled(forward_nodes(case)) if double else forward_nodes(case), "forward", inputs, outputs, fixed))


def declared_outputs(case, drawn):
    """{output: its ValueInfoProto}, as ONNX infers it; the shape as it is declared in the case, where it is."""
    found = {}
    if not set(case.outputs) <= set(case.shapes):
        model = onnx.shape_inference.infer_shapes(forward_model(case, drawn), strict_mode=True, data_prop=True)
        found = {o.name: o for o in model.graph.output}
    found |= {name: info(name, TensorProto.FLOAT, shape) for name, shape in case.shapes.items()}
    for name, o in found.items():
        if any(not d.HasField("dim_value") for d in o.type.tensor_type.shape.dim) or not o.type.tensor_type.HasField("shape"):
            raise ValueError(f"{case.name}: the shape of {name} cannot be inferred")
    return found


def upstream(case, declared, k):
    """{output of floats: the gradient that comes from above}: of either sign, and not near zero."""
    rng = np.random.default_rng([k, *case.name.encode()])
    shapes = {
        name: tuple(d.dim_value for d in o.type.tensor_type.shape.dim) for name, o in declared.items() if o.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    return {o: (rng.choice([-1, 1], s) * (0.5 + rng.random(s))).astype(np.float32) for o, s in shapes.items()}


def wanted_names(case):
    """What a gradient case's model puts out: the operator's own outputs, then a gradient for each Real input."""
    return [o for o in case.outputs if o], [f"d_{name}" for name in case.of_kind(Real)]


def gradient_model(case, drawn, declared, weights, **told):
    reals = case.of_kind(Real)
    nodes = forward_nodes(case)
    for o in weights:
        nodes += [helper.make_node("Mul", [o, f"upstream_{o}"], [f"weighed_{o}"]), helper.make_node("ReduceSum", [f"weighed_{o}"], [f"sum_{o}"], keepdims=0)]
    sums = [f"sum_{o}" for o in weights]
    total = sums[0]
    for k, one in enumerate(sums[1:]):
        nodes.append(helper.make_node("Add", [total, one], [f"total_{k}"]))
        total = f"total_{k}"
    zs = case.of_kind(Held) + [f"upstream_{o}" for o in weights]
    outputs, gradients = wanted_names(case)
    nodes.append(helper.make_node("Gradient", [*reals, *zs], gradients, domain=PREVIEW, xs=reals, zs=zs, y=total))
    inputs = [of_array(name, drawn[name]) for name in reals + case.of_kind(Held)] + [of_array(f"upstream_{o}", a) for o, a in weights.items()]
    fixed = [numpy_helper.from_array(drawn[name], name) for name in case.of_kind(Fixed)]
    shaped = [declared[o] for o in outputs] + [of_array(f"d_{name}", drawn[name]) for name in reals]
    return finished(case, helper.make_graph(nodes, case.name, inputs, shaped, fixed), {PREVIEW: 1}, **told)
