"""Ctrl-C, remembered: a library that is interrupted in its import may raise something else, as numpy does."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def remembered() -> Iterator[list[int]]:
    """Yield a list that gets an entry for every Ctrl-C in the block; each raises KeyboardInterrupt as ever.

    The list stays empty outside of the main thread, which alone may handle signals, and where another handler than
    Python's own is in place, which is left there.
    """
    pressed: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        signal.default_int_handler(number, frame)

    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield pressed
        return
    signal.signal(signal.SIGINT, remember)
    try:
        yield pressed
    finally:
        if signal.getsignal(signal.SIGINT) is remember:
            signal.signal(signal.SIGINT, signal.default_int_handler)
