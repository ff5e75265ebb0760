"""What is shown while a model trains: a line that changes in a terminal, a line for each epoch elsewhere, as in a notebook."""

from __future__ import annotations

import sys
import time


def level(verbose: int | str) -> int:
    if verbose == "auto":
        return 1 if sys.stdout.isatty() else 2
    return int(verbose)


def numbers(logs: dict[str, float]) -> str:
    return "".join(f" - {name}: {x:.4f}" if abs(x) >= 1e-3 or not x else f" - {name}: {x:.3e}" for name, x in logs.items())


def lasting(seconds: float) -> str:
    return f"{seconds:.0f}s" if seconds >= 1 else f"{1000 * seconds:.0f}ms"


class Progress:
    """verbose 1: a bar; 2: a line for each epoch; 0: nothing."""

    WIDTH = 24
    PAUSE = 0.1  # seconds between two pictures of the bar

    def __init__(self, verbose: int | str, epochs: int) -> None:
        self.level, self.epochs = level(verbose), epochs
        self._next = 0.0

    def begin(self, epoch: int) -> None:
        self._start = time.monotonic()
        self._steps = 0
        if self.level:
            print(f"Epoch {epoch}/{self.epochs}", flush=self.level == 1)

    @property
    def due(self) -> bool:
        """Is it time for another picture?"""
        return self.level == 1 and time.monotonic() >= self._next

    def step(self) -> None:
        self._steps += 1

    def show(self, done: int, of: int, logs: dict[str, float]) -> None:
        self._next = time.monotonic() + self.PAUSE
        filled = min(self.WIDTH, self.WIDTH * done // of) if of else 0
        line = f"{done}/{of or '?'} {'━' * filled}{'─' * (self.WIDTH - filled)} {lasting(time.monotonic() - self._start)}{numbers(logs)}"
        print(f"\r{line}\x1b[K", end="", flush=True)

    def end(self, logs: dict[str, float], seconds: float) -> None:
        if not self.level:
            return
        step = seconds / max(self._steps, 1)
        line = f"{self._steps}/{self._steps} - {lasting(seconds)} - {lasting(step) if step >= 1e-3 else f'{1e6 * step:.0f}us'}/step{numbers(logs)}"
        print(f"\r{line}\x1b[K" if self.level == 1 else line, flush=True)

    def stop(self) -> None:
        if self.level == 1 and self._steps:
            print(flush=True)
