"""Which state database a command means that needs no cluster."""

from __future__ import annotations

from sbkube.cli.session import Session


def place(session: Session) -> str | None:
    """Which database is meant, as the option of that name would say it; None is the default."""
    given = session.options.state_url or session.terminal.environ.get("SBKUBE_STATE_URL")
    if given or not session.has_project():
        return given
    with session.project() as project:
        return project.config.settings.state_url
