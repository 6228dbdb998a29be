"""What a project left open, found without its file: it may be broken just when that matters."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sbkube.api.project import Project
from sbkube.api.records import Records
from sbkube.api.where import Where
from sbkube.models.deployment_state import DeploymentRecord, DeploymentStatus
from sbkube.ports import Listener

_LEFT = (DeploymentStatus.PENDING, DeploymentStatus.IN_PROGRESS, DeploymentStatus.INTERRUPTED)
_MOST = 50  # deployments of each status, newest first


def open_recorded(
    target: str | Path, *, where: Where, listener: Listener, environ: Mapping[str, str] | None = None
) -> list[Project]:
    """The project in a folder or file as its record knows it, once for each place where a deployment did not end.

    They have no apps: what they can do is `recover` and `break_lock`. Close each of them. None where the file does
    not even tell the project's name. Raises StateError, and ConfigError for a file that is missing or no YAML.
    """
    from sbkube.config.load import locate
    from sbkube.config.naming import plain_name
    from sbkube.config.recorded import recorded_config
    from sbkube.plan.sensitive import sensitive_paths

    env = dict(os.environ if environ is None else environ)
    path, name = locate(Path(target)), plain_name(target)
    found: dict[tuple[str, str], DeploymentRecord] = {}
    if name:
        with Records(name, where, listener, env) as records:
            for status in _LEFT:
                for record in records.history(status=status.value, limit=_MOST):
                    found.setdefault((record.cluster_uid, record.namespace), record)
    opened = []
    for record in found.values():
        project = Project(recorded_config(record, path), where, listener, env)
        project.sensitive.add(sensitive_paths(record.config_snapshot))
        opened.append(project)
    return opened
