"""Lists, selections and the forms in which objects are shown (as they are, metadata only, tables)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from sbkube.sandbox import selectors, tables
from sbkube.sandbox.api import Api
from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.routing import Target
from sbkube.sandbox.status import StatusError, bad_request, expired
from sbkube.sandbox.watch import Wanted

Json = dict[str, Any]


def matcher(target: Target, query: Mapping[str, str]) -> Callable[[Json], bool] | None:
    """The selection of label and field selectors; None when everything is selected. Raises StatusError 400."""
    kind = target.kind
    try:
        label = query.get("labelSelector") and selectors.parse_label_selector(query["labelSelector"])
        text = query.get("fieldSelector")
        field = selectors.parse_field_selector(text, kind.group, kind.kind) if text else None
    except selectors.SelectorError as error:
        raise bad_request(str(error)) from None
    name = target.name
    if not label and not field and not name:
        return None

    def matches(obj: Json) -> bool:
        metadata = obj["metadata"]
        if name and metadata["name"] != name:
            return False
        if label and not label.matches(metadata.get("labels") or {}):
            return False
        return not field or field.matches(obj)

    return matches


def selected(api: Api, target: Target, query: Mapping[str, str]) -> list[Json]:
    """The objects that a collection request means."""
    matches = matcher(target, query)
    found = api.list(target.kind, target.namespace)
    return found if matches is None else [o for o in found if matches(o)]


def as_list(kind: Kind, items: list[Json], rv: int, more: Json | None = None) -> Json:
    """A list object."""
    shown = (
        items if kind.custom else [{k: v for k, v in i.items() if k not in ("apiVersion", "kind")} for i in items]
    )
    metadata: Json = {"resourceVersion": str(rv), **(more or {})}
    if kind.custom:
        metadata.setdefault("continue", "")
    return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata, "items": shown}


def answer(api: Api, target: Target, query: Mapping[str, str], accept: str) -> Json:
    """A whole list answer: selection, page, form."""
    items = selected(api, target, query)
    rv, more = api.store.rv, {}
    start = 0
    if query.get("continue"):
        start, rv = _continued(query["continue"], items)
    limit = _number(query, "limit")
    page = items[start : start + limit] if limit else items[start:]
    left = len(items) - start - len(page)
    if left > 0:
        last = page[-1]["metadata"]
        token = {"v": "meta.k8s.io/v1", "rv": rv, "start": f"{last.get('namespace', '')}/{last['name']}"}
        more["continue"] = base64.urlsafe_b64encode(orjson.dumps(token)).decode().rstrip("=")
        if not query.get("labelSelector") and not query.get("fieldSelector"):
            more["remainingItemCount"] = left  # type: ignore[assignment]
    shape = _shape(accept)
    if shape == "Table":
        return _table(target.kind, page, str(rv), more)
    if shape == "PartialObjectMetadataList":
        return {"kind": shape, "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": str(rv), **more},
                "items": [_partial(o) for o in page]}  # fmt: skip
    return as_list(target.kind, page, rv, more)


def _continued(token: str, items: list[Json]) -> tuple[int, int]:
    try:
        read = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        after = tuple(read["start"].split("/", 1))
        rv = int(read["rv"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise bad_request("continue key is not valid: illegal base64 data at input byte 0") from None
    keys = [(o["metadata"].get("namespace", ""), o["metadata"]["name"]) for o in items]
    return next((n for n, k in enumerate(keys) if k > after), len(items)), rv


def _number(query: Mapping[str, str], name: str) -> int:
    try:
        return int(query.get(name) or 0)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{query[name]}": invalid syntax') from None


def _shape(accept: str) -> str:
    """The `as=` of the first media type that is understood."""
    for part in accept.split(","):
        words = [w.strip() for w in part.split(";")]
        if words[0] not in ("application/json", "*/*", "application/*", ""):
            continue
        shape = next((w[3:] for w in words if w.startswith("as=")), "")
        if shape in ("", "Table", "PartialObjectMetadata", "PartialObjectMetadataList"):
            return shape
    return ""


def _partial(obj: Json) -> Json:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def presented(kind: Kind, obj: Json, accept: str) -> Any:
    """One object in the form the client accepts."""
    if "as=" not in accept:
        return obj
    shape = _shape(accept)
    if shape == "Table":
        return _table(kind, [obj], obj["metadata"].get("resourceVersion", ""), {})
    if shape == "PartialObjectMetadata":
        return _partial(obj)
    return obj


def _table(kind: Kind, items: list[Json], rv: str, more: Json) -> Json:
    columns = tables.columns(kind)
    rows = [{"cells": tables.cells(kind, o), "object": _partial(o)} for o in items]
    return {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": rv, **more},
            "columnDefinitions": columns, "rows": rows}  # fmt: skip


def wanted(api: Api, target: Target, query: Mapping[str, str]) -> Wanted:
    """What a watch asks for. Raises StatusError."""
    initial = query.get("sendInitialEvents") in ("true", "1")
    version: int | None = None
    text = query.get("resourceVersion", "")
    if text not in ("", "0"):
        try:
            version = int(text)
            if version < 0:
                raise ValueError
        except ValueError:
            message = (
                f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
            )
            raise StatusError(500, "", message) from None
    if version is not None and version > api.store.rv + 1_000_000:
        raise expired(f"Too large resource version: {version}, current: {api.store.rv}")
    matches = matcher(target, query)
    return Wanted(
        kind=target.kind,
        namespace=target.namespace,
        matches=matches or (lambda _: True),
        version=version,
        initial=initial,
        bookmarks=query.get("allowWatchBookmarks") in ("true", "1"),
        seconds=float(_number(query, "timeoutSeconds") or 1800),
    )
