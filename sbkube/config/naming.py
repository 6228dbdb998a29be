"""The name of a project, read without a look at the rest of its file: all that its history needs."""

from __future__ import annotations

from pathlib import Path

from sbkube.config.load import locate
from sbkube.sources.yaml_reader import read_file, read_one, shown

API = "sbkube/"
_ELSEWHERE = ("state", "state_url", "environment")  # settings that the history may depend on


def plain_name(target: str | Path) -> str:
    """The name that a project file gives in so many words, "" where only reading all of it tells.

    Such is a file without a name, or with a state database or an environment of its own. What else may be wrong
    with the file does not matter here. Raises ConfigError for one that is missing or no YAML.
    """
    path = locate(Path(target))
    raw = read_one(read_file(path)[0], shown(path)).value
    if not isinstance(raw, dict) or not str(raw.get("apiVersion")).startswith(API):
        return ""
    metadata, settings = raw.get("metadata"), raw.get("settings")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if isinstance(settings, dict) and any(key in settings for key in _ELSEWHERE):
        return ""
    return name if isinstance(name, str) and fits_a_label(name) else ""


def fits_a_label(name: str) -> bool:
    """It has something that a label can hold."""
    return any(c.isascii() and c.isalnum() for c in name)
