"""`${ENV}` and `${ENV:-default}` in settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sbkube.errors import Problem
from sbkube.sources.problems import meant
from sbkube.sources.yaml_reader import Document

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def expand(
    value: Any,
    environ: Mapping[str, str],
    document: Document,
    path: tuple[str | int, ...],
    problems: list[Problem],
) -> Any:
    """`value` with every string expanded; an unset variable without default is added to `problems`.

    As in a shell, `:-` also stands in for a variable that is set and empty.
    """
    if isinstance(value, str):
        return _VARIABLE.sub(_replacement(environ, document, path, problems), value) if "${" in value else value
    if isinstance(value, dict):
        return {k: expand(v, environ, document, (*path, k), problems) for k, v in value.items()}
    if isinstance(value, list):
        return [expand(v, environ, document, (*path, i), problems) for i, v in enumerate(value)]
    return value


def _replacement(
    environ: Mapping[str, str], document: Document, path: tuple[str | int, ...], problems: list[Problem]
) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        found = environ.get(name)
        if default is not None:
            return found or str(default)
        if found is None:
            near = meant(name, environ)
            hint = f"set it, or give a default: ${{{name}:-…}}"
            if near:
                hint = f'did you mean "{near}"? Otherwise ' + hint
            problems.append(Problem(f"the environment variable {name} is not set", document.place(*path), hint))
            return ""
        return found

    return replace
