"""`validate --schema` and `--storage`: would the API server take it, and would its claims be bound?"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sbkube.api.where import Where
from sbkube.errors import Problem, ProjectError
from sbkube.plan.retired import retired

if TYPE_CHECKING:
    from sbkube.api.project import Project

_UNKNOWN_KIND = "does not know the kind"


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found: problems, warnings, and how many objects it looked at."""

    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    objects: int = 0


def check_schema(project: Project, version: str = "", environ: Mapping[str, str] | None = None) -> Checked:
    """Render everything and let a simulated API server of its own judge it, as one of Kubernetes `version`.

    The default is the newest that it knows. Needs no cluster; kinds whose definitions are not in the project are
    only named.
    """
    from sbkube.api.project import Project
    from sbkube.edges.sandbox import Sandbox

    env = dict(os.environ if environ is None else environ)
    with tempfile.TemporaryDirectory(prefix="sbkube-validate-") as folder:
        box = Sandbox(Path(folder) / "sandbox", env)
        kubeconfig = box.up(kubernetes_version=version or None)
        try:
            where = Where(
                str(kubeconfig), "sandbox", state_url=str(Path(folder) / "state.db"), no_cluster_lock=True
            )
            config = replace(project.config, deps=())
            with Project(config, where, lambda event: None, env) as trial:
                return _judged(trial, version)
        finally:
            box.down()


def _judged(project: Project, version: str) -> Checked:
    try:
        plan = project.plan()
    except ProjectError as error:
        problems = error.problems or (Problem(error.message, error.place, error.hint),)
        return _split(problems, version)
    keys = [(change.key, change.source) for app in plan.apps for change in app.changes]
    return Checked((), plan.warnings, len(keys))


def _split(problems: Iterable[Problem], version: str) -> Checked:
    """Kinds that the server does not know: retired ones are wrong, others may be defined elsewhere."""
    wrong: list[Problem] = []
    warnings: list[str] = []
    for problem in problems:
        if _UNKNOWN_KIND not in problem.message:
            wrong.append(problem)
            continue
        found = retired(problem.message)
        if found is None:
            warnings.append(f"{problem.place}: {problem.message}: not checked")
        elif found.gone_in(version):
            wrong.append(Problem(f"{found} since Kubernetes {found.removed}", problem.place, found.hint))
        else:
            warnings.append(f"{problem.place}: {found} from Kubernetes {found.removed} on: {found.hint}")
    return Checked(tuple(wrong), tuple(warnings))


def check_storage(project: Project) -> Checked:
    """Whether every claim of the project can be bound on its cluster. Reads only."""
    from sbkube.api.opening import before_any_write
    from sbkube.engine.storage import claims

    with before_any_write():
        problems, count = claims(project.config, project.world)
    return Checked(tuple(problems), (), count)
