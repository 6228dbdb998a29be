"""A few lines at the bottom of a terminal that change in place; what is told meanwhile stands above them.

Only a thread of its own draws, a few times a second, and writes only the lines that have changed: nothing
flickers, and whoever works never waits for the terminal. The cursor stays visible, so that no end of the process
can lose it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO

from sbkube.report.layout import clip, visible
from sbkube.report.printable import coloured

_EVERY = 0.2  # seconds between two frames
_CLEAR_LINE, _CLEAR_BELOW = "\x1b[K", "\x1b[J"


class Live:
    """Draws what `lines(width, height)` gives, from `start` to `stop`; both may be called again and again.

    `size` tells columns and rows. What is written to the terminal by others meanwhile belongs inside of `aside`.
    """

    def __init__(
        self,
        stream: TextIO,
        lines: Callable[[int, int], Sequence[str]],
        size: Callable[[], tuple[int, int]],
    ) -> None:
        self._stream, self._lines, self._size = stream, lines, size
        self._told: deque[str] = deque()
        self._drawn: list[str] = []
        self._guard = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Something may be drawn now."""
        return self._thread is not None

    def start(self) -> None:
        """Draw from now on."""
        if self._thread is None:
            self._over.clear()
            self._thread = threading.Thread(target=self._run, name="sbkube-live", daemon=True)
            self._thread.start()

    def stop(self, *, keep: bool = False) -> None:
        """Draw no more; the lines vanish, or stay with `keep`, in their last state."""
        if self._thread is None:
            return
        self._over.set()
        self._thread.join()
        self._thread = None
        with suppress(OSError), self._guard:
            if keep:
                self._frame()
                self._write("\n" * bool(self._drawn))
                self._drawn = []
            else:
                self._write(self._erased())
            self._write("".join(f"{text}\n" for text in self._taken()))

    def tell(self, text: str) -> None:
        """Print a line above, soon. Never waits: a signal handler may call it too."""
        if self._thread is None:
            self._write(f"{coloured(text)}\n")
        else:
            self._told.append(coloured(text))

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Nothing is drawn within this block; what was is gone, and comes again below what is written in it."""
        with self._guard:
            if self._drawn:
                self._write(self._erased())
            yield

    def _run(self) -> None:
        while not self._over.wait(_EVERY):
            try:
                with self._guard:
                    self._frame()
            except (OSError, ValueError):  # the terminal is gone; the work goes on
                return

    def _frame(self) -> None:
        width, height = self._size()
        # The last column stays free: what a terminal does behind it differs.
        new = [clip(coloured(line), width - 1) for line in self._lines(width - 1, height)][:height]
        told = "".join(f"{text}\n" for text in self._taken())
        if told:
            self._write(self._erased() + told)
        if new != self._drawn:
            self._write(self._up(width) + _changes(self._drawn, new))
            self._drawn = new

    def _up(self, width: int | None = None) -> str:
        """To the first line that was drawn. A terminal made narrower has broken lines in two."""
        width = width or self._size()[0]
        rows = sum(max(1, -(-visible(line) // width)) for line in self._drawn)
        return f"\x1b[{rows - 1}A\r" if rows > 1 else "\r"

    def _erased(self) -> str:
        text = self._up() + _CLEAR_BELOW if self._drawn else ""
        self._drawn = []
        return text

    def _taken(self) -> Iterator[str]:
        while self._told:
            yield self._told.popleft()

    def _write(self, text: str) -> None:
        if text:
            self._stream.write(text)
            self._stream.flush()


def _changes(old: Sequence[str], new: Sequence[str]) -> str:
    """From the first old line on: write what has changed, and end at the beginning of the last new line."""
    shorter = len(new) < len(old)
    parts = []
    for at, line in enumerate(new):
        last = at == len(new) - 1
        same = at < len(old) and old[at] == line and not (last and shorter)
        parts.append(("" if same else line + _CLEAR_LINE) + ("" if last else "\n"))
    return "".join(parts) + (_CLEAR_BELOW if shorter else "") + "\r"
