"""One file per app type, and the one registry of them."""

from __future__ import annotations

from sbkube.apps import action, exec, git, helm, hook, http, kustomize, noop, yaml
from sbkube.apps.base import AppType

APP_TYPES: dict[str, AppType] = {
    "helm": AppType("helm", helm.HelmSpec, helm.render),
    "yaml": AppType("yaml", yaml.YamlSpec, yaml.render),
    "kustomize": AppType("kustomize", kustomize.KustomizeSpec, kustomize.render),
    "http": AppType("http", http.HttpSpec, http.render, http.fetch),
    "git": AppType("git", git.GitSpec, git.render),
    "action": AppType("action", action.ActionSpec, action.render),
    "exec": AppType("exec", exec.ExecSpec, exec.render),
    "hook": AppType("hook", hook.HookSpec, hook.render),
    "noop": AppType("noop", noop.NoopSpec, noop.render),
}
