"""onnxsim's graph_grad as a backend: the Gradient node becomes the nodes that it builds, and onnxruntime runs them. `run.py adapters.onnxsim_graph_grad`; needs onnxsim and
onnxruntime. What either refuses before it runs is a NotImplementedError."""

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from onnxsim import graph_grad, qat_graph

PREVIEW = "ai.onnx.preview.training"


def as_initializers(model):
    """A copy with initializers for Constant nodes: graph_grad has no rule for those."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for node in [n for n in made.graph.node if n.op_type == "Constant"]:
        values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        ((name, value),) = values.items()
        array = numpy_helper.to_array(value) if name == "value" else np.array(value, np.float32 if "float" in name else np.int64)
        made.graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
        made.graph.node.remove(node)
    return made


def shapes_of(model, nodes, y):
    known = onnx.ModelProto()
    known.CopyFrom(model)
    del known.graph.node[:], known.graph.output[:]
    known.graph.node.extend(nodes)
    known.graph.value_info.extend(o for o in model.graph.output if o.name in {name for n in nodes for name in n.output})
    known.graph.output.append(onnx.ValueInfoProto(name=y))
    graph = onnx.shape_inference.infer_shapes(known, data_prop=True).graph
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in [*graph.input, *graph.value_info, *graph.output]}
    return shapes | {i.name: list(i.dims) for i in graph.initializer}


def of_opset_18(nodes, initializers):
    """What it writes is of opset 17: a ReduceMean has its axes as an attribute still."""
    for k, node in enumerate(nodes):
        axes = [a for a in node.attribute if a.name == "axes"]
        if node.op_type == "ReduceMean" and axes:
            initializers.append(numpy_helper.from_array(np.array(axes[0].ints, np.int64), f"gradient_axes_of_{k}"))
            node.input.append(initializers[-1].name)
            node.attribute.remove(axes[0])


def spelled_out(model):
    """The model with the nodes of its gradient in place of the Gradient node."""
    model = as_initializers(model)
    nodes = list(model.graph.node)
    places = [k for k, n in enumerate(nodes) if n.op_type == "Gradient" and n.domain == PREVIEW]
    if not places:
        return model
    if len(places) > 1:
        raise NotImplementedError("gradients of gradients")
    gradient, forward = nodes[places[0]], nodes[: places[0]]
    attributes = {a.name: helper.get_attribute_value(a) for a in gradient.attribute}
    xs, y = [x.decode() for x in attributes["xs"]], attributes["y"].decode()
    b = qat_graph.GraphBuilder("gradient_")
    b.initializer += model.graph.initializer
    made = graph_grad.build_backward(b, forward, shapes_of(model, forward, y), {y: b.const(np.float32(1))}, xs)
    of_opset_18(b.nodes, b.initializer)
    b.nodes += [helper.make_node("Identity", [made[x]], [d]) for x, d in zip(xs, gradient.output) if d]
    graph = helper.make_graph([*forward, *b.nodes, *nodes[places[0] + 1 :]], "spelled_out", model.graph.input, model.graph.output, b.initializer)
    opsets = [o for o in model.opset_import if o.domain != PREVIEW]
    opsets += [helper.make_opsetid(d, 1) for d in sorted({f.domain for f in b.functions})]
    whole = helper.make_model(graph, opset_imports=opsets, ir_version=model.ir_version, functions=b.functions)
    return onnx.inliner.inline_local_functions(whole) if b.functions else whole


class Prepared:
    """Shapes are those of the first inputs: graph_grad needs numbers."""

    def __init__(self, model):
        self.model, self.session = model, None

    def start(self, inputs):
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        for declared, x in zip(model.graph.input, inputs):
            declared.CopyFrom(helper.make_tensor_value_info(declared.name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            return onnxruntime.InferenceSession(spelled_out(model).SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as e:  # whatever is said of a model before it runs is a refusal
            raise NotImplementedError(f"{type(e).__name__}: {e}") from e

    def run(self, inputs):
        shapes = [x.shape for x in inputs]
        if not self.session or shapes != self.shapes:
            self.session, self.shapes = self.start(inputs), shapes
        return self.session.run(None, {i.name: x for i, x in zip(self.model.graph.input, inputs)})


def prepare(model, device="CPU"):
    return Prepared(model)
