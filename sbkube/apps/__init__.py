"""One file per app type, and the one registry of them."""

from __future__ import annotations

from sbkube.apps import helm, noop, yaml
from sbkube.apps.base import AppType

APP_TYPES: dict[str, AppType] = {
    "helm": AppType("helm", helm.HelmSpec, helm.render),
    "yaml": AppType("yaml", yaml.YamlSpec, yaml.render),
    "noop": AppType("noop", noop.NoopSpec, noop.render),
}

NOT_YET_TYPES = frozenset({"kustomize", "git", "http", "action", "exec", "hook"})
