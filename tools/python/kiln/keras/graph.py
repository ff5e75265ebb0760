"""The ONNX graph while it is made, and its values.

A value has Keras' shape, and one or several forms: orders of its dimensions in which it is there under a name. What Keras has as NHWC a convolution makes
as NCHW, the form (0, 3, 1, 2): dimension i of the form is dimension order[i] of Keras. Whoever needs another form asks for it, and then a Transpose is
written, once; element by element it does not matter, so networks stay in the form of their convolutions. Nothing is written that nobody asks for."""

import re
import warnings

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .errors import Refused

OPSET = 21  # Gelu is of 20, GroupNormalization with a scale for each channel of 21; onnxruntime reads it since 1.18
TYPES = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
    "uint32": TensorProto.UINT32,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
}


def plain(rank):
    return tuple(range(rank))


def channels_first(rank):
    """The order of a form whose channels, Keras' last dimension, come second."""
    return (0, rank - 1, *range(1, rank - 1)) if rank > 2 else plain(rank)


class Value:
    """What a layer or operation of Keras makes. `forms` is {order: name, or a function that writes the nodes and gives the name}."""

    def __init__(self, shape, dtype, forms, constant=None, variable=None):
        self.shape = tuple(shape)
        self.dtype = dtype
        self.forms = forms
        self.constant = constant  # NumPy's array, where it is known
        self.variable = variable  # Keras' variable that it is

    @property
    def rank(self):
        return len(self.shape)

    @property
    def order(self):
        """The form that it was made in."""
        return next(iter(self.forms), plain(self.rank))

    @property
    def fixed(self):
        """It does not depend on the inputs, so that any form costs nothing."""
        return self.constant is not None or self.variable is not None


class Graph:
    def __init__(self):
        self.nodes = []
        self.initializers = {}  # name: array
        self.roles = {}  # name: "trainable", "statistic", "frozen", "constant"
        self.stored = {}  # name of a variable: (variable, steps) as weights.py has them
        self.told = []  # what the file does not hold
        self.made = {}  # name of a value: place of its node
        self.names = set()
        self.renamed = {}
        self.ends = {}  # the names of the model's outputs, by those that they had
        self.folded = set()  # ids of variables that became constants
        self.scopes = []
        self.frames = []
        self.constants = {}
        self.variable_names = {}

    # -- names --

    def unique(self, name):
        name = name or "value"
        k, tried = 1, name
        while tried in self.names:
            tried = f"{name}_{k}"
            k += 1
        self.names.add(tried)
        return tried

    def scoped(self, name):
        return self.unique("/".join([*self.scopes, name]))

    def tell(self, what):
        if what not in self.told:
            self.told.append(what)

    def warn(self):
        if self.told:
            warnings.warn("the ONNX file does not hold all of the Keras model: " + "; ".join(self.told), stacklevel=4)

    # -- nodes: names in, names out --

    def emit(self, op, inputs, outputs=1, **attributes):
        """Writes a node; the name of its output, or a list of names. An attribute that is None is left out."""
        base = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", op).lower()
        named = [self.scoped(base) for _ in range(outputs)]
        given = {k: v for k, v in attributes.items() if v is not None}
        self.nodes.append(helper.make_node(op, inputs, named, name=named[0], **given))
        for name in named:
            self.made[name] = len(self.nodes) - 1
        return named[0] if outputs == 1 else named

    def constant(self, array, dtype=None):
        """The name of an initializer that never trains."""
        array = np.asarray(array, dtype)
        key = (array.dtype.str, array.shape, array.tobytes()) if array.dtype.kind not in "OSU" else None
        if key is None or key not in self.constants:
            name = self.unique("constant")
            self.initializers[name] = array
            if array.dtype.kind == "f":
                self.roles[name] = "constant"
            if key is None:
                return name
            self.constants[key] = name
        return self.constants[key]

    def ints(self, numbers):
        return self.constant(np.array(numbers, np.int64).reshape(-1))

    def parameter(self, variable, steps=()):
        """The name of the initializer of a Keras variable, stored as `steps` make it (weights.py)."""
        from . import weights

        name = self.variable_names.get(id(variable))
        if name is None:
            raise Refused(f"reads variable '{variable.path}', which is none of the model's weights")
        steps = tuple(steps)
        if name in self.stored:
            if self.stored[name][1] != steps:
                raise Refused(f"reads '{name}' in another layout than the layer before it that shares it")
            return name
        array = weights.forth(steps, self.narrowed(np.asarray(variable.numpy())))
        self.stored[name] = (variable, steps)
        self.initializers[name] = array
        self.names.add(name)
        return name

    def narrowed(self, array):
        return array.astype(np.float32) if str(array.dtype) in ("float16", "bfloat16") else array

    def dtype(self, name):
        """The type in the file: half floats are float there."""
        if name in ("float16", "bfloat16"):
            self.tell(f"mixed precision: what Keras computes in {name} is float32 in the file")
            return "float32"
        if name not in TYPES:
            raise Refused(f"computes {name}, which has no type here")
        return name

    # -- values --

    def value(self, name, shape=None, dtype=None, order=None):
        """A value under a name. Its shape and type are what Keras says of the output of this layer, where nothing is said."""
        spec = self.frames[-1].outputs[0] if self.frames and self.frames[-1].outputs else None
        shape = tuple(spec.shape if shape is None else shape)
        dtype = self.dtype(spec.dtype if dtype is None else dtype)
        return Value(shape, dtype, {tuple(order) if order else plain(len(shape)): name})

    def lift(self, x, dtype=None):
        """A value of whatever Keras' operations take: a value, a variable, an array, a number."""
        import keras

        if isinstance(x, Value):
            return x
        if isinstance(x, keras.Variable):
            return Value(x.shape, self.dtype(str(x.dtype)), {}, variable=x)
        array = np.asarray(x if isinstance(x, (bool, int, float, list, tuple, np.ndarray)) else keras.ops.convert_to_numpy(x))
        if dtype is None and array.dtype == np.float64 and isinstance(x, (float, list, tuple)):
            dtype = "float32"
        if dtype is None and array.dtype == np.int64 and isinstance(x, (int, list, tuple)):
            dtype = "int32"
        array = self.narrowed(array.astype(dtype) if dtype else array)
        return Value(array.shape, str(array.dtype), {}, constant=array)

    def form(self, v, order=None):
        """The name of a value in an order, Keras' own where none is said."""
        v = self.lift(v)
        order = plain(v.rank) if order is None else tuple(order)
        if order in v.forms:
            if callable(v.forms[order]):
                v.forms[order] = v.forms[order]()
            return v.forms[order]
        if v.constant is not None:
            name = self.constant(np.transpose(v.constant, order))
        elif v.variable is not None and order == plain(v.rank):
            name = self.parameter(v.variable)
        else:
            source = plain(v.rank) if v.variable is not None else v.order
            name = self.emit("Transpose", [self.form(v, source)], perm=[source.index(d) for d in order])
        v.forms[order] = name
        return name

    def cast(self, v, dtype):
        v = self.lift(v)
        dtype = self.dtype(dtype)
        if v.dtype == dtype:
            return v
        if v.constant is not None:
            return Value(v.shape, dtype, {}, constant=v.constant.astype(dtype))
        order = v.order
        return Value(v.shape, dtype, {order: self.emit("Cast", [self.form(v, order)], to=TYPES[dtype])})

    # -- values by element --

    def common_order(self, values, rank):
        """The order in which values of that rank, or fewer, meet: not Keras' own, where one of them was made so."""
        orders = [v.order for v in values if v.rank == rank and not v.fixed]
        if any(not v.fixed and 1 < v.rank < rank for v in values):
            return plain(rank)
        return next((o for o in orders if o != plain(rank)), plain(rank))

    def aligned(self, v, order):
        """The name under which a value meets values in that order by broadcasting."""
        rank = len(order)
        if v.rank == rank:
            return self.form(v, order)
        if v.rank == 0 or order == plain(rank):
            return self.form(v)
        wide = (1,) * (rank - v.rank) + v.shape
        if v.constant is not None:
            return self.constant(np.transpose(v.constant.reshape(wide), order))
        if v.rank == 1:
            behind = rank - 1 - order.index(rank - 1)
            return self.emit("Unsqueeze", [self.form(v), self.ints(range(1, behind + 1))]) if behind else self.form(v)
        name = self.emit("Unsqueeze", [self.form(v), self.ints(range(rank - v.rank))])
        return self.emit("Transpose", [name], perm=list(order))

    def elementwise(self, op, *values, shape=None, dtype=None, **attributes):
        """A node that goes element by element, with broadcasting."""
        values = [self.lift(v) for v in values]
        rank = max(v.rank for v in values)
        order = self.common_order(values, rank)
        name = self.emit(op, [self.aligned(v, order) for v in values], **attributes)
        return self.value(name, shape, dtype, order)

    def node(self, op, *inputs, shape=None, dtype=None, **attributes):
        """A node over values in Keras' order: for rules of one's own."""
        name = self.emit(op, ["" if v is None else self.form(v) for v in inputs], **attributes)
        return self.value(name, shape, dtype)

    # -- shapes --

    def reshape(self, name, shape, was):
        """A name with another shape; dimensions that are not known are None."""
        shape, was = list(shape), list(was)
        if shape == was and sum(d is None for d in shape) <= 1:
            return name
        if len(shape) == 2 and len(was) > 1 and shape[0] is None and was[0] is None:
            return self.emit("Flatten", [name], axis=1)
        dims = [-1 if d is None else d for d in shape]
        if shape and was and shape[0] is None and was[0] is None and 0 not in shape:
            dims[0] = 0
        if sum(d == -1 for d in dims) <= 1:
            return self.emit("Reshape", [name, self.ints(dims)])
        for k in range(1, len(dims)):  # what stands at the same place stays
            if shape[k] is None and k < len(was) and was[k] is None and shape[:k] == was[:k]:
                dims[k] = 0
        if sum(d == -1 for d in dims) > 1:
            raise Refused(f"makes {tuple(shape)} of {tuple(was)}: more than one dimension is not known")
        return self.emit("Reshape", [name, self.ints(dims)])

    def size(self, v, axis):
        """The name of a vector of one int64: how long a dimension of Keras is."""
        v = self.lift(v)
        if v.shape[axis] is not None:
            return self.ints([v.shape[axis]])
        axis = axis % v.rank
        at = v.order.index(axis)
        return self.emit("Shape", [self.form(v, v.order)], start=at, end=at + 1)

    # -- the end --

    def call(self, function, *arguments, **named):
        """What a Python function of Keras' operations and layers makes of values: for rules of one's own, `graph.call(lambda x: ops.relu(x) + 1, x)`."""
        from . import walk

        return walk.follow(self, function, arguments, named)

    def resolved(self, name):
        seen = name
        while seen in self.renamed:
            seen = self.renamed[seen]
        return seen

    def finished(self, inputs, outputs, name):
        """The model; `inputs` and `outputs` are lists of ValueInfoProto."""

        def final(name):
            name = self.resolved(name)
            return self.ends.get(name, name)

        for node in self.nodes:
            node.input[:] = [final(n) for n in node.input]
            node.output[:] = [final(n) for n in node.output]
            node.name = final(node.name)
        nodes = self.needed([o.name for o in outputs])
        read = {n for node in nodes for n in node.input} | {o.name for o in outputs}
        kept = [numpy_helper.from_array(a, n) for n, a in self.initializers.items() if n in read]
        graph = helper.make_graph(nodes, name, inputs, outputs, kept)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="kiln.keras", ir_version=10)
        self.stored = {n: s for n, s in self.stored.items() if n in read}
        self.roles = {n: r for n, r in self.roles.items() if n in read}
        return model

    def needed(self, outputs):
        """The nodes that the outputs depend on."""
        wanted, kept = set(outputs), []
        for node in reversed(self.nodes):
            if wanted.intersection(node.output):
                wanted.update(node.input)
                kept.append(node)
        return kept[::-1]


def declared(name, dtype, dims):
    return onnx.helper.make_tensor_value_info(name, TYPES[dtype], dims)
