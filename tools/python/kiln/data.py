"""Data sets: arrays, the library's own formats by their specs, iterators and generators, as one thing that fit and evaluate take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import values
from ._library import Keep, encode, ffi, lib, options, text
from .errors import BadArgument, made
from .session import Value


class Dataset:
    """A kiln_dataset, and what must stay as long as it does. `batch` is the number of samples in a step that the data ask for, 0 where they do not."""

    def __init__(self, handle: Any, keep: Any = None, batch: int = 0) -> None:
        self.handle, self.keep, self.batch = handle, keep, batch
        self.source: Any = None  # a Stream

    @property
    def about(self) -> Any:
        return lib.kiln_dataset_about(self.handle)

    def _made(self, function: Any, *arguments: Any) -> Dataset:
        other = Dataset(made(function, "kiln_dataset **", lib.kiln_dataset_free, *arguments), (self.handle, self.keep), self.batch)
        other.source = self.source
        return other

    def normalized(self, kind: str, fitted: Dataset | None = None) -> Dataset:
        return self._made(lib.kiln_dataset_normalize, self.handle, encode(kind), fitted.handle if fitted else ffi.NULL)

    def normalized_for(self, model: Any) -> Dataset:
        """As the model was trained."""
        return self._made(lib.kiln_dataset_normalize_for, self.handle, model)

    def augmented(self, keys: str) -> Dataset:
        return self._made(lib.kiln_dataset_augment, self.handle, encode(keys))

    def split(self, fraction: float) -> tuple[Dataset, Dataset]:
        """The last part validates."""
        parts = ffi.new("kiln_dataset *[2]")
        train = self._made(lambda out, *rest: lib.kiln_dataset_split(out, parts + 1, *rest), self.handle, fraction)
        check = Dataset(ffi.gc(parts[1], lib.kiln_dataset_free), train.keep, self.batch)
        return train, check

    def arrays(self) -> list[np.ndarray]:
        """What is in the file: inputs, then what is to be predicted."""
        about = self.about
        columns = [(False, k) for k in range(about.inputs)] + [(True, k) for k in range(0 if about.unlabelled else about.targets)]
        return [np.stack([values.to_array(self._sample(target, k, i)) for i in range(about.count)]) for target, k in columns]

    def _sample(self, target: bool, k: int, i: int) -> Any:
        return values.owned(lib.kiln_dataset_sample, self.handle, target, k, i)


def load_data(spec: str, limit: int = 0) -> tuple[np.ndarray, ...]:
    """The arrays of a data set that the library opens: `load_data("fashion-mnist:train")` is (x, y). `kiln train --help` lists the formats."""
    opened = options("kiln_data_options", limit=limit, unlabelled=True)
    return tuple(Dataset(made(lib.kiln_dataset_open, "kiln_dataset **", lib.kiln_dataset_free, encode(spec), opened)).arrays())


# -- columns --


def columns_of(x: Any, names: Sequence[str], title: str) -> dict[str | None, np.ndarray]:
    """Arrays by the names of inputs or outputs: a dict, a list in their order, or one array, whose name is None where there is no choice."""
    if isinstance(x, Mapping):
        unknown = [name for name in x if name not in names]
        if unknown:
            raise BadArgument(f"{title}: there is no '{unknown[0]}' in the model, but {', '.join(names)}")
        found = {name: values.as_array(a) for name, a in x.items()}
    elif isinstance(x, (list, tuple)) and x and all(hasattr(a, "shape") for a in x) and len(names) > 1:
        if len(x) > len(names):
            raise BadArgument(f"{title}: {len(x)} arrays are given, the model has {', '.join(names)}")
        found = {name: values.as_array(a) for name, a in zip(names, x)}
    else:
        found = {None: values.as_array(x)}
    for name, a in found.items():
        if a.ndim == 0 or a.dtype.kind in "OSUT":
            raise BadArgument(f"{title}{f' {name!r}' if name else ''} is {a.dtype} with {a.ndim} dimensions, must be numbers with a dimension for the samples")
    return found


def labels(y: np.ndarray) -> np.ndarray:
    """Keras takes class numbers as [N, 1], too."""
    return y.reshape(-1) if y.dtype.kind in "iub" and y.ndim == 2 and y.shape[1] == 1 else y


def have_values(targets: Sequence[np.ndarray], loss_known: bool) -> bool:
    """Where no loss tells whether labels are classes: rows of floats are numbers."""
    return not loss_known and any(y.dtype.kind == "f" and y.ndim > 1 for y in targets)


def c_columns(columns: Mapping[str | None, np.ndarray], keep: Keep) -> Any:
    tensors = [values.from_array(a) for a in columns.values()]
    keep.extend(tensors)
    return keep("kiln_column[]", [{"name": keep.text(name), "tensor": tensor} for name, tensor in zip(columns, tensors)])


def of_arrays(x: Any, y: Any, weights: Any, inputs: Sequence[Value], outputs: Sequence[str], fields: Mapping[str, Any], loss_known: bool) -> Dataset:
    """`fields` are of kiln_data_options. The memory of x is not copied where its layout is C's."""
    keep = Keep()
    given = columns_of(x, [v.name for v in inputs], "x")
    wanted = {name: labels(a) for name, a in columns_of(y, outputs, "y").items()}
    opened = options("kiln_data_options", **fields, borrow=True, values=have_values(list(wanted.values()), loss_known))
    if weights is not None:
        opened.weights = weight = values.from_array(np.ascontiguousarray(weights, np.float32))
        keep.append(weight)
    x_columns, y_columns = c_columns(given, keep), c_columns(wanted, keep)
    handle = made(lib.kiln_dataset_new_of, "kiln_dataset **", lib.kiln_dataset_free, x_columns, len(given), y_columns, len(wanted), opened)
    return Dataset(handle, keep)


def of_samples(x: Any, inputs: Sequence[Value], fields: Mapping[str, Any]) -> Dataset:
    """Without labels."""
    names = [v.name for v in inputs]
    given = columns_of(x, names, "x")
    return of_arrays(given if None not in given else x, np.zeros(len(next(iter(given.values()))), np.int64), None, inputs, [], fields, True)


def of_spec(spec: str, fields: Mapping[str, Any]) -> Dataset:
    return Dataset(made(lib.kiln_dataset_open, "kiln_dataset **", lib.kiln_dataset_free, encode(spec), options("kiln_data_options", **fields)))


def class_names(data: Dataset) -> list[str] | None:
    column = lib.kiln_dataset_target(data.handle, 0)
    return [text(column.class_names[k]) or "" for k in range(column.classes)] if column.class_names else None
