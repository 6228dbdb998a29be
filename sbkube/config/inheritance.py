"""What phases and their files inherit: scalars override, lists are joined, maps are merged, paths keep working."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Settings with files in them, which are relative to the file that names them.
_FILES = ("cluster_values_file",)
_FILES_OF_REPOSITORIES = ("ca_file", "cert_file", "key_file", "ssh_key")
_REPOSITORIES = ("helm_repos", "git_repos")


def inherited(above: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`own` settings on top of those from above: scalars override, lists are joined without duplicates (those from
    above first), maps are merged deeply."""
    result = dict(above)
    for key, value in own.items():
        present = result.get(key)
        if isinstance(present, Mapping) and isinstance(value, Mapping):
            result[key] = inherited(present, value)
        elif isinstance(present, list) and isinstance(value, list):
            result[key] = [*present, *(item for item in value if item not in present)]
        else:
            result[key] = value
    return result


def moved(settings: Mapping[str, Any], old: Path, new: Path) -> dict[str, Any]:
    """Settings of a file in folder `old` as a file in folder `new` would have to write them."""

    def path(name: Any) -> Any:
        return os.path.relpath(old / os.path.expanduser(name), new) if isinstance(name, str) and name else name  # noqa: PTH111

    def repository(content: Any) -> Any:
        if not isinstance(content, Mapping):
            return content
        return {k: path(v) if k in _FILES_OF_REPOSITORIES else v for k, v in content.items()}

    if old.resolve() == new.resolve():
        return dict(settings)
    result = dict(settings)
    for key in _FILES:
        if key in result:
            given = result[key]
            result[key] = [path(name) for name in given] if isinstance(given, list) else [path(given)]
    for key in _REPOSITORIES:
        if isinstance(result.get(key), Mapping):
            result[key] = {name: repository(content) for name, content in result[key].items()}
    return result
