"""`template`: the manifests as they would be sent."""

from __future__ import annotations

import yaml

from sbkube.config.model import ProjectConfig
from sbkube.engine.desired import render_all, resolve
from sbkube.engine.prepare import Selection, selected_apps
from sbkube.engine.surroundings import ReleaseIndex, Surroundings
from sbkube.plan.redact import Redactor


def template(config: ProjectConfig, world: Surroundings, apps: tuple[str, ...], key: bytes | None) -> str:
    """All desired objects as one YAML stream, each under a comment with its app; Secrets are masked with the key,
    if there is one."""
    index = ReleaseIndex(world.helm)
    chosen = selected_apps(config, Selection(apps))
    resolved = resolve(config, render_all(config, chosen, world, index), world, index)
    redactor = Redactor(key, world.sensitive) if key is not None else None
    parts = []
    for app in resolved:
        for item in app.all_objects:
            source = f" {item.source}" if item.source else ""
            body = redactor.body(item.body) if redactor else item.body
            text = yaml.safe_dump(body, sort_keys=False, allow_unicode=True)
            parts.append(f"# app {app.spec.name}:{source}\n{text}")
    return "---\n" + "---\n".join(parts) if parts else ""
