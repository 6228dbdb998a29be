"""What a run is doing right now: a small live tree on a terminal, plain lines everywhere else.

Both are listeners: they take events from any thread and must never stop a run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TextIO

from sbkube.models.deployment_state import DeploymentStatus
from sbkube.models.outcome import Event
from sbkube.models.plan import Plan
from sbkube.report.board import AppLine, Board, subject_of
from sbkube.report.ink import Ink
from sbkube.report.layout import between, duration, flow, gist
from sbkube.report.live import Live
from sbkube.report.theme import DEPLOYMENTS
from sbkube.report.tree import Frame, spinner, tree

_QUIET_REPEAT = 10.0  # seconds before a plain line repeats what an app still waits for
_PATIENCE = 0.6  # seconds that a command may take without a word


class Progress(Protocol):
    """A listener with an end."""

    def __call__(self, event: Event) -> None:
        """Take one event."""

    def begin(self, what: str) -> None:
        """Something was begun that may take a while: `planning`, …"""

    def count(self, done: int, total: int) -> None:
        """How far that is."""

    def show(self, text: str) -> None:
        """Show this instead of what was shown before."""

    def expect(self, plan: Plan) -> None:
        """This plan is executed next."""

    def tell(self, text: str) -> None:
        """Say something beside all this; a signal handler may do so too."""

    def close(self) -> None:
        """Leave the terminal as it was found; the next event may begin anew."""


class PlainProgress:
    """One line per thing worth telling, for logs and pipes."""

    def __init__(self, write: Callable[[str], None], ink: Ink | None = None, *, verbose: bool = False) -> None:
        self._write = write
        self._ink = ink or Ink()
        self._verbose = verbose
        self._board = Board()
        self._told: dict[str, tuple[str, datetime]] = {}
        self._errors: set[tuple[str, str]] = set()
        self._guard = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Tell it if it is news."""
        line = self._board.take(event)
        with self._guard:
            if text := self._text(event, line):
                self._write(text)

    def _text(self, event: Event, line: AppLine | None) -> str:
        ink = self._ink
        if event.kind == "warning":
            return ink.yellow(_warning(event))
        if line is None:
            return ""
        if event.kind == "app.started":
            return f"{ink.bold(event.app)}: started"
        if event.kind == "app.ended":
            return _ended_line(line, ink, told=(event.app, event.message) in self._errors)
        if event.kind == "wait.progress":
            text = f"waiting for {event.subject}: {event.message}"
            return f"{event.app}: {text}" if self._news(event, text) else ""
        if event.kind == "operation.ended" and (self._verbose or event.status == "failed"):
            self._errors.add((event.app, event.message))
            return _operation(event)
        return ""

    def _news(self, event: Event, text: str) -> bool:
        """Another text than last time, or the same one for long."""
        last = self._told.get(event.app)
        if last and last[0] == text and (event.time - last[1]).total_seconds() < _QUIET_REPEAT:
            return False
        self._told[event.app] = (text, event.time)
        return True

    def begin(self, what: str) -> None:
        """Quick things need no line in a log."""

    def count(self, done: int, total: int) -> None:
        """Neither do parts of them."""

    def show(self, text: str) -> None:
        """Nothing can be shown instead of another: it comes below."""
        self._write(text)

    def expect(self, plan: Plan) -> None:
        """Events tell enough."""

    def tell(self, text: str) -> None:
        """A line like the others."""
        self._write(text)

    def close(self) -> None:
        """Nothing was drawn."""


def _operation(event: Event) -> str:
    subject = subject_of(event.subject)
    text = f"{event.app}: {f'{subject} ' if subject != event.subject else ''}{event.status}"
    return text + (f": {gist(event.message, 0)}" if event.message and event.status == "failed" else "")


def _warning(event: Event) -> str:
    where = event.app or event.subject
    return f"! {f'{where}: ' if where else ''}{event.message}"


def _ended_line(line: AppLine, ink: Ink, *, told: bool) -> str:
    mark, style = DEPLOYMENTS[DeploymentStatus(line.status)]
    took = between(line.started, line.ended)
    why = f": {gist(line.message, 0)}" if line.message and line.status != "success" and not told else ""
    status = "done" if line.status == "success" else line.status.replace("_", " ")
    status = status if line.started or line.message else "nothing to do"
    if line.status == DeploymentStatus.PENDING:
        status, took = "not started", ""
    return f"{ink.paint(mark, style)} {ink.bold(line.name)}: {status}{f' in {took}' if took else ''}{why}"


class LiveProgress:
    """On a terminal: what is being done and for how long, and while a plan is executed a tree of its apps.

    `now` gives aware UTC, `size` columns and rows; `verbose` tells of every operation above the tree. The tree is
    gone at the end, because the summary says it again.
    """

    def __init__(
        self,
        stream: TextIO,
        now: Callable[[], datetime],
        ink: Ink,
        size: Callable[[], tuple[int, int]],
        *,
        verbose: bool = False,
    ) -> None:
        self._now, self._ink, self._size, self._verbose = now, ink, size, verbose
        self._board = Board()
        self._what: tuple[str, datetime] | None = None
        self._counted = ""
        self._shown: list[str] = []
        self.live = Live(stream, self.lines, size)

    def __call__(self, event: Event) -> None:
        """Show it."""
        if event.kind == "deployment.started":
            self._what = None
            self.live.start()
        if event.kind == "warning":
            self.tell(self._ink.yellow(_warning(event)))
        elif event.kind == "source.progress":
            self._counted = f"{event.subject} {event.message}"
        else:
            self._board.take(event)
            if self._verbose and event.kind == "operation.ended":
                self.tell(_operation(event))

    def begin(self, what: str) -> None:
        """Show what it is if it takes longer than a moment."""
        self._what, self._counted = (what, self._now()), ""
        self.live.start()

    def count(self, done: int, total: int) -> None:
        """Show how far it is."""
        self._counted = f"{done} of {total}"

    def show(self, text: str) -> None:
        """Show a text instead of anything else, as much of it as fits; it stays at the end."""
        self._shown = text.split("\n")
        self.live.start()

    def expect(self, plan: Plan) -> None:
        """Show also what has not begun."""
        self._board.expect(plan)

    def tell(self, text: str) -> None:
        """Show it above the tree."""
        self.live.tell(flow(text, self._size()[0]))

    def lines(self, width: int, height: int) -> list[str]:
        """What is shown at this moment."""
        now, began = self._now(), self._board.began
        if (more := len(self._shown) - height) > 0:
            return [*self._shown[: height - 1], self._ink.dim(f"… {more + 1} more lines")]
        if self._shown:
            return self._shown
        if began is not None:
            return tree(self._board.lines(), Frame(now, began, width, height, self._ink))
        if self._what is None or (took := (now - self._what[1]).total_seconds()) < _PATIENCE:
            return []
        done, total = self._board.looked_at
        far = f"{done} of {total} apps" if total else self._counted
        text = f"{self._what[0]}{f': {far}' if far else ''}"
        return [f"{self._ink.paint(spinner(took), 'cyan')} {text}  {self._ink.dim(duration(took))}"]

    def close(self) -> None:
        """Stop drawing; safe to call twice."""
        self._what = None
        self.live.stop(keep=bool(self._shown))
