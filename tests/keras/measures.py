"""Makes losses.npz and metrics.npz: what Keras' losses and metrics are for small arrays. README.md tells the format.

Usage: measures.py. Needs tensorflow-cpu and keras; run by hand when a case is added, the output is committed."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
HERE = Path(__file__).resolve().parent

import keras
import numpy as np
import tensorflow as tf
from keras import losses as L
from keras import metrics as M
from keras.src.trainers.data_adapters.data_adapter_utils import class_weight_to_sample_weights

from generator import hashes, uniform

ROWS, WIDTH = 6, 4


def real(key, shape, low, high):
    u = uniform(f"measures/{key}", int(np.prod(shape)))
    return (low + (high - low) * (u + 1) / 2).astype(np.float32).reshape(shape)


def below(key, shape, n):
    return ((hashes(f"measures/{key}", int(np.prod(shape))) >> np.uint64(33)) % np.uint64(n)).astype(np.int64).reshape(shape)


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True)).astype(np.float32)


SHAPE = (ROWS, WIDTH)
FIELD = (ROWS, WIDTH, 2)  # classes along dimension 1
CLASSES = below("classes", ROWS, WIDTH)
X = {
    "numbers": real("x/numbers", SHAPE, -2, 2),
    "positive": real("x/positive", SHAPE, 0.05, 3),
    "loose": real("x/loose", SHAPE, 0.02, 0.95),  # each from 0 to 1, a row not of sum 1
    "logits": real("x/logits", SHAPE, -4, 4),
    "field": real("x/field", FIELD, -3, 3),
    "loose_field": real("x/loose_field", FIELD, 0.02, 0.95),
}
Y = {
    "numbers": real("y/numbers", SHAPE, -2, 2),
    "positive": real("y/positive", SHAPE, 0.05, 3),
    "counts": below("y/counts", SHAPE, 5).astype(np.float32),
    "bits": below("y/bits", SHAPE, 2).astype(np.float32),
    "sides": (2 * below("y/sides", SHAPE, 2) - 1).astype(np.float32),
    "soft": real("y/soft", SHAPE, 0, 1),
    "one_hot": np.eye(WIDTH, dtype=np.float32)[CLASSES],
    "classes": CLASSES,
    "field": below("y/field", (ROWS, 2), WIDTH),
    "soft_field": real("y/soft_field", FIELD, 0, 1),
}

# name: Keras' loss of labels and outputs, what the outputs are, what the labels are, what makes outputs of x
LOSSES = {
    "mse": (L.mean_squared_error, "numbers", "numbers", ""),
    "mae": (L.mean_absolute_error, "numbers", "numbers", ""),
    "mape": (L.mean_absolute_percentage_error, "numbers", "numbers", ""),
    "msle": (L.mean_squared_logarithmic_error, "numbers", "positive", ""),
    "huber": (L.huber, "numbers", "numbers", ""),
    "huber_delta": (lambda y, x: L.huber(y, x, delta=0.3), "numbers", "numbers", ""),
    "log_cosh": (L.log_cosh, "numbers", "numbers", ""),
    "poisson": (L.poisson, "positive", "counts", ""),
    "hinge": (L.hinge, "numbers", "sides", ""),
    "hinge_bits": (L.hinge, "numbers", "bits", ""),
    "squared_hinge": (L.squared_hinge, "numbers", "sides", ""),
    "squared_hinge_bits": (L.squared_hinge, "numbers", "bits", ""),
    "categorical_hinge": (L.categorical_hinge, "numbers", "one_hot", ""),
    "kl_divergence": (L.kl_divergence, "loose", "soft", ""),
    "cosine_similarity": (L.cosine_similarity, "numbers", "numbers", ""),
    "dice": (L.dice, "loose", "bits", ""),
    "tversky": (lambda y, x: L.tversky(y, x, alpha=0.7, beta=0.2), "loose", "bits", ""),
    "gce": (lambda y, x: L.categorical_generalized_cross_entropy(y, x, 0.7), "loose", "classes", ""),
    "bce": (L.binary_crossentropy, "loose", "bits", ""),
    "bce_smooth": (lambda y, x: L.binary_crossentropy(y, x, label_smoothing=0.2), "loose", "bits", ""),
    "bce_sigmoid": (lambda y, x: L.binary_crossentropy(y, x, True, 0.2), "logits", "bits", "Sigmoid"),
    "bce_logits": (lambda y, x: L.binary_crossentropy(y, x, True), "logits", "soft", ""),
    "cce": (L.categorical_crossentropy, "loose", "soft", ""),
    "cce_smooth": (lambda y, x: L.categorical_crossentropy(y, x, label_smoothing=0.3), "loose", "one_hot", ""),
    "cce_softmax": (lambda y, x: L.categorical_crossentropy(y, x, True, 0.3), "logits", "one_hot", "Softmax"),
    "cce_logits": (lambda y, x: L.categorical_crossentropy(y, x, True), "logits", "mixed", ""),
    "scce": (L.sparse_categorical_crossentropy, "loose", "classes", ""),
    "scce_positive": (L.sparse_categorical_crossentropy, "positive", "classes", ""),  # some are above 1
    "scce_softmax": (lambda y, x: L.sparse_categorical_crossentropy(y, x, True), "logits", "classes", "Softmax"),
    "bfce": (L.binary_focal_crossentropy, "loose", "bits", ""),
    "bfce_all": (lambda y, x: L.binary_focal_crossentropy(y, x, True, 0.3, 1.5, label_smoothing=0.1), "loose", "bits", ""),
    "bfce_sigmoid": (lambda y, x: L.binary_focal_crossentropy(y, x, True, 0.3, 1.5, True, 0.1), "logits", "bits", "Sigmoid"),
    "cfce": (L.categorical_focal_crossentropy, "loose", "one_hot", ""),
    "cfce_all": (lambda y, x: L.categorical_focal_crossentropy(y, x, 0.4, 1.5, label_smoothing=0.1), "loose", "soft", ""),
    "cfce_softmax": (lambda y, x: L.categorical_focal_crossentropy(y, x, 0.4, 1.5, True, 0.1), "logits", "one_hot", "Softmax"),
    "scce_field": (lambda y, x: L.sparse_categorical_crossentropy(y, x, True), "field", "field", "Softmax"),
    "cce_field": (lambda y, x: L.categorical_crossentropy(y, x, True, 0.3), "field", "mixed_field", "Softmax"),
    "cfce_field": (lambda y, x: L.categorical_focal_crossentropy(y, x, 0.4, 1.5, True), "field", "soft_field", "Softmax"),
    "kl_field": (L.kl_divergence, "loose_field", "soft_field", ""),
    "hinge_field": (L.categorical_hinge, "field", "soft_field", ""),
    "cosine_field": (L.cosine_similarity, "field", "soft_field", ""),
}
# The class as a whole: it masks, and reduces.
OBJECTS = {
    "scce_ignore": (L.SparseCategoricalCrossentropy(from_logits=True, ignore_class=2), "logits", "classes", "Softmax"),
    "scce_ignore_field": (L.SparseCategoricalCrossentropy(ignore_class=1), "loose_field", "field", ""),
    "scce_ignore_all": (L.SparseCategoricalCrossentropy(from_logits=True, ignore_class=2), "logits", "all", "Softmax"),
}
# TensorFlow's gradient by logits takes labels to sum to 1, whether they do or not.
Y["mixed"] = softmax(real("y/mixed", SHAPE, -1, 1))
Y["mixed_field"] = np.moveaxis(softmax(real("y/mixed_field", (ROWS, 2, WIDTH), -1, 1)), -1, 1)
Y["all"] = np.full(ROWS, 2, np.int64)

# Sequences: labels above 0, some of them twice in a row, then zeros; one is empty, one as long as there is room for.
X["steps"] = real("x/steps", (ROWS, 8, 5), -3, 3)
Y["sequences"] = np.array([[1, 2, 3, 4], [2, 2, 1, 0], [4, 4, 4, 4], [3, 0, 0, 0], [0, 0, 0, 0], [1, 3, 1, 0]], np.int64)
SEQUENCES = {"ctc": (L.ctc, "steps", "sequences", "")}

# What samples count: their own weights, those of their classes, and both; name: loss, outputs, labels, tail, weights.
SAMPLE = real("w/samples", (ROWS,), 0, 3)
CLASS = {0: 0.5, 1: 2.0, 3: 0.0}  # 2 counts 1
WEIGHTED = {
    "scce_samples": (L.SparseCategoricalCrossentropy(from_logits=True), "logits", "classes", "Softmax", "samples"),
    "scce_by_class": (L.SparseCategoricalCrossentropy(from_logits=True), "logits", "classes", "Softmax", "classes"),
    "scce_both": (L.SparseCategoricalCrossentropy(from_logits=True, ignore_class=2), "logits", "classes", "Softmax", "both"),
    "cce_by_class": (L.CategoricalCrossentropy(), "loose", "one_hot", "", "classes"),
    "mse_samples": (L.MeanSquaredError(), "numbers", "numbers", "", "samples"),
    "scce_field_samples": (L.SparseCategoricalCrossentropy(from_logits=True), "field", "field", "Softmax", "samples"),
}


def weights_of(kind, y):
    own = SAMPLE if kind != "classes" else np.ones(ROWS, np.float32)
    own = own * (class_weight_to_sample_weights(y, CLASS) if kind != "samples" else 1)
    return own[:, None] if len(y.shape) == 2 and y.dtype == tf.int64 else own  # Keras wants as many dimensions as the loss has


def last(a):
    """Classes, which lie along dimension 1, to the end."""
    return np.moveaxis(a, 1, -1) if a.shape == FIELD else a


def loss_case(name):
    loss, x, y, _, *weights = {**LOSSES, **OBJECTS, **WEIGHTED, **SEQUENCES}[name]
    whole = name not in LOSSES
    x = tf.Variable(last(X[x]).astype(np.float32 if whole else np.float64))
    y = tf.constant(last(Y[y]) if Y[y].dtype == np.int64 else last(Y[y]).astype(np.float64))
    with tf.GradientTape() as tape:
        value = loss(y, tf.identity(x), *(weights_of(w, y) for w in weights))
        value = value if whole and name not in SEQUENCES else tf.reduce_mean(value)
    gradient = tape.gradient(value, x).numpy()
    print(f"{name}: {float(value):.9f}, gradient {np.abs(gradient).max():.3g}", flush=True)
    return {f"{name}/loss": np.float64(value), f"{name}/gradient": np.moveaxis(gradient, -1, 1) if gradient.shape == (ROWS, 2, WIDTH) else gradient}


# Samples come in batches of BATCH; the last one is smaller.
SAMPLES, BATCH = 50, 16
N = (SAMPLES, WIDTH)
LABELS = below("metrics/labels", SAMPLES, WIDTH)
SHARP = real("metrics/logits", N, -2, 2) + 1.5 * np.eye(WIDTH, dtype=np.float32)[LABELS]
ONE = below("metrics/one", (SAMPLES, 1), 2).astype(np.float32)
DATA = {
    "classes": (softmax(SHARP), LABELS),
    "one_hot": (softmax(SHARP), np.eye(WIDTH, dtype=np.float32)[LABELS]),
    "bits": (real("metrics/p", N, 0, 1), below("metrics/bits", N, 2).astype(np.float32)),
    "one": ((0.6 * real("metrics/q", (SAMPLES, 1), 0, 1) + 0.4 * ONE).astype(np.float32), ONE),
    "numbers": (real("metrics/x", N, -2, 2), real("metrics/x", N, -2, 2) + real("metrics/e", N, -1, 1)),
}
METRICS = {
    "accuracy": (lambda: M.SparseCategoricalAccuracy(), "classes"),
    "accuracy_one_hot": (lambda: M.CategoricalAccuracy(), "one_hot"),
    "binary_accuracy": (lambda: M.BinaryAccuracy(), "bits"),
    "binary_accuracy_threshold": (lambda: M.BinaryAccuracy(threshold=0.3), "bits"),
    "top_2": (lambda: M.SparseTopKCategoricalAccuracy(k=2), "classes"),
    "top_3": (lambda: M.TopKCategoricalAccuracy(k=3), "one_hot"),
    "precision": (lambda: M.Precision(), "one_hot"),
    "precision_bits": (lambda: M.Precision(thresholds=0.7), "bits"),
    "precision_top_k": (lambda: M.Precision(top_k=2), "bits"),
    "precision_class": (lambda: M.Precision(class_id=2), "one_hot"),
    "precision_top_k_class": (lambda: M.Precision(top_k=2, class_id=1, thresholds=0.2), "bits"),
    "recall": (lambda: M.Recall(), "one_hot"),
    "recall_bits": (lambda: M.Recall(thresholds=0.7), "bits"),
    "recall_top_k": (lambda: M.Recall(top_k=2, thresholds=0.6), "bits"),
    "recall_class": (lambda: M.Recall(class_id=2), "one_hot"),
    "f1": (lambda: M.F1Score(average="macro"), "one_hot"),
    "f1_micro": (lambda: M.F1Score(average="micro", threshold=0.4), "bits"),
    "f1_weighted": (lambda: M.F1Score(average="weighted"), "one_hot"),
    "fbeta": (lambda: M.FBetaScore(average="macro", beta=2.0, threshold=0.6), "bits"),
    "f1_one": (lambda: M.F1Score(average="macro", threshold=0.5), "one"),
    "auc": (lambda: M.AUC(), "one"),
    "auc_bits": (lambda: M.AUC(), "bits"),
    "auc_labels": (lambda: M.AUC(multi_label=True), "bits"),
    "auc_pr": (lambda: M.AUC(curve="PR"), "one"),
    "auc_pr_few": (lambda: M.AUC(curve="PR", num_thresholds=7), "bits"),
    "auc_minoring": (lambda: M.AUC(summation_method="minoring", num_thresholds=20), "one"),
    "auc_majoring": (lambda: M.AUC(curve="PR", summation_method="majoring", num_thresholds=20), "one"),
    "auc_softmax": (lambda: M.AUC(), "one_hot"),
    "mae": (lambda: M.MeanAbsoluteError(), "numbers"),
    "mse": (lambda: M.MeanSquaredError(), "numbers"),
    "rmse": (lambda: M.RootMeanSquaredError(), "numbers"),
    "rmse_softmax": (lambda: M.RootMeanSquaredError(), "one_hot"),
    "r2": (lambda: M.R2Score(), "numbers"),
    "r2_weighted": (lambda: M.R2Score(class_aggregation="variance_weighted_average", num_regressors=3), "numbers"),
    "cosine": (lambda: M.CosineSimilarity(), "numbers"),
    "log_cosh": (lambda: M.LogCoshError(), "numbers"),
    "cce": (lambda: M.CategoricalCrossentropy(label_smoothing=0.1), "one_hot"),
    "mean_iou": (lambda: M.MeanIoU(WIDTH, sparse_y_pred=False), "classes"),
    "mean_iou_ignore": (lambda: M.MeanIoU(WIDTH, sparse_y_pred=False, ignore_class=0), "classes"),
    "iou_class": (lambda: M.IoU(WIDTH, [1], sparse_y_pred=False), "classes"),
    "iou_one": (lambda: M.BinaryIoU(target_class_ids=[1], threshold=0.6), "one"),
}


def metric_case(name):
    make, data = METRICS[name]
    x, y = DATA[data]
    metric = make()
    for i in range(0, SAMPLES, BATCH):
        metric.update_state(y[i : i + BATCH], x[i : i + BATCH])
    print(f"{name}: {float(metric.result()):.9f}", flush=True)
    return {name: np.float64(metric.result())}


def main():
    arrays = {**{f"x/{k}": v for k, v in X.items()}, **{f"y/{k}": v for k, v in Y.items()}}
    arrays["w/samples"] = SAMPLE
    for name in {**LOSSES, **OBJECTS, **WEIGHTED, **SEQUENCES}:
        arrays.update(loss_case(name))
    np.savez_compressed(HERE / "losses.npz", **arrays)
    arrays = {f"{i}/{k}": v for k, pair in DATA.items() for i, v in zip("xy", pair)}
    arrays["x/logits"] = SHARP
    for name in METRICS:
        arrays.update(metric_case(name))
    np.savez_compressed(HERE / "metrics.npz", **arrays)


if __name__ == "__main__":
    main()
