"""Reading a project file: every problem of it is found and told at once, with file, line and column."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sbkube.errors import ConfigError, Place, UsageError

if TYPE_CHECKING:
    from sbkube.config.model import ProjectConfig

FILE_NAME = "sbkube.yaml"
NAMESPACE = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
NAMESPACE_HINT = "at most 63 lower-case letters, digits and dashes, with a letter or digit at both ends"
OLDER_FILES = ("config.yaml", "sources.yaml")


def load_project(
    target: Path | str = ".",
    *,
    namespace: str | None = None,
    environment: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> ProjectConfig:
    """The project in a folder or file, checked.

    `namespace` replaces `settings.namespace`. `environment` names the file `sbkube.<environment>.yaml` that is
    laid over the project's (default: `settings.environment`, if that has a file). `environ` (default: the
    process's) is what `${ENV}` in settings is taken from. Raises ConfigError with all problems, UsageError for a
    `namespace` that cannot be one.
    """
    from sbkube.config.environments import read_layers
    from sbkube.config.reading import Reading

    if namespace is not None and re.fullmatch(NAMESPACE, namespace) is None:
        raise UsageError(f'"{namespace}" is no name for a namespace', hint=NAMESPACE_HINT)
    path = locate(Path(target))
    document = read_layers(path, environment)
    return Reading(path, document, os.environ if environ is None else environ, namespace, environment).project()


def locate(target: Path) -> Path:
    """The project file that a target (a folder or a file) means; raises ConfigError, with the way out, if none."""
    target = Path(os.path.expanduser(target))  # noqa: PTH111 - Path.expanduser raises for unknown users
    if target.is_dir():
        target = target / FILE_NAME
        if not target.exists():
            raise _no_project(target)
    elif not target.exists():
        file = target.suffix in (".yaml", ".yml")
        message = f"there is no such {'file' if file else 'file or folder'}"
        raise ConfigError(message, place=Place(str(target)), hint=_init(target.parent if file else target))
    return target


def _no_project(file: Path) -> ConfigError:
    missing = f"there is no {FILE_NAME} here"
    other = file.with_suffix(".yml")
    if other.exists():
        return ConfigError(
            f"there is no {FILE_NAME} here", place=Place(str(other)), hint=f"rename it to {FILE_NAME}"
        )
    older = [name for name in OLDER_FILES if file.with_name(name).exists()]
    if older:
        return ConfigError(
            f"{missing}, only the older {' and '.join(older)}",
            place=Place(str(file.parent)),
            hint="`sbkube migrate` makes a project file of them",
        )
    return ConfigError(f"there is no {FILE_NAME} here", place=Place(str(file.parent)), hint=_init(file.parent))


def _init(folder: Path) -> str:
    where = "" if folder == Path() else f" {folder}"
    return f"`sbkube init{where}` makes one"
