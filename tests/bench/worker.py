"""One peer in a process of its own, for peers.py: reads a JSON object a line, answers with one.

Usage: worker.py PEER      onnxruntime, openvino, torch, keras, or `files`, which makes models
    {"do": "hello"}                                              its version
    {"do": "infer", "path": FILE, "batch": N, "threads": N}      loads a model, runs it three times
    {"do": "train", "network": NAME, "batch": N, "threads": N}   builds a network, takes three steps
    {"do": "turn", "seconds": S}                                 goes on with that
    {"do": "export", "name": NAME, "path": FILE}                 keras, torch: makes a model
    {"do": "quantize", "path": FILE, "out": FILE}                onnxruntime: one of integers of 8 bits
Times are in seconds, memory in MiB: what the process has grown by at most since before the model was there. Errors: {"error": TEXT}."""

import json
import os
import statistics
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
WARM_UP = 3


def resident(key):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(key + ":"):
                return int(line.split()[1]) / 1024
    return 0


def timed(run, seconds):
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return {"median": statistics.median(times), "minimum": min(times), "runs": len(times)}


def random_feed(path, batch):
    """{name: array} for the inputs of a model, open dimensions being 1, or `batch` where they come first."""
    import numpy as np
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    known = {i.name for i in graph.initializer}
    random = np.random.default_rng(0)
    feed = {}
    for value in graph.input:
        if value.name not in known:
            shape = [d.dim_value or (1 if i else batch) for i, d in enumerate(value.type.tensor_type.shape.dim)]
            feed[value.name] = random.random(shape, dtype=np.float32)
    return feed


# -- inference --


class OnnxRuntime:
    def __init__(self):
        import onnxruntime

        self.peer, self.version = onnxruntime, onnxruntime.__version__

    def quantize(self, path, out):
        """As it quantises by default what it has seen random pictures in."""
        from onnxruntime.quantization import CalibrationDataReader, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process

        class Pictures(CalibrationDataReader):
            def __init__(self):
                self.feeds = iter([random_feed(path, 1) for _ in range(2)])

            def get_next(self):
                return next(self.feeds, None)

        prepared = out + ".prepared"
        quant_pre_process(path, prepared)
        quantize_static(prepared, out, Pictures())
        os.unlink(prepared)

    def infer(self, path, batch, threads):
        feed = random_feed(path, batch)
        options = self.peer.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3

        def ready():
            session = self.peer.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            return lambda: session.run(None, feed)

        return ready


class OpenVino:
    def __init__(self):
        import openvino

        self.peer, self.version = openvino, openvino.__version__.split("-")[0]

    def infer(self, path, batch, threads):
        feed = random_feed(path, batch)

        def ready():
            core = self.peer.Core()
            core.set_property("CPU", {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"})
            model = core.read_model(path)
            model.reshape({port: list(feed[port.get_any_name()].shape) for port in model.inputs})
            compiled = core.compile_model(model, "CPU")
            request = compiled.create_infer_request()
            values = [feed[port.get_any_name()] for port in compiled.inputs]
            return lambda: request.infer(values)

        return ready


# -- training --


class Torch:
    def __init__(self):
        import torch

        self.peer, self.version = torch, torch.__version__.split("+")[0]

    def export(self, name, path):
        """A network of torchvision, its weights drawn."""
        import torchvision

        self.peer.manual_seed(0)
        model = getattr(torchvision.models, name)(weights=None).eval()
        picture = self.peer.rand(1, 3, 224, 224)
        self.peer.onnx.export(model, (picture,), path, input_names=["x"], output_names=["y"], opset_version=17, dynamo=False)

    def train(self, network, batch, threads):
        from torch_networks import NETWORKS

        torch = self.peer
        torch.set_num_threads(threads)
        torch.manual_seed(0)

        def ready():
            make, shape, classes, optimizer = NETWORKS[network]
            last = torch.channels_last
            model = make().train().to(memory_format=last)
            x = torch.rand(batch, *shape).contiguous(memory_format=last)
            y = torch.randint(classes, (batch,))
            update, loss_of = optimizer(model.parameters()), torch.nn.CrossEntropyLoss()

            def step():
                update.zero_grad(set_to_none=True)
                loss_of(model(x), y).backward()
                update.step()

            return step

        return ready


class Keras:
    def __init__(self):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ["KERAS_BACKEND"] = "tensorflow"
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        import keras
        import tensorflow

        self.peer, self.tensorflow, self.version = keras, tensorflow, keras.__version__

    def train(self, network, batch, threads):
        import numpy as np

        sys.path.insert(0, str(HERE.parents[1] / "models"))
        from keras_networks import NETWORKS

        self.tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        self.tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
        steps = max(8, 4000 // batch)

        def ready():
            known = NETWORKS[network]
            model = known.build()
            model.compile(known.optimizer, "sparse_categorical_crossentropy")
            random = np.random.default_rng(0)
            x = random.random((batch * steps, *known.shape), dtype=np.float32)
            y = random.integers(known.classes, size=len(x))
            model.fit(x[: 4 * batch], y[: 4 * batch], batch_size=batch, verbose=0)
            return lambda: model.fit(x, y, batch_size=batch, verbose=0)

        self.steps = steps  # of one run
        return ready

    def export(self, name, path):
        applications = self.peer.applications
        self.peer.utils.set_random_seed(0)
        if name == "mobilenet_v2":
            model = applications.MobileNetV2(input_shape=(96, 96, 3), alpha=0.35, weights=None)
        else:
            model = applications.EfficientNetB0(input_shape=(64, 64, 3), weights=None)
        model(self.tensorflow.zeros((1, *model.input_shape[1:])))  # a model that was never called has no export
        model.export(path, format="onnx", verbose=False)


# -- models --


class Files:
    def __init__(self):
        import numpy
        import onnx

        self.numpy, self.onnx, self.version = numpy, onnx, onnx.__version__

    def light(self):
        """The folder of onnx' light models."""
        return str(Path(self.onnx.__file__).parent / "backend/test/data/light")

    def rebatch(self, path, batch, out):
        """A model for batches of one becomes one for `batch`."""
        model = self.onnx.load(path)
        graph = model.graph
        del graph.value_info[:]
        known = {i.name for i in graph.initializer}
        for value in [*graph.input, *graph.output]:
            dims = value.type.tensor_type.shape.dim
            if value.name not in known and dims and dims[0].dim_value == 1:
                dims[0].dim_value = batch
        shapes = {n.input[1] for n in graph.node if n.op_type == "Reshape"}
        tensors = [(i.name, i) for i in graph.initializer]
        tensors += [(n.output[0], n.attribute[0].t) for n in graph.node if n.op_type == "Constant"]
        for name, tensor in tensors:
            if name in shapes:
                shape = self.onnx.numpy_helper.to_array(tensor).copy()
                if shape.size > 1 and shape[0] == 1:
                    shape[0] = batch
                    tensor.CopyFrom(self.onnx.numpy_helper.from_array(shape, tensor.name))
        self.onnx.save(model, out)

    def convolution(self, out, batch, channels, size, filters, kernel, stride, dilation, group, pad):
        h = self.onnx.helper
        float_type = self.onnx.TensorProto.FLOAT
        random = self.numpy.random.default_rng(0)
        w = random.normal(size=(filters, channels // group, *kernel)).astype("float32") / 8
        b = random.normal(size=filters).astype("float32")
        shape = [batch, channels, *size]
        node = h.make_node("Conv", ["x", "w", "b"], ["y"], strides=[stride] * 2, dilations=[dilation] * 2, group=group, pads=pad + pad)
        inputs, outputs = [h.make_tensor_value_info("x", float_type, shape)], [h.make_tensor_value_info("y", float_type, None)]
        weights = [self.onnx.numpy_helper.from_array(w, "w"), self.onnx.numpy_helper.from_array(b, "b")]
        graph = h.make_graph([node], "convolution", inputs, outputs, weights)
        model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
        self.onnx.save(model, out)

    def real_weights(self, path, out):
        """The model with random weights in it where a light one draws them from ConstantOfShape."""
        model = self.onnx.load(path)
        graph = model.graph
        helper = self.onnx.numpy_helper
        values = {i.name: helper.to_array(i) for i in graph.initializer}
        random = self.numpy.random.default_rng(0)
        keep = []
        for node in graph.node:
            if node.op_type == "ConstantOfShape" and node.input[0] in values:
                shape = tuple(values[node.input[0]])
                fan_in = max(1, int(self.numpy.prod(shape[1:])))
                bound = (3 / fan_in) ** 0.5 if len(shape) > 1 else 1
                array = random.uniform(0.1 if len(shape) < 2 else -bound, bound, shape).astype("float32")
                graph.initializer.append(helper.from_array(array, node.output[0]))
            else:
                keep.append(node)
        del graph.node[:]
        graph.node.extend(keep)
        model.ir_version = max(model.ir_version, 4)
        self.onnx.save(model, out)


PEERS = {"onnxruntime": OnnxRuntime, "openvino": OpenVino, "torch": Torch, "keras": Keras, "files": Files}


def begin(prepare, each):
    """Sets up, warms up; what both took."""
    idle = resident("VmRSS")
    start = time.perf_counter()
    run = prepare()
    ready = time.perf_counter() - start
    run()
    first = time.perf_counter() - start - ready
    for _ in range(WARM_UP - 1):
        run()
    return run, {"ready": ready, "first": first / each, "growth": resident("VmHWM") - idle}


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not come between
    peer, run, each = None, None, 1
    for line in sys.stdin:
        order = json.loads(line)
        what = order.pop("do")
        try:
            if peer is None:
                peer = PEERS[sys.argv[1]]()
            if what == "hello":
                answer = {"version": peer.version}
            elif what == "turn":
                answer = timed(run, order["seconds"])
                answer["median"] /= each
                answer["minimum"] /= each
            elif what in ("infer", "train"):
                run = None
                prepare = getattr(peer, what)(**order)
                each = getattr(peer, "steps", 1)
                run, answer = begin(prepare, each)
            else:
                answer = {"value": getattr(peer, what)(**order)}
        except Exception as e:  # a peer may refuse a model in its own way
            answer = {"error": f"{type(e).__name__}: {e}".split("\n")[0][:200]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
