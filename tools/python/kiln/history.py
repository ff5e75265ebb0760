"""What a training was."""

from __future__ import annotations

from typing import Any


class History:
    """As Keras': `history` has a list by the name of each measure, `epoch` the epochs from 0 on, `params` what fit was given, `model` the model."""

    def __init__(self, model: Any, params: dict[str, Any]) -> None:
        self.model = model
        self.params = params
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}

    def add(self, epoch: int, logs: dict[str, float]) -> None:
        self.epoch.append(epoch)
        for name, x in logs.items():
            self.history.setdefault(name, []).append(x)

    def __repr__(self) -> str:
        return f"<History of {len(self.epoch)} epochs: {', '.join(self.history)}>"
