"""Makes the .npz files of this folder: what Keras does in one step, from states that generator.py makes. README.md tells the format.

Usage: dump.py [NETWORK...]. Needs tensorflow-cpu and keras; run by hand when a network or the generator changes, the output is committed."""

import os
import sys
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "models"))

import keras
import numpy as np
import tensorflow as tf

import keras_networks
from generator import batch, real, sketch, uniform, hashes
from keras_networks import NETWORKS, biases_before_bn, variables

STATES = 20
STEPS = 100
ONE_STEP = ["fashion_cnn.bn", "cifar10_convnet.bn_before", "mnist_mlp.leaky", "mnist_mlp.bn_after", "sigmoid_mlp.bn", "cifar100_vgg.relu_bn"]
BATCH = {"cifar10_convnet.bn_before": 50, "cifar100_vgg.relu_bn": 16}  # else the recipe's; with more, no state would be without a near kink
FREE = ["mnist_mlp.leaky", "mnist_mlp.bn_after", "mnist_mlp.bn_before", "sigmoid_mlp.plain", "sigmoid_mlp.bn", "sigmoid_mlp.batch_bn"]


def ranges(model, factor):
    """(offset, scale) of each variable: weights as wide as their initialiser makes them, times the factor; the rest around where training leaves it."""
    fixed = {"bias": (0, 0.05), "gamma": (0.75, 0.25), "beta": (0, 1.5), "mean": (0, 0.5), "variance": (1, 0.5)}
    out = {}
    for v in variables(model):
        role = v.name.split(".")[1]
        if role == "weight":
            shape = v.keras.shape
            fan_in, fan_out = np.prod(shape[:-1]), np.prod(shape[:-2]) * shape[-1]
            out[v.name] = (0.0, float(np.float32(factor * np.sqrt(6 / (fan_in + fan_out)))))
        else:
            out[v.name] = fixed[role]
    return out


def generate(model, key, ranges):
    return {v.name: real(f"{key}/{v.name}", v.to_kiln(np.empty(v.keras.shape)).shape, *ranges[v.name]) for v in variables(model)}


def in_float64(network):
    keras.config.set_dtype_policy("float64")
    try:
        return network.build(dropout=False)
    finally:
        keras.config.set_dtype_policy("float32")


class Step:
    """Loss and gradients of one training-mode pass; the moving statistics are updated on the way."""

    def __init__(self, network, model):
        self.network, self.model = network, model
        self.pass_ = tf.function(self.trace)

    def trace(self, x, y):
        with tf.GradientTape() as tape:
            out = self.model(x, training=True)
            losses = keras.losses.sparse_categorical_crossentropy(y, out, from_logits=self.network.logits)
            loss = tf.reduce_mean(losses)
        return loss, tape.gradient(loss, self.model.trainable_variables)

    def __call__(self, arrays, x, y):
        keras_networks.write(self.model, arrays)
        dtype = self.model.layers[-1].dtype
        loss, gradients = self.pass_(tf.constant(self.network.feed(x), dtype), tf.constant(y))
        by_variable = {v.path: g.numpy() for v, g in zip(self.model.trainable_variables, gradients)}
        named = {v.name: v.to_kiln(by_variable[v.keras.path]) for v in variables(self.model) if v.keras.trainable}
        return float(loss), named, {v.name: v.to_kiln(v.keras.numpy()) for v in variables(self.model) if not v.keras.trainable}


def distance(a, b):
    return np.sqrt(sum(np.sum((a[n].astype(np.float64) - b[n]) ** 2) for n in a))


def length(a):
    return np.sqrt(sum(np.sum(a[n].astype(np.float64) ** 2) for n in a))


def layout(network):
    c, h, w = network.image
    return {"batch": np.array([network.batch, c, h, w, network.classes], np.int64), "pixel": np.array([network.subtract, network.divide], np.float64)}


def near_kink(model, x):
    """Whether rounding may put an element of ReLU or MaxPool on the other side of its kink.

    That changes the gradient by about 1/sqrt(active elements of the layer), often more than parity allows: where it may happen, two right
    implementations differ, and the state is of no use for a comparison. Rounding is a few 1e-7 of an element's typical size; for a maximum over what an
    activation has cut off, that is the size before the cut."""
    near, before = 3e-6, 0
    for layer in model.layers:
        z, x = x, layer(x, training=True)
        z = np.asarray(z)
        size = np.sqrt(np.mean(z**2, axis=tuple(range(z.ndim - 1))))
        kind = getattr(getattr(layer, "activation", None), "__name__", "") or type(layer).__name__
        if kind in ("relu", "LeakyReLU") and np.any(np.abs(z) < near * size):
            return True
        if kind == "MaxPooling2D":
            n, h, w, c = z.shape
            window = z.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 5, 2, 4).reshape(n, h // 2, w // 2, c, 4)
            second, first = np.moveaxis(np.partition(window, (2, 3))[..., 2:], -1, 0)
            if np.any((first != 0) & (first - second < near * np.maximum(size, before))):
                return True
        before = size
    return False


def one_step(name):
    """The reference is Keras in float64, from float32 values: so the whole of a difference is the other side's rounding. Keras in float32 runs beside
    it; a state is kept only if it agrees with float64 by half of what parity allows, and no kink is near."""
    network = NETWORKS[name]
    network = replace(network, batch=BATCH.get(name, network.batch))
    tolerance = 1e-5 if "mlp" in name else 2e-3
    model = network.build(dropout=False)
    narrow, wide = Step(network, model), Step(network, in_float64(network))
    skip = biases_before_bn(model)
    rows, tried = {}, 0
    while len(rows.get("state", ())) < STATES:
        key = f"{name}/{tried}"
        r = ranges(model, 0.5 + len(rows.get("state", ())) / 20)
        arrays = generate(model, key, r)
        x, y = batch(name, key, network.batch, network.image, network.classes, network.subtract, network.divide)
        tried += 1
        keras_networks.write(wide.model, arrays)
        if near_kink(wide.model, tf.constant(network.feed(x), tf.float64)):
            continue
        loss, gradient, statistics = wide(arrays, x, y)
        loss32, gradient32, statistics32 = narrow(arrays, x, y)
        for n in skip:
            del gradient[n], gradient32[n]
        noise = distance(gradient32, gradient) / length(gradient)
        moved = max((float(np.max(np.abs(statistics32[n] - v) / np.maximum(1, np.abs(v)))) for n, v in statistics.items()), default=0)
        kept = noise < tolerance / 2 and abs(loss32 / loss - 1) < 5e-7
        print(f"{key}: loss {loss:.9f} ({abs(loss32 / loss - 1):.1e}), gradient {length(gradient):.4g} ({noise:.1e}), statistics ({moved:.1e})",
              "" if kept else "left out", flush=True)  # fmt: skip
        if not kept:
            continue
        rows.setdefault("state", []).append(tried - 1)
        rows.setdefault("loss", []).append((loss, loss32))
        rows.setdefault("norm", []).append((length(gradient), noise))
        rows.setdefault("check", []).append((sum(a.astype(np.float64).sum() for a in arrays.values()), x.astype(np.float64).sum(), y.sum()))
        for n in arrays:
            rows.setdefault(f"generate/{n}", []).append(r[n])
        for n, g in gradient.items():
            rows.setdefault(f"gradient/{n}", []).append(sketch(f"sketch/{n}", g))
        for n, v in statistics.items():
            rows.setdefault(f"statistic/{n}", []).append(v.astype(np.float32))
    np.savez(HERE / f"{name}.npz", **layout(network), **{k: np.array(v) for k, v in rows.items()})


def free(name):
    """STEPS steps of Keras' own optimiser with its defaults, in float64 and in float32; the loss of each before its update."""
    network = NETWORKS[name]
    columns = []
    for model in (in_float64(network), network.build(dropout=False)):
        optimizer = keras.optimizers.get(network.optimizer)
        optimizer.build(model.trainable_variables)
        step = Step(network, model)
        key = f"{name}/free"
        r = ranges(model, 1)
        keras_networks.write(model, generate(model, key, r))
        losses = []
        for i in range(STEPS):
            x, y = batch(name, f"{key}/{i}", network.batch, network.image, network.classes, network.subtract, network.divide)
            loss, gradients = step.pass_(tf.constant(network.feed(x), model.layers[-1].dtype), tf.constant(y))
            optimizer.apply(gradients)
            losses.append(float(loss))
        columns.append(losses)
    wide, narrow = map(np.array, columns)
    print(f"{key}: {wide[0]:.6f} -> {wide[-1]:.6f}, float32 within {np.max(np.abs(narrow / wide - 1)):.1e}", flush=True)
    out = {f"{name}/{k}": v for k, v in layout(network).items()}
    out[f"{name}/loss"] = np.stack([wide, narrow], axis=1)
    out.update({f"{name}/generate/{n}": np.array(v, np.float64) for n, v in r.items()})
    return out


OPTIMIZERS = {  # Keras' optimiser, its slots as its attributes are called
    "sgd": (lambda: keras.optimizers.SGD(0.01), []),
    "sgd_momentum": (lambda: keras.optimizers.SGD(0.01, momentum=0.9), ["momentums"]),
    "sgd_nesterov": (lambda: keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True), ["momentums"]),
    "adam": (lambda: keras.optimizers.Adam(), ["_momentums", "_velocities"]),
    "adam_options": (lambda: keras.optimizers.Adam(0.01, beta_1=0.8, beta_2=0.99, epsilon=1e-4), ["_momentums", "_velocities"]),
    "rmsprop": (lambda: keras.optimizers.RMSprop(), ["_velocities"]),
    "rmsprop_momentum": (lambda: keras.optimizers.RMSprop(0.01, rho=0.8, momentum=0.9), ["_velocities", "_momentums"]),
    "rmsprop_centered": (lambda: keras.optimizers.RMSprop(centered=True), ["_velocities", "_average_gradients"]),
}
SLOTS = {"momentums": "momentum", "_momentums": "momentum", "_velocities": "velocity", "_average_gradients": "average"}
SIZE = 128


def update(case):
    """One update of a vector at each of STATES states: state 0 is the first step with empty slots, later ones have generated slots."""
    make, slots = OPTIMIZERS[case]
    out = {"step": [], "weight": [], **{SLOTS[s]: [] for s in slots}}
    for s in range(STATES):
        key = f"{case}/{s}"
        start, step = optimizer_state(key, s, [SLOTS[n] for n in slots])
        w = keras.Variable(start["weight"])
        optimizer = make()
        optimizer.build([w])
        optimizer.iterations.assign(step - 1)
        for n in slots:
            getattr(optimizer, n)[0].assign(start[SLOTS[n]])
        tf.function(lambda: optimizer.apply([tf.constant(start["gradient"])], [w]))()
        out["step"].append(step)
        out["weight"].append(w.numpy())
        for n in slots:
            out[SLOTS[n]].append(getattr(optimizer, n)[0].numpy())
    return {f"{case}/{k}": np.array(v, np.int64 if k == "step" else np.float32) for k, v in out.items()}


def optimizer_state(key, s, slots):
    """Gradients and slots spread over sixteen powers of two; a quarter of the weights is 0, so that there the update is seen alone."""
    power = 2.0 ** ((hashes(f"{key}/power", SIZE) >> np.uint64(60)).astype(np.int64) - 12)
    weight = uniform(f"{key}/weight", SIZE)
    weight[::4] = 0
    start = {"weight": weight, "gradient": uniform(f"{key}/gradient", SIZE) * power}
    for n in slots:
        u = uniform(f"{key}/{n}", SIZE)
        start[n] = {"momentum": u * power, "velocity": (u + 2) * power * power, "average": u * power / 4}[n] if s else 0 * u
    return {n: v.astype(np.float32) for n, v in start.items()}, 1 + s * s * s


BATCHES = [6, 6, 4, 6, 5, 6, 4, 6]  # of the steps: a trainer has a program for each size, and one state
HALF = 5  # before this step the learning rate is halved
STEPPED = {
    **OPTIMIZERS,
    "rmsprop_all": (lambda: keras.optimizers.RMSprop(0.01, momentum=0.9, centered=True), ["_velocities", "_average_gradients", "_momentums"]),
}
SHAPES = {"w1": (4, 5), "b1": (5,), "w2": (5, 3), "b2": (3,)}


def steps(case):
    """All variables and slots after each step of a small network: Dense(5, tanh), Dense(3), softmax cross-entropy. In float32."""
    make, slots = STEPPED[case]
    w = {n: keras.Variable(real(f"steps/{n}", shape, 0, 0.5), name=n) for n, shape in SHAPES.items()}
    optimizer = make()
    optimizer.build(list(w.values()))
    out = {"loss": []}
    least = np.inf
    for t, n in enumerate(BATCHES):
        if t == HALF:
            optimizer.learning_rate = float(optimizer.learning_rate) / 2
        x = tf.constant(real(f"steps/{t}/x", (n, SHAPES["w1"][0]), 0, 1))
        y = tf.constant((hashes(f"steps/{t}/label", n) >> np.uint64(33)).astype(np.int64) % SHAPES["b2"][0])
        with tf.GradientTape() as tape:
            z = tf.matmul(tf.tanh(tf.matmul(x, w["w1"]) + w["b1"]), w["w2"]) + w["b2"]
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, z, from_logits=True))
        gradients = tape.gradient(loss, [v.value for v in w.values()])
        least = min(least, *(float(tf.reduce_min(abs(g))) for g in gradients))
        optimizer.apply(gradients)
        out["loss"].append(float(loss))
        for k, v in enumerate(w.values()):
            out.setdefault(v.name, []).append(v.numpy())
            for s in slots:
                out.setdefault(f"{v.name}.{SLOTS[s]}", []).append(getattr(optimizer, s)[k].numpy())
    print(f"steps/{case}: {out['loss'][0]:.6f} -> {out['loss'][-1]:.6f}, smallest gradient {least:.1e}", flush=True)
    return {f"{case}/{k}": np.array(v, np.float32) for k, v in out.items()}


def main():
    tf.config.threading.set_intra_op_parallelism_threads(2)
    wanted = sys.argv[1:]
    for name in ONE_STEP:
        if not wanted or name in wanted:
            one_step(name)
    if not wanted or "free" in wanted:
        np.savez(HERE / "free.npz", **{k: v for name in FREE for k, v in free(name).items()})
    if not wanted or "optimizers" in wanted:
        np.savez(HERE / "optimizers.npz", **{k: v for case in OPTIMIZERS for k, v in update(case).items()})
    if not wanted or "steps" in wanted:
        np.savez(HERE / "steps.npz", **{k: v for case in STEPPED for k, v in steps(case).items()})


if __name__ == "__main__":
    main()
