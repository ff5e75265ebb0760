"""Kiln in Python: a binding of libkiln.

    session = kiln.Session("model.onnx")
    scores, = session.run(None, {"input": images})
"""

from ._library import lib, text
from .errors import Error
from .session import Session

__version__ = text(lib.kiln_version())
__all__ = ["Error", "Session"]
