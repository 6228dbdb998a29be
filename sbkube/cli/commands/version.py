"""`version`: which sbkube this is."""

from __future__ import annotations

import sys

import click

from sbkube._version import __version__
from sbkube.cli.options import Command
from sbkube.cli.session import Session


@click.command("version", cls=Command)
def version(session: Session) -> int:
    """Print the version of sbkube and of the Python it runs on."""
    facts = {"version": __version__, "python": ".".join(map(str, sys.version_info[:3])), "platform": sys.platform}
    session.emit(
        "version",
        lambda: facts,
        lambda: f"sbkube {__version__} {session.ink.dim(_runtime(facts))}",
    )
    return 0


def _runtime(facts: dict[str, str]) -> str:
    return f"(Python {facts['python']} on {facts['platform']})"
