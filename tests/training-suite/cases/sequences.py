"""Gradients of recurrent networks and of attention."""

import numpy as np

from . import formulas
from .declare import SUM, F, Family, held, real

family = Family("gradient")
add = family.add
T, B, I, H = 3, 2, 2, 3  # steps, batch, what comes in, the state
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
LENGTHS = held(np.array([3, 2], np.int32))
NOT_LOOKED_AT = "it has few activations, and neither clip nor input_forget"


def recurrent(op, name="", bias=True, lengths=False, states=False, peepholes=False, outputs=None, **attributes):
    d = 2 if attributes.get("direction") == "bidirectional" else 1
    n, layout = GATES[op], attributes.get("layout", 0)
    attributes["hidden_size"] = H
    state = (B, d, H) if layout else (d, B, H)
    x = real(*((B, T, I) if layout else (T, B, I)))
    inputs = {
        "x": x,
        "w": real(d, n * H, I),
        "r": real(d, n * H, H),
        "b": real(d, 2 * n * H) if bias else None,
        "lengths": LENGTHS if lengths else None,
        "h": real(*state) if states else None,
    }
    if op == "LSTM":
        inputs |= {"c": real(*state) if states else None, "p": real(d, 3 * H) if peepholes else None}
    while list(inputs.values())[-1] is None:
        inputs.popitem()
    all_outputs = ("y", "y_h", "y_c")[: 3 if op == "LSTM" else 2]
    wanted = outputs or all_outputs
    formula = {"RNN": formulas.rnn, "GRU": formulas.gru, "LSTM": formulas.lstm}[op]
    listed = tuple(o if o in wanted else "" for o in all_outputs)
    while not listed[-1]:
        listed = listed[:-1]
    add(
        f"{op.lower()}{name}",
        op,
        inputs,
        lambda *i: [y for o, y in zip(all_outputs, formula(*i, **attributes)) if o in wanted],
        outputs=listed,
        near=SUM,
        unjudged="it does not look at the lengths" if lengths else NOT_LOOKED_AT if set(attributes) & {"activations", "clip", "input_forget"} else "",
        **attributes,
    )


for op in GATES:
    recurrent(op)
    recurrent(op, "_reverse", direction="reverse")
    recurrent(op, "_bidirectional", direction="bidirectional", states=True)
    recurrent(op, "_lengths", lengths=True, states=True)
    recurrent(op, "_lengths_bidirectional", lengths=True, direction="bidirectional")
    recurrent(op, "_last_state_alone", bias=False, outputs=("y_h",))
    recurrent(op, "_layout_1", layout=1, states=True)
recurrent("RNN", "_relu", activations=["Relu"])
recurrent("RNN", "_leakyrelu", activations=["LeakyRelu"], activation_alpha=[0.2])
recurrent("GRU", "_linear_before_reset", linear_before_reset=1, states=True)
recurrent("GRU", "_linear_before_reset_bidirectional", linear_before_reset=1, direction="bidirectional")
recurrent("GRU", "_activations", activations=["Sigmoid", "Softsign"])
recurrent("LSTM", "_peepholes", peepholes=True, states=True)
recurrent("LSTM", "_input_forget", input_forget=1)
recurrent("LSTM", "_clip", clip=0.4)
recurrent("LSTM", "_last_cell_alone", outputs=("y_c",))

# -- attention --


def attention(name, q, k, v, extra=None, outputs=("y",), opset=23, **attributes):
    add(
        f"attention_{name}",
        "Attention",
        {"q": q, "k": k, "v": v, **(extra or {})},
        lambda *i: formulas.attention(*i, **attributes),
        outputs=outputs,
        near=SUM,
        opset=opset,
        **attributes,
    )


QKV = real(1, 2, 3, 4), real(1, 2, 5, 4), real(1, 2, 5, 3)
attention("4d", *QKV)
attention("causal", real(1, 2, 3, 4), real(1, 2, 3, 4), real(1, 2, 3, 4), is_causal=1)
attention("scale", *QKV, scale=0.3)
attention("mask_added", *QKV, {"mask": real(3, 5)})
attention("mask_of_booleans", *QKV, {"mask": held(np.tri(3, 5, 1, bool))})
attention("shared_heads", real(1, 4, 3, 2), real(1, 2, 5, 2), real(1, 2, 5, 3))
attention("softcap", *QKV, softcap=0.8)
attention("3d", real(2, 3, 8), real(2, 4, 8), real(2, 4, 6), q_num_heads=2, kv_num_heads=2)
attention(
    "past",
    real(1, 2, 2, 4),
    real(1, 2, 2, 4),
    real(1, 2, 2, 3),
    {"mask": None, "past_k": real(1, 2, 3, 4), "past_v": real(1, 2, 3, 3)},
    ("y", "present_k", "present_v"),
)
add(
    "attention_written_out",
    "",
    {"q": real(2, 3, 4), "k": real(2, 5, 4), "v": real(2, 5, 3)},
    lambda q, k, v: F.scaled_dot_product_attention(q, k, v),
    near=SUM,
    nodes="half = Constant<value_float = 0.5>() kt = Transpose<perm = [0, 2, 1]>(k) s = MatMul(q, kt) t = Mul(s, half) p = Softmax<axis = -1>(t) y = MatMul(p, v)",
)


def rotary(name, x, cos, sin, positions=None, **attributes):
    inputs = {"x": x, "cos": cos, "sin": sin, **({"positions": held(positions)} if positions is not None else {})}
    add(f"rotaryembedding{name}", "RotaryEmbedding", inputs, lambda *i: formulas.rotary(*i, **attributes), near=SUM, opset=23, **attributes)


rotary("", real(2, 2, 3, 4), real(2, 3, 2), real(2, 3, 2))
rotary("_interleaved", real(2, 2, 3, 4), real(2, 3, 2), real(2, 3, 2), interleaved=1)
rotary("_positions", real(2, 2, 3, 4), real(6, 2), real(6, 2), np.array([[0, 2, 5], [1, 2, 3]]))
rotary("_part", real(1, 2, 3, 6), real(1, 3, 2), real(1, 3, 2), rotary_embedding_dim=4)
rotary("_3d", real(1, 3, 8), real(1, 3, 2), real(1, 3, 2), num_heads=2)
