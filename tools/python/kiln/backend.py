"""ONNX' interface of backends (https://onnx.ai/onnx/api/backend.html): `onnx.backend.test.BackendTest(kiln.backend, __name__)` runs ONNX' own tests."""

import numpy as np
from onnx import TypeProto, ValueInfoProto, defs, helper
from onnx.backend.base import Backend, BackendRep

from .errors import Unsupported
from .session import Session


class Prepared(BackendRep):
    def __init__(self, session):
        self.session = session

    def run(self, inputs, **options):
        """The outputs, for inputs by name, or in the order of the file: all of them, or those that must be given."""
        if not isinstance(inputs, dict):
            formal = list(self.session._inputs)  # those that must be given come first
            if len(inputs) == len(formal):
                formal.sort(key=lambda v: v.place)
            inputs = {v.name: x for v, x in zip(formal, inputs)}
        return tuple(self.session.run(None, inputs))


def declared(name, array):
    dtype = helper.np_dtype_to_tensor_dtype(np.asarray(array).dtype)
    return helper.make_tensor_value_info(name, dtype, np.shape(array))


def model_of(node, inputs, opset):
    """A model of one node; its outputs are of whatever type they turn out to be."""
    names = [name for name in node.input if name]
    given = inputs if isinstance(inputs, dict) else dict(zip(names, inputs))
    outputs = [ValueInfoProto(name=name, type=TypeProto()) for name in node.output if name]
    graph = helper.make_graph([node], "node", [declared(name, given[name]) for name in dict.fromkeys(names)], outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(node.domain, opset)]), given


class KilnBackend(Backend):
    @classmethod
    def is_compatible(cls, model, device="CPU", **options):
        try:
            Session(model)
        except Unsupported:
            return False
        return True

    @classmethod
    def prepare(cls, model, device="CPU", **options):
        return Prepared(Session(model, **options))

    @classmethod
    def run_model(cls, model, inputs, device="CPU", **options):
        return cls.prepare(model, device, **options).run(inputs)

    @classmethod
    def run_node(cls, node, inputs, device="CPU", outputs_info=None, opset_version=None, **options):
        model, given = model_of(node, inputs, opset_version or defs.get_schema(node.op_type, domain=node.domain).since_version)
        return cls.run_model(model, given, device, **options)

    @classmethod
    def supports_device(cls, device):
        return device == "CPU"


prepare = KilnBackend.prepare
run_node = KilnBackend.run_node
run_model = KilnBackend.run_model
supports_device = KilnBackend.supports_device
is_compatible = KilnBackend.is_compatible
