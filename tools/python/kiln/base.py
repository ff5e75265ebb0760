"""The file in a Model: what it is, what it looks like, its weights, and how it is written."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import session, summary, values
from ._library import ffi, lib, text
from .errors import BadArgument, call, made
from .history import History
from .session import initializers
from .settings import Settings
from .trainer import Trainer
from .weights import Weights, with_initializers

default_seed = 0


def set_random_seed(seed: int) -> None:
    """Of the models that are made from here on: of initial values, the order of samples, augmentation and Dropout."""
    global default_seed
    default_seed = seed


class Base:
    def __init__(
        self,
        source: Any,
        *,
        seed: int | None = None,
        threads: int = 0,
        memory: int = 0,
        seconds: float = 0.0,
        follow_links: str | os.PathLike | None = None,
    ) -> None:
        self.seed = default_seed if seed is None else seed
        self.seconds = seconds
        self._context = session.new_context(threads, memory)
        self._turn = threading.RLock()
        self._set_model(session.open_model(source, self._context, seconds, follow_links))
        if lib.kiln_model_missing_count(self._model):
            self._set_model(made(lib.kiln_model_initialize, "kiln_model **", lib.kiln_model_free, self._model, self.seed, False, ffi.NULL))
        self._settings = Settings()
        self._fits = 0
        self.history: History | None = None
        self.stop_training = False
        self.epoch_is_best = False  # by what a ModelCheckpoint looks at; during fit

    # -- the file --

    def _set_model(self, handle: Any) -> None:
        """Of what is there then, nothing has been trained."""
        self._model = handle
        self._trainer: Trainer | None = None
        self._seen: tuple[int, int] = (0, 0)  # what `_model` has of what the trainer has learned
        self._session: session.Session | None = None
        self._fitting = False
        self._inputs, self._outputs = session.inputs_of(handle), session.outputs_of(handle)
        self._required = [v for v in self._inputs if not v.optional]
        self._output_names = [v.name for v in self._outputs]
        self._normalizes = any(key.startswith("kiln.normalize.") for key in self.metadata)
        first = [v.shape[0] if v.shape else 0 for v in self._required]
        # Samples come first and in any number, and are taken as they are.
        self._plain = not self._normalizes and all(not isinstance(d, int) and d == first[0] for d in first)

    def _current(self) -> Any:
        """The kiln_model with all that was learned."""
        if self._trainer and self._trainer.version != self._seen:
            self._model, self._seen = self._trainer.export(), self._trainer.version
            self._session = None
        return self._model

    @contextmanager
    def _alone(self, what: str) -> Iterator[None]:
        """Not while fit runs, whose callbacks are on the same thread."""
        with self._turn:
            if self._fitting:
                raise BadArgument(f"{what} changes what is being trained: not from a callback of fit")
            yield

    @property
    def inputs(self) -> list[session.Value]:
        """Those that must be given come first."""
        return list(self._inputs)

    @property
    def outputs(self) -> list[session.Value]:
        return list(self._outputs)

    @property
    def metadata(self) -> dict[str, str]:
        return session.metadata_of(self._current())

    def save(self, path: str | os.PathLike) -> None:
        """As ONNX, text where the name ends in .onnxtxt: everything that is not learned is as it was loaded. The file is replaced whole or not at all."""
        with self._turn:
            if self._trainer and self._trainer.version != self._seen:
                self._trainer.save(path)
            else:
                call(lib.kiln_model_save, self._model, os.fsencode(path), lib.KILN_FORM_BY_NAME)

    def to_bytes(self) -> bytes:
        """The same in memory."""
        parts: list[bytes] = []
        handle = ffi.new_handle(parts.append)
        with self._turn:
            call(lib.kiln_model_write, self._current(), lib.KILN_FORM_BINARY, lib.kiln_python_write, handle)
        return b"".join(parts)

    def summary(self, print_fn: Callable[[str], Any] | None = None) -> None:
        """Prints a table of layers; each line goes to print_fn, where that is given."""
        for line in summary.lines_of(self._current()):
            (print_fn or print)(line)

    def __str__(self) -> str:
        return "\n".join(summary.lines_of(self._current()))

    # -- weights --

    @property
    def weights(self) -> Weights:
        """What trains, and running statistics, by name: copies, which can be set."""
        return Weights(self)

    def _roles(self) -> dict[str, str]:
        with self._turn:
            if self._trainer:
                return {text(p.name) or "": text(lib.kiln_role_name(p.role)) or "" for p in self._trainer.parameters() if p.role != lib.KILN_CONSTANT}
            with summary.summary_of(self._model) as s:
                all_ = [lib.kiln_summary_parameter(s, k) for k in range(lib.kiln_summary_parameter_count(s))]
                return {text(p.name) or "": text(lib.kiln_role_name(p.role)) or "" for p in all_ if p.role != lib.KILN_CONSTANT}

    def _get_weight(self, name: str) -> np.ndarray:
        with self._turn:
            found = initializers(self._current())
            if name not in found:
                raise KeyError(name)
            return values.to_array(found[name])

    def _set_weights(self, arrays: Mapping[str, np.ndarray]) -> None:
        with self._turn:
            learned = {text(p.name) for p in self._trainer.parameters() if p.role in (lib.KILN_TRAINABLE, lib.KILN_STATISTIC)} if self._trainer else set()
            if self._trainer and learned.issuperset(arrays):
                for name, array in arrays.items():
                    self._trainer.set(name, np.asarray(array, np.float64 if array.dtype == np.float64 else np.float32))
                return
            with self._alone("setting what does not train"):
                self._set_model(with_initializers(self._current(), arrays))
