#!/usr/bin/env python3
"""Holds messages and the textual syntax against the onnx package, whose parser is the reference.

Usage: text.py CONVERT [MODEL.onnx | MODEL.onnxtxt | FOLDER]... CONVERT is build/tests/convert. For each text: what Kiln
reads is what onnx.parser reads, to the bit. For each model: Kiln's copy is equal, and Kiln's text of it gives, read by
onnx.parser and by Kiln, the model, less the annotations that the syntax has no place for; sparse
tensors, for which it has none either, are an error. Without paths: the texts below, models/, and what the onnx package and
Debian's libonnx-testdata bring. Prints PASS and FAIL, then the sum.
"""

import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnx.parser
from onnx import AttributeProto, TensorProto

HEAD = '<ir_version: 10, opset_import: ["" : 17]> '
TEXTS = {
    "header": '<ir_version: 8, opset_import: ["": 17, "d" : 1], producer_name: "p", producer_version: "1", domain: "x.y",'
    ' model_version: 7, doc_string: "a\\"b\\\\c\n", metadata_props: ["init.conv1.weight": "glorot_uniform", "": ""]> g () => () {}',
    "types": HEAD + 'g (float a, float[] b, int64[N, 3, ?, "x+y"] c, seq(float[2]) d, optional(seq(map(int32, string[]))) e,'
    ' sparse_tensor(double[3]) f, bfloat16[1] h, h2) => (float8e4m3fn[1] i) {}',
    "values": HEAD + 'g (float[2] x = {1, -2.5e-3}) => () <float w = {nan}, int64[2] i = {-5, 6}, uint64[1] u = {18446744073709551615},'
    ' string[2] s = {"a\\"", ""}, bool[2] b = {0, 1}, double[3] d = {1e300, -inf, 0.1}, float16[1] h = {15360}, float[0] e = {},'
    ' float[9] x = ["location": "w.bin", "offset": "0"], float[N] hint> {}',
    "attributes": HEAD + 'g (x) => (y) { y = A <i = 1, f = 1.0, g: float = 2, s = "t", is = [1, -2], fs: floats = [1, 2.5], ss = ["a", ""],'
    ' e: ints = [], t = float[2] {1, 2}, n: tensor = int8[1] name = {3}, p = seq(float[N]), q: type_proto = int64, inf = -inf, r = nan> (x) }',
    "subgraphs": HEAD + "g (bool c) => (y) { y = If (c) <then_branch = a () => (float[2] p) <float[2] w = {1, 2}> { p = Neg (w) },"
    " else_branch: graph = b () => (float[2] q) { q = If (c) <then_branch = e () => () {}, else_branch = f () => () {}> }> }",
    "nodes": HEAD + 'g (x) => () { [n] a, "", b = ai.onnx.ml.Op:v (x, , "", "q r") ["n 2"] = Op () [] c = Op (x,) }',
    "comments": "# first\n" + HEAD + "# second < \" {\ng # third\n(x) => (y) { y = Neg # fourth\n (x) } # last",
    "functions": HEAD + 'g () => () {} <domain: "d", overload: "o", opset_import: ["": 17, "e": 2], doc_string: "f">'
    " f <al, be: float = 1.0, ga: ints = [1]> (float[N] a, b) => (c, int64 d) <float[M] inner> { c = Elu <alpha: float = @al> (a) }"
    " h () => () {}",
}
# The field that values of a type have in text, and the type they have in raw_data.
FIELDS = {
    TensorProto.FLOAT: ("<f4", "float_data"),
    TensorProto.COMPLEX64: ("<f4", "float_data"),
    TensorProto.DOUBLE: ("<f8", "double_data"),
    TensorProto.COMPLEX128: ("<f8", "double_data"),
    TensorProto.INT64: ("<i8", "int64_data"),
    TensorProto.UINT64: ("<u8", "uint64_data"),
    TensorProto.UINT32: ("<u4", "uint64_data"),
    TensorProto.INT32: ("<i4", "int32_data"),
    TensorProto.INT16: ("<i2", "int32_data"),
    TensorProto.UINT16: ("<u2", "int32_data"),
    TensorProto.FLOAT16: ("<u2", "int32_data"),
    TensorProto.BFLOAT16: ("<u2", "int32_data"),
    TensorProto.INT8: ("i1", "int32_data"),
}


def clear(message, *names):
    for name in names:
        message.ClearField(name)


def present(message, name):
    """The parser sets some strings always."""
    if not message.HasField(name):
        setattr(message, name, "")


def strip_tensor(t):
    clear(t, "doc_string", "metadata_props", "segment")
    if t.HasField("raw_data"):
        numbers, field = FIELDS.get(t.data_type, ("u1", "int32_data"))
        values = np.frombuffer(t.raw_data, numbers).tolist()
        t.ClearField("raw_data")
        getattr(t, field).extend(values)


def strip_type(t):
    t.ClearField("denotation")
    kind = t.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        for d in getattr(t, kind).shape.dim if getattr(t, kind).HasField("shape") else []:
            d.ClearField("denotation")
    elif kind in ("sequence_type", "optional_type"):
        strip_type(getattr(t, kind).elem_type)
    elif kind == "map_type":
        strip_type(t.map_type.value_type)


def strip_value(v):
    clear(v, "doc_string", "metadata_props")
    if v.HasField("type"):
        strip_type(v.type)


def strip_attribute(a):
    a.ClearField("doc_string")
    for t in [a.t] if a.HasField("t") else a.tensors:
        strip_tensor(t)
        present(t, "name")
    for g in [a.g] if a.HasField("g") else a.graphs:
        strip_graph(g)


def strip_node(n):
    clear(n, "doc_string", "metadata_props", "device_configurations")
    present(n, "domain")
    if not n.overload:
        n.ClearField("overload")
    for a in n.attribute:
        strip_attribute(a)


def strip_graph(g):
    clear(g, "doc_string", "metadata_props", "quantization_annotation")
    present(g, "name")
    for t in g.initializer:
        strip_tensor(t)
    for v in list(g.input) + list(g.output) + list(g.value_info):
        strip_value(v)
    for n in g.node:
        strip_node(n)


def stripped(model):
    """The model, less what the syntax has no place for, with raw data as values."""
    m = onnx.ModelProto.FromString(model.SerializeToString())
    clear(m, "training_info", "configuration")
    strip_graph(m.graph)
    for f in m.functions:
        f.ClearField("metadata_props")
        for a in f.attribute_proto:
            strip_attribute(a)
        for n in f.node:
            strip_node(n)
        for v in f.value_info:
            strip_value(v)
    for o in [o for x in [m, *m.functions] for o in x.opset_import]:
        present(o, "domain")
    return m


def has_sparse(nodes):
    """Is there a sparse tensor? Leaving it out would make another model."""
    for a in [a for n in nodes for a in n.attribute]:
        graphs = [a.g] if a.HasField("g") else list(a.graphs)
        if a.type in (AttributeProto.SPARSE_TENSOR, AttributeProto.SPARSE_TENSORS) or any(g.sparse_initializer or has_sparse(g.node) for g in graphs):
            return True
    return False


def same(a, b):
    return a.SerializeToString(deterministic=True) == b.SerializeToString(deterministic=True)


class Checker:
    def __init__(self, convert, folder):
        self.program, self.folder = convert, folder

    def convert(self, path, name):
        """What Kiln makes of a file, under another name; its text or its model."""
        out = os.path.join(self.folder, name)
        done = subprocess.run([self.program, path, out], capture_output=True, text=True)
        if done.returncode:
            raise ValueError(done.stderr.strip()[-300:] or f"ended with {done.returncode}")
        if not name.endswith(".onnxtxt"):
            return onnx.load(out, load_external_data=False)
        with open(out, encoding="utf-8") as f:
            return f.read()

    def text(self, path):
        with open(path, encoding="utf-8") as f:
            expected = onnx.parser.parse_model(f.read())
        if not same(self.convert(path, "read.onnx"), expected):
            raise ValueError("what is read differs from what onnx.parser reads")

    def model(self, path):
        model = onnx.load(path, load_external_data=False)
        if not same(self.convert(path, "copy.onnx"), model):
            raise ValueError("the copy differs")
        if model.graph.sparse_initializer or has_sparse([n for x in [model.graph, *model.functions] for n in x.node]):
            try:
                self.convert(path, "refused.onnxtxt")
            except ValueError as e:
                if "the textual syntax has no place for" in str(e):
                    return
                raise
            raise ValueError("a sparse tensor is left out of the text")
        expected = stripped(model)
        text = self.convert(path, "written.onnxtxt")
        if not same(self.convert(os.path.join(self.folder, "written.onnxtxt"), "again.onnx"), expected):
            raise ValueError("what is read of the text that was written differs")
        if not same(onnx.parser.parse_model(text), expected):
            raise ValueError("what onnx.parser reads of the text that was written differs")


def usual():
    here = os.path.dirname(os.path.abspath(__file__))
    return [
        os.path.join(here, "..", "models"),
        os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data"),
        "/usr/share/libonnx-testdata/data",
    ]


def files_of(path):
    if not os.path.isdir(path):
        return [path]
    found = (os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
    return sorted(f for f in found if f.endswith((".onnx", ".onnxtxt")))


def main():
    passed = failed = 0
    # In memory, where there is such a place: each file is synced when it is written.
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        checker = Checker(sys.argv[1], folder)
        cases = []
        for name, text in TEXTS.items():
            cases.append((name, os.path.join(folder, name + ".onnxtxt")))
            with open(cases[-1][1], "w", encoding="utf-8") as f:
                f.write(text)
        if len(sys.argv) > 2:
            cases = []
        for path in sys.argv[2:] or usual():
            cases += [(os.path.relpath(f, os.path.dirname(os.path.abspath(path))), f) for f in files_of(path)]
        for name, path in cases:
            try:
                (checker.text if path.endswith(".onnxtxt") else checker.model)(path)
                passed += 1
                print("PASS text", name)
            except (ValueError, onnx.parser.ParseError) as e:
                failed += 1
                print("FAIL text", name, " ".join(str(e).split()))
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
