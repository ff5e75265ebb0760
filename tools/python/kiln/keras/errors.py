"""What kiln.keras says when it cannot."""


class KerasError(ValueError):
    """A model that cannot be written, or a file that is not this model's."""


class Refused(KerasError):
    """A layer or operation, in a use that has no ONNX operators; the walk adds its name and goes on."""
