"""Recurrent layers, masks and attention: for export.py."""

import keras
import numpy as np
from export import SEQUENCE, agrees, case, one, randomise, variants
from keras import layers as L

# -- recurrent --

for kind in (L.LSTM, L.GRU, L.SimpleRNN):
    variants(
        kind.__name__, SEQUENCE, lambda kind=kind: kind(3), lambda kind=kind: kind(3, return_sequences=True), lambda kind=kind: kind(3, return_sequences=True, go_backwards=True),
        lambda kind=kind: kind(3, go_backwards=True, use_bias=False), lambda kind=kind: kind(3, return_state=True, return_sequences=True), lambda kind=kind: kind(3, activation="relu"),
    )  # fmt: skip
    for mode in ("concat", "sum", "ave", "mul", None):
        one(f"Bidirectional.{kind.__name__}.{mode}", lambda kind=kind, mode=mode: L.Bidirectional(kind(3, return_sequences=True), mode), SEQUENCE)
    one(f"Bidirectional.{kind.__name__}.last", lambda kind=kind: L.Bidirectional(kind(3)), SEQUENCE)
    one(f"{kind.__name__}.unknown", lambda kind=kind: kind(3, return_sequences=True), (None, 4))
one("LSTM.activations", lambda: L.LSTM(3, activation="softsign", recurrent_activation="hard_sigmoid"), SEQUENCE)
one("GRU.reset_before", lambda: L.GRU(3, reset_after=False), SEQUENCE)
one("RNN.cell", lambda: L.RNN(L.GRUCell(3), return_sequences=True), SEQUENCE)
one("RNN.stack", lambda: L.RNN([L.LSTMCell(3), L.LSTMCell(4)], return_sequences=True, return_state=False), SEQUENCE)
one("LSTM.dropout", lambda: L.LSTM(3, dropout=0.2), SEQUENCE, told="dropout inside")
one("TimeDistributed.Dense", lambda: L.TimeDistributed(L.Dense(3)), SEQUENCE)
one("TimeDistributed.Conv2D", lambda: L.TimeDistributed(L.Conv2D(3, 2, activation="relu")), (4, 6, 5, 2))
one("TimeDistributed.unknown", lambda: L.TimeDistributed(L.Conv2D(3, 2)), (None, 6, 5, 2))
one("TimeDistributed.model", lambda: L.TimeDistributed(keras.Sequential([L.Conv2D(3, 2), L.Flatten(), L.Dense(2)])), (4, 6, 5, 2))


@case("recurrent.encoder_decoder")
def encoder_decoder():
    """The states of one are those of the other."""
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    _, h, c = L.LSTM(6, return_state=True)(L.Embedding(9, 5)(source))
    y = L.LSTM(6, return_sequences=True)(L.Embedding(9, 5)(target), initial_state=[h, c])
    return keras.Model([source, target], L.Dense(9, activation="softmax")(y))


MASKED = np.array([[1, 2, 3, 0, 0, 0], [0, 0, 4, 5, 6, 7], [1, 0, 2, 0, 3, 0], [0, 0, 0, 0, 0, 1], [1, 2, 3, 4, 5, 6], [0, 3, 0, 0, 1, 0]], np.int32)


def masked(name, *layers, told=""):
    def test():
        x = keras.Input((6,), dtype="int32")
        y = L.Embedding(9, 4, mask_zero=True)(x)
        for make in layers:
            y = make()(y)
        model = keras.Model(x, y)
        randomise(model)
        return agrees(model, [MASKED], told=told)

    case(f"masked.{name}")(test)


for kind in (L.LSTM, L.GRU, L.SimpleRNN):
    masked(f"{kind.__name__}", lambda kind=kind: kind(3))
    masked(f"{kind.__name__}.backwards", lambda kind=kind: kind(3, go_backwards=True))
    masked(f"{kind.__name__}.sequences", lambda kind=kind: kind(3, return_sequences=True), L.Flatten)
    masked(f"{kind.__name__}.sequences_backwards", lambda kind=kind: kind(3, return_sequences=True, go_backwards=True), L.Flatten)
masked("two", lambda: L.LSTM(4, return_sequences=True), lambda: L.GRU(3))
masked("zeros", lambda: L.LSTM(4, return_sequences=True, zero_output_for_mask=True), L.Flatten)
masked("bidirectional", lambda: L.Bidirectional(L.LSTM(4, return_sequences=True)), lambda: L.Bidirectional(L.GRU(3)))
masked("output", lambda: L.LSTM(4, return_sequences=True), told="the mask of output")
masked("average", lambda: L.GlobalAveragePooling1D())
masked("nested", lambda: keras.Sequential([L.Dense(3), L.LSTM(2)]))


@case("masked.Masking")
def masking():
    model = keras.Sequential([keras.Input((6, 2)), L.Masking(0.0), L.LSTM(3)])
    randomise(model)
    x = np.random.default_rng(1).normal(size=(6, 6, 2)).astype(np.float32) * (MASKED > 0)[:, :, None]
    return agrees(model, [x])


# -- attention --


def attended(name, layer, shapes, told="", **call):
    def build():
        inputs = [keras.Input(s) for s in shapes]
        given = inputs if layer().__class__ in (L.Attention, L.AdditiveAttention) else None
        y = layer()(given, **call) if given else layer()(*inputs, **call)
        return keras.Model(inputs, y)

    case(f"attention.{name}", told=told)(build)


attended("Attention", lambda: L.Attention(), [(5, 4), (6, 4)])
attended("Attention.key", lambda: L.Attention(use_scale=True), [(5, 4), (6, 3), (6, 4)])
attended("Attention.concat", lambda: L.Attention(score_mode="concat"), [(5, 4), (6, 4)])
attended("Attention.causal", lambda: L.Attention(), [(6, 4), (6, 4)], use_causal_mask=True)
attended("AdditiveAttention", lambda: L.AdditiveAttention(), [(5, 4), (6, 4)])
attended("MultiHeadAttention", lambda: L.MultiHeadAttention(2, 3), [(5, 4), (6, 4)])
attended("MultiHeadAttention.value_dim", lambda: L.MultiHeadAttention(2, 3, 5, output_shape=7, use_bias=False), [(5, 4), (6, 4), (6, 3)])
attended("MultiHeadAttention.dropout", lambda: L.MultiHeadAttention(2, 3, dropout=0.1), [(5, 4), (6, 4)])
attended("MultiHeadAttention.causal", lambda: L.MultiHeadAttention(2, 3), [(6, 4), (6, 4)], use_causal_mask=True)
attended("MultiHeadAttention.causal_unknown", lambda: L.MultiHeadAttention(2, 3), [(None, 4), (None, 4)], use_causal_mask=True)
attended("MultiHeadAttention.scores", lambda: L.MultiHeadAttention(2, 3), [(6, 4), (6, 4)], return_attention_scores=True)
attended("MultiHeadAttention.image", lambda: L.MultiHeadAttention(2, 3, attention_axes=(1, 2)), [(3, 4, 5), (3, 4, 5)])
attended("GroupedQueryAttention", lambda: L.GroupQueryAttention(4, 4, 2), [(5, 6), (7, 6)])
attended("GroupedQueryAttention.causal", lambda: L.GroupQueryAttention(4, 4, 2), [(7, 6), (7, 6)], use_causal_mask=True)


@case("masked.MultiHeadAttention")
def masked_attention():
    x = keras.Input((6,), dtype="int32")
    y = L.Embedding(9, 4, mask_zero=True)(x)
    y = L.MultiHeadAttention(2, 3)(y, y)
    model = keras.Model(x, L.GlobalAveragePooling1D()(y))
    randomise(model)
    return agrees(model, [MASKED])
