"""Callbacks, progress, and what may be done from them."""

import csv
import io
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

import kiln
import numpy as np
from common import fails, samples, test
from kiln.callbacks import Callback, CSVLogger, EarlyStopping, LearningRateScheduler, ModelCheckpoint, ReduceLROnPlateau
from test_fit import compiled

X, Y = samples()


class Notes:
    """No Callback, but with Keras' names."""

    def __init__(self):
        self.told = []

    def __getattr__(self, name):
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda *a: self.told.append((name, *[x for x in a if not isinstance(x, dict)]))


class Batches(Callback):
    def __init__(self, stop_at=None):
        self.seen, self.stop_at = [], stop_at

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append((batch, logs["loss"]))
        if len(self.seen) == self.stop_at:
            self.model.stop_training = True


@test
def methods_are_called_in_keras_order():
    notes, batches = Notes(), Batches()
    m = compiled()
    history = m.fit(X, Y, batch_size=48, epochs=2, callbacks=[notes, batches], verbose=0)
    epoch = [("on_train_batch_end", 0), ("on_train_batch_end", 1)]
    want = [("on_train_begin",), ("on_epoch_begin", 0), *epoch, ("on_epoch_end", 0), ("on_epoch_begin", 1), *epoch, ("on_epoch_end", 1), ("on_train_end",)]
    assert notes.told == want, notes.told
    assert [b for b, _ in batches.seen] == [0, 1, 0, 1] and batches.seen[1][1] == history.history["loss"][0], batches.seen
    assert batches.model is m and batches.params["epochs"] == 2


@test
def stop_training_ends_it():
    class Stop(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    m = compiled()
    assert m.fit(X, Y, epochs=10, callbacks=Stop(), verbose=0).epoch == [0, 1]
    at = Batches(stop_at=4)
    assert m.fit(X, Y, epochs=10, batch_size=32, callbacks=[at], verbose=0).epoch == [0] and len(at.seen) == 4
    assert m.fit(X, Y, epochs=2, verbose=0).epoch == [0, 1], "it is forgotten"


@test
def what_a_callback_raises_is_raised():
    class Fails(Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise LookupError("mine")

    m, notes = compiled(), Notes()
    fails(LookupError, "mine", m.fit, X, Y, callbacks=[Fails(), notes], verbose=0)
    assert notes.told[-1] == ("on_train_end",)
    m.fit(X, Y, verbose=0)


@test
def the_library_stops_early_and_restores():
    # From the second epoch on it becomes worse: the labels of validation are others.
    stop = EarlyStopping(monitor="val_loss", patience=2, restore_best_weights=True, mode="min")
    m = compiled()
    history = m.fit(X, Y, epochs=30, validation_data=(X, (Y + 1) % 3), callbacks=[stop], verbose=0)
    losses = history.history["val_loss"]
    assert len(losses) < 30 and stop.stopped_epoch == len(losses) - 1, losses
    best = min(losses)
    assert abs(m.evaluate(X, (Y + 1) % 3, verbose=0)[0] - best) < 1e-6, (best, losses)
    fails(ValueError, "mode is 'max', of val_loss it is 'min'", EarlyStopping, mode="max")
    fails(
        ValueError,
        "the library has one of them",
        m.fit,
        X,
        Y,
        validation_split=0.5,
        callbacks=[EarlyStopping(patience=1), EarlyStopping(patience=2)],
        verbose=0,
    )


@test
def learning_rates_follow():
    m = compiled()
    history = m.fit(X, Y, epochs=3, callbacks=[LearningRateScheduler(lambda epoch, rate: 0.1 if epoch == 0 else rate / 2)], verbose=0)
    assert np.allclose(history.history["learning_rate"], [0.1, 0.05, 0.025]), history.history
    history = compiled().fit(X, Y, epochs=4, validation_data=(X, (Y + 1) % 3), callbacks=[ReduceLROnPlateau(factor=0.5, patience=1, min_delta=100)], verbose=0)
    assert history.history["learning_rate"][-1] < history.history["learning_rate"][0], history.history


@test
def models_are_kept_on_the_way():
    with tempfile.TemporaryDirectory() as folder:
        m = compiled()
        every = ModelCheckpoint(f"{folder}/{{epoch:02d}}-{{accuracy:.2f}}.onnx")
        best = ModelCheckpoint(f"{folder}/best.onnx", monitor="loss", save_best_only=True)
        steps = ModelCheckpoint(f"{folder}/steps.onnx", save_freq=2)
        history = m.fit(X, Y, epochs=3, callbacks=[every, best, steps], verbose=0)
        kept = sorted(p.name for p in Path(folder).glob("0*.onnx"))
        assert kept == [f"{k + 1:02d}-{a:.2f}.onnx" for k, a in enumerate(history.history["accuracy"])], kept
        assert Path(f"{folder}/{kept[-1]}").read_bytes() == Path(f"{folder}/best.onnx").read_bytes() == m.to_bytes()
        assert kiln.Model(f"{folder}/steps.onnx").predict(X).shape == (96, 3)
    fails(ValueError, "save_freq='epoch'", ModelCheckpoint, "x", save_best_only=True, save_freq=2)


@test
def rows_are_logged():
    with tempfile.TemporaryDirectory() as folder:
        m = compiled()
        for append in (False, True):
            m.fit(X, Y, epochs=2, callbacks=[CSVLogger(f"{folder}/log.csv", append=append)], verbose=0)
        with open(f"{folder}/log.csv") as f:
            rows = list(csv.reader(f))
        assert rows[0] == ["epoch", "loss", "accuracy"] and [r[0] for r in rows[1:]] == ["0", "1", "0", "1"], rows
        assert float(rows[-1][1]) == m.history.history["loss"][-1]


@test
def a_checkpoint_goes_on_to_the_same_bytes():
    with tempfile.TemporaryDirectory() as folder:
        whole, first, second = compiled(), compiled(), compiled()
        whole.fit(X, Y, epochs=4, verbose=0)
        first.fit(X, Y, epochs=2, verbose=0, checkpoint=f"{folder}/c.npz")
        second.fit(X, Y, epochs=4, verbose=0, resume=Path(f"{folder}/c.npz"))
        assert whole.to_bytes() == second.to_bytes() and second.history.epoch == [2, 3], second.history.epoch


@test
def a_callback_may_look_at_the_model():
    class Looks(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.told = [self.model.predict(X).shape, self.model.evaluate(X, Y, verbose=0)[1], self.model.weights["w"].shape]
            for what in (
                lambda: self.model.fit(X, Y),
                lambda: self.model.compile(),
                lambda: self.model.train_on_batch(X, Y),
                lambda: self.model.freeze("w"),
                self.model.adapt,
            ):
                fails(ValueError, "not from a callback of fit", what)

    looks, m, plain = Looks(), compiled(), compiled()
    m.fit(X, Y, epochs=3, callbacks=[looks], verbose=0)
    plain.fit(X, Y, epochs=3, verbose=0)
    assert looks.told == [(96, 3), m.evaluate(X, Y, verbose=0)[1], (4, 8)] and m.to_bytes() == plain.to_bytes()


class Terminal(io.StringIO):
    def isatty(self):
        return True


@test
def progress_is_a_bar_in_a_terminal_and_lines_elsewhere():
    for verbose, to, want in (
        (0, io.StringIO(), []),
        (2, io.StringIO(), ["Epoch 1/2", "Epoch 2/2", " - loss: ", "val_accuracy"]),
        ("auto", io.StringIO(), ["Epoch 2/2"]),
        ("auto", Terminal(), ["\r", "/96 ", "━"]),
        (1, io.StringIO(), ["\r"]),
    ):
        with redirect_stdout(to):
            compiled().fit(X, Y, epochs=2, batch_size=8, validation_split=0.25 if verbose == 2 else 0, verbose=verbose)
        text = to.getvalue()
        assert bool(text) == bool(want) and all(w in text for w in want if w != "/96 " or "/96 " in text), (verbose, text)
        if verbose == 2 or (verbose == "auto" and not to.isatty()):
            assert "\r" not in text and "\x1b" not in text and len(text.splitlines()) == 4, text
