"""A call of Model.fit on its way: what the library calls after each step and epoch, and what that calls of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._library import Keep, ffi, lib, options
from .callbacks import Callbacks
from .data import Dataset
from .errors import Stopped, call
from .history import History
from .interrupt import interruptible
from .progress import Progress
from .trainer import Trainer


class Fit:
    def __init__(self, model: Any, trainer: Trainer, history: History, callbacks: Callbacks, progress: Progress, rates: bool) -> None:
        self.model, self.trainer, self.history, self.callbacks, self.progress = model, trainer, history, callbacks, progress
        self.rates = rates  # the learning rate is a part of the logs
        self.stopped = False  # by a callback
        self.batch = 0  # of the epoch
        self.logs: dict[str, float] = {}

    # -- what the library calls --

    def begin(self, epoch: int) -> bool:
        self.batch = 0
        self.progress.begin(epoch)
        self.callbacks("on_epoch_begin", epoch - 1, {})
        return self.go_on()

    def step(self, step: Any) -> bool:
        self.progress.step()
        due = self.progress.due
        if due or self.callbacks.batches:
            logs = self.trainer.told(step.so_far)
            if due:
                self.progress.show(step.done, step.of, logs)
            for function in self.callbacks.batches:
                function(self.batch, logs)
        self.batch += 1
        return self.go_on()

    def epoch(self, epoch: Any) -> bool:
        logs = self.trainer.told(epoch.train)
        if self.validates(epoch):
            logs |= self.trainer.told(epoch.validation, "val_")
        if self.rates:
            logs["learning_rate"] = epoch.learning_rate
        self.progress.end(logs, epoch.seconds)
        self.model.epoch_is_best = epoch.best
        self.logs = logs
        self.history.add(epoch.number - 1, logs)
        self.callbacks("on_epoch_end", epoch.number - 1, logs)
        return self.go_on()

    def validates(self, epoch: Any) -> bool:
        """The loss is a number, or none, where it was measured."""
        return self.checked and epoch.number % self.every == 0

    def go_on(self) -> bool:
        self.stopped = self.model.stop_training
        return not self.stopped

    # -- all of it --

    def run(self, data: Dataset, check: Dataset | None, context: Any, fields: Mapping[str, Any]) -> None:
        """`fields` are of kiln_fit_options."""
        keep = Keep()
        self.checked, self.every = check is not None, fields.get("validation_freq") or 1
        wanted = options("kiln_fit_options", begin=lib.kiln_python_begin, step=lib.kiln_python_step, epoch=lib.kiln_python_epoch)
        for name, x in fields.items():
            setattr(wanted, name, keep.text(x) if isinstance(x, str) else x)
        handle = ffi.new_handle(self)
        wanted.user = handle
        if check is not None:
            wanted.validation = check.handle
        self.callbacks("on_train_begin", {})
        try:
            with interruptible(context):
                call(lib.kiln_trainer_fit, self.trainer.handle, data.handle, wanted, ffi.NULL)
        except Stopped:
            self.finish()
            if not self.stopped:
                raise
        except KeyboardInterrupt:
            self.finish()
            raise
        except Exception as e:
            raised = [s.raised for s in (data.source, check.source if check else None) if s is not None and s.raised is not None]
            if raised:  # the library tells of it in its own words, and here is what it was
                raise raised[0] from e
            raise
        finally:
            self.callbacks("on_train_end", self.logs)

    def finish(self) -> None:
        """The training has ended before its end: what was learned is kept."""
        self.progress.stop()
        call(lib.kiln_trainer_finalize, self.trainer.handle)
