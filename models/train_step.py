"""Trains with onnxruntime alone: a step that `kiln convert --training --lower` wrote, and its loop.
Usage: train_step.py STEP.onnx DATA.npz EPOCHS TRAINED.npz
DATA.npz has an array for each input without a value, and "labels". The new parameters are in TRAINED.npz by their names."""

import sys

import numpy as np
import onnxruntime

onnxruntime.set_default_logger_severity(3)  # it warns of each input that has a default

def train(path, batches):
    """The losses, and what the state is in the end. A batch has what is no state; "learning_rate" may be in it, too."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    told = session.get_modelmeta().custom_metadata_map
    following = {key.removeprefix("next:"): output for key, output in told.items() if key.startswith("next:")}
    state, losses = {}, []
    for batch in batches:
        loss, *new = session.run([session.get_outputs()[0].name, *following.values()], {**batch, **state})
        state = dict(zip(following, new))
        losses.append(float(loss))
    return losses, state


if __name__ == "__main__":
    _, step, data, epochs, output = sys.argv
    data = dict(np.load(data))
    size = onnxruntime.InferenceSession(step).get_inputs()[0].shape[0]
    starts = range(0, len(data["labels"]) - size + 1, size)
    losses, state = train(step, ({k: v[at : at + size] for k, v in data.items()} for _ in range(int(epochs)) for at in starts))
    np.savez(output, **state)
    print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}")
