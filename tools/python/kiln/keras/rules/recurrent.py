"""LSTM, GRU and SimpleRNN as ONNX has them.

A masked step leaves the state as it is, wherever in the sequence it stands. ONNX has lengths only; so the steps that count are moved to the front, run
with their number as length, and each step then reads the output of the last one that counted."""

import keras
import numpy as np
from keras import activations

from ..errors import Refused
from ..graph import Value, plain
from ..registry import rule
from .shape import flipped

NAMES = {  # Keras' activation: ONNX', alpha, beta
    activations.tanh: ("Tanh", 0, 0),
    activations.sigmoid: ("Sigmoid", 0, 0),
    activations.relu: ("Relu", 0, 0),
    activations.hard_sigmoid: ("HardSigmoid", 1 / 6, 0.5),
    activations.elu: ("Elu", 1.0, 0),
    activations.softsign: ("Softsign", 0, 0),
    activations.softplus: ("Softplus", 0, 0),
    activations.linear: ("Affine", 1.0, 0),
    activations.leaky_relu: ("LeakyRelu", 0.2, 0),
}
# How ONNX orders the gates, by Keras' places (LSTM: i f c o to i o f c; GRU: z r h both).
GATES = {"LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2), "RNN": (0,)}
CELLS = {"LSTMCell": "LSTM", "GRUCell": "GRU", "SimpleRNNCell": "RNN"}


def matrix_steps(op, shape):
    """[in, gates * units] to [1, gates * units, in]."""
    width, gates = shape[0], len(GATES[op])
    units = shape[1] // gates
    return (("reshape", (width, gates, units)), ("take", 1, GATES[op]), ("transpose", (1, 2, 0)), ("reshape", (1, gates * units, width)))


def bias_steps(op, size):
    gates = len(GATES[op])
    return (("reshape", (gates, size // gates)), ("take", 0, GATES[op]), ("reshape", (1, size)))


def bias_of(graph, op, cell):
    """Keras has one bias, ONNX two that are added: the second is zeros that do not train. GRU with reset_after has both."""
    if not cell.use_bias:
        return ""
    shape = tuple(cell.bias.shape)
    if len(shape) == 2:
        return graph.parameter(cell.bias, (("reshape", (1, shape[0] * shape[1])),))
    first = graph.parameter(cell.bias, bias_steps(op, shape[0]))
    return graph.emit("Concat", [first, graph.constant(np.zeros((1, shape[0])), "float32")], axis=1)


def activation_attributes(op, cell):
    functions = {"LSTM": [cell.activation] * 2, "GRU": [cell.activation], "RNN": [cell.activation]}[op]
    if op != "RNN":
        functions = [cell.recurrent_activation, *functions]
    found = []
    for f in functions:
        f = activations.linear if f is None else f
        if f not in NAMES:
            raise Refused(f"has an activation that ONNX' {op} has not: {getattr(f, '__name__', f)}")
        found.append(NAMES[f])
    if [n for n, _, _ in found] == {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}[op]:
        return {}
    attributes = {"activations": [n for n, _, _ in found]}
    if any(a or b for _, a, b in found):
        attributes.update(activation_alpha=[float(a) for _, a, _ in found], activation_beta=[float(b) for _, _, b in found])
    return attributes


class Steps:
    """The order of a masked sequence: which steps count, how many do, where each step's output stands."""

    def __init__(self, graph, mask, backwards):
        mask = graph.lift(mask)
        if mask.rank == 3:
            mask = graph.value(graph.emit("Squeeze", [graph.form(mask), graph.ints([2])]), mask.shape[:2], mask.dtype)
        self.counts = graph.emit("Cast", [graph.form(graph.cast(mask, "bool"))], to=6)
        one = graph.constant(np.array(1, np.int64))
        self.length = graph.emit("ReduceSum", [self.counts, graph.ints([1])], keepdims=0)
        # Stable: those that count keep their order, 2 T - t for them and -t for the others.
        length = graph.emit("Shape", [self.counts], start=1, end=2)
        none = graph.emit("Mul", [self.counts, graph.constant(0, "int32")])
        steps = graph.emit("Cast", [graph.emit("CumSum", [graph.emit("Add", [none, graph.constant(1, "int32")]), one], exclusive=1)], to=1)
        weight = graph.emit("Mul", [graph.emit("Cast", [self.counts], to=1), graph.emit("Cast", [graph.emit("Mul", [length, graph.ints([2])])], to=1)])
        _, self.order = graph.emit("TopK", [graph.emit("Sub", [weight, steps]), length], outputs=2, axis=1)
        place = graph.emit("CumSum", [self.counts, one], exclusive=int(backwards))
        if not backwards:
            place = graph.emit("Sub", [place, graph.constant(1, "int32")])
        self.place, self.backwards = place, backwards

    def gathered(self, graph, name, places):
        """Of [batch, steps, features] the steps at these places."""
        wide = graph.emit("Unsqueeze", [graph.emit("Cast", [places], to=7), graph.ints([2])])
        return graph.emit("GatherND", [name, wide], batch_dims=1)

    def packed(self, graph, name):
        return self.gathered(graph, name, self.order)

    def spread(self, graph, name, zero):
        """The outputs at their steps; those before the first that counts are zeros, with `zero` all that do not count."""
        last = graph.emit("Unsqueeze", [graph.emit("Sub", [self.length, graph.constant(1, "int32")]), graph.ints([1])])
        inside = graph.emit("LessOrEqual", [self.place, last]) if self.backwards else graph.emit("GreaterOrEqual", [self.place, graph.constant(0, "int32")])
        safe = graph.emit("Max", [graph.emit("Min", [self.place, graph.emit("Max", [last, graph.constant(0, "int32")])]), graph.constant(0, "int32")])
        if zero:
            inside = graph.emit("Cast", [self.counts], to=9)
        there = graph.emit("Unsqueeze", [inside, graph.ints([2])])
        return graph.emit("Where", [there, self.gathered(graph, name, safe), graph.constant(0, "float32")])


def recur(graph, layer, cell, x, states, mask, turned=True):
    """(outputs of all steps or of the last, states): values. Without `turned` a backward layer has its outputs in the order of the inputs."""
    op = CELLS.get(type(cell).__name__)
    if op is None or type(cell).call is not getattr(keras.layers, type(cell).__name__).call:
        raise Refused(f"has cell {type(cell).__name__}, which ONNX has not: give a rule for the layer")
    if layer.stateful:
        raise Refused("is stateful: a file of ONNX keeps no state between runs")
    if getattr(cell, "dropout", 0) or getattr(cell, "recurrent_dropout", 0):
        graph.tell(f"the dropout inside of '{layer.name}'")
    units, back = cell.units, bool(layer.go_backwards)
    steps = Steps(graph, mask, back) if mask is not None else None
    name = graph.form(graph.cast(x, "float32"))
    if steps:
        name = steps.packed(graph, name)
    name = graph.emit("Transpose", [name], perm=[1, 0, 2])
    kernel, recurrent = cell.kernel, cell.recurrent_kernel
    names = [name, graph.parameter(kernel, matrix_steps(op, kernel.shape)), graph.parameter(recurrent, matrix_steps(op, recurrent.shape)), bias_of(graph, op, cell)]
    names.append(steps.length if steps else "")
    for state in states or []:
        names.append(graph.emit("Unsqueeze", [graph.form(graph.cast(state, "float32")), graph.ints([0])]))
    while names[-1] == "":
        names.pop()
    attributes = {"hidden_size": units, **activation_attributes(op, cell), **({"direction": "reverse"} if back else {})}
    if op == "GRU":
        attributes["linear_before_reset"] = int(bool(cell.reset_after))
    made = graph.emit(op, names, outputs=3 if op == "LSTM" else 2, **attributes)
    last = [Value((x.shape[0], units), "float32", {(0, 1): graph.emit("Squeeze", [n, graph.ints([0])])}) for n in made[1:]]
    if not layer.return_sequences:
        out = last[0]
        if steps and getattr(layer, "zero_output_for_mask", False):
            raise Refused("has zero_output_for_mask without return_sequences")
        return out, last
    name = graph.emit("Transpose", [graph.emit("Squeeze", [made[0], graph.ints([1])])], perm=[1, 0, 2])
    if steps:
        name = steps.spread(graph, name, getattr(layer, "zero_output_for_mask", False))
    out = Value((x.shape[0], x.shape[1], units), "float32", {plain(3): name})
    return (flipped(graph, out, [1]) if back and turned else out), last


def cells_of(layer):
    cell = layer.cell
    return list(cell.cells) if isinstance(cell, keras.layers.StackedRNNCells) else [cell]


class One:
    """What `recur` asks of a layer, of one of several stacked cells."""

    def __init__(self, layer, last):
        self.name, self.stateful, self.go_backwards = layer.name, layer.stateful, layer.go_backwards
        self.return_sequences = layer.return_sequences or not last
        self.zero_output_for_mask = getattr(layer, "zero_output_for_mask", False)


def layer_of(graph, layer, x, states, mask, turned=True):
    """All that a recurrent layer makes: outputs, then its states."""
    cells = cells_of(layer)
    if len(cells) == 1:
        with scope(graph, cells[0]):
            out, made = recur(graph, layer, cells[0], x, states, mask, turned)
        return [out, *made] if layer.return_state else [out]
    if mask is not None or states:
        raise Refused("is a stack of cells with a mask or states: use one layer for each cell")
    every = []
    for k, cell in enumerate(cells):
        one = One(layer, k == len(cells) - 1)
        with scope(graph, cell):
            x, made = recur(graph, one, cell, x, None, None, turned=False)
        every += made
    if layer.go_backwards and layer.return_sequences and turned:
        x = flipped(graph, x, [1])
    return [x, *every] if layer.return_state else [x]


class scope:
    def __init__(self, graph, cell):
        self.graph, self.cell = graph, cell

    def __enter__(self):
        self.graph.scopes.append(self.cell.name)

    def __exit__(self, *_):
        self.graph.scopes.pop()


def arguments_of(graph):
    a = graph.frames[-1].arguments
    states = a.get("initial_state")
    mask = a.get("mask")
    mask = keras.tree.flatten(mask)[0] if mask is not None and keras.tree.flatten(mask) else None
    return a.get("sequences"), None if states is None else keras.tree.flatten(states), mask


@rule("layers.LSTM", "layers.GRU", "layers.SimpleRNN", "layers.RNN")
def recurrent(layer, inputs, graph):
    x, states, mask = arguments_of(graph)
    return layer_of(graph, layer, x, states, mask)


@rule("layers.Bidirectional")
def bidirectional(layer, inputs, graph):
    x, states, mask = arguments_of(graph)
    half = len(states) // 2 if states else 0
    ends = []
    for inner, given in ((layer.forward_layer, states and states[:half]), (layer.backward_layer, states and states[half:])):
        with scope(graph, inner):
            ends.append(layer_of(graph, inner, x, given, mask, turned=False))
    (y, *one), (z, *other) = ends

    def merged(y, z):
        ops = keras.ops
        if layer.merge_mode == "concat":
            return ops.concatenate([y, z], axis=-1)
        return {"sum": lambda: y + z, "ave": lambda: (y + z) / 2, "mul": lambda: y * z}[layer.merge_mode]()

    if layer.merge_mode is None:
        return [y, z, *one, *other]
    return [graph.call(merged, y, z), *one, *other]


@rule("layers.TimeDistributed")
def time_distributed(layer, inputs, graph):
    """The steps become samples, and steps again."""
    x = inputs[0]
    inner, out = layer.layer, graph.frames[-1].outputs[0]
    if isinstance(inner, keras.layers.Dense) and type(inner) is keras.layers.Dense or isinstance(inner, (keras.layers.Activation, keras.layers.Dropout)):
        return graph.call(inner, x)
    flat = Value((None, *x.shape[2:]), x.dtype, {plain(x.rank - 1): graph.emit("Reshape", [graph.form(x), graph.ints([-1, *rest(x.shape[2:])])])})
    made = graph.lift(keras.tree.flatten(graph.call(inner, flat))[0])
    name = graph.form(made)
    if x.shape[1] is not None:
        return graph.value(graph.emit("Reshape", [name, graph.ints([-1, x.shape[1], *rest(out.shape[2:])])]), dtype=made.dtype)
    front = graph.emit("Shape", [graph.form(x)], start=0, end=2)
    shape = graph.emit("Concat", [front, graph.ints(rest(out.shape[2:]))], axis=0)
    return graph.value(graph.emit("Reshape", [name, shape]), dtype=made.dtype)


def rest(shape):
    if None in shape:
        raise Refused("has steps of unknown size")
    return list(shape)


def refused(layer, inputs, graph):
    raise Refused("has no operator in ONNX: give a rule for it, or use a convolution and a recurrent layer")


for word in ("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"):
    rule(f"layers.{word}")(refused)
