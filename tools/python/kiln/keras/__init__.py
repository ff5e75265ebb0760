"""From Keras 3 to ONNX and back without loss.

    import kiln.keras
    kiln.keras.export(model, "model.onnx")              # in a shell: kiln train model.onnx --data ... --output trained.onnx
    kiln.keras.load_weights(model, "trained.onnx")      # now Keras predicts what Kiln does

The file has what Keras' own exporter takes away: BatchNormalization with gamma, beta and its statistics, Dropout, the variables by their names
in Keras, a free batch, initialisers, regularisers and the loss. Images that Keras has channels last are turned once, at the input, and once where
they are flattened. Needs keras and onnx; neither is imported before it is needed."""

__all__ = ["export", "load_weights"]


def _needs():
    try:
        import keras
        import onnx  # noqa: F401
    except ImportError as e:
        raise ImportError(f"kiln.keras needs keras 3 and onnx (pip install keras onnx): {e}") from e
    if int(keras.__version__.split(".")[0]) < 3:
        raise ImportError(f"kiln.keras needs keras 3, this is {keras.__version__}")


def export(model, path, *, rules=None, inputs=None):
    """Writes a built Keras model as ONNX (opset 21) to `path`.

    `rules` is {class of a layer: function(layer, inputs, graph) -> outputs} for layers of your own: what Kiln's own rules are, see README.md beside
    this file. `inputs` says what a subclassed model takes: a keras.Input (or a shape without the batch), a list or a dictionary of them, as the
    model is called with them. What the file cannot hold is warned of; layers without a rule are one error that names them all."""
    _needs()
    from . import writer

    writer.export(model, path, rules, inputs)


def load_weights(model, path):
    """The weights and statistics of a file that `export` wrote, and that was trained since, become those of the Keras model. Names and shapes must be
    those of the model; what is missing and what is unknown is one error."""
    _needs()
    from . import weights

    weights.load(model, path)
