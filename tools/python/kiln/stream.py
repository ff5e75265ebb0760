"""Iterators and generators of batches as a data set of the library, which asks for samples when it needs them, on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from . import values
from ._library import Keep, ffi, here, lib, options
from .data import Dataset, columns_of, labels
from .errors import BadArgument, made
from .session import Value


def is_stream(x: Any) -> bool:
    """Something that gives batches: neither arrays nor what holds such."""
    if hasattr(x, "__array__") or hasattr(x, "__dlpack__") or isinstance(x, (str, bytes, Mapping, list, tuple, np.ndarray, memoryview)):
        return False
    return callable(x) or hasattr(x, "__iter__") or (hasattr(x, "__getitem__") and hasattr(x, "__len__"))


def passes_of(x: Any) -> Callable[[int], Iterator]:
    """What begins a pass: a function is called, what can be iterated over is, and what has items gives them by their numbers."""
    if callable(x) and not hasattr(x, "__iter__") and not hasattr(x, "__getitem__"):
        return lambda number: iter(x())
    if hasattr(x, "__getitem__") and hasattr(x, "__len__") and not hasattr(x, "__iter__"):

        def items(number: int) -> Iterator:
            if number and hasattr(x, "on_epoch_end"):
                x.on_epoch_end()
            return (x[k] for k in range(len(x)))

        return items

    def again(number: int) -> Iterator:
        it = iter(x)
        if number and it is x:
            raise BadArgument(
                "the iterator has come to its end, and a pass over the data begins again: give what can be iterated over twice, or a function that makes it, or say steps_per_epoch and let it never end"
            )
        return it

    return again


class Stream:
    """Batches are (x, y) or (x, y, weights), x and y as for arrays; the first tells names, types and shapes."""

    def __init__(self, x: Any, inputs: Sequence[Value], outputs: Sequence[str]) -> None:
        self._begin = passes_of(x)
        self._inputs, self._outputs = [v.name for v in inputs], outputs
        self._batches: Iterator = self._begin(0)
        self._fresh = True  # no sample of the pass is given yet
        self.raised: BaseException | None = None
        first = next(self._batches, None)
        if first is None:
            raise BadArgument("the data end before the first batch")
        self._take(first)
        self.x, self.y, self.weighted = self._x, self._y, self._w is not None
        self.batch = len(next(iter(self.x.values())))

    def _take(self, item: Any) -> None:
        if not isinstance(item, (tuple, list)) or len(item) not in (2, 3):
            raise BadArgument("a batch must be (x, y) or (x, y, weights)")
        self._x = columns_of(item[0], self._inputs, "x of a batch")
        self._y = {name: labels(a) for name, a in columns_of(item[1], self._outputs, "y of a batch").items()}
        self._w = None if len(item) == 2 or item[2] is None else np.ascontiguousarray(item[2], np.float32)
        self._at, self._count = 0, len(next(iter(self._x.values())))
        parts: list[tuple[str, Any]] = (
            [("x", a) for a in self._x.values()] + [("y", a) for a in self._y.values()] + ([] if self._w is None else [("weights", self._w)])
        )
        for title, a in parts:
            if len(a) != self._count:
                raise BadArgument(f"{title} of a batch has {len(a)} samples, x {self._count}")

    def open(self, classes: Callable[[str | None], int], fields: Mapping[str, Any]) -> Dataset:
        """classes: how many the labels for an output tell apart, 0 where they are numbers."""
        keep = Keep()
        self._types = [a.dtype for a in self.x.values()], [np.dtype(np.int64 if classes(name) else np.float32) for name in self.y]
        self._shapes = [a.shape[1:] for a in self.x.values()], [a.shape[1:] for a in self.y.values()]
        infos = []
        for k, columns in enumerate((self.x, self.y)):
            for name, dtype, shape in zip(columns, self._types[k], self._shapes[k]):
                number = values.FROM_NUMPY.get(dtype)
                if number is None:
                    raise BadArgument(f"ONNX has no type for arrays of {dtype}")
                infos.append(
                    {"name": keep.text(name), "dtype": number, "rank": len(shape), "dims": keep("int64_t[]", list(shape)), "classes": classes(name) if k else 0}
                )
        stream = options("kiln_stream", input_count=len(self.x), target_count=len(self.y), weighted=self.weighted)
        stream.inputs, stream.targets = keep("kiln_column_info[]", infos[: len(self.x)]), keep("kiln_column_info[]", infos[len(self.x) :])
        stream.start, stream.next, stream.user = lib.kiln_python_start, lib.kiln_python_next, keep_handle(keep, self)
        opened = options("kiln_data_options", **fields)
        data = Dataset(made(lib.kiln_dataset_stream, "kiln_dataset **", lib.kiln_dataset_free, stream, opened), keep, self.batch)
        data.source = self
        return data

    # -- what the library calls, on a thread of its own --

    def start(self, number: int, error: Any) -> bool:
        try:
            if not self._fresh:
                self._batches = self._begin(number)
                self._count = self._at = 0
            self._fresh = True
            return True
        except BaseException as e:
            return self._fail(e, error) == 0

    def next(self, most: int, inputs: Any, targets: Any, weights: Any, error: Any) -> int:
        try:
            self._fresh = False
            while self._at == self._count:
                item = next(self._batches, None)
                if item is None:
                    return 0
                self._take(item)
            n = min(most, self._count - self._at)
            for k, (to, columns) in enumerate(((inputs, self._x), (targets, self._y))):
                for place, (a, dtype, shape) in enumerate(zip(columns.values(), self._types[k], self._shapes[k])):
                    if a.shape[1:] != shape:
                        raise BadArgument(f"samples of a batch have the shape {a.shape[1:]}, those of the first {shape}")
                    copy(to[place], a[self._at : self._at + n], dtype)
            if weights:
                copy(weights, self._w[self._at : self._at + n] if self._w is not None else np.ones(n, np.float32), np.dtype(np.float32))
            self._at += n
            return n
        except BaseException as e:
            return self._fail(e, error)

    def _fail(self, e: BaseException, error: Any) -> int:
        self.raised, here.raised = e, None
        message = f"{type(e).__name__}: {e}".encode(errors="replace")[:500]
        error.message = message
        return -1


def keep_handle(keep: Keep, what: Any) -> Any:
    keep.append(ffi.new_handle(what))
    return keep[-1]


def copy(to: Any, rows: np.ndarray, dtype: np.dtype) -> None:
    rows = np.ascontiguousarray(rows, dtype)
    if rows.size:
        ffi.memmove(to, ffi.from_buffer(rows.reshape(-1).view(np.uint8)), rows.nbytes)


def sources(data: Iterable[Dataset | None]) -> list[Stream]:
    return [d.source for d in data if d is not None and d.source is not None]
