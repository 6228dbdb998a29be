"""Work in a thread of its own, and its events as an iterator.

Whoever stops iterating, by `break`, an exception or Ctrl-C, stops the work as Ctrl-C stops the command line: what
is in flight is finished and recorded, and nothing more is begun. Nothing is left running when the iterator is
closed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread
from typing import TypeVar

from sbkube.models.outcome import Event
from sbkube.ports import Listener

T = TypeVar("T")


class Listeners:
    """A listener that passes events on to others, which may come and go."""

    def __init__(self, first: Listener) -> None:
        self._all: tuple[Listener, ...] = (first,)

    def __call__(self, event: Event) -> None:
        for listener in self._all:
            listener(event)

    def add(self, listener: Listener) -> None:
        """Also tell this one from now on."""
        self._all = (*self._all, listener)

    def remove(self, listener: Listener) -> None:
        """Tell this one no more."""
        self._all = tuple(one for one in self._all if one is not listener)


def streamed(work: Callable[[], T], listeners: Listeners, cancel: Flag) -> Generator[Event | T, None, None]:
    """Events while `work` runs, then what it gave; what it raises is raised here.

    When the iterator is closed early, `cancel` is set until the work has ended.
    """
    queue: SimpleQueue[Event | None] = SimpleQueue()
    given: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            given.append(work())
        except BaseException as error:  # noqa: BLE001 - raised in the thread that iterates
            raised.append(error)
        finally:
            queue.put(None)

    thread = Thread(target=run, name="sbkube-work", daemon=False)
    tell = queue.put
    listeners.add(tell)
    ended = False
    try:
        thread.start()
        while (event := queue.get()) is not None:
            yield event
        ended = True
    finally:
        if not ended:
            cancel.set()
        thread.join()
        listeners.remove(tell)
        if not ended:
            cancel.clear()
        if raised:
            raise raised[0]
    yield given[0]
