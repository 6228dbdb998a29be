"""`state`: the state database itself."""

from __future__ import annotations

import click

from sbkube.cli.commands.sandbox import SandboxGroup
from sbkube.cli.options import Command
from sbkube.cli.session import Session


@click.group("state", cls=SandboxGroup)
def state() -> None:
    """The state database: upgrade its schema, verify its history, make a key."""


@state.command("upgrade", cls=Command)
def upgrade(session: Session) -> int:
    """Bring the database's schema to this version. SQLite does that by itself; PostgreSQL only here."""
    place = session.api.upgrade_state(session.options.state_url)
    session.emit("state-upgrade", lambda: {"state": place}, lambda: f"up to date: {place}")
    return 0


@state.command("verify", cls=Command)
def verify(session: Session) -> int:
    """Check that what is recorded of ended deployments is what was recorded when they ended."""
    verdict = session.api.verify_state(session.options.state_url)
    findings = [{"subject": f.subject, "message": f.message, "serious": f.serious} for f in verdict.findings]

    def text() -> str:
        lines = [f"{f.subject}: {f.message}" for f in verdict.findings]
        word = "intact" if verdict.ok else "ALTERED"
        return "\n".join([*lines, f"{word}: {verdict.closings} deployments in {verdict.chains} chains"])

    session.emit("state-verify", lambda: {"ok": verdict.ok, "findings": findings}, text)
    return 0 if verdict.ok else 1


@state.command("key", cls=Command)
def key(session: Session) -> int:
    """Print a new key for SBKUBE_STATE_KEY (base64 of 32 random bytes). Keep it: it opens images of Secrets."""
    text = session.api.new_state_key()
    session.emit("state-key", lambda: {"key": text}, lambda: text)
    return 0
