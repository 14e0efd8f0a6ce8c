"""Lets a process that is asked to end clean up first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)
"""Asked to end, and the terminal is gone."""


class Terminated(BaseException):
    """A signal came that ends the process. Not an `Exception`: nothing but cleaning up may catch it.

    Args:
        number: Which signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = signal.Signals(number)


@contextmanager
def terminable() -> Iterator[None]:
    """Meanwhile `SIGNALS` raise `Terminated`, as SIGINT raises KeyboardInterrupt.

    One that the caller has set to be ignored stays so (nohup). Does nothing outside of the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heeded = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in heeded:
        signal.signal(number, _raise)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])


def _raise(number: int, _frame: FrameType | None) -> None:
    raise Terminated(number)
