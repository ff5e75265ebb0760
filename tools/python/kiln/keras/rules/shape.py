"""Layers and operations of Keras that move, cut and put together."""

import keras
import numpy as np
from keras import ops

from ..errors import Refused
from ..graph import Value, channels_first, plain
from ..registry import rule
from ..walk import BATCH, shape_of
from .arithmetic import promoted


def reshaped(graph, x, shape):
    """Keras' reshape; where only dimensions of 1 are added between batch and channels (or all pixels are one), channels first costs as little."""
    shape = tuple(shape)
    source = x.order
    thin = all(d == 1 for d in x.shape[1:-1])
    if x.fixed and x.constant is not None and None not in shape:
        return Value(shape, x.dtype, {}, constant=x.constant.reshape(shape))

    def made(target):
        def write():
            known = graph.form(x, source if thin and None not in x.shape[1:] else None)
            was = [x.shape[d] for d in (source if thin and None not in x.shape[1:] else plain(x.rank))]
            return graph.reshape(known, [shape[d] for d in target], was)

        return write

    forms = {plain(len(shape)): made(plain(len(shape)))}
    if len(shape) > 2 and all(d == 1 for d in shape[1:-1]) and shape[0] is None:
        first = channels_first(len(shape))
        forms = {first: made(first), **forms}
    v = graph.value("", shape, x.dtype)
    v.forms = forms
    if len(forms) == 1:
        graph.form(v)
    return v


@rule("layers.Reshape", "layers.Flatten", "layers.RepeatVector", "numpy.Ravel")
def reshape_layer(layer, inputs, graph):
    x = inputs[0]
    shape = graph.frames[-1].outputs[0].shape
    if isinstance(layer, keras.layers.RepeatVector):
        return graph.call(lambda x: ops.repeat(ops.expand_dims(x, 1), layer.n, axis=1), x)
    if isinstance(layer, keras.layers.Flatten) and layer.data_format == "channels_first" and x.rank > 2:
        last = (0, *range(2, x.rank), 1)
        name = graph.form(x, last)
        return graph.value(graph.reshape(name, shape, [x.shape[d] for d in last]), shape, x.dtype)
    return reshaped(graph, x, shape)


@rule("numpy.Reshape", "numpy.Squeeze", "numpy.ExpandDims")
def reshape(operation, inputs, graph):
    shape = graph.frames[-1].outputs[0].shape
    asked = getattr(operation, "newshape", None)
    if asked is not None and len(asked) == len(shape):
        shape = [None if d is None or d == -1 and s is None or d != -1 and d % BATCH == 0 and d else s for d, s in zip(asked, shape)]
    return reshaped(graph, inputs[0], shape_of(shape))


def transposed(x, axes):
    """No node: the same forms are other orders of what Keras has now."""
    if x.constant is not None:
        return Value([x.shape[a] for a in axes], x.dtype, {}, constant=np.transpose(x.constant, axes))
    return {tuple(axes.index(d) for d in order): name for order, name in x.forms.items()}


def turned(graph, x, axes):
    axes = [a % x.rank for a in axes]
    if x.fixed:
        if x.constant is not None:
            return transposed(x, axes)
        return graph.value(graph.emit("Transpose", [graph.form(x)], perm=axes), [x.shape[a] for a in axes], x.dtype)
    graph.form(x, x.order)
    return Value([x.shape[a] for a in axes], x.dtype, transposed(x, axes))


@rule("numpy.Transpose")
def transpose(operation, inputs, graph):
    x = inputs[0]
    return turned(graph, x, list(operation.axes) if operation.axes is not None else list(range(x.rank))[::-1])


@rule("layers.Permute")
def permute(layer, inputs, graph):
    return turned(graph, inputs[0], [0, *layer.dims])


@rule("numpy.Swapaxes")
def swapaxes(operation, inputs, graph):
    axes = list(range(inputs[0].rank))
    a, b = operation.axis1 % len(axes), operation.axis2 % len(axes)
    axes[a], axes[b] = axes[b], axes[a]
    return turned(graph, inputs[0], axes)


@rule("numpy.Moveaxis")
def moveaxis(operation, inputs, graph):
    rank = inputs[0].rank
    source, target = ([a % rank for a in (s if isinstance(s, (tuple, list)) else [s])] for s in (operation.source, operation.destination))
    axes = [a for a in range(rank) if a not in source]
    for t, s in sorted(zip(target, source)):
        axes.insert(t, s)
    return turned(graph, inputs[0], axes)


def joined(graph, values, axis):
    values = promoted(graph, *values)
    rank = values[0].rank
    order = graph.common_order(values, rank)
    return graph.value(graph.emit("Concat", [graph.form(v, order) for v in values], axis=order.index(axis % rank)), order=order, dtype=values[0].dtype)


@rule("numpy.Concatenate", "layers.Concatenate")
def concatenate(operation, inputs, graph):
    values = next(iter(graph.frames[-1].arguments.values()))
    return joined(graph, list(values), -1 if operation.axis is None else operation.axis)


@rule("numpy.Stack")
def stack(operation, inputs, graph):
    values = promoted(graph, *next(iter(graph.frames[-1].arguments.values())))
    axis = operation.axis % (values[0].rank + 1)
    wide = [graph.emit("Unsqueeze", [graph.form(v), graph.ints([axis])]) for v in values]
    return graph.value(graph.emit("Concat", wide, axis=axis))


@rule("numpy.Split")
def split(operation, inputs, graph):
    x, outputs = inputs[0], graph.frames[-1].outputs
    axis = operation.axis % x.rank
    sizes = [o.shape[axis] for o in outputs]
    if None in sizes:
        raise Refused("splits a dimension of unknown size")
    names = graph.emit("Split", [graph.form(x, x.order), graph.ints(sizes)], outputs=len(sizes), axis=x.order.index(axis))
    return [graph.value(n, o.shape, x.dtype, x.order) for n, o in zip([names] if len(sizes) == 1 else names, outputs)]


@rule("core.Unstack")
def unstack(operation, inputs, graph):
    x = inputs[0]
    axis = operation.axis % x.rank
    taken = [graph.emit("Gather", [graph.form(x), graph.constant(np.array(k, np.int64))], axis=axis) for k in range(len(graph.frames[-1].outputs))]
    return [graph.value(name, o.shape) for name, o in zip(taken, graph.frames[-1].outputs)]


@rule("numpy.BroadcastTo")
def broadcast_to(operation, inputs, graph):
    x = inputs[0]
    shape = [1 if d is None or d % BATCH == 0 and d else d for d in operation.shape]
    return graph.value(graph.emit("Expand", [graph.form(x), graph.ints(shape)]))


@rule("numpy.Tile")
def tile(operation, inputs, graph):
    x = inputs[0]
    repeats = operation.repeats if isinstance(operation.repeats, (tuple, list)) else [operation.repeats]
    repeats = [1] * (x.rank - len(repeats)) + list(repeats)
    if len(repeats) > x.rank:
        raise Refused("repeats more dimensions than there are")
    return graph.value(graph.emit("Tile", [graph.form(x), graph.ints(repeats)]))


@rule("numpy.Repeat")
def repeat(operation, inputs, graph):
    """Each element so many times: a dimension more, as often, and no dimension more."""
    x = inputs[0]
    if operation.axis is None or not isinstance(operation.repeats, int):
        raise Refused("repeats all dimensions, or each element by a number of its own")
    axis = operation.axis % x.rank
    if x.shape[axis] == 1:
        return graph.value(graph.emit("Tile", [graph.form(x), graph.ints([operation.repeats if d == axis else 1 for d in range(x.rank)])]))
    wide = graph.emit("Unsqueeze", [graph.form(x), graph.ints([axis + 1])])
    often = graph.emit("Tile", [wide, graph.ints([operation.repeats if d == axis + 1 else 1 for d in range(x.rank + 1)])])
    shape = graph.frames[-1].outputs[0].shape
    return graph.value(graph.reshape(often, shape, x.shape[: axis + 1] + (operation.repeats,) + x.shape[axis + 1 :]))


@rule("numpy.Flip")
def flip(operation, inputs, graph):
    x = inputs[0]
    axes = range(x.rank) if operation.axis is None else [a % x.rank for a in (operation.axis if isinstance(operation.axis, (tuple, list)) else [operation.axis])]
    return flipped(graph, x, axes)


def flipped(graph, x, axes):
    places = [x.order.index(a) for a in axes]
    count = len(places)
    name = graph.emit("Slice", [graph.form(x, x.order), graph.ints([-1] * count), graph.ints([-(2**31)] * count), graph.ints(places), graph.ints([-1] * count)])
    return graph.value(name, x.shape, x.dtype, x.order)


def sliced(graph, x, starts, ends, axes, steps=None, shape=None):
    if not axes:
        return x
    places = [x.order.index(a) for a in axes]
    name = graph.emit("Slice", [graph.form(x, x.order), graph.ints(starts), graph.ints(ends), graph.ints(places), *([graph.ints(steps)] if steps else [])])
    return graph.value(name, shape, x.dtype, x.order)


@rule("layers.Cropping1D", "layers.Cropping2D", "layers.Cropping3D")
def cropping(layer, inputs, graph):
    x = inputs[0]
    crop = layer.cropping if isinstance(layer.cropping[0], (tuple, list)) else (layer.cropping,)
    first = 2 if getattr(layer, "data_format", None) == "channels_first" else 1
    axes = [first + k for k in range(len(crop))]
    return sliced(graph, x, [a for a, _ in crop], [-b if b else 2**31 - 1 for _, b in crop], axes)


def padded(graph, x, widths, mode="constant", fill=0):
    order = x.order
    places = [d for d in order]
    pads = [widths[d][0] for d in places] + [widths[d][1] for d in places]
    inputs = [graph.form(x, order), graph.ints(pads)]
    if mode == "constant" and fill:
        inputs.append(graph.constant(fill, x.dtype))
    return graph.value(graph.emit("Pad", inputs, mode=mode), order=order, dtype=x.dtype)


@rule("layers.ZeroPadding1D", "layers.ZeroPadding2D", "layers.ZeroPadding3D")
def zero_padding(layer, inputs, graph):
    x = inputs[0]
    pad = layer.padding if isinstance(layer.padding[0], (tuple, list)) else (layer.padding,)
    first = 2 if getattr(layer, "data_format", None) == "channels_first" else 1
    widths = [(0, 0)] * first + [tuple(p) for p in pad]
    return padded(graph, x, widths + [(0, 0)] * (x.rank - len(widths)))


@rule("numpy.Pad")
def pad(operation, inputs, graph):
    x = inputs[0]
    widths = operation.pad_width
    widths = [(widths, widths)] * x.rank if isinstance(widths, int) else [(w, w) if isinstance(w, int) else tuple(w) for w in widths]
    widths = widths * x.rank if len(widths) == 1 else widths
    modes = {"constant": "constant", "reflect": "reflect", "edge": "edge", "wrap": "wrap"}
    if operation.mode not in modes:
        raise Refused(f"pads by mode '{operation.mode}'")
    fill = graph.frames[-1].arguments.get("constant_values")
    return padded(graph, x, widths, modes[operation.mode], fill or 0)


@rule("numpy.GetItem")
def get_item(operation, inputs, graph):
    x = inputs[0]
    key = graph.frames[-1].arguments["key"]
    key = list(key) if isinstance(key, tuple) else [key]
    if Ellipsis in [k for k in key if isinstance(k, type(Ellipsis))]:
        at = next(i for i, k in enumerate(key) if k is Ellipsis)
        key[at : at + 1] = [slice(None)] * (x.rank - sum(k is not None for k in key) + 1)
    starts, ends, axes, steps, gone, new, gathered = [], [], [], [], [], [], []
    d = 0
    for k in key:
        if k is None:
            new.append(d + len(new) - len(gone))
            continue
        if isinstance(k, slice):
            if any(isinstance(b, Value) for b in (k.start, k.stop, k.step)):
                raise Refused("cuts where the model computes")
            if k != slice(None):
                step = k.step or 1
                starts.append(k.start if k.start is not None else 0 if step > 0 else -1)
                ends.append(k.stop if k.stop is not None else 2**31 - 1 if step > 0 else -(2**31))
                axes.append(d)
                steps.append(step)
        elif isinstance(k, (int, np.integer)):
            starts.append(int(k))
            ends.append(int(k) + 1 if k != -1 else 2**31 - 1)
            axes.append(d)
            steps.append(1)
            gone.append(d)
        else:
            gathered.append((d, k))
        d += 1
    if gathered and (len(gathered) > 1 or gone or new):
        raise Refused("takes by several arrays")
    name = graph.form(x)
    if axes:
        name = graph.emit("Slice", [name, graph.ints(starts), graph.ints(ends), graph.ints(axes), graph.ints(steps)])
    for axis, k in gathered:
        name = graph.emit("Gather", [name, graph.form(graph.cast(graph.lift(k), "int64"))], axis=axis)
    if gone:
        name = graph.emit("Squeeze", [name, graph.ints(gone)])
    if new:
        name = graph.emit("Unsqueeze", [name, graph.ints(new)])
    return graph.value(name, dtype=x.dtype)


@rule("core.Slice")
def core_slice(operation, inputs, graph):
    arguments = graph.frames[-1].arguments
    starts, shape = arguments["start_indices"], operation.shape
    if any(isinstance(s, Value) for s in keras.tree.flatten(starts)):
        raise Refused("cuts where the model computes")
    starts = [int(s) for s in np.asarray(starts)]
    ends = [2**31 - 1 if n in (-1, None) else s + n for s, n in zip(starts, shape)]
    return sliced(graph, inputs[0], starts, ends, list(range(inputs[0].rank)))


@rule("numpy.Take")
def take(operation, inputs, graph):
    x, indices = list(graph.frames[-1].arguments.values())[:2]
    x = graph.lift(x)
    indices = graph.cast(indices, "int64") if graph.lift(indices).dtype not in ("int32", "int64") else graph.lift(indices)
    name, axis = graph.form(x), operation.axis
    if axis is None:
        name, axis = graph.emit("Reshape", [name, graph.ints([-1])]), 0
    return graph.value(graph.emit("Gather", [name, graph.form(indices)], axis=axis % max(x.rank, 1)), dtype=x.dtype)


@rule("numpy.TakeAlongAxis")
def take_along_axis(operation, inputs, graph):
    x, indices = (graph.lift(v) for v in list(graph.frames[-1].arguments.values())[:2])
    return graph.value(graph.emit("GatherElements", [graph.form(x), graph.form(graph.cast(indices, "int64"))], axis=operation.axis % x.rank), dtype=x.dtype)


@rule("numpy.Tril", "numpy.Triu")
def triangle(operation, inputs, graph):
    upper = int(type(operation).__name__ == "Triu")
    x = inputs[0]
    return graph.value(graph.emit("Trilu", [graph.form(x), graph.constant(np.array(operation.k, np.int64))], upper=upper))


@rule("nn.DepthToSpace", "nn.SpaceToDepth")
def depth_to_space(operation, inputs, graph):
    x = inputs[0]
    last = operation.data_format in (None, "channels_last") and keras.config.image_data_format() == "channels_last" or operation.data_format == "channels_last"
    order = channels_first(x.rank) if last else plain(x.rank)
    if type(operation).__name__ == "DepthToSpace":
        return graph.value(graph.emit("DepthToSpace", [graph.form(x, order)], blocksize=operation.block_size, mode="DCR"), order=order)
    return graph.value(graph.emit("SpaceToDepth", [graph.form(x, order)], blocksize=operation.block_size), order=order)
