"""Weights by name, freezing, adapting, looking; weights in modules of PyTorch."""

import io
import tempfile
from contextlib import redirect_stdout

import kiln
import kiln.torch
import numpy as np
from common import MLP, PROJECT, fails, model, samples, test
from onnx import numpy_helper, parser
from test_fit import compiled

X, Y = samples()


@test
def weights_are_copies_that_can_be_set():
    for trained in (False, True):
        m = compiled()
        if trained:
            m.fit(X, Y, verbose=0)
        assert dict(m.weights.roles) == dict.fromkeys("wbgouc", "trainable") | dict.fromkeys("mv", "statistic"), m.weights.roles
        w = m.weights["w"]
        w += 1
        assert not np.array_equal(m.weights["w"], w)
        before = m.predict(X)
        m.weights["w"] = w
        assert np.array_equal(m.weights["w"], w) and not np.allclose(m.predict(X), before)
        m.weights.update({"m": np.full(8, 2.0), "v": [3.0] * 8})
        assert m.weights["m"].dtype == np.float32 and m.weights["v"].tolist() == [3.0] * 8
        again = kiln.Model(m.to_bytes())
        assert all(np.array_equal(again.weights[name], m.weights[name]) for name in m.weights) and len(m.weights) == 8
        fails(KeyError, "nonesuch", lambda: m.weights["nonesuch"])
        fails(ValueError, "'w' has the shape (4, 8), the value for it (8, 4)", m.weights.update, {"b": np.zeros(8), "w": w.T})
        assert "w" in m.weights and "y" not in m.weights and np.array_equal(m.weights["w"], w)
        assert [i.name for i in m.inputs] == ["x"] and [o.name for o in m.outputs] == ["y"]


@test
def what_is_frozen_stays():
    m = compiled()
    m.freeze("first", "u")
    before = {name: m.weights[name] for name in m.weights}
    m.fit(X, Y, verbose=0)
    same = {name for name in m.weights if np.array_equal(m.weights[name], before[name])}
    assert same == {"w", "b", "u"}, same
    assert m.weights.roles["w"] == "frozen"
    m.weights["u"] = before["u"] + 1
    assert np.array_equal(m.weights["u"], before["u"] + 1)
    m.unfreeze("u")
    m.fit(X, Y, verbose=0)
    assert not np.array_equal(m.weights["u"], before["u"] + 1) and np.array_equal(m.weights["w"], before["w"])
    m.unfreeze()
    m.fit(X, Y, verbose=0)
    assert not np.array_equal(m.weights["w"], before["w"])
    fails(ValueError, "'g' was not frozen; nothing was", m.unfreeze, "g")
    m.freeze("nonesuch")
    fails(ValueError, "nonesuch", m.fit, X, Y, verbose=0)


@test
def an_export_is_made_trainable():
    m = kiln.Model(PROJECT / "models/fashion_cnn/keras.onnx")
    x = np.load(PROJECT / "models/fashion_cnn/keras.in.npy")
    before = m.predict(x)
    found = m.adapt(np.random.default_rng(0).uniform(0, 255, (8, *x.shape[1:])).astype(np.float32))
    assert found.batch_normalizations == 3 and found.difference <= 1e-5 and found.over_data and found.trainable > 30000, found
    assert len(found.findings) >= 3 and all(f.certainty in ("certain", "likely", "doubtful") for f in found.findings)
    assert "outputs differ by at most" in str(found) and found.json["findings"], found
    assert np.allclose(m.predict(x), before, atol=1e-5)
    m.adapt(classes=4, freeze_backbone=True)
    assert m.predict(x).shape[1] == 4 and sorted(set(m.weights.roles.values())) == ["frozen", "statistic", "trainable"], m.weights.roles
    fails(ValueError, "folded is 'some'", m.adapt, folded="some")


@test
def a_file_in_training_form_is_run_as_it_is_after_training():
    body = "(float[N, 2] x) => (float[N, 2] y) <float[2] g = {1, 1}, float[2] b = {0, 0}, float[2] mean = {1, 2}, float[2] var = {4, 4}>"
    trains = kiln.Model(model(body + " { y, m, v = BatchNormalization<training_mode = 1, epsilon = 0.0>(x, g, b, mean, var) }"))
    y = trains.predict(np.float32([[3, 2], [5, 6]]))
    assert np.allclose(y, [[1, 0], [2, 2]]), y


@test
def a_summary_is_text():
    m = compiled()
    text, lines = io.StringIO(), []
    with redirect_stdout(text):
        m.summary()
    m.summary(print_fn=lines.append)
    assert text.getvalue().splitlines() == lines == str(m).splitlines()
    assert "BatchNormalization" in str(m) and "Trainable params: 83" in str(m) and "Non-trainable params: 16" in str(m), m


@test
def a_model_is_saved_whole():
    with tempfile.TemporaryDirectory() as folder:
        m = compiled()
        for name in ("a.onnx", "a.onnxtxt"):
            for _ in range(2):
                m.save(f"{folder}/{name}")
                assert np.array_equal(kiln.Model(f"{folder}/{name}").predict(X), m.predict(X))
                m.fit(X, Y, verbose=0)
        fails(OSError, "", m.save, f"{folder}/no/such/folder.onnx")


# -- PyTorch, of which nothing is needed: a stand-in --


class Parameter:
    def __init__(self, array):
        self.array = np.array(array, np.float32)

    shape = property(lambda self: self.array.shape)

    def detach(self):
        return self

    def copy_(self, other):
        self.array[...] = other


class Linear:
    pass


class Module:
    def __init__(self, **shapes):
        self.state = {name.replace("__", "."): Parameter(np.zeros(shape)) for name, shape in shapes.items()}

    def state_dict(self):
        return self.state

    def named_modules(self):
        return [("fc", Linear())]


def exported(body, **arrays):
    """A file in which they are initializers."""
    shapes = "".join(f", float[{','.join(map(str, a.shape))}] {name}" for name, a in arrays.items())
    proto = parser.parse_model(f'<ir_version: 9, opset_import: ["" : 17]> g (float[N, 3] x{shapes}) {body}')
    del proto.graph.input[1:]
    proto.graph.initializer.extend(numpy_helper.from_array(a.astype(np.float32), name) for name, a in arrays.items())
    return proto


def renamed(proto, **names):
    for old, new in names.items():
        text = proto.SerializeToString()
        proto.ParseFromString(text)
        for n in proto.graph.node:
            n.input[:] = [new if i == old else i for i in n.input]
            n.name = new if n.name == old else n.name
        for i in proto.graph.initializer:
            i.name = new if i.name == old else i.name
    return proto


@test
def a_module_gets_its_parameters_by_name():
    random = np.random.default_rng(0)
    w, b, u = random.normal(size=(3, 3)), random.normal(size=3), random.normal(size=(3, 2))
    body = "=> (float[N, 2] y) { [s] p = MatMul(x, w) q = Add(p, b) [t] y = MatMul(q, u) }"
    proto = renamed(exported(body, w=w, b=b, u=u), w="val_3", b="net.0.bias", u="onnx::MatMul_9", t="/net/net.1/MatMul")
    into = Module(net__0__weight=(3, 3), net__0__bias=(3,), net__1__weight=(2, 3), net__1__num_batches_tracked=())
    assert kiln.torch.load_weights(into, proto.SerializeToString()) == ([], [])
    for name, want in (("net.0.weight", w.T), ("net.0.bias", b), ("net.1.weight", u.T)):
        assert np.array_equal(into.state[name].array, want.astype(np.float32)), name
    # A name that is there, of a Linear whose product is a MatMul: it was transposed by who wrote it.
    straight = renamed(exported("=> (float[N, 3] y) { y = MatMul(x, w) }", w=w), w="fc.weight")
    for name, want in (("fc__weight", w.T), ("other__weight", None)):
        into = Module(**{name: (3, 3)})
        got = kiln.torch.load_weights(into, straight.SerializeToString(), strict=False)
        assert (got == ([], [])) == (want is not None), got
        if want is not None:
            assert np.array_equal(into.state["fc.weight"].array, want.astype(np.float32))


@test
def gates_are_put_in_pytorchs_order():
    names = "iofc"
    of = {g: np.full((2, 3), k + 1.0) for k, g in enumerate(names)}
    w = np.concatenate([of[g] for g in names])[None]
    r = np.concatenate([np.full((2, 2), k + 1.0) for k in range(4)])[None]
    b = np.arange(16.0)[None]
    body = "=> (float[2, 1, N, 2] y) { s = Unsqueeze(x, a) [l] y = LSTM<hidden_size = 2>(s, w, r, b) }"
    proto = exported(body.replace("float[2, 1, N, 2]", "float[1, 1, N, 2]"), w=w, r=r, b=b)
    proto.graph.initializer.append(numpy_helper.from_array(np.int64([0]), "a"))
    proto = renamed(proto, l="/lstm/LSTM")
    into = Module(lstm__weight_ih_l0=(8, 3), lstm__weight_hh_l0=(8, 2), lstm__bias_ih_l0=(8,), lstm__bias_hh_l0=(8,))
    assert kiln.torch.load_weights(into, proto.SerializeToString()) == ([], [])
    # ONNX has i o f c, PyTorch i f g (c) o
    assert into.state["lstm.weight_ih_l0"].array[::2, 0].tolist() == [1, 3, 4, 2], into.state["lstm.weight_ih_l0"].array
    assert into.state["lstm.weight_hh_l0"].array[::2, 0].tolist() == [1, 3, 4, 2]
    assert into.state["lstm.bias_ih_l0"].array.tolist() == [0, 1, 4, 5, 6, 7, 2, 3] and into.state["lstm.bias_hh_l0"].array[0] == 8


@test
def what_does_not_fit_a_module_is_told():
    w = np.ones((3, 2))
    proto = renamed(exported("=> (float[N, 2] y) { y = MatMul(x, w) }", w=w), w="a.weight").SerializeToString()
    into = Module(a__weight=(4, 2), b__bias=(2,))
    fails(ValueError, "'a.weight' has the shape (4, 2), in the file it has (3, 2)", kiln.torch.load_weights, into, proto)
    into = Module(b__bias=(2,))
    fails(kiln.errors.Mismatch, "nothing for b.bias; nothing of the module takes a.weight", kiln.torch.load_weights, into, proto)
    assert kiln.torch.load_weights(into, proto, strict=False) == (["b.bias"], ["a.weight"]) and not into.state["b.bias"].array.any()
    trained = kiln.Model(MLP.encode())
    trained.fit(X, Y, verbose=0)
    into = Module(**{name: trained.weights[name].shape for name in trained.weights})
    kiln.torch.load_weights(into, trained.to_bytes())
    assert all(np.array_equal(into.state[name].array, trained.weights[name]) for name in trained.weights)
    assert model
