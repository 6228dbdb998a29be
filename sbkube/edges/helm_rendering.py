"""What a chart rendered to, taken apart as Helm does it: manifest, hooks, notes.

Helm splits every rendered file at `---` lines, drops empty parts and files that begin with `_`, and calls a
document a hook when it has the annotation `helm.sh/hook` (https://helm.sh/docs/topics/charts_hooks/). A hook with
an event that Helm does not know is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sbkube.edges.helm_storage import with_source
from sbkube.errors import ConfigError, Place, RenderError
from sbkube.models.release import RenderedChart
from sbkube.sources.yaml_reader import read_documents

NOTES = "NOTES.txt"
_SEPARATOR = re.compile(r"^---[ \t]*", re.MULTILINE)
_HOOK = "helm.sh/hook"
_EVENTS = frozenset(
    {
        "pre-install", "post-install", "pre-delete", "post-delete", "pre-upgrade", "post-upgrade",
        "pre-rollback", "post-rollback", "test", "test-success",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """One document of a rendered template; `hook` holds the events, or nothing for a plain object."""

    path: str
    text: str
    hook: str | None


def assemble(files: Mapping[str, str], chart: str, crds: Iterable[str] = ()) -> RenderedChart:
    """Manifest, hooks and notes of rendered templates (path → text), in the order of their paths.

    `chart` is the chart's name, whose own NOTES.txt is taken. Raises RenderError when a possible hook is not YAML.
    """
    parts = [part for path in sorted(files) for part in parts_of(path, files[path])]
    plain = [with_source(p.path, p.text) for p in parts if p.hook is None]
    hooks = tuple(with_source(p.path, p.text) for p in parts if p.hook and known(p.hook))
    notes = files.get(f"{chart}/templates/{NOTES}", "")
    return RenderedChart("".join(f"---\n{text.rstrip()}\n" for text in plain), hooks, tuple(crds), notes)


def parts_of(path: str, text: str) -> Iterator[Part]:
    """The documents of one rendered template; nothing for notes and partials."""
    name = path.rpartition("/")[2]
    if name.startswith("_") or name == NOTES:
        return
    for piece in _SEPARATOR.split(text.lstrip()):
        if piece.strip():
            yield Part(path, piece.lstrip(), hook_events(piece, path))


def hook_events(document: str, path: str) -> str | None:
    """The events of a hook, or None for a document that is none."""
    if _HOOK not in document:
        return None
    try:
        found = read_documents(document, path, duplicates=[])
    except ConfigError as error:
        raise RenderError(
            "the rendered template is not YAML", problems=error.problems, place=Place(path)
        ) from error
    annotations = _annotations(found[0].value) if found else {}
    events = annotations.get(_HOOK)
    return None if events is None else str(events)


def known(events: str) -> bool:
    """Whether Helm runs a hook with these events (`pre-install,pre-upgrade`)."""
    return all(event.strip().lower() in _EVENTS for event in events.split(","))


def _annotations(body: Any) -> Mapping[str, Any]:
    meta = body.get("metadata") if isinstance(body, Mapping) else None
    found = meta.get("annotations") if isinstance(meta, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def crd_documents(crds: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """The documents of `crds/` (name and data of each file), each with its `# Source:` line."""
    return tuple(
        with_source(str(crd["filename"]), piece.lstrip())
        for crd in crds
        for piece in _SEPARATOR.split(str(crd["data"]).lstrip())
        if piece.strip()
    )


def split_sources(text: str) -> dict[str, str]:
    """Documents by template, from text in which each document begins with a `# Source:` line."""
    files: dict[str, list[str]] = {}
    for piece in _SEPARATOR.split("\n" + text):
        match = re.match(r"\s*# Source: (.+)\n", piece)
        if match:
            files.setdefault(match[1].strip(), []).append(piece[match.end() :])
    return {path: "---\n".join(pieces) for path, pieces in files.items()}
