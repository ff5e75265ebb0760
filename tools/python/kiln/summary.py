"""A model as text for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ._library import ffi, lib, text
from .errors import made


@contextmanager
def summary_of(model: Any) -> Iterator[Any]:
    """A kiln_summary, which the model outlives."""
    handle = made(lib.kiln_summary_new, "kiln_summary **", lib.kiln_summary_free, model)
    try:
        yield handle
    finally:
        ffi.release(handle)


def table(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def lines_of(model: Any) -> list[str]:
    """Layers with what they make and how many of their parameters train, and the sums."""
    with summary_of(model) as s:
        rows = [["layer", "operator", "output", "trainable", "fixed"]]
        inputs = [
            [text(lib.kiln_model_input(model, k).name) or "", "Input", text(lib.kiln_summary_input_type(s, k)) or "", "0", "0"]
            for k in range(lib.kiln_model_input_count(model))
        ]
        for k in range(lib.kiln_summary_layer_count(s)):
            layer = lib.kiln_summary_layer(s, k)
            rows.append(
                ["  " * layer.depth + (text(layer.name) or ""), text(layer.op) or "", text(layer.type) or "", f"{layer.trainable:,}", f"{layer.fixed:,}"]
            )
        rows[1:1] = inputs
        trainable, fixed = lib.kiln_summary_trainable(s), lib.kiln_summary_fixed(s)
    return [*table(rows), "", f"Total params: {trainable + fixed:,}", f"Trainable params: {trainable:,}", f"Non-trainable params: {fixed:,}"]
