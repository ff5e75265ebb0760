"""The C library: `lib` has its functions, `ffi` makes and reads what they take; both are of the extension, which is compiled against kiln.h and has the
library inside."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Iterable
from typing import Any

from ._kiln import ffi, lib

__all__ = ["Keep", "encode", "ffi", "here", "lib", "options", "text"]


def text(pointer: Any) -> str | None:
    """A C string; None for NULL. Names in files are anybody's bytes."""
    return ffi.string(pointer).decode(errors="surrogateescape") if pointer else None


def encode(name: str | bytes | os.PathLike) -> bytes:
    """What `text` has read, or a path."""
    return name.encode(errors="surrogateescape") if isinstance(name, str) else os.fsencode(name)


def options(kind: str, **fields: Any) -> Any:
    """A struct of options: its defaults are zeros, and its first field is its size."""
    made = ffi.new(f"{kind} *")
    made.size = ffi.sizeof(kind)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


class Keep(list):
    """What a struct of C points to stays as long as this does."""

    def __call__(self, kind: str, value: Any) -> Any:
        self.append(ffi.new(kind, value))
        return self[-1]

    def text(self, value: str | os.PathLike | None) -> Any:
        return ffi.NULL if value is None else self("char[]", encode(value))

    def texts(self, values: Iterable[str]) -> Any:
        return self("char *[]", [self.text(value) for value in values])


class Here(threading.local):
    """What came of the callbacks of a call, on the thread that made it."""

    raised: BaseException | None = None
    told: list[str] | None = None

    def end(self) -> None:
        """What a callback raised is raised where the call ends, and what the library warns of is a warning there."""
        if self.raised is not None:
            raised, self.raised = self.raised, None
            raise raised
        if self.told is not None:
            told, self.told = self.told, None
            level = outside()
            for message in told:
                warnings.warn(message, stacklevel=level)


here = Here()


def outside() -> int:
    """How many frames up from the caller the first one is that is not of this package, as warnings.warn counts."""
    package, level = os.path.dirname(__file__), 1
    frame = sys._getframe(1)
    while frame.f_back and os.path.dirname(frame.f_code.co_filename) == package:
        frame, level = frame.f_back, level + 1
    return level


def note(kind: type, error: BaseException, traceback: Any) -> None:
    here.raised = here.raised or error


@ffi.def_extern(onerror=note)
def kiln_python_diagnostic(user, status, where, message):
    """Warnings of the library; its errors become exceptions where the call ends."""
    if status == lib.KILN_OK:
        here.told = [*(here.told or ()), ": ".join(t for t in (text(where), text(message)) if t)]


# Each hands on to the object that the call has given as its user.


@ffi.def_extern(error=False, onerror=note)
def kiln_python_write(user, data, count):
    ffi.from_handle(user)(ffi.buffer(data, count)[:])
    return True


@ffi.def_extern(error=False, onerror=note)
def kiln_python_begin(user, epoch):
    return ffi.from_handle(user).begin(epoch)


@ffi.def_extern(error=False, onerror=note)
def kiln_python_step(user, step):
    return ffi.from_handle(user).step(step)


@ffi.def_extern(error=False, onerror=note)
def kiln_python_epoch(user, epoch):
    return ffi.from_handle(user).epoch(epoch)


@ffi.def_extern(error=False, onerror=note)
def kiln_python_each(user, x, first, count):
    ffi.from_handle(user)(x, first, count)
    return True


# These may be called on a thread of the library's: the object keeps what is raised, and tells the library.


@ffi.def_extern(error=False, onerror=note)
def kiln_python_start(user, number, error):
    return ffi.from_handle(user).start(number, error)


@ffi.def_extern(error=-1, onerror=note)
def kiln_python_next(user, most, inputs, targets, weights, error):
    return ffi.from_handle(user).next(most, inputs, targets, weights, error)
