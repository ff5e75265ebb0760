"""What a training calls on its way, with Keras' names. Any object with some of these methods will do; a Callback has all of them."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from typing import Any, TextIO

from .errors import BadArgument

Logs = dict[str, float]


class Callback:
    """`model` and `params` are set before the training begins. Epochs and batches count from 0. Setting `model.stop_training` ends the training: behind an
    epoch, or at once from on_train_batch_end."""

    model: Any = None
    params: dict[str, Any] = {}

    def set_model(self, model: Any) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None: ...

    def on_train_end(self, logs: Logs | None = None) -> None: ...

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None: ...

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None: ...

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...

    def fit_options(self) -> dict[str, Any]:
        """Fields of the library's kiln_fit_options: what it does itself."""
        return {}


def check_mode(mode: str, monitor: str) -> None:
    """The library knows whether less is better; saying so is no mistake, the opposite is."""
    less = any(word in monitor for word in ("loss", "error", "mse", "mae", "divergence", "crossentropy", "hinge", "poisson"))
    if mode not in ("auto", "min" if less else "max"):
        raise BadArgument(f"mode is '{mode}', of {monitor} it is '{'min' if less else 'max'}'")


class EarlyStopping(Callback):
    """Ends the training where `monitor` has not improved by more than min_delta for `patience` epochs; with restore_best_weights the model becomes what it
    was when that was best, in any case."""

    def __init__(
        self, monitor: str = "val_loss", min_delta: float = 0, patience: int = 0, verbose: int = 0, mode: str = "auto", restore_best_weights: bool = False
    ) -> None:
        check_mode(mode, monitor)
        self.monitor, self.min_delta, self.patience, self.verbose = monitor, abs(min_delta), patience, verbose
        self.restore_best_weights = restore_best_weights
        self.stopped_epoch = 0

    def fit_options(self) -> dict[str, Any]:
        wanted: dict[str, Any] = {"early_stop": self.monitor, "patience": self.patience, "min_delta": self.min_delta}
        return wanted | ({"restore_best": self.monitor} if self.restore_best_weights else {})

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._last, self.stopped_epoch = -1, 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._last = epoch

    def on_train_end(self, logs: Logs | None = None) -> None:
        if 0 <= self._last < self.params.get("epochs", 0) - 1 and not self.model.stop_training:
            self.stopped_epoch = self._last
            if self.verbose:
                print(f"Epoch {self._last + 1}: early stopping")


class ReduceLROnPlateau(Callback):
    """A lower learning rate where `monitor` no longer improves."""

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        check_mode(mode, monitor)
        self.monitor, self.verbose = monitor, verbose
        self._rate = 0.0
        self._options = {"factor": factor, "patience": patience, "min_delta": min_delta, "cooldown": cooldown, "min_lr": min_lr}

    def fit_options(self) -> dict[str, Any]:
        return {"reduce_on_plateau": f"{self.monitor}:" + ",".join(f"{key}={x!r}" for key, x in self._options.items())}

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        rate = self.model.learning_rate
        if self.verbose and epoch and rate < self._rate:
            print(f"Epoch {epoch}: the learning rate is now {rate:.4g}")
        self._rate = rate


class LearningRateScheduler(Callback):
    """The learning rate of each epoch: `schedule(epoch, rate)`, from 0 on, is given the one before."""

    def __init__(self, schedule: Callable[[int, float], float], verbose: int = 0) -> None:
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.model.learning_rate = float(self.schedule(epoch, self.model.learning_rate))
        if self.verbose:
            print(f"Epoch {epoch + 1}: the learning rate is {self.model.learning_rate:.4g}")


class ModelCheckpoint(Callback):
    """Saves the model as ONNX after each epoch, or after each `save_freq` batches; with save_best_only where `monitor` is the best so far. The path may have
    the epoch and measures in it: "{epoch:02d}-{val_loss:.2f}.onnx"."""

    def __init__(
        self,
        filepath: str | os.PathLike,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
    ) -> None:
        check_mode(mode, monitor)
        if save_best_only and save_freq != "epoch":
            raise BadArgument("what is best is known after an epoch: save_best_only needs save_freq='epoch'")
        self.filepath, self.monitor, self.verbose, self.save_best_only, self.save_freq = os.fspath(filepath), monitor, verbose, save_best_only, save_freq
        self._batches = 0

    def fit_options(self) -> dict[str, Any]:
        return {"best": self.monitor} if self.save_best_only else {}

    def _save(self, epoch: int, logs: Logs) -> None:
        path = self.filepath.format(epoch=epoch + 1, **logs)
        self.model.save(path)
        if self.verbose:
            print(f"Epoch {epoch + 1}: saved {path}")

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch" and (not self.save_best_only or self.model.epoch_is_best):
            self._save(epoch, logs or {})

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if self.save_freq != "epoch" and self._batches % int(self.save_freq) == 0:
            self._save(self._epoch, logs or {})


class CSVLogger(Callback):
    """A row for each epoch."""

    def __init__(self, filename: str | os.PathLike, separator: str = ",", append: bool = False) -> None:
        self.filename, self.separator, self.append = os.fspath(filename), separator, append
        self._file: TextIO | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._headed = self.append and os.path.exists(self.filename) and os.path.getsize(self.filename) > 0
        self._file = open(self.filename, "a" if self.append else "w", newline="")
        self._writer = csv.writer(self._file, delimiter=self.separator)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        if not self._headed:
            self._writer.writerow(["epoch", *logs])
            self._headed = True
        self._writer.writerow([epoch, *logs.values()])
        if self._file:
            self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._file:
            self._file.close()
            self._file = None


class Callbacks:
    """All of a training's, called one after the other."""

    def __init__(self, given: Any, model: Any, params: dict[str, Any]) -> None:
        self.all = list(given) if isinstance(given, (list, tuple)) else [] if given is None else [given]
        for c in self.all:
            for setter, x in (("set_model", model), ("set_params", params)):
                if hasattr(c, setter):
                    getattr(c, setter)(x)
        self.batches = [c.on_train_batch_end for c in self.all if changed(c, "on_train_batch_end")]

    def fit_options(self) -> dict[str, Any]:
        wanted: dict[str, Any] = {}
        for c in self.all:
            for name, x in (c.fit_options() if isinstance(c, Callback) else {}).items():
                if wanted.setdefault(name, x) != x:
                    raise BadArgument(f"callbacks want {name} to be {wanted[name]!r} and {x!r}: the library has one of them in a training")
        return wanted

    def __call__(self, name: str, *arguments: Any) -> None:
        for c in self.all:
            method = getattr(c, name, None)
            if method is not None:
                method(*arguments)


def changed(c: Any, name: str) -> bool:
    """Is it more than the method of a base class that does nothing?"""
    method = getattr(c, name, None)
    return method is not None and getattr(type(c), name, None) is not getattr(Callback, name)
