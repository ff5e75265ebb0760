"""Sessions: values of every type, sequences, optionals, errors; the calls of onnxruntime; ONNX' interface of backends."""

import gc
import tempfile
import warnings
from pathlib import Path

import kiln
import kiln.backend
import ml_dtypes
import numpy as np
import onnx
from common import HEAD, fails, model, test
from onnx import helper, parser


def run(body, **feeds):
    return kiln.Session(model(body), threads=1).run(None, feeds)


@test
def every_type_goes_in_and_comes_out():
    for name in "float32 float64 float16 bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 complex64 complex128 bfloat16 float8_e4m3fn float8_e5m2 int4 uint4".split():
        dtype = np.dtype(getattr(ml_dtypes, name, None) or name)
        x = np.array([[-3, 1, 0], [2, 1, 1]]).astype(np.float32 if dtype.kind != "u" else np.uint8).astype(dtype)
        graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [kiln.backend.declared("x", x)], [kiln.backend.declared("y", x)])
        (y,) = kiln.Session(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)).run(None, {"x": x})
        assert y.dtype == dtype and y.shape == x.shape and np.array_equal(y.astype(np.complex128), x.astype(np.complex128)), f"{name}: {y}"


@test
def a_narrow_integer_may_have_any_upper_bits():
    x = np.array([0x0F, 0xF8, 0x07], np.uint8).view(ml_dtypes.int4)
    (y,) = run("(int4[3] x) => (float[3] y) { y = Cast<to: int = 1>(x) }", x=x)
    assert y.tolist() == [-1, -8, 7], y


@test
def strings_are_objects():
    (y,) = run("(string[2] x) => (string[2] y) { y = Identity(x) }", x=np.array(["Öl", ""]))
    assert y.dtype == object and y.tolist() == ["Öl", ""], y
    (y,) = run("(string[1] x) => (string[1] y) { y = Identity(x) }", x=np.array([b"bytes"], object))
    assert y.tolist() == ["bytes"], y


@test
def order_and_strides_do_not_matter():
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    for given in (x.T, x[:, ::2], np.asfortranarray(x), x[::-1], x[1:1]):
        (y,) = run("(float[N, M] x) => (float[N, M] y) { y = Neg(x) }", x=given)
        assert np.array_equal(y, -given), y


@test
def scalars_and_nothing_have_their_shapes():
    (y,) = run("(float x) => (float y) { y = Neg(x) }", x=np.float32(2))
    assert y.shape == () and y == -2, y
    (y,) = run("(float[N, 3] x) => (float[N, 3] y) { y = Neg(x) }", x=np.zeros((0, 3), np.float32))
    assert y.shape == (0, 3), y


@test
def an_output_outlives_the_next_run():
    session = kiln.Session(model("(float[2] x) => (float[2] y) { y = Neg(x) }"))
    (first,) = session.run(["y"], {"x": np.float32([1, 2])})
    session.run(["y"], {"x": np.float32([3, 4])})
    del session
    gc.collect()
    assert first.tolist() == [-1, -2], first


@test
def sequences_are_lists():
    body = "(seq(float[N]) x, int64 k) => (seq(float[N]) rest, float[N] item) { item = SequenceAt(x, k) rest = SequenceErase(x, k) }"
    rest, item = run(body, x=[np.float32([1]), np.float32([2, 3])], k=np.int64(1))
    assert len(rest) == 1 and rest[0].tolist() == [1] and item.tolist() == [2, 3], (rest, item)
    (n,) = run("(seq(float[N]) x) => (int64 n) { n = SequenceLength(x) }", x=[])
    assert n == 0, n


@test
def an_optional_is_what_it_holds_or_none():
    session = kiln.Session(model("(optional(float[N]) x) => (bool is, optional(float[N]) y) { is = OptionalHasElement(x) y = Identity(x) }"))
    is_there, y = session.run(None, {"x": np.float32([5])})
    assert is_there and y.tolist() == [5], (is_there, y)
    is_there, y = session.run(None, {"x": None})
    assert not is_there and y is None, (is_there, y)


@test
def a_map_is_a_dict():
    head = HEAD.replace("]>", ', "ai.onnx.ml" : 1]>')
    zip_map = parser.parse_model(head + '\ng (float[N, 2] x) => (seq(map(string, float)) z) { z = ai.onnx.ml.ZipMap<classlabels_strings = ["b", "a"]>(x) }')
    session = kiln.Session(zip_map)
    assert session.get_outputs()[0].type == "seq(map(string,tensor(float)))", session.get_outputs()
    (z,) = session.run(None, {"x": np.float32([[1, 2], [3, 4]])})
    assert z == [{"a": 2.0, "b": 1.0}, {"a": 4.0, "b": 3.0}] and list(z[0]) == ["a", "b"], z
    vectorizer = parser.parse_model(
        head + '\ng (map(string, float) x) => (float[1, 3] y) { y = ai.onnx.ml.DictVectorizer<string_vocabulary = ["c", "a", "b"]>(x) }'
    )
    for given, need in (({"a": 1, "c": 2.5}, [[2.5, 1, 0]]), ({}, [[0, 0, 0]])):
        (y,) = kiln.Session(vectorizer).run(None, {"x": given})
        assert y.tolist() == need, y
    cast = parser.parse_model(head + '\ng (map(int64, string) x) => (int64[1, N] y) { y = ai.onnx.ml.CastMap<cast_to = "TO_INT64">(x) }')
    (y,) = kiln.Session(cast).run(None, {"x": {7: "1", -2: "3"}})
    assert y.tolist() == [[3, 1]], y
    same = parser.parse_model(head + "\ng (seq(map(int64, double)) x) => (seq(map(int64, double)) x) {}")
    (y,) = kiln.Session(same).run(None, {"x": [{3: 0.1}, {}, {1: 2, -1: 3}]})
    assert y == [{3: 0.1}, {}, {-1: 3.0, 1: 2.0}], y


@test
def a_model_tells_what_it_takes():
    session = kiln.Session(model("(float[N, 3] x, seq(int64[2]) s) => (float[N, 3] y, seq(int64[2]) t) { y = Neg(x) t = Identity(s) }"))
    x, s = session.get_inputs()
    assert (x.name, x.type, x.shape) == ("x", "tensor(float)", ["N", 3]), x
    assert (s.name, s.type) == ("s", "seq(tensor(int64))"), s
    assert [v.name for v in session.get_outputs()] == ["y", "t"]


@test
def a_model_comes_from_a_file_or_from_memory():
    proto = model("(float[1] x) => (float[1] y) { y = Neg(x) }")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.onnx"
        path.write_bytes(proto.SerializeToString())
        for source in (path, str(path), proto, proto.SerializeToString(), bytearray(proto.SerializeToString())):
            assert kiln.Session(source).run(None, {"x": np.float32([1])})[0].tolist() == [-1]
    fails(OSError, "m.onnx", kiln.Session, path)


@test
def links_lead_to_a_directory_that_is_named():
    proto = model("(float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }")
    proto.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.float32([1, 2]), "w"))
    with tempfile.TemporaryDirectory() as folder:
        store, here = Path(folder) / "store", Path(folder) / "here"
        store.mkdir()
        here.mkdir()
        onnx.save(proto, here / "m.onnx", save_as_external_data=True, location="w", size_threshold=0)
        (here / "w").rename(store / "w")
        (here / "w").symlink_to(store / "w")
        fails(kiln.errors.BadModel, "symbolic link", kiln.Session, here / "m.onnx")
        assert kiln.Session(here / "m.onnx", follow_links=store).run(None, {"x": np.float32([1, 1])})[0].tolist() == [2, 3]


@test
def errors_are_exceptions_by_kind():
    session = kiln.Session(model("(float[2] x) => (float[2] y) { y = Neg(x) }"))
    x = np.float32([1, 2])
    fails(kiln.errors.BadArgument, "there is no input 'z'; inputs are x", session.run, None, {"z": x})
    fails(ValueError, "there is no output 'q'; outputs are y", session.run, ["q"], {"x": x})
    fails(kiln.errors.BadData, "float[3]", session.run, None, {"x": np.float32([1, 2, 3])})
    fails(kiln.errors.BadData, "double[2]", session.run, None, {"x": x.astype(np.float64)})
    fails(kiln.errors.BadArgument, "datetime64", session.run, None, {"x": np.array(["2020-01-01"], "datetime64[D]")})
    fails(kiln.errors.BadModel, "", kiln.Session, b"no model")
    fails(NotImplementedError, "Nonesuch", kiln.Session, model("(float[2] x) => (float[2] y) { y = Nonesuch(x) }"))
    assert session.run(None, {"x": x})[0].tolist() == [-1, -2]


@test
def warnings_are_pythons():
    proto = model("(float[2] x) => (float[2] y) { y = Erfc(x) }")  # as Keras writes it
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        kiln.Session(proto).run(None, {"x": np.float32([1, 2])})
    assert ["Erfc" in str(w.message) for w in told] == [True], [str(w.message) for w in told]


@test
def a_node_runs_alone():
    (y,) = kiln.backend.run_node(helper.make_node("Add", ["a", "a"], ["y"]), [np.float32([1, 2])])
    assert y.tolist() == [2, 4], y
    values, places = kiln.backend.run_node(helper.make_node("TopK", ["x", "k"], ["v", "i"]), [np.float32([1, 5, 3]), np.int64([2])])
    assert values.tolist() == [5, 3] and places.tolist() == [1, 2]
    (y,) = kiln.backend.run_node(helper.make_node("Softmax", ["x"], ["y"]), {"x": np.zeros((1, 2, 2), np.float32)}, opset_version=11)
    assert np.all(y == 0.25), y


@test
def the_backend_takes_inputs_by_place():
    proto = model("(float[1] a, float[1] b) => (float[1] y) <float[1] a = {3}> { y = Sub(a, b) }")
    assert kiln.backend.run_model(proto, [np.float32([1])])[0] == 2
    assert kiln.backend.run_model(proto, [np.float32([5]), np.float32([1])])[0] == 4
    assert kiln.backend.supports_device("CPU") and not kiln.backend.supports_device("CUDA")
    assert kiln.backend.is_compatible(proto)
    assert not kiln.backend.is_compatible(model("(float[2] x) => (float[2] y) { y = Nonesuch(x) }"))


@test
def a_script_for_onnxruntime_changes_its_import():
    import onnxruntime

    proto = model("(float[N, 3] x) => (float[N, 3] y) { y = Relu(x) }")
    x = np.float32([[1, -2, 3]])
    told = []
    for ort in (onnxruntime, kiln):
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        session = ort.InferenceSession(proto.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"])
        (y,) = session.run(["y"], {session.get_inputs()[0].name: x}, None)
        told.append([(v.name, v.shape, v.type) for v in session.get_inputs() + session.get_outputs()] + [y.tolist(), session.get_providers()])
    assert told[0] == told[1], told
    assert "CPUExecutionProvider" in kiln.get_available_providers()
    kiln.Session(proto, providers=[("CUDAExecutionProvider", {"device_id": 0}), "CPUExecutionProvider"])
    fails(ValueError, "must have CPUExecutionProvider", kiln.Session, proto, providers=["CUDAExecutionProvider"])
    fails(ValueError, "not int", kiln.Session, 7)


@test
def inputs_with_a_value_are_told_apart():
    import onnxruntime

    proto = model("(float[1] a, float[1] b, float[1] u) => (float[1] y) <float[1] a = {3}> { y = Sub(a, b) }")
    helper.set_model_props(proto, {"k": "v"})
    proto.model_version = 3
    told = []
    for ort in (onnxruntime, kiln):
        options = ort.SessionOptions()
        options.log_severity_level = 3
        session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        meta = session.get_modelmeta()
        names = [[v.name for v in values] for values in (session.get_inputs(), session.get_overridable_initializers())]
        told.append([*names, meta.graph_name, meta.version, meta.custom_metadata_map])
    assert told[0] == told[1] and told[0][:2] == [["b", "u"], ["a"]], told


@test
def a_warning_may_be_an_error():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fails(UserWarning, "Erfc", kiln.Session, model("(float[2] x) => (float[2] y) { y = Erfc(x) }"))


@test
def a_warning_is_told_where_the_call_is():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        kiln.Session(model("(float[2] x) => (float[2] y) { y = Erfc(x) }"))
    assert [Path(w.filename).name for w in told] == ["test_session.py"], [w.filename for w in told]
