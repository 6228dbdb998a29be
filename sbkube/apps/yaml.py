"""`type: yaml`: manifests from files, folders and globs, applied by the server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field

from sbkube.apps.base import AppSpec, RenderContext, Rendered
from sbkube.apps.fields import Text
from sbkube.apps.objects import at, objects
from sbkube.errors import ConfigError, Place, Problem, RenderError
from sbkube.models.resource import Manifest
from sbkube.sources.problems import did_you_mean, refusal
from sbkube.sources.yaml_reader import read_documents, read_file, shown

SUFFIXES = (".yaml", ".yml", ".json")


class YamlSpec(AppSpec):
    """Plain Kubernetes manifests."""

    type: Literal["yaml"]
    manifests: tuple[Text, ...] = Field(
        validation_alias=AliasChoices("manifests", "files"),
        min_length=1,
        description="Files, folders (their YAML and JSON files) and globs, relative to this file.",
    )


def render(spec: YamlSpec, context: RenderContext) -> Rendered:
    """Read every object; raises RenderError with all files that are missing or broken."""
    problems: list[Problem] = []
    manifests: list[Manifest] = []
    sources: dict[str, str] = {}
    for path in _files(spec, context.folder, problems):
        name = project_name(path, context.folder)
        try:
            content, sources[name] = read_file(path)
            documents = read_documents(content, shown(path))
        except ConfigError as error:
            problems += error.problems or (Problem(error.message, error.place, error.hint),)
            continue
        for document in documents:
            found = objects(document, problems, cleanup=context.cleanup_metadata)
            manifests += (at(m, _renamed(m.source, name)) for m in found)
    if problems:
        raise refusal(problems, RenderError, f"app {spec.name}")
    return Rendered(tuple(manifests), notes=spec.notes, sources=sources)


def project_name(path: Path, folder: Path) -> str:
    """A file's name in records: relative to the project, so that it is the same on every machine."""
    return Path(os.path.relpath(path, folder)).as_posix()


def _renamed(place: Place | None, name: str) -> Place:
    return Place(name, place.line, place.column) if place else Place(name)


def _files(spec: YamlSpec, folder: Path, problems: list[Problem]) -> Iterator[Path]:
    seen: set[Path] = set()
    for index, pattern in enumerate(spec.manifests):
        place = spec.where("manifests", index) or spec.where("files", index)
        later = _not_yet(pattern)
        if later:
            problems.append(Problem(f'"{pattern}": {later}', place, "use files of this project"))
            continue
        try:
            found = _matches(folder, pattern)
        except (OSError, ValueError) as error:
            problems.append(Problem(f'"{pattern}" cannot be looked up: {error}', place))
            continue
        if not found:
            problems.append(_missing(folder, pattern, place))
        for path in found:
            if path not in seen:
                seen.add(path)
                yield path


def _not_yet(pattern: str) -> str:
    if pattern.startswith(("http://", "https://")):
        return "manifests from URLs are not supported by this version of sbkube"
    if "${repos." in pattern:
        return "git repositories are not supported by this version of sbkube"
    return ""


def _matches(folder: Path, pattern: str) -> list[Path]:
    """Files that a pattern means, sorted; raises OSError and ValueError for what cannot be looked up."""
    path = folder / pattern
    if path.is_dir():
        return sorted(p for p in path.iterdir() if p.suffix in SUFFIXES and _visible(p))
    if path.exists() or not _is_glob(pattern):
        return [path] if path.exists() else []
    parts = Path(pattern).parts
    fixed = tuple(takewhile(lambda part: not _is_glob(part), parts))
    found = folder.joinpath(*fixed).glob("/".join(parts[len(fixed) :]))
    return sorted(p for p in found if _visible(p) or (p.name == parts[-1] and p.is_file()))


def _is_glob(text: str) -> bool:
    return any(char in text for char in "*?[")


def _visible(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def _missing(folder: Path, pattern: str, place: Place | None) -> Problem:
    path = folder / pattern
    if path.is_dir():
        hint = f'only files directly in it count; for all below use "{pattern.rstrip("/")}/**/*.yaml"'
        return Problem(f'the folder "{pattern}" holds no YAML or JSON files', place, hint)
    if _is_glob(pattern):
        return Problem(f'"{pattern}" matches no file', place, f"it is looked up in {folder}")
    if not path.parent.is_dir():
        return Problem(f'the file "{pattern}" does not exist', place, f"it is looked up in {folder}")
    names = [p.name for p in path.parent.iterdir() if p.suffix in SUFFIXES or p.is_dir()]
    return Problem(
        f'the file "{pattern}" does not exist', place, did_you_mean(path.name, names, noun="files there")
    )
