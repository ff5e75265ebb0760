"""How a case lies on the disk: model.onnx, and directories test_data_set_N of TensorProto files."""

import shutil

import numpy as np
from onnx import numpy_helper


def tensor_bytes(name, array):
    return numpy_helper.from_array(np.asarray(array), name).SerializeToString()


class Files:
    """What a case consists of: {path below its directory: bytes}."""

    def __init__(self, model):
        self.of = {"model.onnx": model.SerializeToString()}

    def add_set(self, k, inputs, outputs):
        """Each of them is a list of (name, array)."""
        for kind, values in ("input", inputs), ("output", outputs):
            for i, (name, array) in enumerate(values):
                self.of[f"test_data_set_{k}/{kind}_{i}.pb"] = tensor_bytes(name, array)

    def write(self, directory):
        shutil.rmtree(directory, ignore_errors=True)
        for path, data in self.of.items():
            file = directory / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
