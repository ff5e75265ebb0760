"""Gradients of matrix products, convolutions and what is built of them."""

from . import formulas
from .declare import SUM, F, Family, fixed, real, scalar, torch

family = Family("gradient")
add = family.add

add("matmul", "MatMul", {"a": real(3, 4), "b": real(4, 2)}, lambda a, b: a @ b, near=SUM)
add("matmul_batch", "MatMul", {"a": real(2, 3, 4), "b": real(2, 4, 2)}, lambda a, b: a @ b, near=SUM)
add("matmul_broadcast", "MatMul", {"a": real(2, 1, 3, 4), "b": real(3, 4, 2)}, lambda a, b: a @ b, near=SUM)
add("matmul_one_matrix_for_all", "MatMul", {"a": real(2, 3, 4), "b": real(4, 2)}, lambda a, b: a @ b, near=SUM)
add("matmul_vector_left", "MatMul", {"a": real(4), "b": real(4, 2)}, lambda a, b: a @ b, near=SUM)
add("matmul_vector_right", "MatMul", {"a": real(2, 3, 4), "b": real(4)}, lambda a, b: a @ b, near=SUM)
add("matmul_vectors", "MatMul", {"a": real(4), "b": real(4)}, lambda a, b: a @ b, near=SUM)
add("matmul_itself", "", {"a": real(3, 3)}, lambda a: a @ a, near=SUM, nodes="y = MatMul(a, a)")
add("gemm", "Gemm", {"a": real(3, 4), "b": real(4, 2), "c": real(2)}, lambda a, b, c: a @ b + c, near=SUM)
add("gemm_no_c", "Gemm", {"a": real(3, 4), "b": real(4, 2)}, lambda a, b: a @ b, near=SUM)
add(
    "gemm_transposed",
    "Gemm",
    {"a": real(4, 3), "b": real(2, 4), "c": real(3, 1)},
    lambda a, b, c: 0.5 * a.T @ b.T + 2 * c,
    near=SUM,
    transA=1,
    transB=1,
    alpha=0.5,
    beta=2.0,
)
add("gemm_scalar_c", "Gemm", {"a": real(3, 4), "b": real(2, 4), "c": real()}, lambda a, b, c: a @ b.T + c, near=SUM, transB=1)
for name, equation, shapes in [
    ("matrices", "ij,jk->ik", [(2, 3), (3, 2)]),
    ("batch", "bij,bjk->bik", [(2, 2, 3), (2, 3, 2)]),
    ("transpose", "ij->ji", [(2, 3)]),
    ("sum", "ij->i", [(2, 3)]),
    ("diagonal", "ii->i", [(3, 3)]),
    ("outer", "i,j->ij", [(3,), (2,)]),
    ("ellipsis", "...ij,jk->...ik", [(2, 2, 3), (3, 2)]),
    ("three", "ij,jk,kl->il", [(2, 3), (3, 2), (2, 2)]),
    ("implicit", "ij,jk", [(2, 3), (3, 2)]),
]:
    letters = "abc"[: len(shapes)]
    add(f"einsum_{name}", "Einsum", {x: real(*s) for x, s in zip(letters, shapes)}, lambda *x, e=equation: torch.einsum(e, *x), near=SUM, equation=equation)

# -- convolutions --


def conv(spec_x, spec_w, bias=True, formula=None, name="", op="Conv", near=SUM, **attributes):
    inputs = {"x": real(*spec_x), "w": real(*spec_w)}
    outputs = spec_w[0] if op == "Conv" else spec_w[1] * attributes.get("group", 1)
    if bias:
        inputs["b"] = real(outputs)
    add(f"{op.lower()}{name}", op, inputs, formula, near=near, **attributes)


def padded(x, pads):
    """ONNX has all beginnings before all ends, PyTorch pairs from the last axis on."""
    n = len(pads) // 2
    return F.pad(x, [p for d in reversed(range(n)) for p in (pads[d], pads[d + n])])


conv((1, 2, 5, 5), (3, 2, 3, 3), name="", formula=lambda x, w, b: F.conv2d(x, w, b))
conv((2, 2, 5, 4), (3, 2, 3, 2), name="_pads_unequal", formula=lambda x, w, b: F.conv2d(padded(x, [1, 0, 2, 1]), w, b), pads=[1, 0, 2, 1])
conv((1, 2, 6, 5), (2, 2, 3, 3), name="_strides", formula=lambda x, w, b: F.conv2d(x, w, b, stride=(2, 1), padding=1), strides=[2, 1], pads=[1, 1, 1, 1])
conv((1, 1, 6, 6), (2, 1, 2, 2), name="_strides_that_leave_rest", bias=False, formula=lambda x, w: F.conv2d(x, w, stride=3), strides=[3, 3])
conv((1, 2, 6, 6), (2, 2, 2, 3), name="_dilations", formula=lambda x, w, b: F.conv2d(x, w, b, dilation=(2, 1)), dilations=[2, 1])
conv((1, 4, 4, 4), (4, 2, 3, 3), name="_groups", formula=lambda x, w, b: F.conv2d(x, w, b, groups=2, padding=1), group=2, pads=[1, 1, 1, 1])
conv((1, 3, 5, 5), (6, 1, 3, 3), name="_depthwise", formula=lambda x, w, b: F.conv2d(x, w, b, groups=3), group=3)
conv((1, 3, 3, 3), (4, 3, 1, 1), name="_pointwise", formula=lambda x, w, b: F.conv2d(x, w, b))
conv((2, 2, 7), (3, 2, 3), name="_1d", formula=lambda x, w, b: F.conv1d(x, w, b, stride=2, padding=1), strides=[2], pads=[1, 1])
conv((1, 2, 3, 4, 3), (2, 2, 2, 2, 2), name="_3d", formula=lambda x, w, b: F.conv3d(x, w, b))
conv(
    (1, 1, 5, 5),
    (2, 1, 3, 3),
    name="_same_upper",
    bias=False,
    formula=lambda x, w: F.conv2d(padded(x, [1, 1, 1, 1]), w, stride=2),
    auto_pad="SAME_UPPER",
    strides=[2, 2],
)
conv(
    (1, 1, 4, 4),
    (2, 1, 3, 3),
    name="_same_lower",
    bias=False,
    formula=lambda x, w: F.conv2d(padded(x, [1, 1, 0, 0]), w, stride=2),
    auto_pad="SAME_LOWER",
    strides=[2, 2],
)
conv((1, 2, 3, 3), (2, 3, 3, 3), name="", op="ConvTranspose", formula=lambda x, w, b: F.conv_transpose2d(x, w, b))
conv(
    (1, 2, 3, 3),
    (2, 2, 3, 3),
    name="_strides_pads",
    op="ConvTranspose",
    formula=lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1),
    strides=[2, 2],
    pads=[1, 1, 1, 1],
)
conv(
    (1, 2, 3, 3),
    (2, 2, 3, 3),
    name="_output_padding",
    op="ConvTranspose",
    formula=lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=1),
    strides=[2, 2],
    pads=[1, 1, 1, 1],
    output_padding=[1, 1],
)
conv((1, 2, 3, 3), (2, 1, 2, 2), name="_dilations", op="ConvTranspose", bias=False, formula=lambda x, w: F.conv_transpose2d(x, w, dilation=2), dilations=[2, 2])
add(
    "convtranspose_groups",
    "ConvTranspose",
    {"x": real(1, 4, 3, 3), "w": real(4, 2, 2, 2)},
    lambda x, w: F.conv_transpose2d(x, w, groups=2),
    near=SUM,
    unjudged="it fails where a group has several outputs",
    group=2,
)
conv((2, 2, 4), (2, 3, 3), name="_1d", op="ConvTranspose", formula=lambda x, w, b: F.conv_transpose1d(x, w, b, stride=2), strides=[2])


def deform(name, x, w, places, bias=False, mask=False, low=0.1, **attributes):
    """Offsets that do not come near a whole number, where the interpolation has a kink."""
    points = attributes.get("offset_group", 1) * w[2] * w[3]
    inputs = {"x": real(*x), "w": real(*w), "offset": real(x[0], 2 * points, *places, low=low, high=low + 0.3)}
    inputs |= {"b": real(w[0]) if bias else None, "mask": real(x[0], points, *places, low=0.2)} if mask or bias else {}
    shape = (x[0], w[0], *places)
    add(name, "DeformConv", inputs, lambda *i: formulas.deform_conv(*i, **attributes), near=SUM, opset=19, single=True, shapes={"y": shape}, **attributes)


deform("deformconv", (1, 1, 4, 4), (1, 1, 2, 2), (3, 3), bias=True, mask=True)
deform("deformconv_no_mask", (1, 2, 4, 4), (2, 2, 2, 2), (5, 5), pads=[1, 1, 1, 1])
deform("deformconv_groups", (1, 2, 3, 3), (2, 1, 2, 2), (2, 2), bias=True, mask=True, low=-0.4, group=2, offset_group=2)
deform("deformconv_strides", (2, 1, 5, 5), (2, 1, 2, 2), (2, 2), mask=True, strides=[2, 2], dilations=[2, 2])


def causal(name, state=False, bias=True, **attributes):
    inputs = {"x": real(2, 3, 5), "w": real(3, 1, 3), "b": real(3) if bias else None, **({"past": real(2, 3, 2)} if state else {})}
    add(
        name,
        "CausalConvWithState",
        inputs,
        lambda *i: formulas.causal_conv(*i, **attributes),
        outputs=("y", "present"),
        near=SUM,
        opset=27,
        single=True,
        **attributes,
    )


causal("causalconvwithstate")
causal("causalconvwithstate_silu", state=True, bias=False, activation="silu")
add("col2im", "Col2Im", {"x": real(1, 8, 6), "image": fixed(3, 4), "block": fixed(2, 2)}, lambda x, i, b: F.fold(x, (3, 4), (2, 2)), near=SUM)
add(
    "col2im_strides_pads",
    "Col2Im",
    {"x": real(1, 4, 6), "image": fixed(4, 3), "block": fixed(2, 2)},
    lambda x, i, b: F.fold(x, (4, 3), (2, 2), stride=2, padding=1),
    near=SUM,
    strides=[2, 2],
    pads=[1, 1, 1, 1],
)
add("dft", "DFT", {"x": real(2, 5, 1)}, lambda x: torch.view_as_real(torch.fft.fft(x[..., 0], dim=1)), near=SUM, opset=20)
add(
    "dft_inverse_complex",
    "DFT",
    {"x": real(1, 4, 3, 2), "length": None, "axis": scalar(1, "int64")},
    lambda x, n, a: torch.view_as_real(torch.fft.ifft(torch.view_as_complex(x), dim=1)),
    near=SUM,
    opset=20,
    inverse=1,
)
add("dft_onesided", "DFT", {"x": real(2, 6, 1)}, lambda x: torch.view_as_real(torch.fft.rfft(x[..., 0], dim=1)), near=SUM, opset=20, onesided=1)
add(
    "dft_padded",
    "DFT",
    {"x": real(2, 4, 1), "length": scalar(6, "int64")},
    lambda x, n: torch.view_as_real(torch.fft.fft(x[..., 0], 6, dim=1)),
    near=SUM,
    opset=20,
)
add(
    "stft",
    "STFT",
    {"signal": real(1, 8, 1), "step": scalar(2, "int64"), "window": real(4, low=0.2)},
    lambda x, s, w: torch.view_as_real(torch.fft.rfft(x[..., 0].unfold(1, 4, 2) * w)),
    near=SUM,
    shapes={"y": (1, 3, 3, 2)},
)


def linear_attention(name, heads=(2, 2), **attributes):
    rule = attributes["update_rule"]
    inputs = {"q": real(1, 3, 2 * heads[0]), "k": real(1, 3, 2 * heads[1]), "v": real(1, 3, 3 * heads[1])}
    if rule != "linear":
        inputs |= {"past": real(1, heads[1], 2, 3), "decay": real(1, 3, heads[1], low=-1, high=-0.2) if "gated" in rule else None}
    if "delta" in rule:
        inputs["beta"] = real(1, 3, heads[1], low=0.2, high=0.9)
    attributes |= dict(q_num_heads=heads[0], kv_num_heads=heads[1])
    add(
        name,
        "LinearAttention",
        inputs,
        lambda *i: formulas.linear_attention(*i, **attributes),
        outputs=("y", "present"),
        near=SUM,
        opset=27,
        single=True,
        **attributes,
    )


for rule in "linear", "gated", "delta", "gated_delta":
    linear_attention(f"linearattention_{rule}", update_rule=rule)
linear_attention("linearattention_shared_heads", (4, 2), update_rule="gated_delta", scale=0.7)
