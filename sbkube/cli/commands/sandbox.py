"""`sandbox`: a simulated cluster on this machine, for trying a project without a real one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import click

from sbkube.cli.options import Command
from sbkube.cli.session import Session

SIMULATED = "sandbox (simulated Kubernetes API)"


class SandboxLike(Protocol):
    """What the commands want of a sandbox; all raise SurroundingsError when it cannot be had."""

    def up(
        self, *, port: int = 0, kubernetes_version: str | None = None, ready_delay: float | None = None
    ) -> Path:
        """Start it unless it runs; gives its kubeconfig."""

    def down(self) -> bool:
        """Stop it; tells whether it ran. Its objects stay."""

    def status(self) -> Mapping[str, Any] | None:
        """Facts about the running server (`url`, `pid`, …), or None."""

    def reset(self) -> None:
        """Stop it and forget all its objects."""

    def kubeconfig(self) -> Path:
        """Where its kubeconfig is, also while it is down."""

    def run(self, command: Sequence[str]) -> int:
        """Run a command with `KUBECONFIG` set, the sandbox up for as long as it takes; gives its exit code."""


class SandboxGroup(click.Group):
    """Names its commands in the order they are defined."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """As in the file."""
        return list(self.commands)


@click.group("sandbox", cls=SandboxGroup)
def sandbox() -> None:
    """A simulated Kubernetes API on this machine; its objects stay until reset.

    --sandbox on any other command starts it when needed and uses it.
    """


def _in_folder(function: Callable[..., int]) -> Callable[..., int]:
    """The option that names the sandbox's own folder."""
    option = click.option(
        "--dir", "folder", metavar="PATH", help="Its folder, instead of .sbkube/sandbox beside the project."
    )
    return option(function)


def _box(session: Session, folder: str | None) -> SandboxLike:
    place = Path(session.target(None))
    box: SandboxLike = session.api.sandbox(place.parent if place.is_file() else place, folder)
    return box


@sandbox.command("up", cls=Command)
@_in_folder
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Where to listen (0: any free port).")
@click.option("--kubernetes-version", metavar="1.N", help="The version to claim.")
@click.option(
    "--ready-delay", type=click.FloatRange(0), metavar="SECONDS", help="How long pods take to get ready."
)
def up(
    session: Session, folder: str | None, port: int, kubernetes_version: str | None, ready_delay: float | None
) -> int:
    """Start it in the background, unless it runs: then it keeps what it was started with."""
    box = _box(session, folder)
    path = str(box.up(port=port, kubernetes_version=kubernetes_version, ready_delay=ready_delay))
    session.emit(
        "sandbox",
        lambda: {"running": True, "kubeconfig": path},
        lambda: f"{session.ink.green('●')} {SIMULATED} is up\n  export KUBECONFIG={path}",
    )
    return 0


@sandbox.command("down", cls=Command)
@_in_folder
def down(session: Session, folder: str | None) -> int:
    """Stop it; its objects stay."""
    ran = bool(_box(session, folder).down())
    session.emit(
        "sandbox",
        lambda: {"running": False, "was_running": ran},
        lambda: "The sandbox is down; its objects are kept." if ran else "The sandbox was not running.",
    )
    return 0


@sandbox.command("status", cls=Command)
@_in_folder
def status(session: Session, folder: str | None) -> int:
    """Say whether it runs, and where."""
    facts = _box(session, folder).status()

    def text() -> str:
        if facts is None:
            return "The sandbox is down."
        lines = [f"{session.ink.green('●')} {SIMULATED} is up"]
        return "\n".join(lines + [f"  {session.ink.dim(f'{name:<11}')}{value}" for name, value in facts.items()])

    session.emit("sandbox", lambda: {"running": facts is not None, **(facts or {})}, text)
    return 0


@sandbox.command("reset", cls=Command)
@_in_folder
def reset(session: Session, folder: str | None) -> int:
    """Stop it and forget all its objects. Asks first."""
    session.confirm("Forget everything in the sandbox?")
    _box(session, folder).reset()
    session.emit("sandbox", lambda: {"running": False, "reset": True}, lambda: "The sandbox is empty.")
    return 0


@sandbox.command("kubeconfig", cls=Command)
@_in_folder
def kubeconfig(session: Session, folder: str | None) -> int:
    """Print the path of its kubeconfig."""
    path = str(_box(session, folder).kubeconfig())
    session.emit("sandbox", lambda: {"kubeconfig": path}, lambda: path, raw=True)
    return 0


@sandbox.command("run", cls=Command, context_settings={"ignore_unknown_options": True})
@_in_folder
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(session: Session, folder: str | None, command: tuple[str, ...]) -> int:
    """Run COMMAND with KUBECONFIG pointing at the sandbox (write -- before it); gives its exit code."""
    return _box(session, folder).run(command)
