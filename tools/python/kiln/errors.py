"""The statuses of kiln.h as exceptions: each is an Error, and what Python calls such a thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._library import ffi, here, lib, text


class Error(Exception):
    """What a call of the library ended with. `where` is the place in the model or the file, "" where there is none."""

    def __init__(self, message: str | None, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


class BadArgument(Error, ValueError):
    """An argument is wrong."""


class BadModel(Error, ValueError):
    """The model is not valid."""


class Unsupported(Error, NotImplementedError):
    """Valid, but not supported."""


class BadData(Error, ValueError):
    """An input or a data set is not valid."""


class Limit(Error, MemoryError):
    """A limit of memory or time would be passed."""


class InputOutput(Error, OSError):
    """Reading or writing failed."""


class NoMemory(Error, MemoryError):
    """Out of memory."""


class RunFailed(Error, RuntimeError):
    """A value met while running is not valid."""


class Stopped(Error):
    """Cancelled, or stopped by a callback."""


class Mismatch(Error):
    """Results differ from what was expected."""


KINDS = {
    lib.KILN_BAD_ARGUMENT: BadArgument,
    lib.KILN_BAD_MODEL: BadModel,
    lib.KILN_UNSUPPORTED: Unsupported,
    lib.KILN_BAD_DATA: BadData,
    lib.KILN_LIMIT: Limit,
    lib.KILN_IO: InputOutput,
    lib.KILN_NO_MEMORY: NoMemory,
    lib.KILN_RUN_FAILED: RunFailed,
    lib.KILN_STOPPED: Stopped,
    lib.KILN_MISMATCH: Mismatch,
}


ERROR = ffi.typeof("kiln_error *")


def call(function: Callable[..., int], *arguments: Any) -> None:
    """Calls what returns a status and takes an error last; raises the exception where it fails."""
    error = ffi.new(ERROR)
    status = function(*arguments, error)
    if here.raised is not None or here.told is not None:
        here.end()
    if status != lib.KILN_OK:
        raise KINDS.get(status, Error)(text(error.message), text(error.where) or "")


def made(function: Callable[..., int], kind: str, free: Any, *arguments: Any) -> Any:
    """What a function of the library makes: `kind` is "kiln_model **". Freed when nothing names it any more."""
    out = ffi.new(kind)
    try:
        call(function, out, *arguments)
    finally:
        owned = ffi.gc(out[0], free) if out[0] else None  # also where a warning is an error
    return owned
