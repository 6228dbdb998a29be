"""A project as its record tells of it: enough to look at its cluster, whatever its file says now."""

from __future__ import annotations

from pathlib import Path

from sbkube.config.model import ProjectConfig, Scope, Settings
from sbkube.models.deployment_state import DeploymentRecord


def recorded_config(record: DeploymentRecord, path: Path) -> ProjectConfig:
    """The project of a deployment, without apps; `path` is its file, whose folder paths are relative to."""
    kubeconfig = str((record.config_snapshot.get("settings") or {}).get("kubeconfig") or "")
    settings = Settings(
        kubeconfig=path.parent / kubeconfig if kubeconfig and "${" not in kubeconfig else None,
        kubeconfig_context=record.context or None,
        namespace=record.namespace,
    )
    scopes = {"": Scope("", path.parent, settings)}
    return ProjectConfig(path, path.parent, record.project, True, {}, settings, {}, scopes)
