"""Attention. The layers (Attention, AdditiveAttention, MultiHeadAttention, GroupedQueryAttention) have no rules: they are followed to what is here."""

import math

import numpy as np
from keras import ops

from ..errors import Refused
from ..registry import rule


def causal(graph, scores):
    """A mask of what a position may see, [T, S]: of known length an array, else by Trilu."""
    rows, columns = scores.shape[-2:]
    if rows is not None and columns is not None:
        return graph.lift(np.tril(np.ones((rows, columns), bool)))
    import onnx

    shape = graph.emit("Concat", [graph.size(scores, -2), graph.size(scores, -1)], axis=0)
    ones = graph.emit("ConstantOfShape", [shape], value=onnx.numpy_helper.from_array(np.ones(1, np.int32)))
    lower = graph.value(graph.emit("Trilu", [ones], upper=0), (rows, columns), "int32")
    return graph.cast(lower, "bool")


@rule("nn.DotProductAttention")
def dot_product_attention(operation, inputs, graph):
    a = graph.frames[-1].arguments
    query, key, value = (graph.lift(a[k]) for k in ("query", "key", "value"))
    bias, mask, scale = a.get("bias"), a.get("mask"), a.get("scale")
    if operation.attn_logits_soft_cap is not None:
        raise Refused("caps its logits")
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    heads = query.shape[2]

    def scored(q, k):
        q, k = ops.transpose(q, (0, 2, 1, 3)), ops.transpose(k, (0, 2, 3, 1))
        return ops.matmul(q, k) * scale

    if key.shape[2] not in (1, heads):
        key, value = (graph.call(lambda x: ops.repeat(x, heads // key.shape[2], axis=2), x) for x in (key, value))
    scores = graph.call(scored, query, key)
    if bias is not None:
        scores = graph.call(ops.add, scores, bias)
    if mask is not None:
        scores = graph.call(lambda s, m: ops.where(ops.cast(m, "bool"), s, -1e30), scores, mask)
    if operation.is_causal:
        scores = graph.call(lambda s, m: ops.where(m, s, -1e30), scores, causal(graph, scores))
    return graph.call(lambda s, v: ops.transpose(ops.matmul(ops.softmax(s, axis=-1), ops.transpose(v, (0, 2, 1, 3))), (0, 2, 1, 3)), scores, value)
