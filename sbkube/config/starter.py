"""The project that `sbkube init` begins with."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from importlib.resources.abc import Traversable

_WORDS = frozenset({"yes", "off", "true", "false", "null"})
_NAMES = {"sbkube.yaml": "sbkube.yaml", "manifests/hello.yaml": "manifests/hello.yaml", "gitignore": ".gitignore"}


def starter_files(name: str) -> dict[str, str]:
    """Texts by file name, for a project called `name`; its namespace is `name` as far as Kubernetes allows.

    A name without any ASCII letter or digit cannot be a label; it becomes `project`.
    """
    if re.search("[A-Za-z0-9]", name) is None:
        name = "project"
    namespace = re.sub(r"[^a-z0-9]+", "-", name.lower())[:63].strip("-") or "default"
    folder = files("sbkube.config") / "templates"
    return {target: _filled(folder / source, name, namespace) for source, target in _NAMES.items()}


def _filled(file: Traversable, name: str, namespace: str) -> str:
    text = file.read_text("utf-8")
    return text.replace("__NAMESPACE__", _scalar(namespace)).replace("__NAME__", _scalar(name))


def _scalar(text: str) -> str:
    """Text as YAML: plain where nobody can read it as anything else (`no`, `12`), in quotes otherwise."""
    return text if re.fullmatch(r"[a-z][a-z0-9-]{2,}", text) and text not in _WORDS else json.dumps(text)
