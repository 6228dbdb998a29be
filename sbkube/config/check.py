"""Part of a file against a model: every misfit becomes a problem with its place, in words of the file."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar, get_args

from pydantic import AliasChoices, BaseModel, ValidationError

from sbkube.apps.tasks import KINDS as TASKS
from sbkube.apps.tasks import TAG
from sbkube.errors import Place, Problem
from sbkube.sources.problems import did_you_mean, meant

Model = TypeVar("Model", bound=BaseModel)
Path = tuple[str | int, ...]


class Places(Protocol):
    """Finds places in a file."""

    def place(self, *path: str | int, key: bool = False) -> Place:
        """Where the value at `path` stands, or its key."""


_MESSAGES = {
    "missing": "is missing",
    "bool": "must be true or false",
    "int": "must be a whole number",
    "float": "must be a number",
    "string": "must be text",
    "path": "must be text",
    "list": "must be a list",
    "tuple": "must be a list",
    "dict": "must be a map",
    "mapping": "must be a map",
    "model": "must be a map",
}
_FORMS = {
    r"^https?://": "must begin with http:// or https://",
    r"^[^/]+/[^/]+$": "must be KIND/NAME",
    r"^[A-Za-z0-9][A-Za-z0-9_.-]*$": "must be made of letters, digits, dots, dashes and underscores",
}
_LIST_HINT = 'begin each item on a line of its own with "- "'


def known_keys(model: type[BaseModel]) -> list[str]:
    """Every spelling that a model accepts."""
    names: list[str] = []
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices):
            names += [choice for choice in alias.choices if isinstance(choice, str)]
        else:
            names.append(alias if isinstance(alias, str) else name)
    return names


def unknown_keys(
    given: Iterable[str], model: type[BaseModel], document: Places, path: Path, also: Sequence[str] = ()
) -> tuple[list[Problem], set[str]]:
    """Problems of the keys that are unknown, and those keys."""
    known = [*known_keys(model), *also]
    problems, bad = [], set()
    for key in given:
        if key in known:
            continue
        bad.add(key)
        place = document.place(*path, key, key=True)
        hint = _unknown_hint(key, known)
        problems.append(Problem(f"{dotted((*path, key))} is not a known key", place, hint))
    return problems, bad


def _unknown_hint(key: str, known: Sequence[str]) -> str:
    near = meant(key, known)
    return f'did you mean "{near}"?' if near else did_you_mean(key, known, noun="known keys")


def build(
    model: type[Model], raw: Mapping[str, Any], document: Places, path: Path, problems: list[Problem]
) -> Model | None:
    """An instance of `model` from a part of the file, or None after adding its problems."""
    found, bad = unknown_keys(raw, model, document, path)
    given = {key: value for key, value in raw.items() if value is not None and key not in bad}
    problems += found
    try:
        return model.model_validate(given)
    except ValidationError as error:
        misspelt = {meant(key, known_keys(model)) for key in bad}
        problems += _translated(error, document, path, misspelt, model)
        return None


def _translated(
    error: ValidationError, document: Places, path: Path, misspelt: Container[str | None], model: type[BaseModel]
) -> Iterable[Problem]:
    """Problems of one place once; a key that is there, only misspelt, is not called missing as well."""
    seen: set[Path] = set()
    items = error.errors(include_url=False)
    parents = {item["loc"][:-1] for item in items}
    strangers = {item["loc"] for item in items if item["type"] == "extra_forbidden"}
    for item in items:
        depth = len(item["loc"])
        if item["type"] == "too_short" and any(parent[:depth] == item["loc"] for parent in parents):
            continue  # it only looks empty because its items are wrong
        steps = (step for step in item["loc"] if isinstance(step, str | int))
        where = (*path, *(step for step in steps if not str(step).startswith(TAG)))
        told = item["type"] == "missing" and (where[-1] in misspelt or _misspelt(item["loc"], strangers))
        if where not in seen and not told:
            seen.add(where)
            problem = _problem(item, where, document)
            if item["type"] == "extra_forbidden":
                known = _keys_at(model, item["loc"][:-1])
                problem = replace(problem, hint=_unknown_hint(str(where[-1]), known) if known else None)
            yield problem


def _problem(item: Mapping[str, Any], where: Path, document: Places) -> Problem:
    kind, context = str(item["type"]), item.get("ctx") or {}
    place = document.place(*where)
    name = dotted(where)
    if kind == "sbkube":
        return Problem(f"{name} {context['message']}", place, context.get("hint") or None)
    if kind == "missing":
        return Problem(f"{name} is missing", document.place(*where[:-1], key=True))
    if kind == "extra_forbidden":
        return Problem(f"{name} is not a known key", document.place(*where, key=True))
    if kind.startswith("union_tag"):
        return _no_such_task(item, where, document)
    if kind == "literal_error":
        words = [word.strip("'") for word in str(context["expected"]).replace(" or ", ", ").split(", ")]
        given = item.get("input")
        hint = did_you_mean(str(given), words, noun="allowed")
        return Problem(f'{name} must be one of {", ".join(words)}, not "{given}"', place, hint)
    if kind in ("too_short", "string_too_short"):
        return Problem(f"{name} must not be empty", place)
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = context.get("ge", context.get("le"))
        return Problem(f"{name} must be {'at least' if 'ge' in context else 'at most'} {bound}", place)
    if kind == "string_pattern_mismatch":
        form = _FORMS.get(str(context.get("pattern")), f"must have the form {context.get('pattern')}")
        return Problem(f"{name} {form}{_instead(item.get('input'))}", place)
    message = next((text for start, text in _MESSAGES.items() if kind.startswith(start)), None)
    way_out = _LIST_HINT if message == "must be a list" else None
    return Problem(f"{name} {message or item['msg'].lower()}{_instead(item.get('input'))}", place, way_out)


def _misspelt(missing: tuple[str | int, ...], strangers: Iterable[tuple[str | int, ...]]) -> bool:
    """A key beside the missing one is unknown, and looks like it."""
    near = [str(loc[-1]) for loc in strangers if loc[:-1] == missing[:-1]]
    return any(meant(name, [str(missing[-1])]) for name in near)


def _keys_at(model: type[BaseModel], steps: Iterable[str | int]) -> list[str]:
    """The keys that are known at some depth of a model."""
    current = [model]
    for step in steps:
        if isinstance(step, int):
            continue
        if step.startswith(TAG):
            kind = step.removeprefix(TAG)
            current = [m for m in current if kind in get_args(m.model_fields["type"].annotation)]
        else:
            fields = [field for m in current if (field := m.model_fields.get(step))]
            if fields or all(step in m.model_fields for m in current):
                current = [found for field in fields for found in _models_in(field.annotation)]
            # Else it is the key of a map, whose values are of the same model.
    return sorted({key for found in current for key in known_keys(found)})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _models_in(part)]


def _no_such_task(item: Mapping[str, Any], where: Path, document: Places) -> Problem:
    """A task without a type, or with one that does not exist."""
    context, given = item.get("ctx") or {}, item.get("input")
    kinds = sorted(re.findall(rf"{TAG}(\w+)", str(context.get("expected_tags", "")))) or TASKS
    if not isinstance(given, Mapping):
        return Problem(f"{dotted(where)} must be a map{_instead(given)}", document.place(*where), "type, name, …")
    if "type" not in given:
        return Problem(f"{dotted(where)}.type is missing", document.place(*where), f"types: {', '.join(kinds)}")
    hint = did_you_mean(str(given["type"]), kinds, noun="types")
    return Problem(
        f'{dotted(where)}: there is no task of type "{given["type"]}"', document.place(*where, "type"), hint
    )


def _instead(given: Any) -> str:
    if isinstance(given, bool):
        return f", not {str(given).lower()}"
    if isinstance(given, str):
        return f', not "{given[:40]}"'
    if isinstance(given, int | float):
        return f", not {given}"
    return ", not a map" if isinstance(given, dict) else ", not a list" if isinstance(given, list) else ""


def dotted(path: Path) -> str:
    """A path as people write it: `apps.web.values[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
