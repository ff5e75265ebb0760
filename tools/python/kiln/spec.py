"""Optimisers, losses, metrics, schedules and regularisers as objects with Keras' names: `kiln.optimizers.Adam(1e-3)` is the library's "adam:learning_rate=0.001".

What there is, and in which order its options stand, the library tells."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ._library import ffi, lib
from .errors import BadArgument, call


class Spec:
    """One of them, with options. A schedule may be the learning rate of an optimizer."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        self.name = name
        self.options = options

    def __str__(self) -> str:
        given = [f"{key}={spelled(value)}" for key, value in self.options.items() if value is not None]
        return ":".join([self.name, ",".join(given)] if given else [self.name])

    def __repr__(self) -> str:
        return f"<{self}>"


def spelled(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (list, tuple)):
        return "/".join(spelled(v) for v in value)
    return repr(float(value)) if isinstance(value, float) else str(value)


def written(table: int, with_help: bool) -> str:
    parts: list[bytes] = []
    handle = ffi.new_handle(parts.append)
    call(lib.kiln_table_write, table, with_help, lib.kiln_python_write, handle)
    return b"".join(parts).decode()


class Table:
    """A module of a table's names: each, in CamelCase or as it is, makes a Spec."""

    def __init__(self, module: str, number: int, also: Table | None = None) -> None:
        self.__name__ = f"kiln.{module}"
        self.__doc__ = f"Keras' {module} that there are: {written(number, False)}"
        self._rows: dict[str, list[str]] = {}
        keys: list[str] = []
        for line in written(number, True).splitlines():
            row, key = re.match(r"  (\w[\w, ]*?) - ", line), re.match(r"    (\w+)(=| \()", line)
            if key:
                keys.append(key[1])
            else:  # a row, or what is of all of them
                keys = []
                self._rows |= dict.fromkeys(row[1].split(", ") if row else (), keys)
        self._rows = (also._rows if also else {}) | self._rows
        self._by_word = {name.replace("_", ""): name for name in self._rows}

    def __dir__(self) -> Iterable[str]:
        return [*self._rows]

    def __getattr__(self, word: str) -> Any:
        name = None if word.startswith("_") else self._by_word.get(word.replace("_", "").lower())
        if name is None:
            raise AttributeError(f"{self.__name__} has no {word}; there are {', '.join(self._rows)}")

        def make(*given: Any, **options: Any) -> Spec:
            keys = self._rows[name]
            if len(given) > len(keys):
                raise BadArgument(f"{word} takes at most {len(keys)} options by place, got {len(given)}")
            twice = [key for key, _ in zip(keys, given) if key in options]
            if twice:
                raise BadArgument(f"{word} got '{twice[0]}' by its place and by its name")
            return Spec(name, {k: v for k, v in [*zip(keys, given), *options.items()]})

        make.__name__ = make.__qualname__ = word
        make.__doc__ = f"'{name}' of Keras, with {', '.join(self._rows[name]) or 'no options of its own'}."
        return make


optimizers = Table("optimizers", lib.KILN_OPTIMIZERS)
losses = Table("losses", lib.KILN_LOSSES)
metrics = Table("metrics", lib.KILN_METRICS, losses)  # which may be measured, too
schedules = Table("schedules", lib.KILN_SCHEDULES)
regularizers = Table("regularizers", lib.KILN_REGULARIZERS)
