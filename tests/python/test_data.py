"""What may be given as data: arrays of any layout, memory of others, specs, iterators and generators."""

import tempfile
from pathlib import Path

import kiln
import numpy as np
from common import MLP, fails, model, samples, test
from test_fit import compiled

X, Y = samples()
RELU = "(float[N, 4] x) => (float[N, 4] y) { y = Relu(x) }"


def batches(size=16, count=96):
    for k in range(0, count, size):
        yield X[k : k + size], Y[k : k + size]


def fitted(*data, **named):
    m = compiled()
    m.fit(*data, **({"verbose": 0, "shuffle": False} | named))
    return m


@test
def a_generator_is_the_same_as_its_arrays():
    want = fitted(X, Y, batch_size=16, epochs=3, validation_data=(X[:32], Y[:32]))
    for given, check in ((batches, batches), (list_of(batches()), lambda: batches(16, 32)), (Sequence(), lambda: ((x, y) for x, y in batches(16, 32)))):
        got = fitted(given, epochs=3, validation_data=lambda: batches(16, 32))
        assert got.to_bytes() == want.to_bytes() and got.history.history == want.history.history
        assert got.evaluate(check, verbose=0) == want.evaluate(*((X, Y) if check is batches else (X[:32], Y[:32])), batch_size=16, verbose=0)
    # Batches may be of any size where steps have one.
    assert fitted(lambda: batches(7), batch_size=16, epochs=3).to_bytes() == want.to_bytes()


class list_of:
    """What can be iterated over again and again, as a loader."""

    def __init__(self, items):
        self.items = [list(i) for i in items]

    def __iter__(self):
        return iter(self.items)


class Sequence:
    """As Keras' PyDataset."""

    epochs = 0

    def __len__(self):
        return 6

    def __getitem__(self, k):
        return X[16 * k : 16 * k + 16], Y[16 * k : 16 * k + 16]

    def on_epoch_end(self):
        Sequence.epochs += 1


@test
def an_iterator_that_never_ends_has_steps():
    def forever():
        while True:
            yield from batches()

    want = fitted(X, Y, batch_size=16, epochs=2)
    assert fitted(forever(), epochs=2, steps_per_epoch=6).to_bytes() == want.to_bytes()
    once = fitted(batches(), epochs=1)
    assert once.to_bytes() == fitted(X, Y, batch_size=16).to_bytes()
    e = fails(ValueError, "the iterator has come to its end", fitted, batches(), epochs=2)
    assert isinstance(e, kiln.errors.BadArgument)


@test
def weights_come_with_batches():
    w = np.linspace(0, 2, 96, dtype=np.float32)
    want = fitted(X, Y, sample_weight=w, batch_size=32)
    got = fitted(lambda: ((X[k : k + 32], Y[k : k + 32], w[k : k + 32]) for k in range(0, 96, 32)))
    assert got.to_bytes() == want.to_bytes()


@test
def what_a_generator_raises_is_raised():
    class Mine(Exception):
        pass

    def failing():
        yield X[:16], Y[:16]
        raise Mine("no more")

    fails(Mine, "no more", fitted, failing)
    fails(Mine, "no more", fitted, X, Y, validation_data=failing)
    fails(ValueError, "a batch must be (x, y)", fitted, iter([X]))
    fails(ValueError, "before the first batch", fitted, iter([]))
    fails(ValueError, "samples of a batch have the shape (3,)", fitted, lambda: iter([(X[:8], Y[:8]), (X[:8, :3], Y[:8])]))
    fails(ValueError, "y of a batch has 7 samples, x 8", fitted, lambda: iter([(X[:8], Y[:7])]))
    m = compiled()
    fails(Mine, "", m.fit, failing, verbose=0)
    assert m.fit(X, Y, verbose=0), "the model stays usable"


class Tensor:
    """Memory that others have, as a tensor of PyTorch: by DLPack alone."""

    requires_grad = False

    def __init__(self, array):
        self.array = array

    shape = property(lambda self: self.array.shape)

    def __dlpack__(self, **named):
        return self.array.__dlpack__(**named)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class Elsewhere(Tensor):
    def __dlpack_device__(self):
        return (2, 0)


@test
def memory_of_others_is_taken_as_it_is():
    want = fitted(X, Y)
    for wrap in (Tensor, memoryview):
        got = fitted(wrap(X), wrap(Y))
        assert got.to_bytes() == want.to_bytes() and np.array_equal(got.predict(wrap(X)), want.predict(X))
        got.train_on_batch(wrap(X), wrap(Y))
    (y,) = kiln.Session(model(RELU)).run(None, {"x": Tensor(X)})
    assert np.array_equal(y, np.maximum(X, 0))
    assert np.shares_memory(kiln.values.as_array(Tensor(X)), X) and np.shares_memory(kiln.values.as_array(memoryview(X)), X)
    fails(ValueError, "another device", fitted, Elsewhere(X), Y)
    for given in (X.T.copy().T, X[::-1][::-1], np.asfortranarray(X), X.astype(">f4"), X.astype(np.float64)):
        assert np.array_equal(fitted(given, Y).predict(given), want.predict(X)), given.dtype


@test
def specs_are_opened_by_the_library():
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/t.npz", x=X, y=Y)
        want = fitted(X, Y)
        got = fitted(f"npz:{folder}/t.npz", validation_data=f"npz:{folder}/t.npz")
        assert got.to_bytes() == want.to_bytes() and got.history.history["val_accuracy"] == [want.evaluate(X, Y, return_dict=True, verbose=0)["accuracy"]]
        assert np.array_equal(got.predict(f"npz:{folder}/t.npz"), want.predict(X))
        x, y = kiln.load_data(f"npz:{folder}/t.npz", limit=10)
        assert np.array_equal(x, X[:10]) and np.array_equal(y, Y[:10])
        np.savez(f"{folder}/x.npz", x=X)
        assert np.array_equal(got.predict(f"npz:{folder}/x.npz[:5]"), want.predict(X[:5]))
        fails(ValueError, "y and sample_weight must be None", got.fit, f"npz:{folder}/t.npz", Y)
        Path(f"{folder}/t.csv").write_text("".join(f"{','.join(map(str, x))},{'abc'[y]}\n" for x, y in zip(X, Y)))
        named = fitted(f"csv:{folder}/t.csv")
        assert named.metadata["kiln.classes.y"] == "a\nb\nc", named.metadata


@test
def a_normalisation_stays_with_the_model():
    m = fitted(X * 50 + 7, Y, normalize="standardize", epochs=20, batch_size=16)
    assert m.metadata["kiln.normalize.x"].startswith("standardize")
    assert m.evaluate(X * 50 + 7, Y, verbose=0)[1] > 0.95 and m.evaluate(X, Y, verbose=0)[1] < 0.9
    again = kiln.Model(m.to_bytes())
    assert np.array_equal(again.predict(X * 50 + 7), m.predict(X * 50 + 7))
    raw = kiln.Session(m.to_bytes())
    given = (X * 50 + 7 - (X * 50 + 7).mean(0)) / (X * 50 + 7).std(0)
    assert np.allclose(raw.run(None, {"x": given})[0], m.predict(X * 50 + 7), atol=1e-4)
    again.compile("sgd", metrics=["accuracy"])
    again.fit(X * 50 + 7, Y, verbose=0)
    assert again.evaluate(X * 50 + 7, Y, verbose=0)[1] > 0.95
    m.train_on_batch(X * 50 + 7, Y)
    fails(ValueError, "belongs to the first training", m.fit, X, Y, normalize="unit")


@test
def predict_takes_what_the_model_takes():
    m = compiled()
    want = m.predict(X)
    assert np.array_equal(m.predict(batches), want) and np.array_equal(m(X), want) and np.array_equal(m.predict({"x": X}), want)
    assert m.predict(X[:0]).shape == (0, 3)
    fixed = kiln.Model(model("(float[8, 4] x) => (float[8, 4] y) { y = Relu(x) }"))
    assert np.array_equal(fixed.predict(X[:20]), np.maximum(X[:20], 0))
    two = kiln.Model(
        model(
            "(float[N, 4] x) => (float[N, 4] y, float[N] z) { y = Relu(x) z = ReduceSum<keepdims = 0>(x, a) a = Constant<value_ints = [1]>() }".replace(
                "z = ReduceSum<keepdims = 0>(x, a) a = Constant<value_ints = [1]>()", "a = Constant<value_ints = [1]>() z = ReduceSum<keepdims = 0>(x, a)"
            )
        )
    )
    y, z = two.predict(X, batch_size=10)
    assert y.shape == (96, 4) and z.shape == (96,)
    assert kiln.Model(MLP.encode()).predict(X).shape == (96, 3)
