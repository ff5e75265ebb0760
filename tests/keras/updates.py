"""Makes updates.npz: what every optimiser of Keras, and every option that they share, makes of two small tensors whose gradients are given. README.md tells the
format. Needs tensorflow-cpu and keras; run by hand when a case comes in, the output is committed."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
HERE = Path(__file__).resolve().parent

import keras
import numpy as np
import tensorflow as tf
from keras.optimizers import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Ftrl, Lamb, Lion, Nadam, RMSprop

from generator import uniform

STEPS = 8
SHAPES = {"w": (2, 3), "b": (2,)}
SLOTS = {  # as Keras' attributes are called: as Kiln's slots are
    "momentums": "momentum",
    "_momentums": "momentum",
    "_m": "momentum",
    "_velocities": "velocity",
    "_velocity_hats": "velocity_hat",
    "_average_gradients": "average",
    "_u": "norm",
    "_accumulators": "accumulator",
    "_accumulated_grads": "accumulated_grad",
    "_accumulated_delta_vars": "accumulated_delta_var",
    "_linears": "linear",
    "_u_product": "u_product",
    "_accumulated_gradients": "gradient_accumulator",
    "_model_variables_moving_average": "moving_average",
}
CASES = {  # as tests/unit/optimizers.c has them
    "adadelta": lambda: Adadelta(),
    "adadelta_options": lambda: Adadelta(1.0, rho=0.8, epsilon=1e-4),
    "adagrad": lambda: Adagrad(),
    "adagrad_options": lambda: Adagrad(0.05, initial_accumulator_value=0.5, epsilon=1e-3),
    "adam_amsgrad": lambda: Adam(0.01, beta_2=0.7, amsgrad=True),
    "adamax": lambda: Adamax(),
    "adamax_options": lambda: Adamax(0.05, beta_1=0.8, beta_2=0.9, epsilon=1e-3),
    "adamw": lambda: AdamW(),
    "adamw_options": lambda: AdamW(0.05, weight_decay=0.1, beta_1=0.8, beta_2=0.9, epsilon=1e-3, amsgrad=True),
    "ftrl": lambda: Ftrl(),
    "ftrl_options": lambda: Ftrl(
        0.05,
        learning_rate_power=-0.7,
        initial_accumulator_value=0.2,
        l1_regularization_strength=0.03,
        l2_regularization_strength=0.02,
        l2_shrinkage_regularization_strength=0.01,
        beta=0.1,
    ),
    "lamb": lambda: Lamb(),
    "lamb_options": lambda: Lamb(0.05, beta_1=0.8, beta_2=0.9, epsilon=1e-3),
    "lion": lambda: Lion(),
    "lion_options": lambda: Lion(0.05, beta_1=0.7, beta_2=0.8),
    "nadam": lambda: Nadam(),
    "nadam_options": lambda: Nadam(0.05, beta_1=0.8, beta_2=0.9, epsilon=1e-3),
    "weight_decay": lambda: SGD(0.1, momentum=0.9, weight_decay=0.2),
    "clipnorm": lambda: SGD(0.1, clipnorm=0.6),
    "clipvalue": lambda: SGD(0.1, clipvalue=0.3),
    "global_clipnorm": lambda: SGD(0.1, global_clipnorm=0.8),
    "ema": lambda: SGD(0.1, use_ema=True, ema_momentum=0.9),
    "ema_overwrite": lambda: Adam(0.05, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=3),
    "accumulation": lambda: Adam(0.05, gradient_accumulation_steps=3),
    "nadam_accumulation": lambda: Nadam(0.05, gradient_accumulation_steps=2, clipvalue=0.3),
    "lamb_all": lambda: Lamb(
        0.05, weight_decay=0.1, clipnorm=0.4, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=2, gradient_accumulation_steps=2
    ),
    "rmsprop_all": lambda: RMSprop(
        0.05,
        momentum=0.5,
        centered=True,
        weight_decay=0.1,
        global_clipnorm=0.5,
        use_ema=True,
        ema_momentum=0.7,
        ema_overwrite_frequency=2,
        gradient_accumulation_steps=3,
    ),
}


def exact(cast):
    """Keras casts numbers of Python's to float64 by way of float32, where 0.999 is 0.99900001."""
    return lambda x, dtype, name=None: cast(tf.constant(x, dtype) if isinstance(x, float) else x, dtype, name)


def real(key, shape, zeros, dtype):
    """Multiples of 2^-23 in [-1, 1), so that both types hold them; every fifth is 0 from `zeros` on."""
    u = uniform(key, int(np.prod(shape)))
    u[zeros::5] = 0
    return u.reshape(shape).astype(dtype)


def variables(of, count):
    """One for each parameter; Nadam has one for all."""
    return [of] * count if isinstance(of, keras.Variable) else list(of)


def update(case, dtype):
    keras.config.set_floatx(dtype)
    w = {n: keras.Variable(real(f"updates/{n}", shape, 0, dtype), dtype=dtype, name=n) for n, shape in SHAPES.items()}
    optimizer = CASES[case]()
    optimizer.build(list(w.values()))
    slots = {name: of for attribute, name in SLOTS.items() if (of := variables(getattr(optimizer, attribute, []), len(w)))}
    out = {"value": []}
    step = tf.function(lambda *g: optimizer.apply(list(g)))
    for t in range(STEPS):
        step(*(tf.constant(real(f"updates/{t}/{n}", shape, t % 5, dtype)) for n, shape in SHAPES.items()))
        out["value"].append(np.concatenate([v.numpy().ravel() for v in w.values()]))
        for name, of in slots.items():
            out.setdefault(name, []).append(np.concatenate([v.numpy().ravel() for v in of]))
    return {k: np.array(v, dtype) for k, v in out.items()}


def main():
    tf.cast = exact(tf.cast)
    out = {}
    for case in CASES:
        single, double = update(case, "float32"), update(case, "float64")
        out.update({f"{case}/{k}": v for k, v in single.items()})
        out[f"{case}/double"] = double["value"]
        print(case, sorted(single), f"moved by {np.ptp(double['value'], axis=0).max():.1e}, float32 is within {np.abs(single['value'] - double['value']).max():.1e}", flush=True)
    np.savez_compressed(HERE / "updates.npz", **out)


if __name__ == "__main__":
    main()
