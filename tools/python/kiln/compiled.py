"""How a Model learns: what compile and freeze say of it, its trainer, and what may be given to it as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import data as data_
from . import values
from ._library import Keep, lib, options
from .base import Base
from .data import Dataset
from .errors import BadArgument, made
from .settings import Choice, Settings
from .stream import Stream, is_stream
from .trainer import Trainer


class Compiled(Base):
    def compile(
        self,
        optimizer: Choice = "rmsprop",
        loss: Choice | Mapping[str, Choice | None] | Sequence[Choice | None] | None = None,
        loss_weights: Mapping[str, float] | Sequence[float] | None = None,
        metrics: Choice | Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        schedule: Choice | None = None,
        regularizers: Mapping[str, Choice] | None = None,
        activity_regularizers: Mapping[str, Choice] | None = None,
        rate_factors: Mapping[str, float] | None = None,
        exclude_from_weight_decay: Sequence[str] = (),
        class_axis: int = 0,
        exact: bool = False,
        recompute: bool = False,
        bptt: int = 0,
        untie: bool = False,
    ) -> None:
        """How it learns from here on; what it has learned stays, what the optimiser kept does not.

        optimizer, loss, metrics: Keras' names, with options behind a colon ("sgd:learning_rate=0.1"), or kiln.optimizers.SGD(0.1). loss, metrics and
        loss_weights may be dicts by the outputs' names, or lists. loss None: by what each output is. The learning rate may be one of kiln.schedules.
        regularizers, activity_regularizers and rate_factors are dicts by shell patterns of parameters, or of nodes. class_axis: the dimension of outputs
        that holds the classes, 0: as the output or the labels tell. exact: only ways that round as a plain sum does. recompute: memory for time. bptt:
        gradients go back through so many steps of a recurrence. untie: an initializer that several nodes read becomes one for each. run_eagerly,
        steps_per_execution and jit_compile are taken, and change nothing."""
        named = {name: x for name, x in locals().items() if name not in ("self", "run_eagerly", "steps_per_execution", "jit_compile")}
        with self._alone("compile"):
            before = self._settings
            self._settings = Settings(**named, default=False, freeze=before.freeze, train=before.train)
            self._begin_anew()

    def _begin_anew(self) -> None:
        self._set_model(self._current())

    def freeze(self, *patterns: str) -> None:
        """Parameters that keep their values, by shell patterns of their names or those of the nodes that read them."""
        with self._alone("freeze"):
            self._settings.freeze += [p for p in patterns if p not in self._settings.freeze]
            self._begin_anew()

    def unfreeze(self, *patterns: str) -> None:
        """What freeze was given trains again. Without a pattern all that can, also what the file says is frozen."""
        with self._alone("unfreeze"):
            unknown = [p for p in patterns if p not in self._settings.freeze]
            if unknown:
                raise BadArgument(f"'{unknown[0]}' was not frozen; {', '.join(self._settings.freeze) or 'nothing'} was")
            self._settings.freeze = [p for p in self._settings.freeze if patterns and p not in patterns]
            self._settings.train = self._settings.train if patterns else ["*"]
            self._begin_anew()

    def _new_trainer(self, **named: Any) -> Trainer:
        return Trainer(self._current(), self._context, self._settings, self._output_names, seed=self.seed, seconds=self.seconds, **named)

    def _trainer_for(self, *, weighted: bool = False, class_weight: str | None = None, **named: Any) -> Trainer:
        """The trainer, which is made where there is none, and made again, with its state, where weights are new to it."""
        now = self._trainer
        if now and (now.weighted or not weighted) and now.class_weight == class_weight:
            return now
        fresh = self._new_trainer(weighted=weighted or bool(now and now.weighted), class_weight=class_weight, **named)
        if now:
            fresh.take_state(now)
        self._trainer, self._seen = fresh, fresh.version
        return fresh

    @property
    def learning_rate(self) -> float:
        """Of the next step. It can be set once there is a training: after the first batch, or from a callback."""
        return self._ready().learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._ready().learning_rate = rate

    def _ready(self) -> Trainer:
        if not self._trainer:
            raise BadArgument("there is no training yet: fit or train_on_batch begins one; compile(optimizer=...) says with which learning rate")
        return self._trainer

    # -- data --

    def _fields(self, *, test: bool = False, like: Dataset | None = None) -> dict[str, Any]:
        """Of kiln_data_options; what they point to stays with `_keep`."""
        keep = self._keep = Keep()
        targets, count = self._settings.c_targets(self._output_names, keep)
        fields = {
            "context": self._context,
            "model": self._current(),
            "loss": keep.text(self._settings.common_loss()),
            "targets": targets,
            "target_count": count,
            "seconds": self.seconds,
        }
        fields["part"] = lib.KILN_PART_TEST if test else lib.KILN_PART_TRAIN
        return fields | ({"as": like.handle} if like else {})

    @property
    def _loss_known(self) -> bool:
        return self._settings.loss is not None or any(key.startswith("kiln.loss.") for key in self.metadata)

    def _open(self, x: Any, y: Any, weights: Any, *, test: bool = False, like: Dataset | None = None, **named: Any) -> Dataset:
        """A data set of whatever x is; a stream makes the trainer on its way, which knows classes from numbers."""
        fields = self._fields(test=test, like=like)
        if isinstance(x, str) or is_stream(x):
            if y is not None or weights is not None:
                raise BadArgument("x has what is to be predicted, and weights, itself: y and sample_weight must be None")
        elif y is None:
            raise BadArgument("y is None: there is nothing to be predicted")
        if isinstance(x, str):
            return data_.of_spec(x, fields)
        if not is_stream(x):
            return data_.of_arrays(x, y, weights, self._required, self._output_names, fields, self._loss_known)
        stream = Stream(x, self._required, self._output_names)
        sample = next(iter(stream.x.values())) if len(stream.x) == 1 else None
        numbers = data_.have_values(list(stream.y.values()), self._loss_known) or not all(a.dtype.kind in "iub" for a in stream.y.values())
        making: dict[str, Any] = {"values_": numbers, "sample": self._cast(sample)}
        trainer = self._new_trainer(measure=True, **making) if test else self._trainer_for(weighted=stream.weighted, **named, **making)
        return stream.open(trainer.classes, fields)

    def _cast(self, x: np.ndarray | None) -> np.ndarray | None:
        return None if x is None else np.asarray(x, values.TO_NUMPY.get(self._required[0].dtype))

    def _tell(self, data: Dataset, always: bool) -> None:
        """What the data say of the model becomes a part of it: names of classes, the normalisation."""
        if always or data_.class_names(data):
            self._set_model(made(lib.kiln_model_edit, "kiln_model **", lib.kiln_model_free, self._current(), options("kiln_edit_options", data=data.handle)))

    def _train_set(self, x: Any, y: Any, weights: Any, normalize: str | None, **named: Any) -> Dataset:
        data = self._open(x, y, weights, **named)
        if normalize is not None and self._trainer and self._trainer.version != (0, 0):
            raise BadArgument("normalize belongs to the first training: the model has learned from samples as they were")
        if normalize is not None:
            self._trainer = None
            data = data.normalized(normalize)
        elif self._normalizes:
            data = data.normalized_for(self._current())
        if not self._trainer:
            self._tell(data, normalize is not None)
        return data

    def _check_set(self, given: Any, train: Dataset, normalize: str | None) -> Dataset:
        x, y, w = (*given, None)[:3] if isinstance(given, (tuple, list)) and len(given) in (2, 3) else (given, None, None)
        check = self._open(x, y, w, test=True, like=train)
        if normalize is not None:
            return check.normalized(normalize, train)
        return check.normalized_for(self._current()) if self._normalizes else check
