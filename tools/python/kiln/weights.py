"""A model's weights by their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import values
from ._library import Keep, lib, options
from .errors import BadArgument, made

if TYPE_CHECKING:
    from .base import Base


def with_initializers(model: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Another kiln_model, in which they have these values."""
    keep = Keep()
    tensors = [values.from_array(a) for a in arrays.values()]
    edit = options("kiln_edit_options", initializer_count=len(tensors))
    edit.initializer_names = keep.texts(arrays)
    edit.initializers = keep("kiln_tensor *[]", tensors)
    return made(lib.kiln_model_edit, "kiln_model **", lib.kiln_model_free, model, edit)


class Weights(Mapping):
    """What trains, and running statistics, by the names of the file. Reading gives a copy, in the file's type; `weights[name] = array` puts another value of
    the same shape in its place. `roles` tells which train: "trainable", "statistic" or "frozen"."""

    def __init__(self, model: Base) -> None:
        self._model = model

    @property
    def roles(self) -> dict[str, str]:
        return self._model._roles()

    def __iter__(self) -> Iterator[str]:
        return iter(self.roles)

    def __len__(self) -> int:
        return len(self.roles)

    def __contains__(self, name: object) -> bool:
        return name in self.roles

    def __getitem__(self, name: str) -> np.ndarray:
        return self._model._get_weight(name)

    def __setitem__(self, name: str, array: Any) -> None:
        self.update({name: array})

    def update(self, arrays: Mapping[str, Any]) -> None:
        """Several at once, all or none."""
        fitting = {}
        for name, array in arrays.items():
            now = self[name]
            array = np.asarray(values.as_array(array))
            if array.shape != now.shape:
                raise BadArgument(f"'{name}' has the shape {now.shape}, the value for it {array.shape}")
            fitting[name] = np.ascontiguousarray(array, now.dtype)
        self._model._set_weights(fitting)

    def __repr__(self) -> str:
        return f"<weights of {len(self)} names>"
