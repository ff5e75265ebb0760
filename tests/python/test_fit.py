"""Training: what fit, evaluate and single steps give, beside the command's and with the calls of Keras."""

import io
import os
import signal
import subprocess
import tempfile
import threading
import time
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import kiln
import numpy as np
from common import KILN, MLP, PROJECT, fails, model, samples, test

X, Y = samples()


def compiled(seed=1, **named):
    m = kiln.Model(MLP.encode(), seed=seed, threads=1)
    m.compile(**({"optimizer": kiln.optimizers.Adam(0.02), "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]} | named))
    return m


@test
def fit_gives_the_bytes_of_the_command():
    if not KILN:
        return "there is no command"
    with tempfile.TemporaryDirectory() as folder:
        data, network = "fashion-mnist:train[:96]", PROJECT / "models/fashion_cnn/bn.onnxtxt"
        words = [
            KILN,
            "train",
            network,
            "--data",
            data,
            "--validation-split",
            ".25",
            "--batch",
            "32",
            "--epochs",
            "2",
            "--seed",
            "3",
            "--optimizer",
            "adam",
            "--output",
            f"{folder}/c.onnx",
            "-q",
        ]
        subprocess.run(words, check=True, capture_output=True)
        m = kiln.Model(network, seed=3)
        m.compile("adam")
        m.fit(data, batch_size=32, epochs=2, validation_split=0.25, verbose=0)
        m.save(f"{folder}/p.onnx")
        assert Path(f"{folder}/p.onnx").read_bytes() == Path(f"{folder}/c.onnx").read_bytes()


@test
def the_readme_runs():
    readme = PROJECT / "README.md"
    if not readme.exists():
        return "it is not here"
    code = readme.read_text().split("```python\n")[1].split("```")[0]
    with tempfile.TemporaryDirectory() as folder:
        code = code.replace("limit=2000", "limit=100").replace('"models/', f'"{PROJECT}/models/').replace("trained.onnx", f"{folder}/trained.onnx")
        with redirect_stdout(io.StringIO()) as told:
            exec(code, {})
        assert Path(f"{folder}/trained.onnx").exists() and told.getvalue().count("Epoch") == 3, told.getvalue()


@test
def a_history_is_keras():
    m = compiled()
    history = m.fit(X, Y, batch_size=16, epochs=12, validation_split=0.25, verbose=0)
    assert history is m.history and history.epoch == list(range(12)), history.epoch
    assert sorted(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"], history.history
    assert all(len(column) == 12 and isinstance(column[0], float) for column in history.history.values())
    assert history.history["loss"][-1] < history.history["loss"][0] / 2, history.history
    assert history.params["epochs"] == 12
    loss, accuracy = m.evaluate(X, Y, verbose=0)
    assert accuracy > 0.95, accuracy
    assert m.evaluate(X, Y, verbose=0, return_dict=True) == {"loss": loss, "accuracy": accuracy}
    p = m.predict(X)
    assert p.shape == (96, 3) and np.mean(p.argmax(1) == Y) == accuracy, p
    assert np.array_equal(m.predict(X, batch_size=7), np.concatenate([m.predict_on_batch(X[k : k + 7]) for k in range(0, 96, 7)]))


@test
def what_is_measured_is_what_was_asked_for():
    m = compiled(metrics=None)
    assert list(m.fit(X, Y, verbose=0).history) == ["loss"] and isinstance(m.evaluate(X, Y, verbose=0), float)
    m = compiled(metrics=["accuracy", kiln.metrics.TopKCategoricalAccuracy(k=2)])
    assert list(m.fit(X, Y, verbose=0).history) == ["loss", "accuracy", "top_k_categorical_accuracy"], m.history.history
    m = kiln.Model(MLP.encode())
    assert list(m.fit(X, Y, verbose=0).history) == ["loss", "accuracy"], "without compile the library chooses"


@test
def the_same_seed_gives_the_same_and_trainings_differ_from_each_other():
    first, again, other = compiled(), compiled(), compiled(seed=2)
    for m in (first, again, other):
        m.fit(X, Y, verbose=0, batch_size=8)
    assert first.to_bytes() == again.to_bytes() != other.to_bytes()
    whole, parts = compiled(), compiled()
    whole.fit(X, Y, epochs=2, verbose=0, batch_size=8, shuffle=False)
    for _ in range(2):
        parts.fit(X, Y, verbose=0, batch_size=8, shuffle=False)
    assert whole.to_bytes() == parts.to_bytes(), "the optimiser's state goes on"
    shuffled, again = compiled(), compiled()
    for m, seeds in ((shuffled, (None, None)), (again, (1, 1))):
        for seed in seeds:
            m.fit(X, Y, seed=seed, verbose=0, batch_size=8)
    assert shuffled.to_bytes() != again.to_bytes(), "the second training has an order of its own"
    kiln.set_random_seed(5)
    drawn = kiln.Model(MLP.encode()).weights["w"]
    kiln.set_random_seed(0)
    assert np.array_equal(drawn, kiln.Model(MLP.encode(), seed=5).weights["w"]) and not np.array_equal(drawn, kiln.Model(MLP.encode()).weights["w"])


@test
def steps_are_those_of_fit():
    one, many = compiled(), compiled()
    one.fit(X, Y, batch_size=32, verbose=0, shuffle=False)
    losses = [many.train_on_batch(X[k : k + 32], Y[k : k + 32]) for k in range(0, 96, 32)]
    assert one.to_bytes() == many.to_bytes()
    assert len(losses[0]) == 2 and abs(np.mean([loss for loss, _ in losses]) - one.history.history["loss"][0]) < 1e-6, losses
    told = many.train_on_batch(X, Y, return_dict=True)
    assert list(told) == ["loss", "accuracy"], told
    before = many.to_bytes()
    assert many.test_on_batch(X, Y) == many.evaluate(X, Y, batch_size=96, verbose=0) and many.to_bytes() == before


@test
def weights_of_samples_and_classes_count():
    zero = np.where(Y == 2, 0.0, 1.0)
    weighed, classes = compiled(optimizer="sgd"), compiled(optimizer="sgd")
    weighed.fit(X, Y, sample_weight=zero, batch_size=96, verbose=0, shuffle=False)
    classes.fit(X, Y, class_weight={0: 1, 1: 1, 2: 0}, batch_size=96, verbose=0, shuffle=False)
    for name in weighed.weights:
        assert np.allclose(weighed.weights[name], classes.weights[name], atol=1e-6), name
    # New to a training that goes on, whose optimiser keeps what it has.
    m, plain = compiled(), compiled()
    m.fit(X, Y, verbose=0, shuffle=False)
    m.fit(X, Y, sample_weight=np.ones(96), verbose=0, shuffle=False)
    for _ in range(2):
        plain.fit(X, Y, verbose=0, shuffle=False)
    assert all(np.allclose(m.weights[name], plain.weights[name], atol=1e-6) for name in m.weights)
    m.train_on_batch(X, Y, sample_weight=zero)
    m.train_on_batch(X, Y, class_weight={0: 2.0})


@test
def labels_come_as_keras_takes_them():
    one_hot = np.eye(3, dtype=np.float32)[Y]
    given = {
        "sparse_categorical_crossentropy": [Y, Y.astype(np.int32), Y.reshape(-1, 1), Y.astype(np.uint8)],
        "categorical_crossentropy": [one_hot, one_hot.astype(np.float64)],
    }
    made = set()
    for loss, labels in given.items():
        for y in labels:
            m = compiled(loss=loss, metrics=None)
            m.fit(X, y, verbose=0, shuffle=False)
            made.add(m.weights["u"].tobytes())
    assert len(made) <= 2, "one for each loss at most"
    m = compiled(loss="mse", metrics=["mae"])
    m.fit(X.astype(np.float64), one_hot, verbose=0)
    assert list(m.history.history) == ["loss", "mae"], m.history.history


@test
def several_inputs_and_outputs_go_by_name_or_order():
    proto = model(
        "(float[N, 2] a, float[N, 2] b) => (float[N, 1] p, float[N, 2] q) <float[2, 1] w = {0.1, 0.2}, float[2, 2] u = {0.1, 0.2, 0.3, 0.4}> { s = Add(a, b) p = MatMul(s, w) l = MatMul(b, u) q = Softmax(l) }"
    )
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 32, 2)).astype(np.float32)
    p, q = (a + b)[:, :1], (b[:, 0] > 0).astype(np.int64)
    results = []
    for x, y, loss, weights in (
        ([a, b], [p, q], ["mse", "sparse_categorical_crossentropy"], [2.0, 1.0]),
        ({"b": b, "a": a}, {"q": q, "p": p}, {"p": "mse", "q": "sparse_categorical_crossentropy"}, {"p": 2.0}),
    ):
        m = kiln.Model(proto)
        m.compile("sgd", loss, metrics={"q": ["accuracy"]}, loss_weights=weights)
        history = m.fit(x, y, verbose=0, shuffle=False)
        assert list(history.history) == ["loss", "p_loss", "q_loss", "q_accuracy"], history.history
        results.append([m.to_bytes(), m.evaluate(x, y, verbose=0)])
        assert [o.shape for o in m.predict(x)] == [(32, 1), (32, 2)]
        m.train_on_batch(x, y)
    assert results[0] == results[1]
    m = kiln.Model(proto)
    m.compile("sgd", {"q": "sparse_categorical_crossentropy"})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        m.fit([a, b], {"q": q}, verbose=0)
    assert ["'w' leads to no output that learns" in str(w.message) for w in told] == [True]
    fails(ValueError, "there is no output 'z'", lambda: (m.compile(loss={"z": "mse"}), m.fit([a, b], q, verbose=0)))
    fails(ValueError, "there is no 'c' in the model, but a, b", m.predict, {"a": a, "c": b})
    fails(ValueError, "the model needs a, b", m.predict, {"a": a})


@test
def compile_says_how():
    m = compiled(optimizer=kiln.optimizers.SGD(kiln.schedules.ExponentialDecay(0.1, decay_steps=3, decay_rate=0.5, staircase=True), momentum=0.9))
    m.fit(X, Y, batch_size=32, verbose=0)
    assert abs(m.learning_rate - 0.05) < 1e-7, m.learning_rate
    fails(ValueError, "", setattr, m, "learning_rate", 0.1)
    m = compiled(regularizers={"w": kiln.regularizers.L2(0.5)})
    with_penalty = m.evaluate(X, Y, verbose=0)[0]
    assert abs(with_penalty - compiled().evaluate(X, Y, verbose=0)[0] - 0.5 * np.sum(m.weights["w"] ** 2)) < 1e-4
    m = compiled(optimizer=kiln.optimizers.AdamW(0.02), rate_factors={"last": 1e-6}, exclude_from_weight_decay=["b"])
    before = m.weights["u"]
    m.fit(X, Y, verbose=0)
    assert np.allclose(m.weights["u"], before, atol=1e-5) and not np.allclose(m.weights["w"], compiled().weights["w"], atol=1e-3)
    assert f"{kiln.optimizers.AdamW(1e-3, amsgrad=True)}" == "adamw:learning_rate=0.001,amsgrad=1"
    assert f"{kiln.schedules.PiecewiseConstantDecay([10, 20], [0.1, 0.01, 0.001])}" == "piecewise_constant_decay:boundaries=10/20,values=0.1/0.01/0.001"
    assert "sgd" in dir(kiln.optimizers) and f"{kiln.losses.Huber()}" == "huber" and f"{kiln.metrics.MeanSquaredError()}" == "mean_squared_error"
    fails(AttributeError, "kiln.optimizers has no Nonesuch; there are adadelta", getattr, kiln.optimizers, "Nonesuch")
    fails(ValueError, "by its place and by its name", kiln.optimizers.SGD, 0.1, learning_rate=0.1)
    fails(ValueError, "no_such", lambda: compiled(optimizer="no_such").fit(X, Y, verbose=0))


@test
def a_model_learns_again_after_compile():
    m = compiled()
    m.fit(X, Y, verbose=0)
    learned = m.weights["w"]
    m.compile("sgd", "sparse_categorical_crossentropy")
    assert np.array_equal(m.weights["w"], learned)
    fails(ValueError, "there is no training yet", lambda: m.learning_rate)
    m.train_on_batch(X, Y)
    assert abs(m.learning_rate - 0.01) < 1e-7
    m.learning_rate = 0
    before = m.weights["w"]
    m.train_on_batch(X, Y)
    assert np.array_equal(m.weights["w"], before)


@test
def what_cannot_be_is_said():
    m = compiled()
    fails(ValueError, "x is None", m.fit)
    fails(ValueError, "nothing to be predicted", m.fit, X)
    fails(ValueError, "exclude each other", m.fit, X, Y, validation_split=0.1, validation_data=(X, Y))
    fails(kiln.errors.BadData, "", m.fit, X[:, :3], Y, verbose=0)
    fails(kiln.errors.BadData, "", m.fit, X, Y[:50], verbose=0)
    fails(ValueError, "must be numbers", m.fit, np.array(["a"] * 96), Y, verbose=0)
    fails(OSError, "nowhere.csv", m.fit, "csv:nowhere.csv", verbose=0)
    fails(ValueError, "val_loss", m.fit, X, Y, callbacks=[kiln.callbacks.EarlyStopping()], verbose=0)
    fails(OSError, "nowhere.onnx", kiln.Model, "nowhere.onnx")
    fails(kiln.errors.RunFailed, "", lambda: compiled(optimizer="sgd:learning_rate=1e30").fit(X * 1e6, Y, verbose=0, epochs=3))
    assert m.fit(X, Y, verbose=0)


@test
def control_c_keeps_what_was_learned():
    m = compiled()
    before = m.weights["w"]

    def press():
        time.sleep(0.4)
        os.kill(os.getpid(), signal.SIGINT)

    for quiet in (True, False):
        threading.Thread(target=press).start()
        fails(KeyboardInterrupt, "", m.fit, X, Y, epochs=10**9, verbose=0, batch_size=8, callbacks=None if quiet else [Counts()])
        now = m.weights["w"]
        assert not np.array_equal(now, before) and len(m.history.epoch) > 1
        m.fit(X, Y, verbose=0)
        assert m.evaluate(X, Y, verbose=0)[1] > 0.9
    # Of what calls nothing on its way, too: it would take a hundred times as long as a part of it.
    labels = np.zeros(2_000_000, np.int64)
    many = np.zeros((len(labels), 4), np.float32)
    part = len(labels) // 100
    start = time.monotonic()
    m.evaluate(many[:part], labels[:part], batch_size=1, verbose=0)
    most = 30 * (time.monotonic() - start) + 2
    threading.Thread(target=press).start()
    start = time.monotonic()
    fails(KeyboardInterrupt, "", m.evaluate, many, labels, batch_size=1, verbose=0)
    assert time.monotonic() - start < most and m.predict(X).shape == (96, 3)


class Counts(kiln.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.batch = batch


@test
def others_run_while_the_library_computes():
    m, counted = compiled(), 0
    thread = threading.Thread(target=m.fit, args=(np.tile(X, (200, 1)), np.tile(Y, 200)), kwargs={"epochs": 3, "verbose": 0, "batch_size": 2048})
    thread.start()
    while thread.is_alive():
        counted += 1
    assert counted > 100, counted
    threads = [threading.Thread(target=lambda: results.append(m.predict(X))) for _ in range(8)]
    results = []
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(results) == 8 and all(np.array_equal(r, results[0]) for r in results)
