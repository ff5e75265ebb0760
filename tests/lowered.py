"""Steps of training that Kiln lowers to the standard's operators, run by onnxruntime: after 10 steps the parameters are those of
`kiln train`. Usage: lowered.py KILN
Prints PASS and FAIL lines."""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import harness
from harness import MODELS, attempt, kiln

sys.path.insert(0, str(MODELS))
from train_step import train  # noqa: E402

STEPS, BATCH = 10, 16
CLOSE = 1e-5  # of the larger of 1 and what is wanted
SGD, LOSS = "sgd:learning_rate=0.0001,momentum=0.9", "sparse_categorical_crossentropy"


class Network:
    """Nodes with parameters that are drawn."""

    def __init__(self):
        self.random, self.nodes, self.weights, self.names = np.random.default_rng(0), [], [], 0

    def name(self):
        self.names += 1
        return f"v{self.names}"

    def constant(self, value):
        self.weights.append(numpy_helper.from_array(np.asarray(value), self.name()))
        return self.weights[-1].name

    def weight(self, *shape):
        return self.constant((self.random.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32))

    def all(self, value, *shape):
        return self.constant(np.full(shape, value, np.float32))

    def op(self, kind, *inputs, outputs=1, **attributes):
        made = [self.name() for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), made, **attributes))
        return made[0] if outputs == 1 else made

    def dense(self, x, before, after):
        return self.op("Add", self.op("MatMul", x, self.weight(before, after)), self.all(0, after))

    def save(self, y, shape, classes, kind=TensorProto.FLOAT):
        self.nodes.append(helper.make_node("Softmax", [y], ["y"], axis=-1))
        x = helper.make_tensor_value_info("x", kind, ["N", *shape])
        out = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", classes])
        graph = helper.make_graph(self.nodes, "g", [x], [out], self.weights)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "net.onnx")


def resnet():
    n = Network()

    def convolution(x, before, after, kernel, stride):
        y = n.op("Conv", x, n.weight(after, before, kernel, kernel), strides=[stride] * 2, pads=[kernel // 2] * 4)
        return n.op("BatchNormalization", y, n.all(1, after), n.all(0, after), n.all(0, after), n.all(1, after))

    x, channels = n.op("Relu", convolution("x", 3, 8, 7, 2)), 8
    x = n.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for block in range(8):
        wide, stride = 8 << block // 2, 2 if block in (2, 4, 6) else 1
        y = convolution(n.op("Relu", convolution(x, channels, wide, 3, stride)), wide, wide, 3, 1)
        x = n.op("Relu", n.op("Add", convolution(x, channels, wide, 1, stride) if stride == 2 else x, y))
        channels = wide
    x = n.op("Flatten", n.op("GlobalAveragePool", x))
    n.save(n.op("Gemm", x, n.weight(10, channels), n.all(0, 10), transB=1), [3, 32, 32], 10)


def recurrent(kind, gates, **attributes):
    n, steps, hidden = Network(), 7, 8
    weights = n.weight(2, gates * hidden, 5), n.weight(2, gates * hidden, hidden), n.weight(2, 2 * gates * hidden)
    x = n.op("Transpose", "x", perm=[1, 0, 2])
    _, last, *_ = n.op(kind, x, *weights, outputs=2, hidden_size=hidden, direction="bidirectional", **attributes)
    last = n.op("Reshape", n.op("Transpose", last, perm=[1, 0, 2]), n.constant(np.array([-1, 2 * hidden])))
    n.save(n.dense(last, 2 * hidden, 4), [steps, 5], 4)


def transformer(layers=2, width=16, heads=4, length=6):
    n = Network()

    def normalised(x):
        return n.op("LayerNormalization", x, n.all(1, width), n.all(0, width))

    def dropped(x):
        return n.op("Dropout", x, n.all(0.1))

    def apart(x):
        x = n.op("Reshape", n.dense(x, width, width), n.constant(np.array([0, length, heads, width // heads])))
        return n.op("Transpose", x, perm=[0, 2, 1, 3])

    x = n.op("Add", n.op("Gather", n.weight(20, width), "x"), n.weight(length, width))
    for _ in range(layers):
        q, k, v = apart(x), apart(x), apart(x)
        scores = n.op("Mul", n.op("MatMul", q, n.op("Transpose", k, perm=[0, 1, 3, 2])), n.all(0.5))
        a = n.op("Transpose", n.op("MatMul", dropped(n.op("Softmax", scores)), v), perm=[0, 2, 1, 3])
        a = n.op("Reshape", a, n.constant(np.array([0, length, width])))
        x = normalised(n.op("Add", x, dropped(n.dense(a, width, width))))
        y = n.dense(x, width, 4 * width)
        y = n.op("Mul", y, n.op("Sigmoid", n.op("Mul", y, n.all(1.702))))
        x = normalised(n.op("Add", x, dropped(n.dense(y, 4 * width, width))))
    n.save(n.dense(n.op("ReduceMean", x, axes=[1], keepdims=0), width, 5), [length], 5, TensorProto.INT64)


def looped():
    """The way back is a loop, too."""
    n = Network()
    w = n.weight(8, 8)
    nodes = [helper.make_node("MatMul", ["h", w], ["p"]), helper.make_node("Tanh", ["p"], ["q"]), helper.make_node("Identity", ["c"], ["d"])]
    taken = [
        helper.make_tensor_value_info("i", TensorProto.INT64, []),
        helper.make_tensor_value_info("c", TensorProto.BOOL, []),
        helper.make_tensor_value_info("h", TensorProto.FLOAT, None),
    ]
    given = [helper.make_tensor_value_info("d", TensorProto.BOOL, []), helper.make_tensor_value_info("q", TensorProto.FLOAT, None)]
    body = helper.make_graph(nodes, "body", taken, given)
    y = n.op("Loop", n.constant(np.array(4)), n.constant(np.array(True)), "x", body=body)
    n.save(n.dense(y, 8, 3), [8], 3)


def values(path):
    return {i.name: numpy_helper.to_array(i) for i in onnx.load(path).graph.initializer}


def same(source, optimizer=SGD, loss=LOSS):
    """Both from the same file, on the same batches in their order."""
    graph = onnx.load(source).graph
    known = {i.name for i in graph.initializer}
    x = next(i for i in graph.input if i.name not in known)
    shape = [d.dim_value for d in x.type.tensor_type.shape.dim][1:]
    classes = graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    random = np.random.default_rng(1)
    whole = x.type.tensor_type.elem_type == TensorProto.INT64
    data = random.integers(0, 20, (STEPS * BATCH, *shape)) if whole else random.random((STEPS * BATCH, *shape), np.float32)
    labels = random.integers(0, classes, STEPS * BATCH)
    np.savez("data.npz", x=data, y=labels)
    how = ["--loss", loss, "--optimizer", optimizer, "--batch", BATCH, "--seed", 3]
    kiln("train", source, "--data", "npz:data.npz", "--epochs", 1, "--no-shuffle", "--exact", *how, "--output", "trained.onnx")
    kiln("convert", source, "--training", "--lower", *how, "--output", "step.onnx")
    onnx.checker.check_model("step.onnx", full_check=True)
    parts = [slice(at, at + BATCH) for at in range(0, STEPS * BATCH, BATCH)]
    losses, state = train("step.onnx", ({x.name: data[part], "labels": labels[part]} for part in parts))
    before, after = values(source), values("trained.onnx")
    learned = [k for k in state if k in after and after[k].dtype.kind == "f"]
    apart = max(np.max(np.abs(state[k] - after[k]) / np.maximum(1, np.abs(after[k]))) for k in learned)
    if not learned or not any((before[k] != after[k]).any() for k in learned):
        return "nothing was learned"
    return "" if apart <= CLOSE and np.isfinite(losses).all() else f"apart by {apart:.1e}"


def drawn(text, **how):
    kiln("init", text, "--output", "net.onnx")
    return same("net.onnx", **how)


def made(network, *words, **how):
    network(*words)
    return same("net.onnx", **how)


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for text in sorted(MODELS.glob("*/*.onnxtxt")):
            attempt(f"lowered.{text.parent.name}.{text.stem}", drawn, text)
        for export in sorted(MODELS.glob("*/keras.onnx")):
            attempt(f"lowered.{export.parent.name}.keras", same, export)
        attempt("lowered.adam", lambda: drawn(MODELS / "mnist_mlp/leaky.onnxtxt", optimizer="adam"))
        attempt("lowered.resnet-18", made, resnet)
        attempt("lowered.lstm", made, recurrent, "LSTM", 4)
        attempt("lowered.gru", lambda: made(lambda: recurrent("GRU", 3, linear_before_reset=1)))
        attempt("lowered.rnn", made, recurrent, "RNN", 1)
        attempt("lowered.transformer", made, transformer)
        attempt("lowered.loop", made, looped)
        os.chdir(Path(__file__).parent)
    return 1 if harness.failures else 0


if __name__ == "__main__":
    sys.exit(main())
