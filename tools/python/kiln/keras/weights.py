"""The variables of a model: their names in the file, the layout in which they are stored there, and their way back.

A name is the path of layers from the model down, "block/conv1/kernel". Steps say how the file's array is made of Keras': ("transpose", order),
("reshape", shape), ("take", axis, order of the slices); each can be undone. The file's metadata say them: keras.variable.NAME."""

import json

import numpy as np

from .errors import KerasError

PREFIX = "keras.variable."
UNREAD = "keras.unread"  # the list of variables that the file has not, as no output depends on them


def named(model):
    """{name: variable} of all weights of a model, in order."""
    names = {}
    seen = set()

    def add(path, variable):
        if id(variable) in seen:
            return
        seen.add(id(variable))
        name, k = f"{path}{variable.name}", 1
        while name in names:
            name, k = f"{path}{variable.name}_{k}", k + 1
        names[name] = variable

    def visit(layer, path, above):
        for variable in [*layer._trainable_variables, *layer._non_trainable_variables]:
            add(path, variable)
        for inner in layer._layers:
            if id(inner) not in above:
                visit(inner, f"{path}{inner.name}/", above | {id(inner)})

    visit(model, "", {id(model)})
    for variable in model.weights:  # what no layer holds by itself
        add("", variable)
    return names


def is_random(variable):
    """The state of a generator: no weight."""
    return "seed_generator" in variable.path or not str(variable.dtype).startswith(("float", "bfloat"))


def forth(steps, array):
    for step in steps:
        if step[0] == "transpose":
            array = np.transpose(array, step[1])
        elif step[0] == "reshape":
            array = array.reshape(step[1])
        else:
            array = np.take(array, step[2], step[1])
    return np.ascontiguousarray(array).reshape(array.shape)


def back(steps, array, shape):
    """Keras' array of that shape, of the file's."""
    shapes = [tuple(shape)]
    try:
        for step in steps:
            shapes.append(forth([step], np.empty(shapes[-1], np.int8)).shape)
    except (ValueError, IndexError):
        shapes.append(None)
    if array.shape != shapes[-1]:
        needed = ", which nothing makes" if shapes[-1] is None else f", must have {list(shapes[-1])}"
        raise KerasError(f"has shape {list(array.shape)}{needed} to be {list(shape)} in Keras")
    for step, before in zip(reversed(steps), reversed(shapes[:-1])):
        if step[0] == "transpose":
            array = np.transpose(array, np.argsort(step[1]))
        elif step[0] == "reshape":
            array = array.reshape(before)
        else:
            array = np.take(array, np.argsort(step[2]), step[1])
    return array


def written(steps):
    return json.dumps([list(s) for s in steps])


def read(text):
    return [[s[0], *s[1:]] for s in json.loads(text)]


def load(model, path):
    import onnx
    from onnx import numpy_helper

    if not model.built:
        raise KerasError("the model is not built: call it once, or give its layers an Input")
    file = onnx.load(path)
    entries = {p.key: p.value for p in file.metadata_props}
    if UNREAD not in entries:
        raise KerasError(f"'{path}' does not say how it holds Keras' variables: kiln.keras.export writes that into its metadata ({PREFIX}NAME)")
    said = {k.removeprefix(PREFIX): v for k, v in entries.items() if k.startswith(PREFIX)}
    unread = set(json.loads(entries[UNREAD]))
    held = {i.name: i for i in file.graph.initializer}
    of = named(model)
    wrong = [f"'{n}' is missing in the file" for n in said if n in of and n not in held]
    wrong += [f"'{n}' of the file is unknown to the model" for n in said if n not in of]
    wrong += [f"'{n}' of the model is missing in the file" for n, v in of.items() if n not in said and n not in unread and not is_random(v)]
    arrays = {}
    for name, steps in said.items():
        if name in of and name in held:
            try:
                arrays[name] = back(read(steps), numpy_helper.to_array(held[name]), of[name].shape)
            except KerasError as e:
                wrong.append(f"'{name}' {e}")
    if wrong:
        raise KerasError(f"'{path}' is not of this model: " + "; ".join(wrong))
    for name, array in arrays.items():
        of[name].assign(array)
