"""Ctrl-C once: finish what is in flight and record it. Twice: stop at once; the journal still tells."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_STOPS = ("SIGINT", "SIGTERM", "SIGHUP")  # a closed terminal must not cut a deployment off either


@contextmanager
def stopping(cancel: threading.Event, tell: Callable[[str], None], quit_now: Callable[[], None]) -> Iterator[None]:
    """Within this block the first SIGINT, SIGTERM or SIGHUP sets `cancel`; after the second one `quit_now` is
    called, which must end the process: workers that are in the middle of something would keep it alive."""
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
        for number in (getattr(signal, name) for name in _STOPS if hasattr(signal, name)):
            before[number] = signal.signal(number, stop)
        yield
    except KeyboardInterrupt:
        quit_now()
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
