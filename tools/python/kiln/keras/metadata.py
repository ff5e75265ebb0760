"""What the file's metadata say of a Keras model: initialisers (init.NAME), what trains (kiln.role.NAME), layers, regularisers, the loss."""

import math

from . import weights

ATTRIBUTES = {  # of a layer, by the name of its variable, where it is not NAME_initializer
    "depthwise_kernel": "depthwise_initializer",
    "pointwise_kernel": "pointwise_initializer",
    "recurrent_kernel": "recurrent_initializer",
}
CLASSES = {
    "Zeros": lambda c: "zeros",
    "Ones": lambda c: "ones",
    "Constant": lambda c: f"constant:{number(c['value'])}" if not hasattr(c["value"], "__len__") else None,
    "RandomUniform": lambda c: f"random_uniform:minval={number(c['minval'])},maxval={number(c['maxval'])}",
    "RandomNormal": lambda c: f"random_normal:mean={number(c['mean'])},stddev={number(c['stddev'])}",
    "TruncatedNormal": lambda c: f"truncated_normal:mean={number(c['mean'])},stddev={number(c['stddev'])}",
    "Orthogonal": lambda c: f"orthogonal:gain={number(c['gain'])}",
    "OrthogonalInitializer": lambda c: f"orthogonal:gain={number(c['gain'])}",
    "Identity": lambda c: f"identity:gain={number(c['gain'])}",
    "IdentityInitializer": lambda c: f"identity:gain={number(c['gain'])}",
}
SCALED = {
    "GlorotUniform": "glorot_uniform",
    "GlorotNormal": "glorot_normal",
    "HeUniform": "he_uniform",
    "HeNormal": "he_normal",
    "LecunUniform": "lecun_uniform",
    "LecunNormal": "lecun_normal",
}
FIXED = {  # what Keras does not let one choose
    ("RMSNormalization", "scale"): "ones",
    ("Attention", "scale"): "ones",
    ("Attention", "concat_score_weight"): "ones",
    ("AdditiveAttention", "scale"): "glorot_uniform",
}
STATISTICS = ("moving_mean", "moving_variance")


def number(x):
    return f"{float(x):.9g}"


def add(file, key, value):
    entry = file.metadata_props.add()
    entry.key, entry.value = key, value


def owners(model):
    """{id of a variable: the layer that holds it}."""
    found = {}
    for layer in model._flatten_layers(include_self=True, recursive=True):
        for v in [*layer._trainable_variables, *layer._non_trainable_variables]:
            found.setdefault(id(v), layer)
    return found


def initializer_of(layer, variable):
    name = ATTRIBUTES.get(variable.name, f"{variable.name}_initializer")
    for attribute in (name, f"_{name}", *(["depthwise_initializer"] if variable.name == "kernel" else [])):
        if getattr(layer, attribute, None) is not None:
            return getattr(layer, attribute)
    return None


def fans(shape):
    """As Keras has them."""
    if len(shape) < 2:
        return (shape[0] if shape else 1,) * 2
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


def same_fans(variable, steps):
    """Is the array of the file a matrix, or the kernel of a convolution, whose fans are Keras'?"""
    rank = len(variable.shape)
    return not steps and rank == 2 or rank > 2 and steps == (("transpose", (rank - 1, rank - 2, *range(rank - 2))),)


def scaled(config, shape):
    """Keras' VarianceScaling with its numbers."""
    fan_in, fan_out = fans(shape)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[config["mode"]]
    variance = config["scale"] / max(1.0, fan)
    if config["distribution"] == "uniform":
        limit = math.sqrt(3 * variance)
        return f"random_uniform:minval={number(-limit)},maxval={number(limit)}"
    if config["distribution"] == "truncated_normal":
        return f"truncated_normal:mean=0,stddev={number(math.sqrt(variance) / 0.87962566103423978)}"
    return f"random_normal:mean=0,stddev={number(math.sqrt(variance))}"


KINDS = {  # the settings of Keras' classes, which their own configurations leave out
    "glorot_uniform": (1.0, "fan_avg", "uniform"),
    "glorot_normal": (1.0, "fan_avg", "truncated_normal"),
    "he_uniform": (2.0, "fan_in", "uniform"),
    "he_normal": (2.0, "fan_in", "truncated_normal"),
    "lecun_uniform": (1.0, "fan_in", "uniform"),
    "lecun_normal": (1.0, "fan_in", "truncated_normal"),
}


def initializer(layer, variable, steps):
    """What init.NAME says; None where there is nothing that Kiln has."""
    if layer is None:
        return None
    fixed = FIXED.get((type(layer).__name__, variable.name))
    if fixed:
        return fixed if fixed == "ones" else scaled(dict(zip(("scale", "mode", "distribution"), KINDS[fixed])), variable.shape)
    how = initializer_of(layer, variable)
    if how is None or not hasattr(how, "get_config"):
        return None
    kind = type(how).__name__
    if variable.name == "bias" and getattr(layer, "unit_forget_bias", False):
        return "unit_forget_bias" if kind == "Zeros" else None
    if kind in CLASSES:
        # Kiln draws matrices, kernels of convolutions and recurrent weights as Keras does, and other arrays by their first dimensions.
        matrix = bool(steps) or len(variable.shape) == 2
        return CLASSES[kind](how.get_config()) if matrix or not kind.startswith(("Orthogonal", "Identity")) else None
    if kind in SCALED:
        name = SCALED[kind]
        if same_fans(variable, steps):
            return name
        return scaled(dict(zip(("scale", "mode", "distribution"), KINDS[name])), variable.shape)
    if kind == "VarianceScaling":
        return scaled(how.get_config(), variable.shape)
    return None


def regularizer(how):
    """As kiln train --regularize has it; None where it has not."""
    kind = type(how).__name__
    if kind in ("L1", "L2"):
        return f"{kind.lower()}:{number(getattr(how, kind.lower()))}"
    if kind in ("L1L2", "L1_L2"):
        return f"l1_l2:l1={number(how.l1)},l2={number(how.l2)}"
    if kind == "OrthogonalRegularizer":
        return f"orthogonal_regularizer:factor={number(how.factor)},mode={how.mode}"
    return None


def role(variable, layer):
    if variable.name in STATISTICS and not variable.trainable:
        return "statistic" if layer is None or layer.trainable else "frozen"
    return "trainable" if variable.trainable and (layer is None or layer.trainable) else "frozen"


def loss(how):
    """A compiled loss as kiln train --loss has it; None."""
    import keras

    if how is None:
        return None
    if isinstance(how, str):
        try:
            how = keras.losses.get(how)
        except ValueError:
            return None
    name = getattr(how, "name", None) or getattr(how, "__name__", None)
    config = how.get_config() if hasattr(how, "get_config") else {}
    options = []
    for key, value in config.items():
        if key in ("name", "reduction", "fn", "axis", "dtype", "ignore_class") or value is None or value is False:
            continue
        options.append(f"{key}={1 if value is True else number(value) if isinstance(value, (int, float)) else value}")
    return name and name + (":" + ",".join(options) if options else "")


def losses(model, outputs):
    """{output: loss} of a compiled model."""
    said = getattr(model, "loss", None) if getattr(model, "compiled", False) else None
    if said is None:
        return {}
    names = list(getattr(model, "output_names", None) or outputs)
    if isinstance(said, dict):
        return {o: loss(said.get(n, said.get(o))) for o, n in zip(outputs, names)}
    if isinstance(said, (list, tuple)):
        return {o: loss(x) for o, x in zip(outputs, said)}
    return {o: loss(said) for o in outputs}


def write(file, graph, model, variables, outputs):
    held = owners(model)
    drawn = []
    for name, (variable, steps) in graph.stored.items():
        layer = held.get(id(variable))
        how = initializer(layer, variable, steps)
        if how:
            add(file, f"init.{name}", how)
        else:
            drawn.append(name)
        if variable.regularizer is not None:
            how = regularizer(variable.regularizer)
            if how:
                add(file, f"kiln.regularize.{name}", how)
            else:
                graph.tell(f"the regularizer of '{name}'")
        if getattr(variable, "constraint", None) is not None:
            graph.tell(f"the constraint of '{name}'")
        add(file, f"kiln.role.{name}", role(variable, layer))
        if "/" in name:
            add(file, f"kiln.layer.{name}", name.rsplit("/", 1)[0])
        add(file, weights.PREFIX + name, weights.written(steps))
    for name, what in graph.roles.items():
        add(file, f"kiln.role.{name}", what)
    for output, how in losses(model, outputs).items():
        if how:
            add(file, f"kiln.loss.{output}", how)
    for layer in model._flatten_layers(include_self=True, recursive=True):
        if getattr(layer, "activity_regularizer", None) is not None:
            graph.tell(f"the activity regularizer of '{layer.name}'")
    if drawn:
        graph.tell("how these were initialised, for kiln init --again: " + ", ".join(drawn))
