"""The projects that `sbkube init` begins with: templates, whose files are beside this one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

TEMPLATES = ("minimal", "helm", "phases")
_WORDS = frozenset({"yes", "off", "true", "false", "null"})
_MINIMAL = ("sbkube.yaml", "manifests/hello.yaml")


def starter_files(name: str, template: str = "minimal") -> dict[str, str]:
    """Texts by file name, for a project called `name`; its namespace is `name` as far as Kubernetes allows.

    A name without any ASCII letter or digit cannot be a label; it becomes `project`.
    """
    name, namespace = named(name)
    folder = files("sbkube.config") / "templates"
    if template == "minimal":
        found = {path: folder / path for path in _MINIMAL}
    else:
        found = dict(_below(folder / template))
    found[".gitignore"] = folder / "gitignore"
    return {target: _filled(file, name, namespace) for target, file in found.items()}


def named(name: str) -> tuple[str, str]:
    """Name and namespace of a project that somebody wants to call `name`."""
    name = name if re.search("[A-Za-z0-9]", name) else "project"
    return name, re.sub(r"[^a-z0-9]+", "-", name.lower())[:63].strip("-") or "default"


def _below(folder: Traversable, path: str = "") -> Iterator[tuple[str, Traversable]]:
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        inner = f"{path}{item.name}"
        if item.is_dir():
            yield from _below(item, f"{inner}/")
        else:
            yield inner, item


def _filled(file: Traversable, name: str, namespace: str) -> str:
    text = file.read_text("utf-8")
    return text.replace("__NAMESPACE__", _scalar(namespace)).replace("__NAME__", _scalar(name))


def _scalar(text: str) -> str:
    """Text as YAML: plain where nobody can read it as anything else (`no`, `12`), in quotes otherwise."""
    return text if re.fullmatch(r"[a-z][a-z0-9-]{2,}", text) and text not in _WORDS else json.dumps(text)
