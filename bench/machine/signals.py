"""Being asked to stop: signals become a flag that is looked at where stopping is safe."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
"""Signals that ask a run to write its checkpoint and stop."""


class Interrupted(Exception):
    """Someone asked the run to stop; what was trained so far is in a checkpoint."""


class StopSignals:
    """While active, a signal of STOPS sets `received` and nothing else; `check` is called where stopping is safe."""

    def __init__(self):
        self.received: int | None = None
        self.former: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self):
        # Only the main thread may set handlers; elsewhere (a debugger, a notebook's worker) signals stay as they are.
        if threading.current_thread() is threading.main_thread():
            for number in STOPS:
                # Whoever started the process with a signal ignored (nohup, a shell's background job) wants it ignored.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self.former[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_):
        for number, handler in self.former.items():
            signal.signal(number, handler)
        self.former = {}

    def _receive(self, number: int, _frame) -> None:
        self.received = number

    def check(self) -> None:
        """Interrupted, if a signal has come."""
        if self.received is not None:
            raise Interrupted(f"stopped by {signal.Signals(self.received).name}")
