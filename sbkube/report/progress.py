"""What a run is doing right now: a small live table on a terminal, plain lines everywhere else.

Both are listeners: they take events from any thread and must never stop a run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TextIO

from sbkube.models.deployment_state import DeploymentStatus
from sbkube.models.outcome import Event
from sbkube.report.ink import Ink
from sbkube.report.layout import between, duration

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live
    from rich.spinner import Spinner

_QUIET_REPEAT = 10.0  # seconds before a plain line repeats what an app still waits for
_ENDED = {
    "success": ("✓", "green"),
    "failed": ("✗", "red"),
    "pending": ("-", "dim"),
    "interrupted": ("!", "yellow"),
}


class Progress(Protocol):
    """A listener with an end."""

    def __call__(self, event: Event) -> None:
        """Take one event."""

    def close(self) -> None:
        """Leave the terminal as it was found."""


def subject_of(operation: str) -> str:
    """`Deployment/web` from an operation id `APP/VERB/KIND/NAMESPACE/NAME`."""
    parts = operation.split("/")
    return f"{parts[2]}/{parts[-1]}" if len(parts) >= 5 else operation


@dataclass(slots=True)
class AppLine:
    """What is known of one app of the run."""

    name: str
    started: datetime
    doing: str = ""
    ended: datetime | None = None
    status: str = ""
    done: int = 0


class Board:
    """All apps of the run, from events; safe for use from several threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._apps: dict[str, AppLine] = {}

    def take(self, event: Event) -> AppLine | None:
        """Enter an event; gives the app's line back where it changed."""
        if not event.app:
            return None
        with self._guard:
            line = self._apps.setdefault(event.app, AppLine(event.app, event.time))
            match event.kind:
                case "operation.started":
                    line.doing = subject_of(event.subject)
                case "operation.ended":
                    line.done += event.status == "applied"
                case "wait.progress":
                    line.doing = f"waiting for {event.subject}: {event.message}"
                case "app.ended":
                    line.ended, line.status, line.doing = event.time, event.status, event.message
                case _:
                    return line if event.kind == "app.started" else None
            return line

    def lines(self) -> list[AppLine]:
        """All apps seen, in the order they were seen."""
        with self._guard:
            return list(self._apps.values())


class PlainProgress:
    """One line per thing worth telling, for logs and pipes."""

    def __init__(self, write: Callable[[str], None], ink: Ink | None = None, *, verbose: bool = False) -> None:
        self._write = write
        self._ink = ink or Ink()
        self._verbose = verbose
        self._board = Board()
        self._told: dict[str, tuple[str, datetime]] = {}
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
            where = event.app or event.subject
            return ink.yellow(f"! {f'{where}: ' if where else ''}{event.message}")
        if line is None:
            return ""
        if event.kind == "app.started":
            return f"{ink.bold(event.app)}: started"
        if event.kind == "app.ended":
            return _ended_line(line, ink)
        if event.kind == "wait.progress":
            return f"{event.app}: {line.doing}" if self._news(event, line.doing) else ""
        if event.kind == "operation.ended" and (self._verbose or event.status == "failed"):
            text = f"{event.app}: {subject_of(event.subject)} {event.status}"
            return text + (f": {event.message}" if event.message and event.status == "failed" else "")
        return ""

    def _news(self, event: Event, text: str) -> bool:
        """Another text than last time, or the same one for long."""
        last = self._told.get(event.app)
        if last and last[0] == text and (event.time - last[1]).total_seconds() < _QUIET_REPEAT:
            return False
        self._told[event.app] = (text, event.time)
        return True

    def close(self) -> None:
        """Nothing was drawn."""


def _ended_line(line: AppLine, ink: Ink) -> str:
    mark, style = _ENDED.get(line.status, ("!", "yellow"))
    took = between(line.started, line.ended)
    why = f": {line.doing}" if line.doing and line.status != "success" else ""
    status = "done" if line.status == "success" else line.status.replace("_", " ")
    if line.status == DeploymentStatus.PENDING:
        status, took = "not started", ""
    return f"{ink.paint(mark, style)} {ink.bold(line.name)}: {status}{f' in {took}' if took else ''}{why}"


class LiveProgress:
    """A live table: spinner, app, what it does or waits for, seconds. Drawn by Rich on a terminal.

    `now` gives aware UTC. The table is removed at the end, because the summary says it all again.
    """

    def __init__(self, stream: TextIO, now: Callable[[], datetime]) -> None:
        self._stream = stream
        self._now = now
        self._board = Board()
        self._live: Live | None = None
        self._spin: Spinner | None = None
        self._guard = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Draw it."""
        with self._guard:
            if event.kind == "deployment.ended":
                self._stop()
                return
            self._board.take(event)
            if self._live is None and event.kind == "app.started":
                self._live = self._start()
            if event.kind == "warning":
                self._warn(event)

    def _start(self) -> Live:
        from rich.console import Console
        from rich.live import Live

        live = Live(
            get_renderable=self._table,
            console=Console(file=self._stream, highlight=False),
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        live.start()
        return live

    def _warn(self, event: Event) -> None:
        text = f"! {event.app or event.subject}: {event.message}".replace("! : ", "! ")
        if self._live is not None:
            from rich.text import Text

            # A style argument would colour the table below it too.
            self._live.console.print(Text(text, style="yellow"))
        else:
            self._stream.write(Ink(True).yellow(text) + "\n")

    def _table(self) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        table.add_column(width=1)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column(justify="right", no_wrap=True)
        table.expand = True
        for line in self._board.lines():
            mark, style = _ENDED.get(line.status, ("!", "yellow"))
            sign: RenderableType = Text(mark, style=style) if line.ended else self._spinner()
            took = duration(((line.ended or self._now()) - line.started).total_seconds())
            doing = line.doing or ("done" if line.ended else "starting")
            table.add_row(sign, Text(line.name, style="bold"), Text(doing, style="dim"), Text(took, style="dim"))
        return table

    def _spinner(self) -> Spinner:
        """One for all lines, so that they turn together."""
        from rich.spinner import Spinner

        self._spin = self._spin or Spinner("dots")
        return self._spin

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def close(self) -> None:
        """Stop drawing; safe to call twice."""
        with self._guard:
            self._stop()
