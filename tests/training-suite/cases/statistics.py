"""The running statistics of BatchNormalization over several steps: each data set is a step, whose old statistics are what the step before made of them."""

import numpy as np
import onnx
from onnx import TensorProto, helper

from .declare import SUM, Family
from .model import finished, info, of_array
from .steps import even, rng_of
from .write import Files

family = Family("statistics")


class Statistics:
    def __init__(self, name, shape, sizes=(5, 5, 2, 5), opset=18, near=SUM, shift=0.0, **attributes):
        self.name, self.shape, self.sizes, self.opset, self.near, self.shift = f"statistics_{name}", shape, sizes, opset, near, shift
        self.attributes, self.opsets = attributes, {}
        family.cases.append(self)


Statistics("dense", (3,))
Statistics("dense_momentum", (3,), momentum=0.6)
Statistics("dense_momentum_0", (3,), momentum=0.0)
Statistics("dense_momentum_1", (3,), momentum=1.0)
Statistics("dense_epsilon", (3,), epsilon=0.1)
Statistics("images", (3, 2, 3))
Statistics("images_momentum", (2, 3, 3), momentum=0.99, epsilon=1e-3)
Statistics("series", (2, 5))
Statistics("volumes", (2, 2, 2, 2))
Statistics("two_samples", (3,), sizes=(2, 2, 2, 2))
Statistics("opset_14", (3, 2, 2), opset=14)
# Numbers far from zero that lie near each other: a variance as a difference of means of squares loses its digits.
Statistics("far_from_zero", (3, 2, 2), shift=100.0, near=(1e-3, 1e-4))


def step(case, x, scale, b, mean, variance):
    """In float64: the output, and both running statistics; the variance is the population's, as the standard has it."""
    epsilon, momentum = (float(np.float32(case.attributes.get(k, v))) for k, v in (("epsilon", 1e-5), ("momentum", 0.9)))
    axes, each = (0, *range(2, x.ndim)), [1, -1] + [1] * (x.ndim - 2)
    of_batch = x.mean(axes), x.var(axes)
    y = (x - of_batch[0].reshape(each)) / np.sqrt(of_batch[1].reshape(each) + epsilon) * scale.reshape(each) + b.reshape(each)
    return y, momentum * mean + (1 - momentum) * of_batch[0], momentum * variance + (1 - momentum) * of_batch[1]


def statistics_case(case, with_values):
    rng, n = rng_of(case.name), case.shape[0]
    state = np.zeros(n, np.float32), np.ones(n, np.float32)
    scale, b = even(rng, n) + 1, even(rng, n)
    names, made = ["y", "new_mean", "new_variance"], ["mean", "variance"]
    node = helper.make_node("BatchNormalization", ["x", "scale", "b", *made], names, training_mode=1, **case.attributes)
    inputs = [info("x", TensorProto.FLOAT, ["N", *case.shape]), *(of_array(k, v) for k, v in zip(["scale", "b", *made], [scale, b, *state]))]
    outputs = [info("y", TensorProto.FLOAT, ["N", *case.shape]), *(of_array(k, state[0]) for k in names[1:])]
    model = finished(case, helper.make_graph([node], case.name, inputs, outputs), rtol=case.near[0], atol=case.near[1], oracle="NumPy, float64")
    onnx.checker.check_model(model)
    files = Files(model)
    for k, size in enumerate(case.sizes):
        x = even(rng, size, *case.shape, high=2) * (1 + k) + np.float32(case.shift + 0.3 * k)
        given = [x, scale, b, *state]
        want = [np.asarray(v).astype(np.float32) for v in step(case, *(v.astype(np.float64) for v in given))]
        files.add_set(k, list(zip(["x", "scale", "b", *made], given)), list(zip(names, want)))
        state = want[1], want[2]
    return files, []
