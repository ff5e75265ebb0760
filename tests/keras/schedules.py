"""Makes schedules.npz: the learning rates of Keras' schedules and of ReduceLROnPlateau. README.md tells the format.

Needs tensorflow-cpu and keras; run by hand when a case is added, the output is committed."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
HERE = Path(__file__).resolve().parent

import keras
import numpy as np
import tensorflow as tf
from keras.optimizers import schedules as s

from generator import uniform

STEPS = [*range(420), 999, 1000, 1001, 4999, 5000, 100000, 1234567, 16777217]
SCHEDULES = {
    "exponential": lambda: s.ExponentialDecay(0.1, 50, 0.96),
    "exponential_staircase": lambda: s.ExponentialDecay(0.1, 50, 0.5, staircase=True),
    "piecewise": lambda: s.PiecewiseConstantDecay([100, 200, 1000], [0.1, 0.05, 0.01, 0.001]),
    "polynomial": lambda: s.PolynomialDecay(0.1, 300, end_learning_rate=0.01, power=2.0),
    "polynomial_root": lambda: s.PolynomialDecay(0.1, 300, power=0.5),
    "polynomial_cycle": lambda: s.PolynomialDecay(0.1, 70, end_learning_rate=0.01, power=1.5, cycle=True),
    "inverse_time": lambda: s.InverseTimeDecay(0.1, 30, 0.5),
    "inverse_time_staircase": lambda: s.InverseTimeDecay(0.1, 30, 0.5, staircase=True),
    "cosine": lambda: s.CosineDecay(0.1, 350, alpha=0.05),
    "cosine_warmup": lambda: s.CosineDecay(0.001, 300, alpha=0.1, warmup_target=0.2, warmup_steps=77),
    "cosine_from_zero": lambda: s.CosineDecay(0.0, 300, warmup_target=0.3, warmup_steps=100),
    "restarts": lambda: s.CosineDecayRestarts(0.1, 50, m_mul=0.9, alpha=0.02),
    "restarts_even": lambda: s.CosineDecayRestarts(0.1, 60, t_mul=1.0, m_mul=0.8, alpha=0.01),
    "restarts_slow": lambda: s.CosineDecayRestarts(0.1, 37, t_mul=1.5, alpha=0.1),
}
EPOCHS = 60
PLATEAUS = {  # measure, options
    "loss": ("loss", dict(factor=0.5, patience=3, min_delta=0.01)),
    "cooldown": ("loss", dict(factor=0.3, patience=1, cooldown=4, min_delta=0.0)),
    "at_once": ("loss", dict(factor=0.5, patience=0, min_lr=0.004)),
    "accuracy": ("accuracy", dict(factor=0.7, patience=2, min_delta=0.02, cooldown=1, mode="max")),
}


def rates(make):
    schedule = make()
    return np.array([float(schedule(tf.constant(t, tf.int64))) for t in STEPS], np.float32)


def plateau(case):
    """The rate after each epoch; the measure falls, or rises, ever slower, with noise."""
    measure, options = PLATEAUS[case]
    noise = uniform(f"plateau/{case}", EPOCHS)
    fall = 1 / (1 + np.arange(EPOCHS) / 4)
    values = (fall if measure == "loss" else 1 - fall) + 0.05 * noise
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    callback = keras.callbacks.ReduceLROnPlateau(monitor=measure, **options)
    callback.set_model(model)
    callback.on_train_begin()
    out = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {measure: value})
        out.append(float(model.optimizer.learning_rate))
    return values, np.array(out, np.float32)


def main():
    out = {"step": np.array(STEPS, np.int64)}
    for case, make in SCHEDULES.items():
        out[f"{case}/rate"] = rates(make)
    for case in PLATEAUS:
        out[f"plateau/{case}/measure"], out[f"plateau/{case}/rate"] = plateau(case)
        print(case, len(set(out[f"plateau/{case}/rate"].tolist())), "rates")
    np.savez(HERE / "schedules.npz", **out)


if __name__ == "__main__":
    main()
