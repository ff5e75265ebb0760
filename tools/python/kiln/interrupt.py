"""Control-C while the library computes: a signal reaches Python only when the call has returned, so a thread that is woken by it ends the call.

What was learned so far is kept; KeyboardInterrupt is then raised where the call was made."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ._library import lib


class Watch:
    """A thread that waits for signals at the end of a pipe that the signal handler writes to."""

    def __init__(self) -> None:
        self._read, self.write = os.pipe()
        os.set_blocking(self.write, False)
        self._lock = threading.Lock()
        self._context: Any = None
        self._before = -1
        self._met = threading.Event()
        self._process = os.getpid()
        threading.Thread(target=self._wait, name="kiln-interrupt", daemon=True).start()

    def _wait(self) -> None:
        while True:
            for number in os.read(self._read, 64):
                if not number:
                    self._met.set()
                    continue
                with self._lock:
                    if self._before >= 0:  # who else waits for signals gets them, too
                        try:
                            os.write(self._before, bytes([number]))
                        except OSError:
                            pass
                    if number == signal.SIGINT and self._context is not None:
                        lib.kiln_context_cancel(self._context)

    def begin(self, context: Any) -> None:
        before = signal.set_wakeup_fd(self.write, warn_on_full_buffer=False)
        with self._lock:
            self._context, self._before = context, before

    def end(self, context: Any, failed: bool) -> None:
        with self._lock:
            before, self._context, self._before = self._before, None, -1
        signal.set_wakeup_fd(before)
        if failed:  # nothing that came before may end the next call
            self._met.clear()
            os.write(self.write, b"\0")
            self._met.wait(5)
        lib.kiln_context_resume(context)


watch: Watch | None = None
busy = False


@contextmanager
def interruptible(context: Any) -> Iterator[None]:
    """Where the main thread waits for the library, and control-C raises KeyboardInterrupt: others see to it themselves."""
    global watch, busy
    mine = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if busy or not mine:
        yield
        return
    if watch is None or watch._process != os.getpid():  # a fork leaves threads behind
        watch = Watch()
    busy, failed = True, True
    watch.begin(context)
    try:
        yield
        failed = False
    finally:
        watch.end(context, failed)
        busy = False
