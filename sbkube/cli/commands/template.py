"""`template`: the manifests as they would be sent."""

from __future__ import annotations

from pathlib import Path

import click

from sbkube.cli.options import Command
from sbkube.cli.session import Session
from sbkube.errors import UsageError
from sbkube.models.selection import selects


@click.command("template", cls=Command)
@click.argument("target", required=False)
@click.option("--output-dir", metavar="DIR", help="Write one file per app instead of printing.")
@click.option("--show-secrets", is_flag=True, help="Show secret values instead of masks.")
def template(session: Session, target: str | None, output_dir: str | None, show_secrets: bool) -> int:
    """Print the manifests of all apps as they would be sent; values of Secrets are masked.

    Hooks of this stage are not run: the manifests are those of the files as they are now.
    """
    with session.project(target) as project:
        members = session.members(project)
        if output_dir:
            texts = {}
            for member in members:
                own = member.project
                names = [n for n, app in own.config.apps.items() if app.enabled and selects(member.apps, n)]
                for name in names:
                    texts[member.prefix + name] = own.template((name,), show_secrets=show_secrets)
            session.stop_progress()
            return _write(session, Path(output_dir), {name: text for name, text in texts.items() if text})
        text = "".join(m.project.template(m.apps, show_secrets=show_secrets) for m in members)
    session.emit("template", lambda: {"manifests": _documents(text)}, lambda: text, raw=True)
    return 0


def _documents(text: str) -> list[object]:
    from sbkube.report.yaml_text import load_all

    return load_all(text)


def _write(session: Session, folder: Path, texts: dict[str, str]) -> int:
    files = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            path = folder / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            files.append(str(path))
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}") from error
    session.emit("template", lambda: {"files": files}, lambda: "\n".join(f"wrote {name}" for name in files))
    return 0
