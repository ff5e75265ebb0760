"""From the layers of a Keras model to rules.

A Functional or Sequential model has its operations as nodes already. What has no rule (a subclassed layer or model, attention, a function of a user) is
called once with symbolic tensors, so that Keras notes its operations in the same way, and these are followed."""

import contextlib
import inspect
import sys

import keras
from keras import tree

from .errors import KerasError, Refused
from .graph import TYPES, Value, plain
from .registry import rule_of

BATCH = 7919  # stands for the batch where a layer computes with it: no dimension of a network is a multiple
BINARY = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "mod",
    "pow": "power",
    "matmul": "matmul",
    "and": "logical_and",
    "or": "logical_or",
}
COMPARED = {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "ne": "not_equal"}


class Frame:
    def __init__(self, operation, arguments, outputs):
        self.operation, self.arguments, self.outputs = operation, arguments, outputs


def is_symbol(x):
    return isinstance(x, keras.KerasTensor)


def is_value(x):
    return isinstance(x, Value)


def ordered(outputs, known):
    """The nodes that make the tensors, each behind those that it reads; `known` has the ids of tensors that are there."""
    made, done = [], set()
    stack = [(t, False) for t in reversed([t for t in tree.flatten(outputs) if is_symbol(t)])]
    while stack:
        tensor, ready = stack.pop()
        if id(tensor) in known:
            continue
        history = getattr(tensor, "_keras_history", None)
        if history is None or history.operation is None:
            raise Refused(f"reads the symbolic tensor '{tensor.name}', which nothing makes")
        node = history.operation._inbound_nodes[history.node_index]
        if id(node) in done:
            continue
        if isinstance(node.operation, keras.layers.InputLayer):
            raise Refused(f"reads '{tensor.name}', which is an input of another model")
        if ready:
            done.add(id(node))
            made.append(node)
        else:
            stack.append((tensor, True))
            stack.extend((t, False) for t in reversed([*node.input_tensors, *masks_of(node)[1]]))
    return made


def masks_of(node):
    """({argument of a layer: masks, which Keras hands on beside its tensors}, the masks)."""
    layer = node.operation
    if not isinstance(layer, keras.Layer):
        return {}, []
    arguments = bound(layer, node.arguments.args, node.arguments.kwargs)
    names = inspect.signature(layer.call).parameters
    tensors = {k: v for k, v in arguments.items() if any(is_symbol(t) for t in tree.flatten(v))}
    wanted = {"mask": v for v in tensors.values()} if len(tensors) == 1 else {f"{k}_mask": v for k, v in tensors.items()}
    masks = {}
    for name, tensor in wanted.items():
        if name in names and arguments.get(name) is None:
            mask = tree.map_structure(lambda t: getattr(t, "_keras_mask", None), tensor)
            if any(is_symbol(m) for m in tree.flatten(mask)):
                masks[name] = mask
    return masks, [m for m in tree.flatten(masks) if is_symbol(m)]


def run(graph, inputs, values, outputs):
    """The values of the symbolic tensors `outputs` (a structure), where those of `inputs` are `values`."""
    known = {id(t): v for t, v in zip(inputs, values)}
    for node in ordered(outputs, known):
        args, kwargs = node.arguments.fill_in(known)
        masks = tree.map_structure(lambda m: known[id(m)] if is_symbol(m) else m, masks_of(node)[0])
        kwargs = {**kwargs, **masks}
        made = call(graph, node.operation, args, kwargs, node)
        for tensor, value in zip(node.outputs, made):
            known[id(tensor)] = value
    return tree.map_structure(lambda t: known[id(t)] if is_symbol(t) else t, outputs)


def specs(graph, operation, args, kwargs, node):
    """Shapes and types of the outputs, as Keras has them."""
    masks = node and masks_of(node)[0] or {}
    given = [v.shape for v in tree.flatten((args, {k: v for k, v in kwargs.items() if k not in masks})) if is_value(v)]
    if node is not None and given == [shape_of(t.shape) for t in node.input_tensors]:
        return [keras.KerasTensor(shape_of(t.shape), t.dtype) for t in tree.flatten(node.outputs)]
    args, kwargs = tree.map_structure(symbol, (args, kwargs))
    return tree.flatten(operation.compute_output_spec(*args, **kwargs))


def symbol(x):
    return keras.KerasTensor(x.shape, x.dtype) if is_value(x) else x


def shape_of(shape):
    return tuple(None if d is not None and d > 0 and d % BATCH == 0 else d for d in shape)


def bound(operation, args, kwargs):
    try:
        return dict(inspect.signature(operation.call).bind(*args, **kwargs).arguments)
    except TypeError:
        return {**{str(k): a for k, a in enumerate(args)}, **kwargs}


def call(graph, operation, args, kwargs, node=None):
    """The outputs of one layer or operation, as a flat list."""
    layer = isinstance(operation, keras.Layer)
    outputs = specs(graph, operation, args, kwargs, node)
    arguments = bound(operation, args, kwargs)
    graph.frames.append(Frame(operation, arguments, outputs))
    if layer:
        graph.scopes.append(operation.name)
    begin = len(graph.nodes)
    try:
        rule = rule_of(operation, graph.rules)
        made = rule(operation, inputs_of(arguments), graph) if rule else unfold(graph, operation, args, kwargs)
        made = [graph.lift(v) for v in tree.flatten(made)]
        if layer:
            name_outputs(graph, made, begin)
    except Refused as e:
        refuse(graph, operation, str(e))
        # What stands behind it is looked at all the same, so that the error names all that cannot be written.
        made = [Value(o.shape, o.dtype if o.dtype in TYPES else "float32", {plain(len(o.shape)): "refused"}) for o in outputs]
    finally:
        graph.frames.pop()
        if layer:
            graph.scopes.pop()
    if len(made) != len(outputs):
        raise KerasError(f"the rule of {type(operation).__name__} '{operation.name}' makes {len(made)} outputs, must make {len(outputs)}")
    return made


def refuse(graph, operation, why):
    where = "/".join(graph.scopes if isinstance(operation, keras.Layer) else [*graph.scopes, operation.name])
    line = f"{type(operation).__name__} '{where or operation.name}' {why}"
    if line not in graph.refused:
        graph.refused.append(line)


def inputs_of(arguments):
    """The values among the arguments, in order, but masks."""
    found = []
    for name, argument in arguments.items():
        if name != "mask" and not name.endswith("_mask") or name == "attention_mask":
            found += [v for v in tree.flatten(argument) if is_value(v)]
    return found


def name_outputs(graph, made, begin):
    """The value that a layer ends in is called as the layer."""
    if len(made) != 1 or not made[0].forms:
        return
    v = made[0]
    name = v.forms[v.order]
    if not isinstance(name, str):
        return
    name = graph.resolved(name)
    if graph.made.get(name, -1) >= begin:
        path = graph.unique("/".join(graph.scopes))
        graph.renamed[name] = path
        graph.made[path] = graph.made[name]
        for order, form in v.forms.items():
            if isinstance(form, str) and graph.resolved(form) == path:
                v.forms[order] = path


def is_graph(operation):
    return isinstance(operation, keras.Model) and hasattr(operation, "inputs") and bool(getattr(operation, "inputs", None)) and bool(getattr(operation, "outputs", None))


def is_functional(model):
    from keras.src.models.functional import Functional

    return isinstance(model, (Functional, keras.Sequential)) and type(model).call in (Functional.call, keras.Sequential.call) and is_graph(model)


def unfold(graph, operation, args, kwargs):
    """What is inside a layer, or a model, without a rule."""
    if not isinstance(operation, keras.Layer):
        raise Refused("has no rule")
    masked = any(is_value(v) for v in tree.flatten(kwargs.get("mask")))
    if is_functional(operation) and not masked:
        return run(graph, operation.inputs, tree.flatten(args)[: len(operation.inputs)], operation.outputs)
    if isinstance(operation, keras.layers.Lambda):
        own = "rules={keras.layers.Lambda: lambda layer, inputs, graph: graph.call(layer.function, *inputs)}"
        raise Refused(f"holds any Python function: give a rule, {own}, where it is made of keras.ops")
    kwargs = dict(kwargs)
    parameters = inspect.signature(operation.call).parameters
    if "training" in parameters:
        kwargs["training"] = False
    return follow(graph, operation.call, args, kwargs)


def follow(graph, function, args, kwargs):
    """Calls a function with symbolic tensors in place of values, and writes what Keras noted. First with a batch that is not known, then with a number
    in its place, for those that compute with it."""
    values = [v for v in tree.flatten((args, kwargs)) if is_value(v)]
    trouble = None
    for batch in (None, BATCH):
        symbols = {id(v): keras.KerasTensor(tuple(batch if d is None and k == 0 else d for k, d in enumerate(v.shape)), v.dtype) for v in values}
        placed = tree.map_structure(lambda x: symbols[id(x)] if is_value(x) else x, (args, kwargs))
        attach_masks(*placed)
        try:
            with symbolic_variables(graph):
                outputs = function(*placed[0], **placed[1])
        except Exception as e:  # whatever a function of a user throws
            trouble = trouble or e
            continue
        return run(graph, [symbols[id(v)] for v in values], values, outputs)
    words = (str(trouble).strip().splitlines() or [""])[0].split(". ")[0]
    raise Refused(f"cannot be followed: give a rule, rules={{its class: function(layer, inputs, graph)}} ({type(trouble).__name__}: {words})")


def attach_masks(args, kwargs):
    """Layers inside find the masks at the tensors, as Keras has them there."""
    pairs = [(args[0], kwargs.get("mask"))] if args else []
    pairs += [(kwargs.get(name[: -len("_mask")], args[k] if k < len(args) else None), kwargs[name]) for k, name in enumerate(n for n in kwargs if n.endswith("_mask"))]
    for tensor, mask in pairs:
        for t, m in zip(tree.flatten(tensor), tree.flatten(mask)):
            if is_symbol(t) and is_symbol(m) and len(m.shape) < len(t.shape) + 1:
                t._keras_mask = m


@contextlib.contextmanager
def symbolic_variables(graph):
    """While a layer is followed, what it computes of the model's variables alone is noted as well, where Keras would compute it at once."""

    def is_weight(x):
        return isinstance(x, keras.Variable) and id(x) in graph.variable_names

    def any_symbolic(old):
        return lambda args=None, kwargs=None: old(args, kwargs) or any(is_weight(x) for x in tree.flatten((args, kwargs)))

    def operator(old, function, turned):
        def made(self, other):
            if not is_symbol(other) and not is_weight(self) and not is_weight(other):
                return old(self, other)
            return function(other, self) if turned else function(self, other)

        return made

    replaced = []

    def replace(place, name, new):
        replaced.append((place, name, getattr(place, name)))
        setattr(place, name, new)

    for name, module in list(sys.modules.items()):
        if name.startswith("keras.src.ops.") and hasattr(module, "any_symbolic_tensors"):
            replace(module, "any_symbolic_tensors", any_symbolic(module.any_symbolic_tensors))
    for word, function in {**BINARY, **COMPARED}.items():
        for name, turned in ((f"__{word}__", False), (f"__r{word}__", True)):
            if hasattr(keras.Variable, name):
                replace(keras.Variable, name, operator(getattr(keras.Variable, name), getattr(keras.ops, function), turned))
    try:
        yield
    finally:
        for place, name, old in reversed(replaced):
            setattr(place, name, old)
