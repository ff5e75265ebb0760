"""Kiln in Python: ONNX models, run, trained and written back.

model = kiln.Model("model.onnx")
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x, y, epochs=5, validation_split=0.1)
model.save("trained.onnx")

session = kiln.Session("trained.onnx")  # with the calls of onnxruntime's InferenceSession
scores, = session.run(None, {"input": images})
"""

from . import callbacks, errors
from ._library import lib, text
from .adaptation import Adaptation, Finding
from .base import set_random_seed
from .data import load_data
from .errors import Error
from .history import History
from .model import Model
from .session import PROVIDER, Session, SessionOptions
from .spec import losses, metrics, optimizers, regularizers, schedules

InferenceSession = Session


def get_available_providers() -> list[str]:
    """As onnxruntime has it."""
    return [PROVIDER]


__version__ = text(lib.kiln_version()) or ""
__all__ = [
    "Adaptation",
    "Error",
    "Finding",
    "History",
    "InferenceSession",
    "Model",
    "Session",
    "SessionOptions",
    "callbacks",
    "errors",
    "get_available_providers",
    "load_data",
    "losses",
    "metrics",
    "optimizers",
    "regularizers",
    "schedules",
    "set_random_seed",
]
