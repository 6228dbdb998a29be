"""What a command works with: the options, the front door, and the terminal."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, TextIO

import click

from sbkube.cli.options import Options
from sbkube.report.ink import Ink, wants_colour
from sbkube.report.layout import flow
from sbkube.report.printable import coloured

if TYPE_CHECKING:
    from sbkube.api import Project, Records, Where
    from sbkube.api.family import Member
    from sbkube.models.outcome import Event
    from sbkube.models.plan import Plan
    from sbkube.report.live import Live
    from sbkube.report.progress import Progress

PROJECT_FILES = ("sbkube.yaml", "sbkube.yml")


def _unicode(stream: TextIO) -> bool:
    """It can show all characters."""
    return (stream.encoding or "utf-8").lower().startswith("utf")


class Terminal:
    """The three streams, and what can be done with them."""

    def __init__(self, stdin: TextIO, stdout: TextIO, stderr: TextIO, environ: Mapping[str, str]) -> None:
        self.stdin, self.stdout, self.stderr, self.environ = stdin, stdout, stderr, environ
        self.left = False  # nobody reads standard output any more
        self.ink = Ink(wants_colour(stdout, environ))
        self.error_ink = Ink(wants_colour(stderr, environ))
        self.live: Live | None = None  # what is drawn at the bottom
        for stream in (stdout, stderr):
            if isinstance(stream, TextIOWrapper) and not _unicode(stream):
                stream.reconfigure(errors="replace")  # where a locale has no `✓`, it has a `?`

    def size(self, stream: TextIO) -> tuple[int, int]:
        """Columns and rows of a stream's terminal, 80 and 24 where there is none; `COLUMNS` wins."""
        try:
            columns, rows = os.get_terminal_size(stream.fileno())
        except (OSError, ValueError):
            columns, rows = 80, 24
        given = self.environ.get("COLUMNS") or ""
        return (int(given) if given.isdigit() else columns) or 80, rows or 24

    @property
    def width(self) -> int:
        """Columns of standard output; 0, which is any number, where it is no terminal."""
        return self.size(self.stdout)[0] if self.stdout.isatty() else 0

    @property
    def table_width(self) -> int:
        """How wide a table may be: `COLUMNS` counts without a terminal, too."""
        return self.size(self.stdout)[0] if self.environ.get("COLUMNS") else self.width

    @property
    def rows(self) -> int:
        """Rows of the terminal that standard output is, 0 where it is none."""
        return self.size(self.stdout)[1] if self.stdout.isatty() else 0

    @property
    def draws(self) -> bool:
        """Standard error is a terminal that lines can be drawn on again and again; a log in CI is none."""
        env = self.environ
        able = self.stderr.isatty() and env.get("TERM") != "dumb" and _unicode(self.stderr)
        return able and env.get("CI", "") in ("", "0", "false")

    def out(self, text: str, *, raw: bool = False) -> None:
        """A text on standard output; on a terminal lines are broken between words. `raw` documents stay as they
        are, and are UTF-8 whatever the locale is."""
        if raw and isinstance(self.stdout, TextIOWrapper) and not _unicode(self.stdout):
            self.stdout.reconfigure(encoding="utf-8")
        self._write(text if raw else self._flowing(text, self.stdout), self.stdout, text.endswith("\n"))

    def err(self, text: str) -> None:
        """A line on standard error."""
        self._write(self._flowing(text, self.stderr), self.stderr)

    def _flowing(self, text: str, stream: TextIO) -> str:
        text = coloured(text)
        return flow(text, self.size(stream)[0]) if stream.isatty() else text

    def _write(self, text: str, stream: TextIO, ended: bool = False) -> None:
        """Whoever read this may have left, or the terminal is closed: the work goes on all the same."""
        try:
            with self.live.aside() if self.live else nullcontext():
                click.echo(text, file=stream, nl=not ended, color=True)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):
                raise
            self.left = self.left or stream is self.stdout
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

    def ask(self, question: str) -> bool:
        """Yes or no from the person at the terminal; anything but yes is no."""
        click.echo(f"{question} [y/N] ", file=self.stderr, nl=False)
        return self.stdin.readline().strip().lower() in {"y", "yes"}


class Session:
    """One command's run. `api` is the module `sbkube.api`, loaded when it is first needed."""

    def __init__(
        self, options: Options, terminal: Terminal, load_api: Callable[[], Any], words: Sequence[str] = ()
    ) -> None:
        """`words` is the command line as it was given."""
        self.options = options
        self.words = tuple(words)
        self.terminal = terminal
        self._load_api = load_api
        self._progress: Progress | None = None

    @property
    def api(self) -> Any:
        """The front door."""
        return self._load_api()

    @property
    def human(self) -> bool:
        """Text for people is wanted."""
        return self.options.output == "human"

    @property
    def ink(self) -> Ink:
        """Colours of standard output."""
        return self.terminal.ink

    def target(self, given: str | None) -> str:
        """TARGET or `--file`, else the current folder; both together are a usage error."""
        if given and self.options.file:
            from sbkube.errors import UsageError

            raise UsageError("TARGET and --file name two projects", hint="give only one of them")
        return given or self.options.file or "."

    def has_project(self) -> bool:
        """A project was named, or lies in the current folder."""
        return self.options.file is not None or any(os.path.isfile(name) for name in PROJECT_FILES)  # noqa: PTH113 - pathlib costs start-up

    def where(self) -> Where:
        """Cluster and state database as the command line has them."""
        o = self.options
        where: Where = self.api.Where(
            kubeconfig=o.kubeconfig,
            context=o.context,
            sandbox=o.sandbox,
            state_url=o.state_url,
            no_cluster_lock=o.no_cluster_lock,
            same_project=o.same_project,
            locked=o.locked,
            offline=o.offline,
            force_conflicts=o.force_conflicts,
        )
        return where

    @contextmanager
    def project(self, target: str | None = None) -> Iterator[Project]:
        """The project, opened with a listener that shows progress, and closed again."""
        where = self.where()
        if self.options.sandbox and not self.options.quiet:
            self.terminal.err(self.terminal.error_ink.dim("sandbox (simulated Kubernetes API)"))
        try:
            with self.api.open_project(
                self.target(target),
                namespace=self.options.namespace,
                environment=self.options.environment,
                where=where,
                listener=self.listen,
            ) as project:
                yield project
        finally:
            self.stop_progress()

    @contextmanager
    def records(self) -> Iterator[Records]:
        """The record of the project at hand."""
        target, where = self.target(None), self.where()
        environment = self.options.environment
        try:
            with self.api.open_records(
                target, environment=environment, where=where, listener=self.listen
            ) as found:
                yield found
        finally:
            self.stop_progress()

    def recorded(self, target: str | None) -> list[Project]:
        """The project as its record knows it, wherever it did not end; see `api.open_recorded`."""
        found: list[Project] = self.api.open_recorded(
            self.target(target), where=self.where(), listener=self.listen
        )
        return found

    def apps(self, project: Project) -> tuple[str, ...]:
        """The apps that were asked for, by their full names; `PHASE/` for a phase."""
        return project.config.full_names(self.options.apps)

    def members(self, project: Project, *, connected: bool = True) -> list[Member]:
        """The project and those that are part of it, in the order in which they are deployed; `connected` where
        their clusters may be looked at."""
        return project.family(self.options.apps, connected=connected)

    @property
    def progress(self) -> Progress:
        """What shows how far things are."""
        if self._progress is None:
            self._progress = self._make_progress()
        return self._progress

    def begin(self, what: str) -> None:
        """Something begins that may take a while."""
        if not self.options.quiet and self.terminal.draws:
            self.progress.begin(what)

    def expect(self, plan: Plan) -> None:
        """This plan is executed next; masked, because what it does is shown."""
        if not self.options.quiet:
            self.progress.expect(plan)
            self.begin("beginning")

    def tell(self, text: str) -> None:
        """A remark in the middle of a run; a signal handler may make one too."""
        if self._progress is None:
            self.terminal.err(text)
        else:
            self._progress.tell(text)

    def listen(self, event: Event) -> None:
        """Show an event as it happens."""
        if self.options.quiet:
            return
        with suppress(OSError):  # what cannot be shown must not stop a run
            self.progress(event)

    def _make_progress(self) -> Progress:
        from datetime import UTC, datetime

        from sbkube.report.progress import LiveProgress, PlainProgress

        terminal, verbose = self.terminal, self.options.verbose
        if not terminal.draws:
            return PlainProgress(terminal.err, terminal.error_ink, verbose=verbose)
        live = LiveProgress(
            terminal.stderr,
            lambda: datetime.now(UTC),
            terminal.error_ink,
            lambda: terminal.size(terminal.stderr),
            verbose=verbose,
        )
        terminal.live = live.live
        return live

    def stop_progress(self) -> None:
        """Leave the terminal as it was found."""
        if self._progress is not None:
            self._progress.close()

    def quit_now(self) -> None:
        """End the process although workers are still at it; says so in the form that was asked for."""
        from sbkube.cli.failures import report
        from sbkube.errors import Interrupted

        self.stop_progress()
        error = Interrupted(
            "stopped at once; what was in flight is settled by the next command",
            hint="go on with `sbkube resume`, or undo it with `sbkube rollback`",
        )
        code = report(error, self.terminal, self.options.output)
        for stream in (self.terminal.stdout, self.terminal.stderr):
            stream.flush()
        os._exit(code)

    def emit(
        self, command: str, content: Callable[[], Mapping[str, Any]], text: Callable[[], str], *, raw: bool = False
    ) -> None:
        """The one answer of a command: text for people, or one document for programs. `raw` text is for programs
        too: its lines stay as they are."""
        if self.human:
            shown = text()
            self.stop_progress()
            self.terminal.out(shown, raw=raw)
            return
        from sbkube.report import machine

        encoded = machine.encode(machine.document(command, content()), self.options.output)
        self.stop_progress()
        self.terminal.out(encoded, raw=True)

    def say(self, text: str) -> None:
        """A remark beside the answer: on standard output for people, else on standard error."""
        if not self.options.quiet:
            (self.terminal.out if self.human else self.terminal.err)(text)

    def confirm(self, question: str) -> None:
        """Go on only with a yes. Without `-y` and without a terminal that is a usage error; a no refuses the
        plan. Nothing has been touched in either case."""
        if self.options.yes:
            return
        from sbkube.errors import PlanRefused, UsageError

        self.stop_progress()
        if not self.terminal.stdin.isatty():
            raise UsageError(
                "this needs a confirmation and there is no terminal to ask at",
                hint="look at it with --dry-run, then say --yes",
            )
        if not self.terminal.ask(question):
            raise PlanRefused("not confirmed; nothing was changed")
        self.begin("working")
