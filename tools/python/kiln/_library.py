"""The C library by cffi: `lib` has its functions, `ffi` makes and reads what they take. What they are is read from kiln.h.

The library is the one that the environment names as KILN_LIBRARY, else the installed one. The header is the one that KILN_HEADER names, else that of the
source tree which this file lies in, else the installed one."""

import os
import re
from pathlib import Path

import cffi

HEADERS = (Path(__file__).resolve().parents[3] / "runtime/kiln.h", Path("/usr/local/include/kiln.h"), Path("/usr/include/kiln.h"))


def declarations(header):
    """What cffi is to read of the header: no comments, nothing that is for the preprocessor."""
    text = re.sub(r"/\*.*?\*/", " ", header, flags=re.DOTALL)
    statuses = re.findall(r"X\((KILN_\w+), (-?\d+), ", text)
    text = text.replace("KILN_STATUSES(KILN_STATUS_ENTRY)", ", ".join(f"{name} = {number}" for name, number in statuses))
    text = re.sub(r"^#ifdef __cplusplus\n.*?^#endif\n", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^#(.*\\\n)*.*\n", "", text, flags=re.MULTILINE)
    return text.replace("KILN_API ", "")


def header_path():
    named = os.environ.get("KILN_HEADER")
    for path in [Path(named)] if named else HEADERS:
        if path.exists():
            return path
    raise ImportError(f"kiln.h is not to be found at {named or ', '.join(map(str, HEADERS))}; the environment can name it as KILN_HEADER")


def load():
    path, name = header_path(), os.environ.get("KILN_LIBRARY", "libkiln.so.0")
    header = path.read_text()
    made = cffi.FFI()
    made.cdef(declarations(header))
    try:
        opened = made.dlopen(name)
    except OSError as e:
        raise ImportError(f"the library of Kiln cannot be opened: {e}; the environment can name it as KILN_LIBRARY") from e
    # The sizes of structs are of the header: with another library they would be wrong without a word.
    declared, given = ".".join(re.findall(r"#define KILN_VERSION_\w+ (\d+)", header)), made.string(opened.kiln_version()).decode()
    if declared != given:
        raise ImportError(f"{path} is of Kiln {declared}, the library {name} of {given}")
    return made, opened


ffi, lib = load()


def text(pointer):
    """A C string; None for NULL. Names in files are anybody's bytes."""
    return ffi.string(pointer).decode(errors="surrogateescape") if pointer else None


def options(kind, **fields):
    """A struct of options: its defaults are zeros, and its first field is its size."""
    made = ffi.new(f"{kind} *")
    made.size = ffi.sizeof(kind)
    for name, value in fields.items():
        setattr(made, name, value)
    return made
