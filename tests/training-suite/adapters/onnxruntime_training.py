"""onnxruntime-training's gradients as a backend: its GradientGraphBuilder makes the nodes in place of the Gradient node. `run.py adapters.onnxruntime_training`; needs
onnxruntime-training, whose last version is 1.19.2, with NumPy 1. What it refuses before it runs is a NotImplementedError."""

import onnx
import onnxruntime
from onnx import helper
from onnxruntime.capi import onnxruntime_pybind11_state as state

PREVIEW = "ai.onnx.preview.training"


def spelled_out(model):
    """The model with the nodes of its gradient in place of the Gradient node, whose outputs are renamed to what the builder calls them."""
    places = [k for k, n in enumerate(model.graph.node) if n.op_type == "Gradient" and n.domain == PREVIEW]
    if not places:
        return model
    if len(places) > 1:
        raise NotImplementedError("gradients of gradients")
    gradient, rest = model.graph.node[places[0]], list(model.graph.node)[places[0] + 1 :]
    attributes = {a.name: helper.get_attribute_value(a) for a in gradient.attribute}
    xs, y = [x.decode() for x in attributes["xs"]], attributes["y"].decode()
    forward = onnx.ModelProto()
    forward.CopyFrom(model)
    del forward.graph.node[places[0] :], forward.graph.output[:]
    forward.graph.output.extend([o for o in model.graph.output if o.name not in set(gradient.output)])
    forward.graph.output.append(helper.make_tensor_value_info(y, onnx.TensorProto.FLOAT, ()))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    builder = state.GradientGraphBuilder(forward.SerializeToString(), {y}, set(xs), y, options)
    builder.build()
    made = onnx.ModelProto.FromString(builder.get_model())
    made.graph.node.extend([helper.make_node("Identity", [f"{x}_grad"], [d]) for x, d in zip(xs, gradient.output) if d] + rest)
    del made.graph.output[:]
    made.graph.output.extend(model.graph.output)
    return made


class Prepared:
    def __init__(self, model):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            self.session = onnxruntime.InferenceSession(spelled_out(model).SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as e:  # whatever it says of a model before it runs is a refusal; its types do not tell why
            raise NotImplementedError(f"{e}") from e
        self.names = [i.name for i in model.graph.input]

    def run(self, inputs):
        return self.session.run(None, dict(zip(self.names, inputs)))


def prepare(model, device="CPU"):
    return Prepared(model)
