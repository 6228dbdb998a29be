"""Ctrl-C once: finish what is in flight and record it. Twice: stop at once; the journal still tells."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def stopping(cancel: threading.Event, tell: Callable[[str], None]) -> Iterator[None]:
    """Within this block the first SIGINT or SIGTERM sets `cancel`, the second raises KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_: int, __: FrameType | None) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()
        tell("stopping: what is in flight is finished and recorded (again to stop at once)")

    before: dict[signal.Signals, Any] = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
