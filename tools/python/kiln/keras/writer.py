"""kiln.keras.export: a model's inputs and outputs, the walk between them, and what the metadata say."""

import json
import re

import keras
import onnx
from keras import tree

from . import metadata, registry, walk, weights
from .errors import KerasError
from .graph import Graph, Value, declared, plain

LARGEST = 2**31 - 2**20  # bytes of a message


def tensors(inputs):
    """Symbolic tensors of what the caller says that a model takes."""

    def tensor(x):
        return x if walk.is_symbol(x) else keras.Input(shape=tuple(x))

    if isinstance(inputs, dict):
        return {name: tensor(x) for name, x in inputs.items()}
    if isinstance(inputs, list):
        return [tensor(x) for x in inputs]
    return tensor(inputs)


def shapes_of(model):
    """What a subclassed model was built with: {argument of its call: shape or structure of shapes}."""
    shapes = getattr(model, "_build_shapes_dict", None)
    if not shapes:
        raise KerasError(f"model '{model.name}' does not say what it takes: give inputs=, a keras.Input or a list or dictionary of them")
    made = [tensors_of_shapes(s) for s in shapes.values()]
    return made[0] if len(made) == 1 else made


def tensors_of_shapes(shape):
    if isinstance(shape, dict):
        return {k: tensors_of_shapes(s) for k, s in shape.items()}
    if shape and isinstance(shape[0], (list, tuple)):
        return [tensors_of_shapes(s) for s in shape]
    return keras.Input(shape=tuple(shape[1:]))


def input_names(symbols, structure):
    if isinstance(structure, dict):
        wanted = [".".join(str(p) for p in path) for path, _ in tree.flatten_with_path(structure)]
    else:
        wanted = ["input" if re.fullmatch(r"(keras_tensor|input_layer)(_\d+)?", t.name) else t.name for t in symbols]
    return wanted


def output_names(model, made, structure):
    """As the layers that make them, or as the keys of a dictionary."""
    if isinstance(structure, dict):
        return [".".join(str(p) for p in path) for path, _ in tree.flatten_with_path(structure)]
    if walk.is_functional(model):
        return [t._keras_history.operation.name for t in model.outputs]
    return [f"output_{k}" if k else "output" for k in range(len(made))]


def distinct(names, taken):
    out = []
    for name in names:
        tried, k = name, 1
        while tried in taken:
            tried, k = f"{name}_{k}", k + 1
        taken.add(tried)
        out.append(tried)
    return out


def begin(model, rules, inputs):
    """The symbolic inputs (a structure) and a function of their values, flat, to the outputs (a structure)."""
    if walk.is_functional(model):
        symbols, outputs = getattr(model, "_inputs_struct", model.inputs), getattr(model, "_outputs_struct", model.outputs)
        return symbols, lambda graph, values: walk.run(graph, model.inputs, values, outputs)
    symbols = tensors(inputs) if inputs is not None else shapes_of(model)

    def followed(graph, values):
        structure = tree.pack_sequence_as(symbols, values)
        # Several arguments of `call` are a list here; a model with one argument that is a list has it as one shape.
        several = isinstance(symbols, list) and inputs is None and len(getattr(model, "_build_shapes_dict", {}) or {}) > 1
        args = tuple(structure) if several else (structure,)
        named = {"training": False} if "training" in walk.inspect.signature(model.call).parameters else {}
        return walk.follow(graph, model.call, args, named)

    return symbols, followed


def declared_inputs(graph, symbols, names):
    infos, values = [], []
    for t, name in zip(symbols, names):
        dtype = graph.dtype(t.dtype)
        dims = [d if d is not None else "N" if k == 0 else f"{name}_{k}" for k, d in enumerate(t.shape)]
        infos.append(declared(name, dtype, dims))
        values.append(Value(t.shape, dtype, {plain(len(t.shape)): name}))
    return infos, values


def declared_outputs(graph, made, names):
    infos = []
    for v, name in zip(made, names):
        v = graph.lift(v)
        source = graph.resolved(graph.form(v))
        if source not in graph.made or source in graph.ends:
            source = graph.emit("Identity", [source])
        if source != name and name in graph.made and name not in graph.ends:  # a layer's own name, which ends in another form of it
            graph.ends[name] = graph.unique(f"{name}/made")
        graph.ends[source] = name
        infos.append(declared(name, v.dtype, ["N" if d is None and k == 0 else d if d is not None else f"{name}_{k}" for k, d in enumerate(v.shape)]))
    return infos


def made(model, rules=None, inputs=None):
    """The model as an onnx.ModelProto."""
    if not model.built:
        raise KerasError("the model is not built: call it once, or give its layers an Input")
    registry.load()
    graph = Graph()
    graph.rules, graph.refused = dict(rules or {}), []
    variables = weights.named(model)
    graph.variable_names = {id(v): name for name, v in variables.items()}
    structure, function = begin(model, rules, inputs)
    symbols = tree.flatten(structure)
    layers = {id(x): (x, len(x._inbound_nodes), len(x._outbound_nodes)) for x in model._flatten_layers(include_self=True, recursive=True)}
    try:
        names = distinct(input_names(symbols, structure), set())
        graph.names.update(names)
        infos, values = declared_inputs(graph, symbols, names)
        try:
            results = function(graph, values)
        except walk.Refused as e:
            walk.refuse(graph, model, str(e))
        if graph.refused:
            raise KerasError("cannot write " + "; ".join(graph.refused))
        flat = tree.flatten(results)
        wanted = output_names(model, flat, results)
        # A name that is taken by a value inside gives way to the output.
        ends = declared_outputs(graph, flat, distinct(wanted, set(names)))
    finally:
        for layer, inbound, outbound in layers.values():  # what following the layers left in them
            del layer._inbound_nodes[inbound:]
            del layer._outbound_nodes[outbound:]
    file = graph.finished(infos, ends, re.sub(r"\W", "_", model.name))
    metadata.write(file, graph, model, variables, [i.name for i in ends])
    unread = [n for n, v in variables.items() if n not in graph.stored and not weights.is_random(v)]
    lost = [n for n in unread if id(variables[n]) not in graph.folded]
    if lost:
        graph.tell("variables that no output depends on: " + ", ".join(lost))
    metadata.add(file, weights.UNREAD, json.dumps(unread))
    if walk.is_functional(model):
        for t in model.outputs:
            if getattr(t, "_keras_mask", None) is not None:
                graph.tell(f"the mask of output '{t._keras_history.operation.name}', by which Keras weighs its loss")
    graph.warn()
    return file


def export(model, path, rules=None, inputs=None):
    file = made(model, rules, inputs)
    path = str(path)
    if sum(len(i.raw_data) for i in file.graph.initializer) > LARGEST:
        onnx.save_model(file, path, save_as_external_data=True, location=path.rsplit("/", 1)[-1] + ".data")
    else:
        onnx.save_model(file, path)
