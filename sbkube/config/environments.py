"""`sbkube.<environment>.yaml` beside the project file: what is different there."""

from __future__ import annotations

from pathlib import Path

from sbkube.errors import ConfigError, Place
from sbkube.sources.layers import lay_over
from sbkube.sources.problems import did_you_mean
from sbkube.sources.yaml_reader import Document, read_file, read_one, shown


def read_layers(path: Path, environment: str | None) -> Document:
    """The project file, with its environment's file laid over it.

    Without a name the file's own `settings.environment` counts, if it has a file. Raises ConfigError.
    """
    document = _read(path)
    settings = document.value.get("settings") if isinstance(document.value, dict) else None
    own = settings.get("environment") if isinstance(settings, dict) else None
    name = environment or (own if isinstance(own, str) else "")
    if not name:
        return document
    file = path.with_name(f"{path.stem}.{name}{path.suffix}")
    if not file.is_file():
        if environment is None:
            return document
        raise ConfigError(
            f'there is no environment "{name}"',
            place=Place(shown(file)),
            hint=did_you_mean(name, environments(path), noun="environments"),
        )
    above = _read(file)
    if not isinstance(document.value, dict) or above.value is None:
        return document
    if not isinstance(above.value, dict):
        raise ConfigError("the file of an environment must be a map", place=above.place())
    _refuse_mixed_apps(document, above)
    return lay_over(document, above)


def read_layers_if_any(path: Path, environment: str | None) -> Document:
    """The file, with its environment's file laid over it where there is one. Raises ConfigError."""
    known = environment if environment in environments(path) else None
    return read_layers(path, known)


def environments(path: Path) -> list[str]:
    """Names of the environments beside a project file."""
    prefix, suffix = f"{path.stem}.", path.suffix
    names = (p.name for p in path.parent.glob(f"{path.stem}.*{path.suffix}"))
    return sorted(n.removeprefix(prefix).removesuffix(suffix) for n in names if n != path.name)


def _read(path: Path) -> Document:
    text, _ = read_file(path)
    return read_one(text, shown(path))


def _refuse_mixed_apps(below: Document, above: Document) -> None:
    one, other = below.value.get("apps"), above.value.get("apps")
    if isinstance(one, list) and isinstance(other, dict | list):
        raise ConfigError(
            "apps of an environment are laid over apps by their names, and here they are a list",
            place=below.place("apps", key=True),
            hint="write apps as a map: name: {type: …}",
        )
