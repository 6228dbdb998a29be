"""`validate`: is the project file right, and would its objects be taken?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from sbkube.cli.options import Command
from sbkube.cli.session import Session
from sbkube.report.layout import plural

if TYPE_CHECKING:
    from sbkube.api import Project
    from sbkube.errors import Problem


@click.command("validate", cls=Command)
@click.argument("target", required=False)
@click.option(
    "--schema", is_flag=True, help="Render everything, and check every object against Kubernetes' schema."
)
@click.option("--kubernetes-version", metavar="1.34", help="The version for that: what it does not serve is told.")
@click.option("--storage", is_flag=True, help="Check on the cluster that every volume claim can be bound.")
@click.option(
    "--strict-deps", is_flag=True, help="Projects in deps must be deployed; disabled dependencies are errors."
)
def validate(session: Session, target: str | None, **how: Any) -> int:
    """Check the project file and everything it names; every problem is told with its line.

    Needs no cluster, but for --storage and --strict-deps.
    """
    from sbkube.api.family import parts
    from sbkube.errors import ProjectError

    warnings: list[str] = []
    problems: list[Problem] = []
    counts: Counter[str] = Counter()
    with session.project(target) as project:
        family = parts(project)
        for part in (member.project for member in family):
            wrong, said = part.validate()
            problems, warnings, own = [*problems, *wrong], [*warnings, *said], list(said)
            if how["strict_deps"]:
                problems += _strict(part, own)
            if how["schema"] or how["kubernetes_version"]:
                found = session.api.check_schema(part, how["kubernetes_version"] or "")
                problems, warnings = [*problems, *found.problems], [*warnings, *found.warnings]
                counts["objects"] += found.objects
            if how["storage"]:
                found = session.api.check_storage(part)
                problems, counts["claims"] = [*problems, *found.problems], counts["claims"] + found.objects
        config = project.config
    apps = [member.prefix + name for member in family for name in member.project.config.apps]
    session.stop_progress()
    if problems:
        raise ProjectError("the project would not be taken", problems=problems)
    ink = session.ink

    def text() -> str:
        head = f"{ink.green('✓')} {config.path} is valid: project {config.name}, {plural(len(apps), 'app')}"
        looked = [f"{plural(number, name.removesuffix('s'))} checked" for name, number in counts.items()]
        return "\n".join([", ".join([head, *looked]), *(ink.yellow(f"! {warning}") for warning in warnings)])

    session.emit(
        "validate",
        lambda: {
            "valid": True,
            "file": str(config.path),
            "project": config.name,
            "apps": apps,
            "warnings": [str(warning) for warning in warnings],
            "checked": dict(counts),
        },
        text,
    )
    return 0


def _strict(project: Project, warnings: list[str]) -> list[Problem]:
    """Warnings about dependencies as problems, and projects that should have been deployed."""
    from sbkube.errors import PlanRefused, Problem

    found = [Problem(warning, None) for warning in warnings if "depends on" in warning]
    try:
        project.check_deps()
    except PlanRefused as error:
        found += error.problems
    return found
