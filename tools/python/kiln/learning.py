"""Training and measuring, with the calls of Keras."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import data as data_
from . import progress, values
from ._library import ffi, lib
from .callbacks import Callbacks, LearningRateScheduler, ReduceLROnPlateau
from .compiled import Compiled
from .data import Dataset
from .errors import BadArgument, call
from .history import History
from .interrupt import interruptible
from .trainer import Trainer
from .training import Fit

DEFAULT_BATCH = 32
GOLDEN = 0x9E3779B97F4A7C15  # odd: the seeds of trainings one after the other are all different


class Learning(Compiled):
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | str | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
        *,
        seed: int | None = None,
        normalize: str | None = None,
        augment: str | Mapping[str, Any] | None = None,
        checkpoint: str | os.PathLike | None = None,
        resume: str | os.PathLike | None = None,
    ) -> History:
        """Trains as Keras' fit does, and returns its History.

        x, y: arrays, or what has memory as arrays have (tensors of PyTorch), dicts or lists of such for several inputs or outputs. x alone: a data set that
        the library opens ("npz:train.npz", "folder:photos"; `kiln train --help` lists them), or batches (x, y) or (x, y, weights) from a generator, an
        iterator, a function that makes one, or what has items and a length. validation_data: (x, y), (x, y, weights), or one of those. Batches of a
        generator are steps where batch_size is None. class_weight may be "balanced". verbose: 1 is a bar, 2 a line for each epoch, 0 nothing, "auto" 1 in a
        terminal and 2 elsewhere. seed: of the order; the same one gives the same bytes (the model's; of the trainings after the first another each).
        normalize: "unit", "standardize" ... (`kiln train --help`), written into the model, and done by predict and evaluate from then on. augment: Keras'
        ImageDataGenerator's options. checkpoint: a file that holds all that is needed to go on with resume.

        Control-C raises KeyboardInterrupt, and the model has what was learned until then; so it has where a callback sets `stop_training`."""
        if x is None:
            raise BadArgument("x is None: there is nothing to be learned from")
        if validation_data is not None and validation_split:
            raise BadArgument("validation_data and validation_split exclude each other")
        if validation_batch_size not in (None, batch_size or DEFAULT_BATCH):
            raise BadArgument("validation_batch_size must be batch_size: results are the same for any, but where a model looks at other samples of a batch")
        with self._alone("fit"):
            weighed = spelled_weights(class_weight)
            train = self._train_set(x, y, sample_weight, normalize, class_weight=weighed)
            check = None
            if validation_split:
                train, check = train.split(validation_split)
            elif validation_data is not None:
                check = self._check_set(validation_data, train, normalize)
            if augment is not None:
                train = train.augmented(augment if isinstance(augment, str) else ",".join(f"{k}={spelled_option(v)}" for k, v in augment.items()))
            weighted = bool(train.about.weighted or (check and check.about.weighted))
            trainer = self._trainer_for(weighted=weighted, class_weight=weighed, data=train)
            trainer.look_at(train)
            params = {"verbose": progress.level(verbose), "epochs": epochs, "steps": steps_per_epoch}
            self.history = History(self, params)
            together = Callbacks(callbacks, self, params)
            fields = {
                "batch": batch_size or train.batch or trainer.batch or DEFAULT_BATCH,
                "epochs": epochs,
                "in_order": not shuffle or train.source is not None,
                "seed": (self.seed + GOLDEN * self._fits) % 2**64 if seed is None else seed,
                "initial_epoch": initial_epoch,
                "steps_per_epoch": steps_per_epoch or 0,
                "validation_freq": validation_freq if check else 0,
                "validation_steps": validation_steps or 0,
                "checkpoint": None if checkpoint is None else os.fsdecode(checkpoint),
                "resume": None if resume is None else os.fsdecode(resume),
            }
            fields = {k: v for k, v in (fields | together.fit_options()).items() if v is not None}
            rates = any(isinstance(c, (ReduceLROnPlateau, LearningRateScheduler)) for c in together.all)
            fit = Fit(self, trainer, self.history, together, progress.Progress(verbose, epochs), rates)
            self.stop_training, self._fitting = False, True
            self._fits += 1
            try:
                fit.run(train, check, self._context, fields)
            finally:
                self._fitting = False
                trainer.changes += 1  # moving averages, or the best of all epochs
            return self.history

    def _batch(self, x: Any, y: Any, weights: Any, class_weight: Any) -> tuple[Trainer, list[Any], list[Any], Any]:
        xs = data_.columns_of(x, [v.name for v in self._required], "x")
        ys = {name: data_.labels(a) for name, a in data_.columns_of(y, self._output_names, "y").items()}
        weighed = spelled_weights(class_weight)
        if not self._trainer or self._trainer.class_weight != weighed or (weights is not None and not self._trainer.weighted) or self._normalizes:
            data = self._open(x, y, weights)
            if self._normalizes:
                data = data.normalized_for(self._current())
            trainer = self._trainer_for(weighted=weights is not None, class_weight=weighed, data=data)
            if self._normalizes:
                return trainer, self._batch_of(data, len(next(iter(xs.values())))), trainer.label_tensors(ys), self._weight_tensor(weights)
        trainer = self._ready()
        return trainer, trainer.tensors(xs), trainer.label_tensors(ys), self._weight_tensor(weights)

    @staticmethod
    def _weight_tensor(weights: Any) -> Any:
        return None if weights is None else values.from_array(np.ascontiguousarray(weights, np.float32))

    def _batch_of(self, data: Dataset, count: int) -> list[Any]:
        room = ffi.new("kiln_tensor *[]", len(self._required))
        call(lib.kiln_dataset_batch, room, data.handle, self._current(), list(range(count)), count)
        return [ffi.gc(t, lib.kiln_tensor_free) for t in room]

    def train_on_batch(self, x: Any, y: Any, sample_weight: Any = None, class_weight: Mapping[int, float] | None = None, return_dict: bool = False) -> Any:
        """One step on one batch. The loss, or a list of it and what is measured, from before the update; a step measures loss and accuracy, other metrics
        are NaN."""
        with self._alone("train_on_batch"):
            trainer, xs, ys, w = self._batch(x, y, sample_weight, class_weight)
            return as_keras(trainer.step(xs, ys, w), return_dict)

    def test_on_batch(self, x: Any, y: Any, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """As evaluate, of one batch."""
        return self.evaluate(
            x,
            y,
            batch_size=len(next(iter(data_.columns_of(x, [v.name for v in self._required], "x").values()))),
            sample_weight=sample_weight,
            return_dict=return_dict,
            verbose=0,
        )

    def evaluate(
        self, x: Any = None, y: Any = None, batch_size: int | None = None, verbose: int | str = "auto", sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """The loss, or a list of it and the metrics, with return_dict by their names; x, y and sample_weight as fit takes them."""
        with self._turn:
            data = self._open(x, y, sample_weight, test=True)
            if self._normalizes:
                data = data.normalized_for(self._current())
            weighted = bool(data.about.weighted)
            if self._trainer and not self._fitting and (self._trainer.weighted or not weighted):
                trainer = self._trainer
            else:
                trainer = self._new_trainer(measure=True, data=data, weighted=weighted)
            with interruptible(self._context):
                logs = trainer.evaluate(data, batch_size or data.batch or trainer.batch or DEFAULT_BATCH)
            if progress.level(verbose):
                print(progress.numbers(logs).removeprefix(" - "))
            return as_keras(logs, return_dict)


def as_keras(logs: Mapping[str, float], return_dict: bool) -> Any:
    if return_dict:
        return dict(logs)
    return list(logs.values()) if len(logs) > 1 else next(iter(logs.values()))


def spelled_weights(class_weight: Mapping[Any, float] | str | None) -> str | None:
    return class_weight if class_weight is None or isinstance(class_weight, str) else ",".join(f"{k}={float(v)!r}" for k, v in class_weight.items())


def spelled_option(x: Any) -> str:
    return "/".join(str(v) for v in x) if isinstance(x, (list, tuple)) else str(int(x)) if isinstance(x, bool) else str(x)
