"""Reading manifests from files, folders, globs and URLs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path

from sbkube.apps.base import RenderContext
from sbkube.apps.bases import base_of
from sbkube.apps.encrypted import plain, read_text
from sbkube.apps.objects import at, objects
from sbkube.errors import ConfigError, Place, Problem, RenderError
from sbkube.models.resource import Manifest
from sbkube.sources.problems import did_you_mean, refusal
from sbkube.sources.yaml_reader import read_documents, shown

SUFFIXES = (".yaml", ".yml", ".json")
Named = tuple[str, Place | None]  # a pattern and where it was written


def read_manifests(
    patterns: Sequence[Named], context: RenderContext, subject: str
) -> tuple[tuple[Manifest, ...], dict[str, str]]:
    """Every object of the files that the patterns mean, and the digest of each file by its name in records.

    Raises RenderError with all files that are missing or broken; `subject` says whose they are.
    """
    problems: list[Problem] = []
    manifests: list[Manifest] = []
    sources: dict[str, str] = {}
    for path, name in _files(patterns, context, problems):
        try:
            content, sources[name] = read_text(path, context)
            documents = [plain(document, path, context) for document in read_documents(content, shown(path))]
        except ConfigError as error:
            problems += error.problems or (Problem(error.message, error.place, error.hint),)
            continue
        for document in documents:
            found = objects(document, problems, cleanup=context.cleanup_metadata)
            manifests += (at(m, _renamed(m.source, name)) for m in found)
    if problems:
        raise refusal(problems, RenderError, subject)
    return tuple(manifests), sources


def _renamed(place: Place | None, name: str) -> Place:
    return Place(name, place.line, place.column) if place else Place(name)


def _files(
    patterns: Sequence[Named], context: RenderContext, problems: list[Problem]
) -> Iterator[tuple[Path, str]]:
    """Each file once, with its name in records."""
    seen: set[Path] = set()
    for pattern, place in patterns:
        if pattern.startswith(("http://", "https://")):
            fetched = context.catalogue.file(pattern, place=place)
            yield fetched.path, fetched.name
            continue
        base = base_of(pattern, context, place)
        try:
            found = _matches(base.folder, base.path)
        except (OSError, ValueError) as error:
            problems.append(Problem(f'"{pattern}" cannot be looked up: {error}', place))
            continue
        if not found:
            problems.append(_missing(base.folder, base.path, place))
        for path in found:
            if path not in seen:
                seen.add(path)
                yield path, base.name(path)


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
