"""The one place where exceptions become messages and exit codes."""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from sbkube.cli.session import Terminal
from sbkube.errors import Interrupted, SbkubeError, UsageError

BUG = 70


class Bug(SbkubeError):
    """Something that must not happen did."""

    slug = "bug"
    exit_code = BUG


def report(error: BaseException, terminal: Terminal, form: str) -> int:
    """Tell what went wrong, as text on standard error or as one document on standard output; gives the exit
    code."""
    known = translate(error, terminal.environ.get("HOME"))
    if form in ("json", "yaml", "llm"):
        from sbkube.report import machine

        terminal.out(machine.encode(machine.error(known), form), raw=True)
        return known.exit_code
    from sbkube.report import failure

    terminal.err(failure.render(known, terminal.error_ink))
    return known.exit_code


def translate(error: BaseException, home: str | None) -> SbkubeError:
    """Any exception as one of ours; an unexpected one leaves its trace in a file."""
    if isinstance(error, SbkubeError):
        return error
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return Interrupted("interrupted")
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        return UsageError(error.format_message(), hint=f"see {context.command_path} --help" if context else None)
    return Bug(
        f"this is a bug in sbkube: {type(error).__name__}{_at(error)}",
        hint=f"please report it; the trace is in {keep_trace(error, home)}",
    )


def keep_trace(error: BaseException, home: str | None) -> str:
    """Write the trace below `~/.sbkube/log` (else the temporary folder) and say where it is. It goes to other
    people, so it holds no words of an exception: they may quote a value that is secret."""
    text = "\n".join(_trace(error))
    name = f"sbkube-{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}.log"
    base = Path(home) if home else Path(tempfile.gettempdir())
    for folder in (base / ".sbkube" / "log", Path(tempfile.gettempdir())):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = folder / name
            path.touch(mode=0o600)
            path.write_text(text)
        except OSError:
            continue
        return str(path)
    return "no file: neither the home nor the temporary folder can be written"


def _trace(error: BaseException) -> Iterator[str]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield f"{type(one).__module__}.{type(one).__qualname__} (its words are left out: they may be secret)"
        yield "Traceback (most recent call last):"
        yield from (line.rstrip() for line in traceback.format_tb(one.__traceback__))
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _at(error: BaseException) -> str:
    """Where it happened, in words that are ours."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
