"""Milliseconds, side by side: training steps against Keras, inference against onnxruntime. Both programs take turns in one run, so that what
else the machine does meets both; the figure is the ratio of the medians.

Usage: peers.py train [NETWORK...]        the networks of models/ in Keras (tensorflow-cpu, keras)
       peers.py infer MODEL.onnx...       (onnxruntime, onnx, numpy)
Options: --kiln PROGRAM (build/tools/kiln), --threads N (2), --rounds N (5), --seconds N (2; of each turn). Run by hand, on a quiet machine."""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VARIANTS = ["fashion_cnn.bn", "cifar10_convnet.bn_before", "mnist_mlp.bn_after", "sigmoid_mlp.bn", "cifar100_vgg.relu_bn"]


def kiln_bench(options, model, *more):
    command = [options.kiln, "bench", model, "--threads", str(options.threads), "--seconds", str(options.seconds), *more]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.search(r"^median\s+([\d.]+) ms", output, re.M).group(1))


def take_turns(name, options, kiln, peer):
    pairs = [(kiln(), peer()) for _ in range(options.rounds)]
    ours, theirs = (statistics.median(column) for column in zip(*pairs))
    print(f"{name:40s} kiln {ours:9.3f} ms   {options.peer} {theirs:9.3f} ms   {theirs / ours:5.2f} times as fast", flush=True)


def train(options):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    sys.path.insert(0, str(ROOT / "models"))
    import numpy as np
    import tensorflow as tf
    from keras_networks import NETWORKS

    options.peer = "keras"
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    for name in options.what or VARIANTS:
        network = NETWORKS[name]
        model = network.build()
        model.compile(network.optimizer, "sparse_categorical_crossentropy")
        random = np.random.default_rng(0)
        steps = max(8, 4000 // network.batch)
        x = random.random((network.batch * steps, *network.shape), dtype=np.float32)
        y = random.integers(network.classes, size=len(x))
        model.fit(x[: 4 * network.batch], y[: 4 * network.batch], batch_size=network.batch, verbose=0)

        def keras_turn():
            start = time.perf_counter()
            model.fit(x, y, batch_size=network.batch, verbose=0)
            return (time.perf_counter() - start) / steps * 1e3

        folder, variant = name.split(".")
        with tempfile.TemporaryDirectory() as scratch:
            start = f"{scratch}/start.onnx"
            subprocess.run([options.kiln, "init", ROOT / "models" / folder / f"{variant}.onnxtxt", "--output", start], check=True, capture_output=True)
            take_turns(name, options, lambda: kiln_bench(options, start, "--train", "--batch", str(network.batch)), keras_turn)


def infer(options):
    import numpy as np
    import onnx
    import onnxruntime as ort

    options.peer = "onnxruntime"
    settings = ort.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads, settings.log_severity_level = options.threads, 1, 3
    for path in options.what:
        graph = onnx.load(path).graph
        weights = {i.name for i in graph.initializer}
        feed = {
            v.name: np.random.rand(*(d.dim_value or 1 for d in v.type.tensor_type.shape.dim)).astype(np.float32)
            for v in graph.input
            if v.name not in weights
        }
        session = ort.InferenceSession(path, settings, providers=["CPUExecutionProvider"])

        def ort_turn():
            times, end = [], time.perf_counter() + options.seconds
            while time.perf_counter() < end or len(times) < 5:
                start = time.perf_counter()
                session.run(None, feed)
                times.append(time.perf_counter() - start)
            return statistics.median(times) * 1e3

        take_turns(Path(path).stem, options, lambda: kiln_bench(options, path), ort_turn)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=("train", "infer"))
    parser.add_argument("what", nargs="*")
    parser.add_argument("--kiln", default=str(ROOT / "build/tools/kiln"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    options = parser.parse_intermixed_args()
    (train if options.kind == "train" else infer)(options)


if __name__ == "__main__":
    main()
