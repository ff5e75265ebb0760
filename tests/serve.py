"""kiln serve: the protocol by Python's own client and by raw sockets, requests that are wrong, many clients at once, limits, metrics, the end.
Usage: tests/serve.py KILN [--requests N] [--only TEST...] [--short], which is for a build with sanitizers. Prints a PASS or FAIL line for each test."""

import argparse
import http.client
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper

import harness
from harness import KILN, MODELS, attempt, kiln

TYPES = {  # of the protocol
    "BOOL": (TensorProto.BOOL, np.bool_), "UINT8": (TensorProto.UINT8, np.uint8), "UINT16": (TensorProto.UINT16, np.uint16),
    "UINT32": (TensorProto.UINT32, np.uint32), "UINT64": (TensorProto.UINT64, np.uint64), "INT8": (TensorProto.INT8, np.int8),
    "INT16": (TensorProto.INT16, np.int16), "INT32": (TensorProto.INT32, np.int32), "INT64": (TensorProto.INT64, np.int64),
    "FP16": (TensorProto.FLOAT16, np.float16), "FP32": (TensorProto.FLOAT, np.float32), "FP64": (TensorProto.DOUBLE, np.float64),
    "BF16": (TensorProto.BFLOAT16, ml_dtypes.bfloat16), "BYTES": (TensorProto.STRING, np.object_),
}  # fmt: skip
KERAS = MODELS / "mnist_mlp/keras.onnx"
OTHERS = ["echo.onnx", "mean.onnxtxt", "slow.onnxtxt", "classes.onnx", "gather.onnxtxt", "double.onnxtxt", "unsigned.onnxtxt"]
X, Y = "keras_tensor", "Identity:0"  # its input and output


# -- a server --


class Server:
    def __init__(self, *words, host="127.0.0.1"):
        self.host = host
        self.p = subprocess.Popen([KILN, "serve", "--port=0", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_signals)
        self.said = []
        for line in self.p.stdout:
            self.said.append(line)
            if found := re.fullmatch(r"serving on http://\[?[^/]+?\]?:(\d+)/\n", line):
                self.port = int(found[1])
                return
        raise RuntimeError(f"it does not start: {self.p.communicate()[1]}")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.p.poll() is None:
            self.p.terminate()
        out, self.err = self.p.communicate(timeout=60)
        if self.p.returncode and not kind:
            raise RuntimeError(f"the server ended with {self.p.returncode}: {self.err[-2000:]}")

    def ask(self, method, path, body=None, headers=None):
        """Status, header, body."""
        c = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            c.request(method, path, body, headers or {})
            got = c.getresponse()
            return got.status, got.headers, got.read()
        finally:
            c.close()

    def get(self, path):
        return self.ask("GET", path)

    def infer(self, model, request, headers=None):
        body = request if isinstance(request, (bytes, str)) else json.dumps(request)
        return self.ask("POST", f"/v2/models/{model}/infer", body, headers)

    def raw(self, data, wait=10.0):
        """What comes back until the server closes, or nothing has come for so long."""
        with socket.create_connection((self.host, self.port), timeout=wait) as s:
            got = b""
            try:
                s.sendall(data)
                while more := s.recv(65536):
                    got += more
            except (TimeoutError, ConnectionError):
                pass
            return got


def heed_signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def tensor(name, kind, x, **more):
    return {"name": name, "datatype": kind, "shape": list(x.shape), **more}


def plain(x):
    return [v.decode() if isinstance(v, bytes) else v.item() if isinstance(v, np.generic) and not isinstance(v, ml_dtypes.bfloat16) else float(v) for v in x.flatten()]


def packed(kind, x):
    if kind == "BYTES":
        return b"".join(struct.pack("<I", len(v)) + v for v in x.flatten())
    return x.tobytes()


def unpacked(kind, data, shape):
    if kind != "BYTES":
        return np.frombuffer(data, TYPES[kind][1]).reshape(shape)
    out, at = [], 0
    while at < len(data):
        (n,) = struct.unpack_from("<I", data, at)
        out.append(data[at + 4 : at + 4 + n])
        at += 4 + n
    return np.array(out, np.object_).reshape(shape)


def binary(inputs, **more):
    """A request of [(name, type, array)] with binary tensors, and its header."""
    head = json.dumps({"inputs": [tensor(n, k, x, parameters={"binary_data_size": len(packed(k, x))}) for n, k, x in inputs], **more}).encode()
    return head + b"".join(packed(k, x) for _, k, x in inputs), {"Inference-Header-Content-Length": str(len(head))}


def results(got):
    """Outputs by name."""
    code, headers, body = got
    if code != 200:
        raise RuntimeError(f"{code} {body[:300]}")
    size = headers["Inference-Header-Content-Length"]
    answer = json.loads(body[: int(size)] if size else body)
    at, out = int(size or 0), {}
    for o in answer["outputs"]:
        n = o.get("parameters", {}).get("binary_data_size")
        if n is None:
            data = [v.encode() for v in o["data"]] if o["datatype"] == "BYTES" else o["data"]
            out[o["name"]] = np.array(data, np.object_ if o["datatype"] == "BYTES" else TYPES[o["datatype"]][1]).reshape(o["shape"])
        else:
            out[o["name"]] = unpacked(o["datatype"], body[at : at + n], o["shape"])
            at += n
    if at != len(body) and size:
        raise RuntimeError(f"{len(body) - at} bytes are left")
    return out


# -- models --


def make_models():
    """One that gives back what it gets, of every type; rows that depend on each other; one that takes as long as it is told; one with classes."""
    values = [helper.make_tensor_value_info(f"{w}{t}", kind, ["N", 3]) for w in "xy" for t, (kind, _) in TYPES.items()]
    n = len(TYPES)
    nodes = [helper.make_node("Identity", [f"x{t}"], [f"y{t}"]) for t in TYPES]
    save("echo", helper.make_graph(nodes, "echo", values[:n], values[n:]))
    Path("mean.onnxtxt").write_text("""<ir_version: 8, opset_import: ["": 17]>
mean (float[N, 4] x) => (float[N, 4] y) { m = ReduceMean <axes = [0]> (x) y = Sub(x, m) }""")
    Path("slow.onnxtxt").write_text("""<ir_version: 8, opset_import: ["": 17]>
slow (int64 n) => (float[1] y) {
    shape = Constant <value = int64[2] {160, 160}> () w = ConstantOfShape <value = float[1] {0.001}> (shape) yes = Constant <value = bool {1}> ()
    a = Loop (n, yes, w) <body = step (int64 i, bool c, float[160, 160] s) => (bool d, float[160, 160] t) { d = Identity(c) t = MatMul(s, w) }>
    y = ReduceMax <keepdims = 0> (a) }""".replace("(float[1] y)", "(float y)"))
    x, y = (helper.make_tensor_value_info(w, TensorProto.FLOAT, ["N", 3]) for w in "xy")
    save("classes", helper.make_graph([helper.make_node("Softmax", ["x"], ["y"])], "classes", [x], [y]), {"kiln.classes.y": "cat\ndog\nnewt <&>", "kiln.normalize.x": "unit"})
    Path("gather.onnxtxt").write_text("""<ir_version: 8, opset_import: ["": 17]>
gather (int64[N] i) => (float[N] y) <float[4] w = {1, 2, 3, 4}> { y = Gather(w, i) }""")
    for name, kind in (("double", "double"), ("unsigned", "uint64")):
        Path(f"{name}.onnxtxt").write_text(f"""<ir_version: 8, opset_import: ["": 17]>
{name} ({kind}[N, K] x) => ({kind}[N, K] y) {{ y = Identity(x) }}""")
    Path("twice.onnxtxt").write_text("""<ir_version: 8, opset_import: ["": 17]>
twice (float[N, K] x) => (float[N, K] y) { y = Add(x, x) }""")


def save(name, graph, metadata=None):
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])
    helper.set_model_props(model, metadata or {})
    onnx.save(model, f"{name}.onnx")


def samples(count, seed=1):
    return np.random.default_rng(seed).random((count, 28, 28), np.float32)


def by_kiln(model, name, x):
    """What `kiln run` makes of it."""
    np.save("in.npy", x)
    kiln("run", model, "--input", f"{name}=in.npy", "--output", "out")
    return np.load(next(Path("out").glob("*.npy")))


# -- tests --


def protocol(s):
    for path, want in (("/v2/health/live", {"live": True}), ("/v2/health/ready", {"ready": True}), ("/v2/models/keras/ready", {"name": "keras", "ready": True}),
                       ("/v2/models/keras/versions/1/ready", {"name": "keras", "ready": True})):  # fmt: skip
        code, headers, body = s.get(path)
        if (code, json.loads(body), headers["Content-Type"]) != (200, want, "application/json"):
            return f"{path}: {code} {body}"
    about = json.loads(s.get("/v2")[2])
    if about["name"] != "kiln" or "binary_tensor_data" not in about["extensions"]:
        return f"/v2 says {about}"
    meta = json.loads(s.get("/v2/models/keras/versions/1")[2])
    if meta["inputs"] != [{"name": X, "datatype": "FP32", "shape": [-1, 28, 28]}] or meta["outputs"] != [{"name": Y, "datatype": "FP32", "shape": [-1, 10]}] or meta["versions"] != ["1"]:
        return f"the metadata are {meta}"
    index = json.loads(s.ask("POST", "/v2/repository/index", "{}")[2])
    if [m["name"] for m in index] != [m.split(".")[0] for m in ["keras", *OTHERS]]:
        return f"the index is {index}"
    code, _, body = s.ask("HEAD", "/v2")
    if code != 200 or body:
        return f"HEAD: {code} {body}"
    answer = json.loads(s.infer("keras/versions/1", {"id": "né \u2028", "inputs": [tensor(X, "FP32", samples(1), data=plain(samples(1)))]})[2])
    if (answer["model_name"], answer["model_version"], answer["id"]) != ("keras", "1", "né \u2028"):
        return f"the answer is of {answer}"


def values(s):
    """Every type, in JSON and binary, there and back."""
    rng = np.random.default_rng(3)
    given = {}
    for t, (_, d) in TYPES.items():
        if t == "BYTES":
            x = np.array([b"", b"a\0b", "é\n\"".encode(), b"1234567890" * 30, b"\\", b"x"], np.object_)
        elif t == "BOOL":
            x = rng.random(6) < 0.5
        elif np.dtype(d).kind in "iu":
            x = np.array([np.iinfo(d).min, np.iinfo(d).max, 0, 1, 2, 3], d) if t != "UINT64" else np.array([0, 1, 2, 3, 4, 2**63 - 1], d)
        else:
            x = (rng.normal(size=6) * 10.0 ** rng.integers(-6, 4, 6)).astype(d)
            x[0], x[1] = 0, d(6e-8)  # one of the smallest of FP16
        given[t] = x.reshape(2, 3)
    inputs = [(f"x{t}", t, x) for t, x in given.items()]
    nested = {t: np.array(plain(x), np.object_).reshape(2, 3).tolist() for t, x in given.items()}
    as_json = {"inputs": [tensor(n, k, x, data=plain(x) if k != "INT8" else nested[k]) for n, k, x in inputs]}
    body, headers = binary(inputs, parameters={"binary_data_output": True}, outputs=[{"name": "yBOOL"}, *({"name": f"y{t}"} for t in TYPES if t != "BOOL")])
    for how, got in (("JSON", s.infer("echo", as_json)), ("binary", s.infer("echo", body, headers))):
        for t, x in given.items():
            y = results(got)[f"y{t}"]
            if y.dtype != x.dtype or y.shape != x.shape or packed(t, y) != packed(t, x):
                return f"{how} {t}: {x} became {y}"
    body, headers = binary(inputs, outputs=[{"name": "yFP16", "parameters": {"binary_data": True}}, {"name": "yUINT8"}])
    got = results(s.infer("echo", body, headers))
    if list(got) != ["yFP16", "yUINT8"] or packed("FP16", got["yFP16"]) != packed("FP16", given["FP16"]):
        return f"those asked for are {got}"
    for t, least in (("FP16", 1e-8), ("BF16", 1e-41)):  # what JSON has is rounded once
        x = np.exp(rng.uniform(np.log(least), np.log(6e4), (100, 3))) * rng.choice([-1, 1], (100, 3))
        others = [tensor(n, k, np.zeros((100, 3)), data=(["a"] if k == "BYTES" else [0]) * 300) for n, k, _ in inputs if k != t]
        request = {"inputs": [*others, tensor(f"x{t}", t, x, data=x.flatten().tolist())], "outputs": [{"name": f"y{t}", "parameters": {"binary_data": True}}]}
        if (y := results(s.infer("echo", request))[f"y{t}"]).tobytes() != x.astype(TYPES[t][1]).tobytes():
            return f"{t}: {x[y != x.astype(TYPES[t][1])][:4]} are not the nearest"
    big = np.full((1, 3), 2**64 - 1, np.uint64)
    inputs = [(n, k, x[:1] if k != "UINT64" else big) for n, k, x in inputs]
    body, headers = binary(inputs, outputs=[{"name": "yUINT64"}])
    if results(s.infer("echo", body, headers))["yUINT64"].tolist() != big.tolist():
        return "UINT64 loses its largest numbers"


def numbers(s):
    """Long lists are read by other code than short ones: each number is the nearest, and what JSON does not have is refused."""
    rng = random.Random(11)
    written = ["0", "-0", "-0.0", "1e23", "8.5e22", "9007199254740993", "9007199254740992.999999999999999999999", "5e-324", "2.4e-324", "2.2250738585072011e-308", "1.7976931348623157e308",
               "123456789012345678901234567890", "1" + "0" * 300, "0." + "0" * 300 + "1", "1E+2", "1e-00007", "0.1", "0.30000000000000004", "1.7976931348623158079e308"]  # fmt: skip
    for _ in range(2000):
        written.append(rng.choice([repr(rng.uniform(-1, 1)), repr(rng.uniform(-1, 1) * 10.0 ** rng.randint(-300, 300)), f"{rng.getrandbits(62)}e{rng.randint(-40, 40)}",
                                   f"{rng.randint(0, 9999)}.{rng.getrandbits(64)}", repr(float(np.float32(rng.random())))]))  # fmt: skip
    written += [f"{rng.getrandbits(63)}e{rng.randint(-25, 25)}" for _ in range(30000)]  # some are next to the middle between two doubles
    written += ["1"] * (-len(written) % 3)
    want = np.array([float(w) for w in written]).reshape(-1, 3)

    def ask(model, kind, shape, text, data="data"):
        head = f'{{"inputs": [{{"name": "x", "datatype": "{kind}", "shape": {shape}, "{data}" : \n{text}}}], "outputs": [{{"name": "y", "parameters": {{"binary_data": true}}}}]}}'
        return s.infer(model, head)

    flat = "[" + ",\t".join(written) + " ]"
    nested = "[" + ", ".join("[" + ",".join(written[k : k + 3]) + "]" for k in range(0, len(written), 3)) + "]"
    for text in (flat, nested):
        got = results(ask("double", "FP64", list(want.shape), text))["y"]
        if got.tobytes() != want.tobytes():
            return f"{[(w, g) for w, g, v in zip(written, got.flatten(), want.flatten()) if g != v][:3]}"
    if results(ask("double", "FP64", [1, 3], "[1.5, 2.5, 3.5e00]", "d\\u0061ta"))["y"].tolist() != [[1.5, 2.5, 3.5]]:
        return "a word that is written otherwise is another"
    text = '{"inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 3], "d\\u0061ta": 0, "parameters": {"data": [1.5, 2.5, 3.5, 4.5]}}]}'
    if b"must be a list" not in s.infer("double", text)[2] or b"must be a list" not in s.infer("double", text.replace("\\u0061", "a"))[2]:
        return "a number stands for a list"
    most = "[18446744073709551615, 0, 9223372036854775808]"
    if results(ask("unsigned", "UINT64", [1, 3], most))["y"].tolist() != [json.loads(most)]:
        return "the largest of UINT64"
    pad = ", 1.0" * 40
    for text, says in (("[01, 1, 1{}]", "cannot be read, at '01'"), ("[1., 1{}]", "at '1.'"), ("[.5{}]", "at '.5'"), ("[+1{}]", "at '+1'"), ("[1e{}]", "at '1e'"), ("[-{}]", "at '-'"), ("[1 2{}]", "at '2'"),
                       ("[1,,2{}]", "at ''"), ("[{}]", "at ''"), ("[1{},]", "nested otherwise"), ("[[1{}], 1]", "nested otherwise"), ("[[1], [1{}]]", "nested otherwise"), ("[[1.25, 2.25         ]]", "nested otherwise"), ("[1, [1{}]]", "nested otherwise"),
                       ("[1e309{}]", "does not fit"), ("[1{}]", "there are 41 elements"), ("[[1{}]", "cannot be read"), ("[1{}]]", "cannot be read"), ("[1{}, x]", "cannot be read"),
                       ("3", "must be a list"), ("[1.5, [2{}]", "cannot be read")):  # fmt: skip
        code, _, body = ask("double", "FP64", [1, 3], text.format(pad))
        if code != 400 or says not in json.loads(body)["error"]:
            return f"{text}: {code} {body}"
    for text, says in (("[-1, 1, 1{}]", "element 0 does not fit"), ("[18446744073709551616{}]", "does not fit"), ("[1, 0.5{}]", "element 1 is no whole number")):
        code, _, body = ask("unsigned", "UINT64", [1, 3], text.format(", 1" * 10))
        if code != 400 or says not in json.loads(body)["error"]:
            return f"{text}: {code} {body}"


def classes(s):
    x = np.array([[0, 2, 1], [3, 0, 0]], np.float32)
    got = results(s.infer("classes", {"inputs": [tensor("x", "FP32", x, data=plain(x))], "outputs": [{"name": "y", "parameters": {"classification": 2}}]}))["y"]
    parts = [[v.decode().split(":", 2) for v in row] for row in got]
    if [[p[1:] for p in row] for row in parts] != [[["1", "dog"], ["2", "newt <&>"]], [["0", "cat"], ["1", "dog"]]] or abs(float(parts[0][0][0]) - 0.665241) > 1e-5:
        return f"they are {got}"
    page = json.loads(s.get("/models")[2])[4]
    if page["outputs"][0]["classes"] != ["cat", "dog", "newt <&>"] or page["inputs"][0]["normalize"] != "unit":
        return f"the page gets {page}"


def wrong(s):
    """Each gets its status and a reason; the server goes on."""
    good = tensor(X, "FP32", samples(1), data=plain(samples(1)))
    two = tensor("i", "INT64", np.zeros(1), data=[0])

    def keras(**changes):
        return "keras", {"inputs": [{**good, **changes}]}

    def part(n, size, data=b"\0" * 3136):
        head = json.dumps({"inputs": [{**{k: v for k, v in good.items() if k != "data"}, "parameters": {"binary_data_size": size}}]}).encode()
        return "keras", head + data[:n], {"Inference-Header-Content-Length": str(len(head))}

    cases = [
        (404, "no such model", "none", {}),
        (404, "no such version", "keras/versions/2", {}),
        (400, "cannot be read", "keras", "{"),
        (400, "cannot be read", "keras", ""),
        (400, "cannot be read", "keras", b"\xff\xfe"),
        (400, "cannot be read", "keras", '{"inputs": [], "inputs": []}'),
        (400, "cannot be read", "keras", '{"inputs": [1e999]}'),
        (400, "cannot be read", "keras", '{"inputs": [' + "9" * 400 + "]}"),
        (400, "cannot be read", "keras", '{"inputs": [NaN]}'),
        (400, "nested deeper", "keras", "[" * 100000),
        (400, "nested deeper", "keras", '{"a":' * 50 + "1" + "}" * 50),
        (400, "must be a JSON object", "keras", '["' + "]" * 40 + '", "\\"' + "[" * 40 + '"]'),
        (400, 'list of "inputs"', "keras", {}),
        (400, "is missing", "keras", {"inputs": []}),
        (400, 'must have a "name"', "keras", {"inputs": [1, 2]}),
        (400, "given twice", "keras", {"inputs": [good, good]}),
        (400, "no input 'other'", *keras(name="other")),
        (400, "no datatype 'FP8'", *keras(datatype="FP8")),
        (400, "takes FP32", *keras(datatype="FP64")),
        (400, "must be a list", *keras(data="a" * 1000)),
        (400, "300 elements", *keras(data=[1.5] * 300)),
        (400, "is no number", *keras(data=["1"] * 784)),
        (400, "does not fit", *keras(data=[1e300] * 784)),
        (400, "nested otherwise", *keras(data=[[[1] * 500]])),
        (400, "nested otherwise", *keras(data=[[[[1.0]] * 28] * 28])),
        (400, "takes 28", *keras(shape=[1, 784, 1])),
        (400, "takes 3", *keras(shape=[1, 784])),
        (400, "from 0 on", *keras(shape=[-1, 28, 28])),
        (400, "from 0 on", *keras(shape=[1.0, 28, 28])),
        (400, "are not there", *keras(shape=[10**9, 28, 28])),
        (400, "more elements than can be counted", *keras(shape=[2**62, 28, 28])),
        (400, "whole numbers", *keras(shape=[1] * 17)),
        (400, "either", *keras(parameters={"binary_data_size": 3136})),
        (400, "must be an object", *keras(parameters=3)),
        (400, "must be true or false", "keras", {"inputs": [good], "parameters": {"binary_data_output": 1}}),
        (400, '"id" must be', "keras", {"inputs": [good], "id": 3}),
        (400, '"outputs" must be', "keras", {"inputs": [good], "outputs": {}}),
        (400, "no output 'z'", "keras", {"inputs": [good], "outputs": [{"name": "z"}]}),
        (400, "outputs are asked for", "keras", {"inputs": [good], "outputs": [{"name": Y}] * 2}),
        (400, "asked for twice", "echo", {"inputs": [], "outputs": [{"name": "yINT8"}] * 2}),
        (400, "from 1 on", "classes", {"inputs": [], "outputs": [{"name": "y", "parameters": {"classification": 0}}]}),
        (400, "no largest one", "echo", {"inputs": [], "outputs": [{"name": "yBYTES", "parameters": {"classification": 1}}]}),
        (400, "is no whole number", "gather", {"inputs": [{**two, "data": [0.5]}]}),
        (400, "must be in", "gather", {"inputs": [{**two, "data": [7]}]}),
        (400, "at most the 3000 left", *part(3000, 3136)),
        (400, "belong to no input", *part(3140, 3136, b"\0" * 3140)),
        (400, "binary_data_size", *part(3136, -1)),
        (400, "binary_data_size", *part(3136, 2**62)),
        (400, "longer than the body", "keras", "{}", {"Inference-Header-Content-Length": "3"}),
        (400, "no number of bytes", "keras", "{}", {"Inference-Header-Content-Length": "-3"}),
        (415, "compressed", "keras", "{}", {"Content-Encoding": "gzip"}),
    ]  # fmt: skip
    for kind, x in (("UINT8", 256), ("UINT8", -1), ("INT8", 128), ("UINT16", 65536), ("INT16", -32769), ("UINT32", 2**32), ("INT32", 2**31), ("UINT64", -1), ("FP16", 65520), ("BF16", 3.4e38), ("BOOL", 2)):
        cases.append((400, "does not fit", "echo", {"inputs": [{"name": f"x{kind}", "datatype": kind, "shape": [1, 3], "data": [0, x, 0]}]}))
    for code, says, model, request, *headers in cases:
        got, _, body = s.infer(model, request, *headers)
        if got != code or says not in json.loads(body)["error"]:
            return f"{str(request)[:60]}: {got} {body[:300]}, not {code} {says}"
    text = {"name": "xBYTES", "datatype": "BYTES", "shape": [1, 3], "parameters": {"binary_data_size": 12}}
    head = json.dumps({"inputs": [text]}).encode()
    for data, says in ((struct.pack("<III", 0, 4, 0), "cut short"), (struct.pack("<III", 0, 2**32 - 1, 0), "cut short"), (struct.pack("<III", 0, 0, 0)[:12], "is missing")):
        got, _, body = s.infer("echo", head + data, {"Inference-Header-Content-Length": str(len(head))})
        if got != 400 or says not in json.loads(body)["error"]:
            return f"strings {data}: {got} {body}"
    for method, path, code in (("PUT", "/v2", 405), ("GET", "/v2/models/keras/infer", 405), ("DELETE", "/metrics", 405), ("GET", "/v2/models/", 404), ("GET", "/v2/models/keras/x", 404),
                               ("GET", "/v2/models/ker", 404), ("GET", "/%2e%2e/etc/passwd", 404), ("POST", "/v2/repository/models/keras/unload", 404)):  # fmt: skip
        got, headers, body = s.ask(method, path, "{}" if method in ("PUT", "POST") else None)
        if got != code or "error" not in json.loads(body) or (code == 405) != bool(headers["Allow"]):
            return f"{method} {path}: {got} {body}"


def sockets(s):
    """What no library would send."""
    good = json.dumps({"inputs": [tensor(X, "FP32", samples(1), data=plain(samples(1)))]}).encode()
    post = b"POST /v2/models/keras/infer HTTP/1.1\r\nHost: localhost\r\n"
    close = b"Connection: close\r\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(good[k : k + 1000]), good[k : k + 1000]) for k in range(0, len(good), 1000))
    for name, data, want in (
        ("chunked", post + close + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n", b"200 OK"),
        ("chunks that are none", post + close + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        ("too large, by its header", post + b"Content-Length: 9999999999\r\n\r\n", b"413"),
        ("no number", post + b"Content-Length: 1x\r\n\r\n", b"400"),
        ("a header of 200 KB", post + b"X: " + b"a" * 200000 + b"\r\n\r\n", b""),  # an answer that it does not wait for is lost
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b""),
        ("HTTP/1.0", b"GET /v2/health/live HTTP/1.0\r\n\r\n", b'{"live": true}'),
    ):
        got = s.raw(data)
        if want not in got:
            return f"{name}: {got[:200]}"
    got = s.raw(b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50 + post + b"Content-Length: %d\r\n\r\n" % len(good) + good + b"GET /v2 HTTP/1.1\r\nHost: localhost\r\n" + close + b"\r\n")
    if got.count(b"200 OK") != 52 or got.index(b'"live"') > got.index(b"outputs") or got.rindex(b"extensions") < got.index(b"outputs"):
        return f"of 52 requests in a row {got.count(b'200 OK')} are answered"
    with socket.create_connection((s.host, s.port), timeout=10) as c:  # asked before it is sent
        c.sendall(post + close + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(good))
        if b"100 Continue" not in c.recv(1000):
            return "no 100 Continue"
        c.sendall(good)
        if b"200 OK" not in c.recv(65536):
            return "no answer after 100 Continue"
    for cut in (10, 60, len(post) + 30, len(post) + 300):  # gone in the middle
        with socket.create_connection((s.host, s.port)) as c:
            c.sendall((post + b"Content-Length: %d\r\n\r\n" % len(good) + good)[:cut])
    if s.get("/v2/health/live")[0] != 200:
        return "it lives no more"


def same_bytes(_):
    """Alone, all is as `kiln run` has it; together up to roundings."""
    x = samples(6)
    want = [by_kiln(KERAS, X, x[k : k + 1]) for k in range(6)]
    with Server("--max-batch=1", KERAS) as s:
        for k in range(6):
            body, headers = binary([(X, "FP32", x[k : k + 1])], parameters={"binary_data_output": True})
            if results(s.infer("keras", body, headers))[Y].tobytes() != want[k].tobytes():
                return "alone it is something else than kiln run"
    whole = by_kiln(KERAS, X, x)
    with Server(KERAS) as s:
        got = results(s.infer("keras", *binary([(X, "FP32", x)], parameters={"binary_data_output": True})))[Y]
    return None if got.tobytes() == whole.tobytes() else "six rows of one request are something else than kiln run of them"


def together(s):
    """Requests that come while the model runs share a run, and each gets its own rows; but not where rows depend on each other."""
    x = samples(40, 5)
    want = by_kiln(KERAS, X, x)
    bad = []

    def client(k):
        rows = 1 + k % 3
        got = results(b.infer("keras", *binary([(X, "FP32", x[k : k + rows])], parameters={"binary_data_output": True})))[Y]
        if got.shape != (rows, 10) or not np.allclose(got, want[k : k + rows], rtol=1e-5, atol=1e-6):
            bad.append(k)

    with Server("--batch-delay=1000000", "--max-batch=16", KERAS) as b:
        run_all(client, range(37))
        m = metrics(b)
        runs, rows = m["kiln_batch_rows_count", "keras"], m["kiln_batch_rows_sum", "keras"]
    if bad or rows != sum(1 + k % 3 for k in range(37)) or runs > 12:
        return f"{bad} are wrong; {rows} rows in {runs} runs"
    if "mean.onnxtxt, each request runs alone: its rows depend on each other" not in "".join(s.said):
        return f"it says {s.said}"
    got = results(s.infer("gather", {"inputs": [{"name": "i", "datatype": "INT64", "shape": [0], "data": []}]}))["y"]
    return None if got.shape == (0,) else f"no rows become {got}"


def apart(_):
    """One that is wrong inside a batch does not harm the others; other shapes run apart."""
    codes, shapes = [], []

    def other(k):
        x = np.full((2, 1 + k % 3), k, np.float32)
        got = results(b.infer("twice", *binary([("x", "FP32", x)], parameters={"binary_data_output": True})))["y"]
        if got.tolist() != (2 * x).tolist():
            shapes.append(k)

    def client(k):
        codes.append((k % 4 == 0, b.infer("gather", {"inputs": [{"name": "i", "datatype": "INT64", "shape": [1], "data": [9 if k % 4 == 0 else k % 4]}]})))

    with Server("--batch-delay=300000", "gather.onnxtxt", "twice.onnxtxt") as b:
        if "".join(b.said).count("up to 32 rows run together") != 2:
            return f"it says {b.said}"
        run_all(client, range(16))
        run_all(other, range(16))
        if shapes or metrics(b)["kiln_batch_rows_count", "twice"] > 12:
            return f"{shapes} are wrong, in {metrics(b)['kiln_batch_rows_count', 'twice']} runs"
    for is_wrong, (code, _, body) in codes:
        if code != (400 if is_wrong else 200):
            return f"{code} {body}"


def run_all(function, items, workers=32):
    items, failures = list(items), []
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                if not items:
                    return
                item = items.pop()
            try:
                function(item)
            except Exception as e:  # of a thread: told by who started it
                failures.append(f"{type(e).__name__}: {e}")

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        raise RuntimeError(f"{len(failures)} clients failed: {failures[0]}")


def metrics(s):
    """Samples by name and model, read strictly: each family has its HELP and TYPE before its samples, which stand together; histograms are sums."""
    text = s.get("/metrics")[2].decode()
    if not text.endswith("\n"):
        raise RuntimeError("the last line does not end")
    out, family, kind, seen = {}, None, None, set()
    for line in text.splitlines():
        if found := re.fullmatch(r"# HELP ([a-z_]+) (\S.*)", line):
            family, kind = found[1], None
            if family in seen:
                raise RuntimeError(f"{family} is there twice")
            seen.add(family)
        elif found := re.fullmatch(r"# TYPE ([a-z_]+) (counter|gauge|histogram)", line):
            if found[1] != family or (found[2] == "counter") != family.endswith("_total"):
                raise RuntimeError(line)
            kind = found[2]
        elif found := re.fullmatch(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? ([-+0-9.eEinfINFNa]+)', line):
            name, labels, value = found[1], dict(re.findall(r'([a-z]+)="([^"]*)"', found[2] or "")), float(found[3])
            if not kind or name not in ([family] if kind != "histogram" else [family + end for end in ("_bucket", "_sum", "_count")]):
                raise RuntimeError(f"{line} in {family}")
            key = (name, labels.get("model"), labels.get("code") or labels.get("le"))
            if key in out:
                raise RuntimeError(f"{line} is there twice")
            out[key] = value
        else:
            raise RuntimeError(f"'{line}' is no line of the format")
    for (name, model, le), value in out.items():
        if name.endswith("_count") and out[name.replace("_count", "_bucket"), model, "+Inf"] != value:
            raise RuntimeError(f"{name} of {model} is not its last bucket")
    steps = {}
    for (name, model, le), value in out.items():
        if name.endswith("_bucket"):
            if value < steps.get((name, model), 0):
                raise RuntimeError(f"{name} of {model} falls at {le}")
            steps[name, model] = value
    return {(key[0], key[1]) if key[2] is None else key: value for key, value in out.items()}


def many(s):
    """Clients that keep their connections, with what is wrong among it: every answer is compared."""
    x = samples(12, 9)
    want = [by_kiln(KERAS, X, x[k : k + 1]) for k in range(len(x))]
    before, count = metrics(s), options.requests
    tally, lock, local = {200: 0, 400: 0, 404: 0}, threading.Lock(), threading.local()

    def client(k):
        if not hasattr(local, "c"):
            local.c = http.client.HTTPConnection(s.host, s.port, timeout=120)
        i = k % len(x)
        code, path, headers = 200, "/v2/models/keras/infer", {}
        if k % 10 == 3:
            code, body = 400, "{" * (k % 50)
        elif k % 10 == 6:
            code, path, body = 404, "/v2/models/other/infer", "{}"
        elif k % 2:
            body = json.dumps({"inputs": [tensor(X, "FP32", x[i : i + 1], data=plain(x[i]))]})
        else:
            body, headers = binary([(X, "FP32", x[i : i + 1])], parameters={"binary_data_output": True})
        local.c.request("POST", path, body, headers)
        got = local.c.getresponse()
        answer = got.status, got.headers, got.read()
        if got.status != code:
            raise RuntimeError(f"{got.status}, not {code}: {answer[2][:200]}")
        if code == 200 and not np.allclose(results(answer)[Y], want[i], rtol=1e-5, atol=1e-6):
            raise RuntimeError(f"answer {k} is wrong")
        with lock:
            tally[code] += 1

    run_all(client, range(count))
    after = metrics(s)

    def more(*key):
        return after.get(key, 0) - before.get(key, 0)

    counts = {200: more("kiln_requests_total", "keras", "200"), 400: more("kiln_requests_total", "keras", "400"), 404: more("kiln_requests_total", "", "404")}
    if counts != tally or sum(tally.values()) != count:
        return f"{counts} are counted of {tally}"
    if more("kiln_request_seconds_count", "keras") != tally[200] + tally[400] or more("kiln_batch_rows_sum", "keras") != tally[200]:
        return f"{more('kiln_request_seconds_count', 'keras')} requests, {more('kiln_batch_rows_sum', 'keras')} rows"
    if after["kiln_queue_length", "keras"] != 0 or not settled(s, "kiln_requests_in_flight"):
        return f"requests are left: {after['kiln_queue_length', 'keras']} wait, {metrics(s)['kiln_requests_in_flight', None]} in all"


def settled(s, name):
    """Nothing is there but who asks: at once, or soon."""
    for _ in range(100):
        if metrics(s)[name, None] == 1:
            return True
        time.sleep(0.05)
    return False


def slow_clients(_):
    """Who sends a byte now and then, or does not take the answer, is cut off; others do not notice."""
    with Server("--timeout=1", KERAS) as s:
        start, ends = time.time(), []

        def drip(data):
            with socket.create_connection((s.host, s.port), timeout=20) as c:
                try:
                    for byte in data:
                        c.sendall(bytes([byte]))
                        time.sleep(0.2)
                except OSError:
                    pass
                ends.append(time.time() - start)

        post = b"POST /v2/models/keras/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n"
        threads = [threading.Thread(target=drip, args=(data,)) for data in (b"G" * 60, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20)]
        for t in threads:
            t.start()
        with socket.create_connection((s.host, s.port), timeout=20) as c:
            c.sendall(post + b"{")  # and no more
            body = c.recv(1000)
        idle = time.time() - start
        while any(t.is_alive() for t in threads):
            if s.get("/v2/health/live")[0] != 200:
                return "others are not answered"
            time.sleep(0.1)
        if body or idle > 8 or max(ends) > 10:
            return f"cut after {idle:.1f} s and {ends}, with {body}"
        return None if settled(s, "kiln_connections") else "connections are left"


def limits(_):
    """More than it takes: bodies, memory, time, requests that wait."""
    wait = {"inputs": [{"name": "n", "datatype": "INT64", "shape": [], "data": [10**9]}]}
    with Server("--max-body=1", "--memory=40", "--seconds=2", "--queue=2", KERAS, "slow.onnxtxt") as s:
        got = s.raw(b"POST /v2/models/keras/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % ((1 << 20) + 1))
        if b"413" not in got.split(b"\r\n")[0]:
            return f"a large body: {got[:100]}"
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        got = s.raw(b"POST /v2/models/keras/infer HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 20 + b"0\r\n\r\n")
        if b"413" not in got.split(b"\r\n")[0]:
            return f"a large body in chunks: {got[:100]}"
        code, _, body = s.infer("keras", "[" + "[]," * 340000 + "[]]")  # fifty times as much when it is read
        if code != 503 or b"no memory" not in body:
            return f"memory: {code} {body[:200]}"
        start, codes = time.time(), []
        run_all(lambda _: codes.append(s.infer("slow", wait)), range(6), 6)
        if time.time() - start > 40:
            return "waiting takes too long"
        full = [g for g in codes if b"wait for the model, it takes no more" in g[2]]
        if any(g[0] not in (503, 504) for g in codes) or not full or any(g[1]["Retry-After"] != "1" or g[0] != 503 for g in full):
            return f"{[(g[0], g[2]) for g in codes]}"
        if not any(b"seconds" in g[2] and g not in full for g in codes) or not any(g[0] == 504 for g in codes):
            return f"of time: {[(g[0], g[2]) for g in codes]}"
        if s.infer("keras", *binary([(X, "FP32", samples(2))]))[0] != 200:
            return "afterwards it answers no more"


def pending(s, model, n):
    """A thread that asks, and where its answer will be."""
    got = []
    t = threading.Thread(target=lambda: got.append(s.infer(model, {"inputs": [{"name": "n", "datatype": "INT64", "shape": [], "data": [n]}]})))
    t.start()
    while t.is_alive() and metrics(s)["kiln_requests_in_flight", None] < 2:
        time.sleep(0.01)
    return t, got


def stop(_):
    """What has been asked is answered, nothing else; a second signal, or the end of the time, ends it earlier."""
    with Server("slow.onnxtxt") as s:  # how many steps take two seconds
        start = time.time()
        pending(s, "slow", 50)[0].join()
        steps = max(50, int(100 / (time.time() - start)))
    for number, more in ((signal.SIGTERM, False), (signal.SIGINT, False), (signal.SIGHUP, True)):
        with Server("--stop-seconds=60", "slow.onnxtxt") as s:
            t, got = pending(s, "slow", 10**9 if more else steps)
            s.p.send_signal(number)
            time.sleep(0.3)
            try:
                socket.create_connection((s.host, s.port), timeout=1).close()
                return "it takes new connections"
            except OSError:
                pass
            if more:
                s.p.send_signal(number)
            t.join()
            err = s.p.communicate(timeout=60)[1]
            code, headers, body = got[0]
            if code != (503 if more else 200) or headers["Connection"] != "close" or (more and b"the server stops" not in body):
                return f"{number}: {code} {headers} {body}"
            if s.p.returncode != 0 or "stopped\n" not in err or ("could not be answered" in err) != more:
                return f"{number}: ended with {s.p.returncode}: {err}"
    with Server("--stop-seconds=0.2", "slow.onnxtxt") as s:
        t, got = pending(s, "slow", 10**9)
        s.p.terminate()
        t.join()
        s.p.wait(60)
    return None if got[0][0] == 503 and s.p.returncode == 0 else f"{got} {s.p.returncode}"


def starts(_):
    """What is wrong at the start, and where it listens."""
    for words, says in (
        (["no.onnx"], "no.onnx"),
        ([KERAS, KERAS], "two models are called 'keras'"),
        ([f"a b={KERAS}"], "is no name"),
        (["x/.onnx"], "is no name"),
        (["--host=192.0.2.1", KERAS], "cannot listen on 192.0.2.1"),
        (["--memory=1", KERAS], "memory"),
    ):
        done = subprocess.run([KILN, "serve", "--port=0", *map(str, words)], capture_output=True, text=True, timeout=60)
        if done.returncode in (0, 64) or says not in done.stderr:
            return f"{words}: {done.returncode} {done.stderr}"
    with Server(KERAS) as s:
        done = subprocess.run([KILN, "serve", f"--port={s.port}", KERAS], capture_output=True, text=True, timeout=60)
        if "Address already in use" not in done.stderr:
            return f"a port that is taken: {done.stderr}"
    with Server("--host=localhost", "--verbose", f"m-1.x={KERAS}") as s:
        if s.get("/v2/models/m-1.x")[0] != 200:
            return "the name is another"
    return None if re.search(r"^kiln: GET /v2/models/m-1\.x 200, [0-9.]+ s, 0 bytes, \d+ bytes back$", s.err, re.M) else f"it logs {s.err}"


def page(s):
    """One file, with its own script alone."""
    code, headers, body = s.get("/")
    text, policy = body.decode(), headers["Content-Security-Policy"]
    nonces = set(re.findall(r'<(?:script|style) nonce="([0-9a-f]{16})">', text))
    if code != 200 or len(nonces) != 1 or policy.count(f"'nonce-{nonces.pop()}'") != 2 or "default-src 'none'" not in policy or "unsafe" in policy:
        return f"the policy is {policy}"
    if "{nonce}" in text or re.search(r"https?://|<link|@import|src=", text) or s.get("/")[2] == body:
        return "it is not by itself"


def fuzz(s):
    """Bytes of a good request changed at random: an answer each time."""
    rng = random.Random(7)
    good, headers = binary([(X, "FP32", samples(1)[:, :28])], id="f", outputs=[{"name": Y, "parameters": {"classification": 2}}])
    for _ in range(60 if options.short else 400):
        body = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            body[rng.randrange(int(headers["Inference-Header-Content-Length"]))] = rng.choice(b'{}[]",:-0e1\\\x00\xff')
        code, _, answer = s.infer("keras", bytes(body), headers)
        if code not in (200, 400):
            return f"{code} {answer} of {bytes(body[:200])}"


def hosts(s):
    """A page of the web whose name leads here is not answered; who names this machine is."""
    for host, code in (
        *((h, 200) for h in ("127.0.0.1", f"127.0.0.1:{s.port}", "localhost", "LocalHost:1", "[::1]:8000", "10.1.2.3")),
        *((h, 403) for h in ("evil.example", "127.evil.example:80", "localhost.evil.example", "[evil]", "[::1", "a" * 300)),
    ):
        got = s.raw(f"GET /v2 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        if not got.startswith(f"HTTP/1.1 {code} ".encode()):
            return f"Host {host[:40]}: {got[:60]}, must be {code}"
    if not s.raw(b"GET /v2 HTTP/1.0\r\n\r\n").split(b"\r\n")[0].endswith(b" 200 OK"):
        return "without a Host"
    with Server(KERAS, "--host=0.0.0.0") as other:
        got = other.raw(b"GET /v2 HTTP/1.1\r\nHost: models.example\r\nConnection: close\r\n\r\n")
        return "" if got.startswith(b"HTTP/1.1 200 ") else f"on another --host: {got[:60]}"


def main():
    """The server itself must end well, too: what a sanitizer finds is told there."""
    make_models()
    with Server(KERAS, *OTHERS) as s:
        for test in (protocol, values, numbers, classes, wrong, sockets, hosts, same_bytes, together, apart, page, fuzz, many, slow_clients, limits, stop, starts):
            if not options.only or test.__name__ in options.only:
                attempt(test.__name__, test, s)
        attempt("metrics", lambda: "" if metrics(s)["kiln_memory_bytes", None] > 0 else "no memory")


parser = argparse.ArgumentParser()
parser.add_argument("kiln")
parser.add_argument("--requests", type=int, default=1000)
parser.add_argument("--short", action="store_true")
parser.add_argument("--only", nargs="+")
options = parser.parse_args()
with tempfile.TemporaryDirectory() as scratch:
    os.chdir(scratch)
    main()
raise SystemExit(1 if harness.failures else 0)
