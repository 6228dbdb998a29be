"""From YAML documents to the objects in them, each with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sbkube.errors import Place, Problem
from sbkube.models.resource import Manifest, ResourceKey
from sbkube.sources.yaml_reader import Document

SERVER_FIELDS = (
    "managedFields",
    "creationTimestamp",
    "resourceVersion",
    "uid",
    "generation",
    "selfLink",
)


def objects(document: Document, problems: list[Problem], *, cleanup: bool) -> Iterator[Manifest]:
    """The objects of a document, lists taken apart; what is no object is added to `problems`."""
    yield from _objects(document, document.value, (), problems, cleanup)


def _objects(
    document: Document, value: Any, path: tuple[str | int, ...], problems: list[Problem], cleanup: bool
) -> Iterator[Manifest]:
    place = document.place(*path)
    if not isinstance(value, dict):
        what = "a list" if isinstance(value, list) else f'"{str(value)[:40]}"'
        hint = 'an object is a map with "apiVersion", "kind" and "metadata"; put "---" between objects'
        problems.append(Problem(f"is {what}, not a Kubernetes object", place, hint))
        return
    if _is_list(value):
        for index, item in enumerate(value.get("items") or ()):
            yield from _objects(document, item, (*path, "items", index), problems, cleanup)
        return
    found = list(_misfits(value))
    if found:
        problems.extend(Problem(message, document.place(*path, *step), hint) for step, message, hint in found)
        return
    body = cleaned(value) if cleanup else value
    yield Manifest(ResourceKey.of(body), body, place)


def _is_list(value: Mapping[str, Any]) -> bool:
    """As kubectl does: a map with `items` is a list; kinds such as `AllowList` may well be objects without."""
    kind = str(value.get("kind", ""))
    return kind == "List" or (kind.endswith("List") and isinstance(value.get("items"), list))


def _misfits(value: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str, str | None]]:
    for field in ("apiVersion", "kind"):
        given = value.get(field)
        if not isinstance(given, str) or not given:
            yield (field,), f'has no "{field}"' if given is None else f'"{field}" must be text', None
    meta = value.get("metadata")
    if not isinstance(meta, dict):
        yield ("metadata",), 'has no "metadata"' if meta is None else '"metadata" must be a map', None
        return
    name, namespace = meta.get("name"), meta.get("namespace")
    if name is None and meta.get("generateName"):
        yield ("metadata", "generateName"), 'has "generateName" instead of a name', "apply needs a fixed name"
    elif not isinstance(name, str) or not name:
        message = 'has no "metadata.name"' if not name else '"metadata.name" must be text'
        yield ("metadata", "name"), message, f'put it into quotes: "{name}"' if name else None
    if namespace is not None and not isinstance(namespace, str):
        yield ("metadata", "namespace"), '"metadata.namespace" must be text', f'put it into quotes: "{namespace}"'
    for field in ("labels", "annotations"):
        yield from _not_text(field, meta.get(field))


def _not_text(field: str, given: Any) -> Iterator[tuple[tuple[str, ...], str, str | None]]:
    if given is None:
        return
    if not isinstance(given, dict):
        yield ("metadata", field), f'"metadata.{field}" must be a map', None
        return
    for key, value in given.items():
        if not isinstance(value, str) and value is not None:
            written = str(value).lower() if isinstance(value, bool) else value
            message = f'"metadata.{field}.{key}" must be text, not {written}'
            yield ("metadata", field, key), message, f'put it into quotes: "{written}"'


def cleaned(body: Mapping[str, Any]) -> dict[str, Any]:
    """A copy without what only a server writes: `status` and the fields of `SERVER_FIELDS`."""
    meta = {key: value for key, value in body["metadata"].items() if key not in SERVER_FIELDS}
    return {key: value for key, value in {**body, "metadata": meta}.items() if key != "status"}


def at(manifest: Manifest, place: Place) -> Manifest:
    """The same object, found elsewhere."""
    return Manifest(manifest.key, manifest.body, place)
