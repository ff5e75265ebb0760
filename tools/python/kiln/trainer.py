"""A model that learns: a kiln_trainer with its names."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import values
from ._library import Keep, encode, ffi, here, lib, options, text
from .data import Dataset
from .errors import BadArgument, call, made
from .session import Value, value
from .settings import Settings


class Trainer:
    """Of a kiln_model, which may go afterwards. What batches are is told by `data`, or by `values` (labels are numbers) and `sample` (a batch of its input)."""

    def __init__(
        self,
        model: Any,
        context: Any,
        settings: Settings,
        outputs: Sequence[str],
        *,
        seed: int,
        seconds: float,
        data: Dataset | None = None,
        values_: bool = False,
        sample: np.ndarray | None = None,
        weighted: bool = False,
        class_weight: str | None = None,
        measure: bool = False,
    ) -> None:
        keep = Keep()
        fields = settings.c_options(outputs, keep, measure)
        measure = measure and not fields["regularizer_count"]  # which are a part of the loss
        wanted = options("kiln_trainer_options", context=context, seed=seed, seconds=seconds, measure=measure, remember=not measure, weighted=weighted)
        for name, x in fields.items():
            setattr(wanted, name, x)
        wanted.class_weight = keep.text(class_weight)
        if data is not None:
            wanted.data = data.handle
        else:
            wanted.values = values_
            tensor = None if sample is None else values.from_array(sample)
            wanted.sample = tensor or ffi.NULL
        self.handle = made(lib.kiln_trainer_new, "kiln_trainer **", lib.kiln_trainer_free, model, wanted)
        self.weighted, self.class_weight = weighted, class_weight
        self.names = [text(lib.kiln_trainer_measure_name(self.handle, k)) or "" for k in range(lib.kiln_trainer_measure_count(self.handle))]
        self.settings = settings
        self.shown = settings.shown(self.names)
        self.changes = 0  # of values that were put there

    # -- what it is --

    @property
    def version(self) -> tuple[int, int]:
        """Another one whenever what it has learned is another."""
        return lib.kiln_trainer_steps(self.handle), self.changes

    @property
    def batch(self) -> int:
        """The only number of samples that it takes, 0: any."""
        return lib.kiln_trainer_batch(self.handle)

    def inputs(self) -> list[Value]:
        return [value(lib.kiln_trainer_input(self.handle, k)) for k in range(lib.kiln_trainer_input_count(self.handle))]

    def labels(self) -> list[Any]:
        return [lib.kiln_trainer_labels(self.handle, k) for k in range(lib.kiln_trainer_target_count(self.handle))]

    def classes(self, output: str | None) -> int:
        """That labels of an output tell apart, of the first one where it is None."""
        names = [text(info.name) for info in self.labels()]
        return lib.kiln_trainer_classes(self.handle, names.index(output) if output in names else 0)

    def losses(self) -> list[str]:
        return [text(lib.kiln_trainer_loss(self.handle, k)) or "" for k in range(lib.kiln_trainer_target_count(self.handle))]

    def parameters(self) -> list[Any]:
        return [lib.kiln_trainer_parameter(self.handle, k) for k in range(lib.kiln_trainer_parameter_count(self.handle))]

    @property
    def learning_rate(self) -> float:
        return lib.kiln_trainer_learning_rate(self.handle)

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        call(lib.kiln_trainer_set_learning_rate, self.handle, rate)

    # -- values --

    def get(self, name: str) -> np.ndarray:
        return values.to_array(values.owned(lib.kiln_trainer_get, self.handle, encode(name), ffi.NULL))

    def set(self, name: str, array: np.ndarray) -> None:
        call(lib.kiln_trainer_set, self.handle, encode(name), ffi.NULL, values.from_array(array))
        self.changes += 1

    def export(self) -> Any:
        return made(lib.kiln_trainer_export, "kiln_model **", lib.kiln_model_free, self.handle)

    def save(self, path: str | os.PathLike) -> None:
        call(lib.kiln_trainer_save, self.handle, os.fsencode(path), lib.KILN_FORM_BY_NAME)

    def take_state(self, other: Trainer) -> None:
        """What the other's optimiser keeps, and its steps, of the same model and optimiser."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.fsencode(os.path.join(folder, "state.npz"))
            rate = other.learning_rate
            call(lib.kiln_trainer_save_state, other.handle, path)
            error = ffi.new("kiln_error *")
            status = lib.kiln_trainer_load_state(self.handle, path, error)
        here.told = None  # that weights of classes or samples are others now is what was asked for
        if status != lib.KILN_OK:
            raise BadArgument(text(error.message))
        if self.learning_rate != rate:
            self.learning_rate = rate

    # -- batches --

    def tensors(self, x: Mapping[str | None, np.ndarray]) -> list[Any]:
        """Of its inputs, in their order and of their types."""
        made_ = []
        for v in self.inputs():
            a = x[v.name] if v.name in x else x[None] if None in x and len(x) == 1 else None
            if a is None:
                raise BadArgument(f"there is nothing for input '{v.name}'")
            made_.append(values.from_array(np.asarray(a, values.TO_NUMPY.get(v.dtype))))
        return made_

    def label_tensors(self, y: Mapping[str | None, np.ndarray]) -> list[Any]:
        made_ = []
        for info in self.labels():
            name = text(info.name)
            a = y[name] if name in y else y[None] if None in y else None
            if a is None:
                raise BadArgument(f"there is nothing that output '{name}' is to learn")
            dims = ffi.unpack(info.dims, info.rank) if info.rank > 0 else []
            a = np.asarray(a, values.TO_NUMPY.get(info.dtype))
            if info.rank > 0 and a.ndim != info.rank and len(a) and all(d > 0 for d in dims[1:]):
                a = a.reshape(len(a), *dims[1:]) if a.size == len(a) * int(np.prod(dims[1:])) else a
            made_.append(values.from_array(a))
        return made_

    def step(self, x: list[Any], y: list[Any], weights: Any = None) -> dict[str, float]:
        """Loss and accuracy, from before the update."""
        score = ffi.new("kiln_score *")
        xs, ys = ffi.new("kiln_tensor *[]", x), ffi.new("kiln_tensor *[]", y)
        if self.weighted:
            call(lib.kiln_trainer_step_weighted, self.handle, True, xs, ys, weights or ffi.NULL, score)
        else:
            call(lib.kiln_trainer_step_all, self.handle, xs, ys, score)
        got = {"loss": score.loss}
        if len(y) > 1:
            for k, info in enumerate(self.labels()):
                lib.kiln_trainer_target_score(self.handle, k, score)
                got[f"{text(info.name)}_loss"] = score.loss
                got[f"{text(info.name)}_accuracy"] = score.correct / max(score.rows, 1)
        else:
            got["accuracy"] = score.correct / max(score.rows, 1)
        return {name: got.get(name, float("nan")) for name in self.shown}

    def evaluate(self, data: Dataset, batch: int) -> dict[str, float]:
        self.look_at(data)
        numbers = ffi.new("double[]", len(self.names))
        call(lib.kiln_trainer_evaluate, self.handle, data.handle, batch, numbers)
        return self.told(numbers)

    def look_at(self, data: Dataset) -> None:
        """What says nothing of these data is not shown."""
        told = [name for k, name in enumerate(self.names) if lib.kiln_trainer_measures(self.handle, data.handle, k)]
        self.shown = self.settings.shown(told)

    def told(self, numbers: Any, prefix: str = "") -> dict[str, float]:
        """Measures by their names."""
        return {prefix + name: x for name, x in zip(self.names, ffi.unpack(numbers, len(self.names))) if name in self.shown}
